"""The user's configuration. Each module imports only what is below it.

```
config        the whole, read, checked and frozen
query_url     a query given as an address
declarations  every setting, declared once
kinds         what a value may be
```
"""

from tap_supermetrics.settings.config import METADATA_PREFIX, Mode, Settings

__all__ = ["METADATA_PREFIX", "Mode", "Settings"]
