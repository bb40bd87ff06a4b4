"""Values that all layers speak of. Each module imports only what is below it.

```
queries           queries, query batches
report            a report with its settings, declared
declared          how a setting is declared, once
kinds             kinds of values of settings
written_ids       ids as people write them
accounts          which accounts a report reads
echoed_accounts   accounts that an answer echoes in other words
account_spelling  whether two ids are one account: four answers, and what each may confuse
columns           names of the columns that the tap adds
shards            accounts shared out between several runs
policies          how the API splits and runs
```
"""

from tap_supermetrics.model.accounts import Accounts, compile_filter, is_list
from tap_supermetrics.model.policies import BatchPolicy, SplitAccounts, SplitDates, SplitPolicy
from tap_supermetrics.model.queries import (
    AsyncRun,
    BatchItem,
    BatchRequest,
    Query,
    ReportAccount,
    SubmittedBatch,
    account_id_of,
)
from tap_supermetrics.model.report import Report
from tap_supermetrics.model.shards import WHOLE, Shard

__all__ = [
    "WHOLE",
    "Accounts",
    "AsyncRun",
    "BatchItem",
    "BatchPolicy",
    "BatchRequest",
    "Query",
    "Report",
    "ReportAccount",
    "Shard",
    "SplitAccounts",
    "SplitDates",
    "SplitPolicy",
    "SubmittedBatch",
    "account_id_of",
    "compile_filter",
    "is_list",
]
