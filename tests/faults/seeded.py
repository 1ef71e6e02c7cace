"""`python -m faults.seeded WORDS…`: killick, with the planted fault."""

import sys

from killick.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
