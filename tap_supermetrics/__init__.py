"""Singer tap for the Supermetrics API. The map, top to bottom; each imports only what is below it.

```
tap           command line, wiring, signals, exit codes                   Singer
streams       a report as a Singer stream                                 Singer
sdk_input     what a user gives to the SDK: catalog, maps; checked        Singer
writer        whole lines to stdout                                       Singer
run           settings and state -> records -> state and summary
courses       reports on their way through a run: resolved, planned
directory     what the API lists for reports: fields, accounts, team lists, segments
summary       what a run did, told to a person
extraction/   runs a plan: query batches, downloads, spool                threads
state         the bookmarks of a report, read and written                 pure
row_checks    that a key tells rows apart, and that their day is theirs   pure
lines         rows -> RECORD messages, many at a time                     pure
records       rows -> records                                             pure
shapes        API data types -> JSON Schema, key, replication key         pure
api/          the API; `wire` has all its spellings, `transport` the network   I/O
planning/     what to ask: coverage, plan, packing                        pure
settings/     what the user configures, declared once                     pure
dates         days and date ranges                                        pure
secrecy       the key, kept out of what people read                       pure
errors        what can end a run, and its exit code                       pure

emulator/     the API on localhost; imports nothing of the above, nor they of it
```

`run` leads a record through four hops: `extraction.downloads` (pages into a spool),
`extraction.board` (plan order), `lines.LineFormat` (typed, encoded, after a look by `row_checks`),
`writer` (stdout). Where the SDK is to do something with each record, `records.RecordReader` gives
it one by one. Each package has a map of its own, in its `__init__.py`.
"""
