"""Rows to records. Pure. Each module imports only what is below it.

```
encode   rows -> RECORD messages, many at a time
checks   that a key tells rows apart, and that their day is theirs
convert  rows -> records, one at a time
schema   API data types -> JSON Schema, key, replication key
```
"""
