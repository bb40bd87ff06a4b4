"""Rows to records. Pure. Each module imports only what is below it.

```
encode   rows -> RECORD messages, many at a time
decode   blocks of a result -> values by column, fast
convert  rows -> records, one at a time
values   cells -> values of a kind
rows     blocks of a result -> rows
checks   that keys are unique, and that days are those requested
periods  weeks and months that a moving window cuts
schema   fields of a report -> JSON Schema, key, replication key
kinds    API data types -> kinds of values
names    names of columns as targets see them
```
"""
