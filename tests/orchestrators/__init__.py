"""The examples as they are, run over the emulator: two nights, and a task that is killed.

```
run      the command `./dev orchestrators`: each in an environment of its own, and a table
cron     examples/cron: a script, killed, and started again
airflow  examples/airflow: a DAG of mapped tasks, one of them killed
dagster  examples/dagster: assets and partitions, one of their runs killed
nights   the project, the kill, and what must be there afterwards
processes  finds the processes of a task, and kills them
```
"""
