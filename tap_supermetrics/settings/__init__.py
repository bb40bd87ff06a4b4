"""The user's configuration. Each module imports only what is below it.

A setting of the tap is declared in `config.Settings`, one of a report in `model.report`.

```
config          the whole, declared, read, checked and frozen
entries         the entries of `queries`, read into reports
contradictions  settings of a report that do not go together
query_url       a query given as an address
reading         reads what is declared, and collects the mistakes
```
"""

from tap_supermetrics.settings.config import Mode, Settings

__all__ = ["Mode", "Settings"]
