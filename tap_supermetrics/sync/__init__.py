"""Settings and state to records and state. Each module imports only what is below it.

```
run              one sync of all selected reports
emission         the records of reports, one after the other, and a mark at each result's end
bookkeeping      the outcome of each query, recorded in state, summary and query log
checkpoints      when the state is worth writing
assembly         the engine that carries out the plans of a run
preparation      a run before its first submission: what is known, retained and planned
planner          the plans of the reports, as far as the run may pay for them
run_journal      what dead runs left goes to the reports, what the API accepts is noted
calendar         the days of a report as the state has them: done, stale, missing
discovery        reports as the API describes their fields, and those that it rules out
idle             settings that are given and have no effect
report_sync      a report on its way through a run: resolved, planned, emitted
remarks          remarks on a report's values, for the summary
continuity       what was loaded before, compared with what is to be loaded
name_checks      names of accounts, logins and segments, checked against the lists
addresses        queries given by an address that only the API can read
lookups          what the API lists for reports: fields, accounts, team lists, segments
field_lists      the fields of data sources, several lists requested at a time
account_lists    the accounts that the API lists, and those that a filter matches
team_lists       accounts that only query batches show
query_log        a record for each query that ended
submitted        what was submitted and not emitted yet
summary          what a run did, for a person
days_read        what a run found on each day
merging          states of several runs made into one
journal          what was submitted, on the disk, for the run after a killed one
journal_folder   what dead runs left, and whose it is
journal_entries  the entries of the journal, and their lines
locked_file      a file of lines that one process locks
state_checks     what cannot be in a state
state            the bookmarks of a report, read and written
partitions       the coverage of an account, as the state stores it
notation         values as the state and the journal store them
```
"""
