"""Singer's own side: what comes in and what goes out. Each module imports only what is below it.

```
about        what `--about` tells of an entry of `queries`
inputs       catalog, maps and configuration as the SDK gets them, checked
catalog      what a catalog says of columns and streams, read and held against the report
batch_files  files of BATCH messages, made of many lines at a time
encodings    lines packed as a file: JSON, gzip, Parquet
watching     whether somebody sees the progress
terminal     progress on a terminal, imported only there
writer       whole lines to stdout
```
"""
