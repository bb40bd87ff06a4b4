"""`python -m tap_supermetrics.emulator`: the command `tap-supermetrics-emulator`."""

import sys

from tap_supermetrics.emulator.cli import main

sys.exit(main())
