"""What the user configures.

`declarations`: every setting; `kinds`: what a value may be; `config`: the whole, read and checked.
"""

from tap_supermetrics.settings.config import METADATA_PREFIX, BatchPolicy, Report, Settings
from tap_supermetrics.settings.kinds import Accounts

__all__ = ["METADATA_PREFIX", "Accounts", "BatchPolicy", "Report", "Settings"]
