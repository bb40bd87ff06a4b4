"""Singer's own side: what comes in and what goes out. Each module imports only what is below it.

```
about          what `--about` tells of an entry of `queries`
catalog        what a catalog changes of the reports, where that loses nothing
configuration  a configuration as settings, and the client that these ask for
inputs         catalog, maps and configuration as the SDK gets them, checked
batch_files    files of BATCH messages, made of many lines at a time
encodings      lines packed as a file: JSON, gzip, Parquet
watching       whether somebody sees the progress
terminal       progress on a terminal, imported only there
writer         whole lines to stdout
```
"""
