"""`python -m killick.cli` is the same as `killick`."""

import sys

from killick.cli import main

sys.exit(main())
