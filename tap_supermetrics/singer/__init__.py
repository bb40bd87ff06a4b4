"""Singer's own side: what comes in and what goes out. Each module imports only what is below it.

```
about              what `--about` tells of an entry of `queries`
catalog_overrides  reports as a catalog changes them
configuration      a configuration as settings, and the client that these ask for
tables             what loaders make of streams: names, and columns that do not arrive as they are
maps               stream maps: their form, what they cannot do, what they change
storage            storages of BATCH files that are no folder, and their errors
environment        settings in the environment
inputs             catalog and configuration as the SDK gets them, checked
catalog_entries    what the entries of a catalog say beside types
catalog_form       the form of a catalog as it is written
catalog_types      types that a catalog gives to columns
batch_files        files of BATCH messages, made of many lines at a time
encodings          lines packed as a file: JSON, gzip, Parquet
progress_display   whether somebody sees the progress
terminal           progress on a terminal, imported only there
writer             whole lines to stdout
```
"""
