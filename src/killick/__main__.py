"""`python -m killick` is the command `killick`."""

import sys

from killick.cli import main

sys.exit(main())
