"""What the user configures.

`declarations`: every setting; `kinds`: what a value may be; `config`: the whole, read and checked.
"""

from tap_supermetrics.settings.config import METADATA_PREFIX, BatchPolicy, Mode, Report, Settings
from tap_supermetrics.settings.kinds import Accounts

__all__ = ["METADATA_PREFIX", "Accounts", "BatchPolicy", "Mode", "Report", "Settings"]
