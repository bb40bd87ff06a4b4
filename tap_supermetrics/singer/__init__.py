"""Singer's own side: input and output. Each module imports only what is below it.

```
about              the description of an entry of `queries` for `--about`
catalog_overrides  reports as a catalog changes them
configuration      a configuration as settings, and the client by them
tables             what loaders make of streams: names of tables, and columns that are changed
maps               stream maps: their form, what they cannot do, what they change
storage            storages of BATCH files that are no folder, and their errors
environment        settings in the environment
inputs             catalog and configuration as the SDK gets them, checked
catalog_entries    the entries of a catalog, but for types
catalog_form       the form of a catalog as it is written
catalog_types      types that a catalog gives to columns
batch_files        files of BATCH messages, made of many lines at a time
encodings          lines packed as a file: JSON, gzip, Parquet
progress_display   whether the progress is seen
terminal           progress on a terminal, imported only there
writer             whole lines to stdout
```
"""
