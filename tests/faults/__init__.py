"""Killed, cut off and filled up: is everything that was acknowledged still there? See __main__."""
