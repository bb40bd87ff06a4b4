"""Leaves a run to be read, where that is asked for: a JSON for alerts and one page for people.

```
run_end    sees how a run ends
ending     a run that ended, written to `report_dir`; nothing here ends a run
document   the page: everything in one file, nothing fetched
shards     what shards left side by side, joined
calendars  the days of reports: what the state says, and what runs found
folder     the files of a folder: written whole or not at all, a bounded number kept
run_json   what the JSON of a run holds
days       a letter for each day of an account, and how they are written
```
"""
