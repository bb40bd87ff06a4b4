"""Decides what to query. No clock, no I/O. Each module imports only what is below it.

```
packing   queries -> query batches
budget    the queries that a run may still pay for
plan      scope and coverage -> ranges -> queries, in the order of their emission
account   what is queried of one account
scope     accounts, days and policy of a report
coverage  the days of an account that are in the target
```
"""
