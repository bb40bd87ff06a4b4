"""Commands for people, beside the Singer options. Each imports only what is below it.

```
command_line  reads the arguments and runs one command
init          from the key to a first report
questions     prompts a person, or takes the answer from an option
project       the files of settings and key
yaml_text     adds to a YAML text, and leaves the rest as is
sql           views for a warehouse, made from the settings
check         would a run start whole?
loaders       the limits of loaders on names and keys
plan          what a run would do, and what it would cost
view_needs    what the views need of the settings
views         the views themselves
dialects      how warehouses spell SQL, and loaders name tables
coverage      which days are there, stale or missing
accounts      ids and names of accounts
fields        ids, names and types of fields
state         states of several runs made into one
emulator      the API on localhost
output        tables and JSON on stdout
connection    settings and API, as the commands need them
```

No command submits a query, but for the test that `init` offers: they read lists of the API, which
are free.
"""
