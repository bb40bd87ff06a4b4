"""Every night, the shards of a Meltano project: reports are assets, shards are partitions.

Made for Dagster 1.13. The environment names the folder of `meltano.yml` (SUPERMETRICS_PROJECT),
which has an extractor for each shard, and `meltano_run.py` of these examples
(SUPERMETRICS_MELTANO_RUN).
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

PROJECT = Path(os.environ["SUPERMETRICS_PROJECT"])
SHARDS = int(os.environ.get("SUPERMETRICS_SHARDS", "2"))
LOADER = os.environ.get("SUPERMETRICS_LOADER", "target-postgres")
RETRY_S = float(os.environ.get("SUPERMETRICS_RETRY_S", "300"))
REPORT_DIR = PROJECT / "output" / "report"
"""Each shard leaves the JSON of its runs, and its page, in a folder of its own below."""
PAGES = os.environ.get("SUPERMETRICS_PAGES", REPORT_DIR.as_uri())
"""Where that folder is served, for the links to the pages."""
CRON = os.environ.get("SUPERMETRICS_CRON", "30 4 * * *")
FAILED, REFUSED = 3, 4
WHY = {
    FAILED: "Some queries failed, all else arrived: see the log",
    REFUSED: "The API refuses the key, the license or the quota",
}


def names_of_reports() -> list[str]:
    """Read them from `queries` of the extractor `tap-supermetrics`."""
    plugins = yaml.safe_load((PROJECT / "meltano.yml").read_text())["plugins"]
    for each in plugins["extractors"]:
        if each["name"] == "tap-supermetrics" and "queries" in each.get("config", {}):
            return [query["name"] for query in each["config"]["queries"]]
    raise LookupError(
        "meltano.yml: no `queries` below `tap-supermetrics`; return the names of your reports here"
    )


REPORTS = names_of_reports()
ALL_SHARDS = dg.StaticPartitionsDefinition([f"{n}/{SHARDS}" for n in range(1, SHARDS + 1)])


@dg.multi_asset(
    specs=[dg.AssetSpec(["supermetrics", each], skippable=True) for each in REPORTS],
    partitions_def=ALL_SHARDS,
    # Of two places: the API runs two query batches at a time for a license.
    pool="supermetrics",
)
def load_shard(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Load one shard; the reports of which all arrived are materialized."""
    shard = context.partition_key.partition("/")[0]
    folder = REPORT_DIR / shard
    before = {*folder.glob("run-*.json")}
    code = run_meltano(shard, folder)
    left = sorted({*folder.glob("run-*.json")} - before)
    told = json.loads(left[-1].read_text()) if left else {}
    if code in {0, FAILED}:
        yield from results(told, f"{PAGES}/{shard}/index.html", are_all=code == 0)
    if code in WHY:
        raise dg.Failure(WHY[code], metadata={"why": told.get("message", "")}, allow_retries=False)
    if code:
        # A retry policy would start again what was terminated in Dagster, too.
        failure = dg.Failure(f"exit code {code}: see the log")
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=RETRY_S) from failure


def run_meltano(shard: str, folder: Path) -> int:
    """Run the extractor of a shard into the loader; return the extractor's exit code."""
    # One at a time: the lock goes with the process. So Meltano, which calls a pipeline that was
    # killed running for five minutes, need not know (--force).
    line = ["flock", "--no-fork", str(PROJECT / f".shard-{shard}.lock")]
    line += [os.environ["SUPERMETRICS_MELTANO_RUN"], "--force"]
    line += [f"tap-supermetrics-{shard}", LOADER]
    env = os.environ | {f"TAP_SUPERMETRICS_{shard}_REPORT_DIR": str(folder)}
    with subprocess.Popen(line, cwd=PROJECT, env=env) as meltano:
        try:
            return meltano.wait()
        except BaseException:
            # Whoever terminates the run in Dagster stops the pipeline.
            meltano.terminate()
            raise


def results(told: dict[str, Any], page: str, *, are_all: bool) -> Iterator[dg.MaterializeResult]:
    """Yield what the JSON of the run tells of each report; without `are_all`, of the whole ones."""
    parts = {each["name"]: each for each in told.get("reports", ())}
    hurt = {each["report"] for each in told.get("failures", ())}
    for name in REPORTS:
        part = parts.get(name, {})
        failed = part.get("queries_failed", 0)
        if are_all or not (failed or name in hurt):
            yield dg.MaterializeResult(
                asset_key=["supermetrics", name],
                metadata={
                    "rows": part.get("rows", 0),
                    "queries": part.get("queries_done", 0),
                    "failed": failed,
                    "days missing": part.get("days_missing", 0),
                    "took (seconds)": told.get("seconds", 0.0),
                    "page": dg.MetadataValue.url(page),
                },
            )


every_shard = dg.define_asset_job("supermetrics", [load_shard])


@dg.schedule(job=every_shard, cron_schedule=CRON)
def nightly() -> list[dg.RunRequest]:
    """Ask for a run of each shard."""
    shards = ALL_SHARDS.get_partition_keys()
    return [dg.RunRequest(run_key=each, partition_key=each) for each in shards]


defs = dg.Definitions(
    assets=[load_shard],
    schedules=[nightly],
    # A run has one step. In a process of its own, the step could be killed alone.
    executor=dg.in_process_executor,
)
