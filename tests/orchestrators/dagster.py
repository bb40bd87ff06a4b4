"""The assets under `dagster dev`: a run is killed with all that it started."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.emulator import Emulator, Fault
from tests.orchestrators.nights import (
    ACCOUNTS,
    EXAMPLES,
    REPORT,
    SHARDS,
    Result,
    check,
    held,
    make_project,
    pass_a_day,
    wait_for,
    wait_for_queries,
)
from tests.orchestrators.processes import SCRIPT, free_port, kill_task, scripts, serving

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE: Final = EXAMPLES / "dagster"
FILE: Final = HERE / "supermetrics.py"
ASSET: Final = ["supermetrics", REPORT["name"]]
PARTITIONS: Final = [f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)]
ENDED: Final = {"SUCCESS", "FAILURE", "CANCELED"}
NO_RETRY: Final = "Not retrying run since it failed due to an asset or op failure"

_RUNS: Final = """
{ runsOrError { ... on Runs { results { runId parentRunId status tags { key value } } } } }
"""
_BACKFILL: Final = """
mutation ($asset: [String!]!, $partitions: [String!]) {
  launchPartitionBackfill(
    backfillParams: { assetSelection: [{ path: $asset }], partitionNames: $partitions }
  ) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } }
}
"""
_SCHEDULES: Final = """
{ schedulesOrError(repositorySelector:
    { repositoryLocationName: "supermetrics.py", repositoryName: "__repository__" }) {
  ... on Schedules { results { name scheduleState { status } } } } }
"""
_START: Final = """
mutation ($name: String!) { startSchedule(scheduleSelector: {
  repositoryLocationName: "supermetrics.py", repositoryName: "__repository__", scheduleName: $name
}) { ... on ScheduleStateResult { scheduleState { id status } } } }
"""
_STOP: Final = """
mutation ($id: String!) { stopRunningSchedule(id: $id) {
  ... on ScheduleStateResult { scheduleState { status } }
} }
"""
_MATERIALIZATIONS: Final = """
query ($asset: [String!]!) { assetNodeOrError(assetKey: { path: $asset }) { ... on AssetNode {
  assetMaterializations { runId partition metadataEntries { label
    ... on IntMetadataEntry { intValue }
    ... on FloatMetadataEntry { floatValue }
    ... on UrlMetadataEntry { url }
} } } } }
"""
_EVENTS: Final = """
query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  __typename
  ... on MessageEvent { message }
  ... on ExecutionStepFailureEvent { failureMetadata { description } }
} } } }
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """What the web server of Dagster tells and takes."""

    url: str

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Return the answer to a query of GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310 - local
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - local
            told: dict[str, Any] = json.load(answer)
        assert "errors" not in told, told["errors"]
        data: dict[str, Any] = told["data"]
        return data

    def schedules(self) -> list[dict[str, Any]]:
        """Return the schedules; none while the code is not loaded."""
        try:
            found = self.ask(_SCHEDULES)["schedulesOrError"]
        except OSError:
            return []
        schedules: list[dict[str, Any]] = found.get("results", [])
        return schedules

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, the newest first."""
        found: list[dict[str, Any]] = self.ask(_RUNS)["runsOrError"]["results"]
        return found

    def materialize(self) -> None:
        """Start a run for each partition, as the button of the page does."""
        told = self.ask(_BACKFILL, asset=ASSET, partitions=PARTITIONS)["launchPartitionBackfill"]
        assert "backfillId" in told, told

    def messages(self, run_id: str) -> str:
        """Return what Dagster noted of a run."""
        return json.dumps(self.ask(_EVENTS, run=run_id)["logsForRun"])

    def wait_for_end(self, **states: int) -> list[dict[str, Any]]:
        """Wait until all runs ended, and there are so many of each state; return them."""

        def ended() -> bool:
            found = Counter(each["status"] for each in self.runs())
            assert all(found[name] <= states.get(name, 0) for name in ENDED), found
            return found == states

        wait_for(f"the end of {states}", ended, every_s=0.5)
        return self.runs()


def two_nights(folder: Path, emulator: Emulator, loader: Path, dagster: Path) -> Result:
    """Run the example: two nights, and two more that fail.

    Raises:
        AssertionError: it does not do what its README says.
    """
    env = _environment(folder, make_project(folder, emulator, loader), dagster)
    port = str(free_port())
    line = [str(dagster), "dev", "-f", str(FILE), "-h", "127.0.0.1", "-p", port]
    with serving(line, env, folder / "dagster.log"):
        instance = Instance(f"http://127.0.0.1:{port}")
        wait_for("the code", instance.schedules, every_s=0.5)
        instance.materialize()
        wait_for("a task", partial(scripts, "tap-supermetrics-1"))
        wait_for_queries(emulator)
        kill_task("tap-supermetrics-1")
        killed_after = len(emulator.queries)
        runs = instance.wait_for_end(SUCCESS=SHARDS, FAILURE=1)
        (killed,) = (each["runId"] for each in runs if each["status"] == "FAILURE")
        assert [each["status"] for each in runs if each["parentRunId"] == killed] == ["SUCCESS"]
        pass_a_day(folder, emulator)
        _wait_for_schedule(instance)
        instance.wait_for_end(SUCCESS=2 * SHARDS, FAILURE=1)
        assert instance.schedules()[0]["scheduleState"]["status"] == "STOPPED"
        result = check(folder, emulator, killed_after)
        _check_metadata(folder, instance)
        _check_exit_codes(instance, emulator)
    return result


def _environment(folder: Path, project: Mapping[str, str], dagster: Path) -> dict[str, str]:
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((HERE / "dagster.yaml").read_text())
    env = {
        **project,
        "PATH": f"{project['PATH']}{os.pathsep}{dagster.parent}",
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "SUPERMETRICS_PROJECT": str(folder),
        "SUPERMETRICS_MELTANO_RUN": SCRIPT,
        "SUPERMETRICS_SHARDS": str(SHARDS),
        "SUPERMETRICS_LOADER": "target-jsonl",
        "SUPERMETRICS_RETRY_S": "2",
        # Each minute, so that the second night comes.
        "SUPERMETRICS_CRON": "* * * * *",
    }
    # What cannot be loaded is told here; `dagster dev` would go on without it.
    for words in ("definitions validate -f", "instance concurrency set supermetrics 2"):
        line = [str(dagster), *words.split(), *([str(FILE)] if words.endswith("-f") else [])]
        done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - Dagster
        assert done.returncode == 0, done.stdout + done.stderr
    return env


def _wait_for_schedule(instance: Instance) -> None:
    """Turn the schedule on until it has started a night."""
    (schedule,) = instance.schedules()
    before = len(instance.runs())
    state = instance.ask(_START, name=schedule["name"])["startSchedule"]["scheduleState"]

    def works() -> bool:
        new = instance.runs()[:-before]
        return len(new) >= SHARDS and "STARTED" in [each["status"] for each in new]

    # Not as soon as there are runs: what the scheduler writes after them would turn it on again.
    wait_for("the schedule", works, every_s=0.5)
    told = instance.ask(_STOP, id=state["id"])["stopRunningSchedule"]
    assert told["scheduleState"]["status"] == "STOPPED", told


def _materializations(instance: Instance) -> list[dict[str, Any]]:
    node = instance.ask(_MATERIALIZATIONS, asset=ASSET)["assetNodeOrError"]
    found: list[dict[str, Any]] = node["assetMaterializations"]
    return found


def _check_metadata(folder: Path, instance: Instance) -> None:
    """Hold the metadata of the two nights against the JSON that the runs left."""
    told: Counter[str] = Counter()
    found = _materializations(instance)
    assert Counter(each["partition"] for each in found) == dict.fromkeys(PARTITIONS, 2)
    for each in found:
        entries = {entry.pop("label"): entry for entry in each["metadataEntries"]}
        page = Path(urllib.parse.urlparse(entries["page"]["url"]).path)
        assert page.is_file(), page
        assert entries["took (seconds)"]["floatValue"] > 0
        told.update({name: entries[name]["intValue"] for name in ("rows", "queries", "failed")})
    runs = [json.loads(each.read_text()) for each in folder.glob("output/report/*/run-*.json")]
    reports = [report for run in runs for report in run["reports"]]
    assert told["rows"] == sum(each["rows"] for each in reports) >= len(held(folder))
    assert told["queries"] == sum(each["queries_done"] for each in reports) > 0
    assert told["failed"] == 0


def _check_exit_codes(instance: Instance, emulator: Emulator) -> None:
    """Have runs end with 3 and 4, which Dagster must not try again."""
    before, good = len(_materializations(instance)), len(instance.runs())
    emulator.inject(Fault(effect="fail_query", code="QUERY_ERROR", account=ACCOUNTS[0], times=None))
    instance.materialize()
    runs = instance.wait_for_end(SUCCESS=3 * SHARDS - 1, FAILURE=2)
    _check_failures(instance, runs[: len(runs) - good], "Some queries failed")
    # What arrived for the other shard is told, what is not whole is not.
    assert len(_materializations(instance)) == before + SHARDS - 1
    emulator.inject(
        Fault(
            effect="error",
            path="query/batch$",
            status=429,
            code="API_ROW_QUOTA_EXCEEDED",
            times=None,
        )
    )
    instance.materialize()
    runs = instance.wait_for_end(SUCCESS=3 * SHARDS - 1, FAILURE=2 + SHARDS)
    _check_failures(instance, runs[:SHARDS], "The API refuses")


def _check_failures(instance: Instance, runs: list[dict[str, Any]], why: str) -> None:
    for run_id in (each["runId"] for each in runs if each["status"] == "FAILURE"):
        wait_for("Dagster's decision", partial(_has_decided, instance, run_id), every_s=0.5)
        noted = instance.messages(run_id)
        assert why in noted, noted
        assert "ExecutionStepUpForRetryEvent" not in noted, noted
        assert run_id not in [each["parentRunId"] for each in instance.runs()]


def _has_decided(instance: Instance, run_id: str) -> bool:
    return NO_RETRY in instance.messages(run_id)
