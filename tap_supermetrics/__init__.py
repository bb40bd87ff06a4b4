"""Singer tap for the Supermetrics API. The map, top to bottom; each imports only what is below it.

```
__main__     starts it; Ctrl-C is silent before all else is loaded
program      command line: Singer options, or a command; errors in one line
tap          settings, discovery, options of the command line               Singer
invocation   the run that all streams share, and how it ends                Singer
streams      a report as a Singer stream                                    Singer
commands/    commands for people, before, during and after a run
page/        the report on a run: a JSON and a page
singer/      what comes in and goes out: catalog, maps, lines on stdout     Singer
sync/        settings and state -> records -> state and summary
extraction/  runs a plan: query batches, downloads, spool                   threads
records/     rows -> typed, checked, encoded records                        pure
planning/    what to query: coverage, plan, packing                         pure
settings/    what the user configures, declared once                        pure
api/         the API; `wire` and `listings` have its spellings, `connection` the network
model/       reports, queries, query batches: what all layers speak of      pure
date_ranges  ranges in words, as the API takes them                         pure
dates        days and date ranges                                           pure
date_words   days in words, as the API takes them                           pure
redaction    the key, removed from what people read                         pure
words        numbers with their words                                       pure
errors       errors that end a run, and their exit codes                    pure

emulator/    the API on localhost; imports nothing of the above, nor they of it
```

`sync.run` leads a record through four hops: `extraction.downloads` (pages into a spool),
`extraction.sequence` (plan order), `records.encode` (typed, encoded, after a look by
`records.checks`), `singer.writer` (stdout). Where the SDK is to do something with each record,
`records.convert` gives it one by one. Each package has a map of its own, in its `__init__.py`.
"""
