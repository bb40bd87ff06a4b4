"""What to ask. Pure: no clock, no I/O. Each module imports only what is below it.

```
packing   queries -> query batches
plan      reports, accounts and coverage -> queries, in the order of their emission
coverage  the days of an account that are in the target
```
"""
