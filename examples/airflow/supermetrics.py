"""Every night, the shards of a Meltano project side by side, as mapped tasks in a pool.

Made for Airflow 3. The environment names the folder of `meltano.yml` (SUPERMETRICS_PROJECT), which
has an extractor for each shard, and `meltano_run.py` of these examples (SUPERMETRICS_MELTANO_RUN).
"""

from __future__ import annotations

import logging
import os
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

SHARDS = int(os.environ.get("SUPERMETRICS_SHARDS", "2"))
LOADER = os.environ.get("SUPERMETRICS_LOADER", "target-postgres")
RETRY_S = float(os.environ.get("SUPERMETRICS_RETRY_S", "300"))
POOL = "supermetrics"
"""Two slots: the API runs two query batches at a time for a license."""

FAILED, REFUSED = 3, 4
logger = logging.getLogger(__name__)


def alert(context: dict) -> None:
    """Say that a shard failed; put your pager or chat here."""
    logger.error("ALERT %s: %s", context["task_instance"], context.get("exception"))


@dag(
    schedule="30 4 * * *",
    start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
    # The tap knows from its state which days are missing: one run makes up for all nights before.
    catchup=False,
    max_active_runs=1,
)
def supermetrics() -> None:
    """Load all shards."""

    @task(
        pool=POOL,
        retries=2,
        retry_delay=timedelta(seconds=RETRY_S),
        on_failure_callback=alert,
    )
    def load(shard: int) -> None:
        # --force: Meltano calls a task that was killed running for five minutes; Airflow knows.
        line = [os.environ["SUPERMETRICS_MELTANO_RUN"], "--force"]
        line += [f"tap-supermetrics-{shard}", LOADER]
        code = subprocess.run(line, cwd=os.environ["SUPERMETRICS_PROJECT"], check=False).returncode
        if code == FAILED:
            raise AirflowFailException("Some queries failed, all else arrived: see the log")
        if code == REFUSED:
            raise AirflowFailException("The API refuses the key, the license or the quota")
        if code:
            raise AirflowException(f"exit code {code}")

    load.expand(shard=[*range(1, SHARDS + 1)])


supermetrics()
