"""Killed, cut off and filled up: is everything that was acknowledged still there? See __main__."""

import os

from faults.planting import plant

# A planted fault has to be in place before killick is imported, in every process of ours.
plant(os.environ.get("FAULTS_SEED"))
