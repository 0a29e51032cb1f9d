"""`python -m matwright.cli` is the same as the command `matwright`."""

import sys

from matwright.cli import main

sys.exit(main())
