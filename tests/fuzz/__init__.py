"""Every parser of what comes from outside, under bytes that nobody meant well with."""
