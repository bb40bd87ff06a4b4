"""Writes the outcome of a run to `report_dir`: a JSON for alerts and one page for people.

```
run_end    notes how a run ends
ending     a run that ended, written to `report_dir`; nothing here ends a run
document   the page: everything in one file, nothing fetched
shards     what shards left side by side, joined
calendars  the days of reports, by the state and by what runs found
folder     the files of a folder: written whole or not at all, a bounded number retained
run_json   the form of the JSON of a run
days       a letter for each day of an account, and how they are written
```
"""
