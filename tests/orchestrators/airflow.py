"""The DAG under `airflow standalone`: a mapped task is killed with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.orchestrators.nights import (
    EXAMPLES,
    SHARDS,
    Result,
    check,
    make_project,
    pass_a_day,
    wait_for,
    wait_for_queries,
)
from tests.orchestrators.processes import free_port, kill_task, scripts, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tap_supermetrics.emulator import Emulator

DAG = "supermetrics"
_EVERY_S = 3.0
"""Each question to Airflow is a process of some seconds."""


def two_nights(folder: Path, emulator: Emulator, loader: Path, airflow: Path) -> Result:
    """Run the example.

    Raises:
        AssertionError: it does not do what its README says.
    """
    env = _environment(folder, make_project(folder, emulator, loader), airflow)
    with _standalone(folder, env, airflow):
        _airflow(airflow, env, "pools", "set", DAG, "2", "two query batches a license")
        # That starts the night that is due.
        _airflow(airflow, env, "dags", "unpause", DAG)
        # Airflow starts the two in any order; the other may have submitted all of these by then.
        wait_for("a task", partial(scripts, "tap-supermetrics-1"))
        wait_for_queries(emulator)
        kill_task("tap-supermetrics-1")
        killed_after = len(emulator.queries)
        _wait_for_success(airflow, env, runs=1)
        pass_a_day(folder, emulator)
        _airflow(airflow, env, "dags", "trigger", DAG)
        _wait_for_success(airflow, env, runs=2)
    return check(folder, emulator, killed_after)


def _environment(folder: Path, project: Mapping[str, str], airflow: Path) -> dict[str, str]:
    home = folder / "airflow"
    (home / "dags").mkdir(parents=True)
    dag = home / "dags" / "supermetrics.py"
    dag.write_text((EXAMPLES / "airflow" / "supermetrics.py").read_text())
    return {
        **project,
        # The processes of `standalone` call `airflow` by its name.
        "PATH": f"{airflow.parent}{os.pathsep}{project['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__API__PORT": str(port := free_port()),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__API__WORKERS": "1",
        "SUPERMETRICS_PROJECT": str(folder),
        "SUPERMETRICS_MELTANO_RUN": str(EXAMPLES / "meltano_run.py"),
        "SUPERMETRICS_SHARDS": str(SHARDS),
        "SUPERMETRICS_LOADER": "target-jsonl",
        "SUPERMETRICS_RETRY_S": "2",
    }


@contextlib.contextmanager
def _standalone(folder: Path, env: Mapping[str, str], airflow: Path) -> Iterator[None]:
    with serving([str(airflow), "standalone"], env, folder / "standalone.log"):
        wait_for("the DAG", partial(_knows_dag, airflow, env), every_s=_EVERY_S)
        yield


def _airflow(airflow: Path, env: Mapping[str, str], *words: str, fails: bool = False) -> str:
    line = [str(airflow), *words]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - Airflow
    assert fails or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _knows_dag(airflow: Path, env: Mapping[str, str]) -> bool:
    listed = _airflow(airflow, env, "dags", "list", "--columns", "dag_id", fails=True)
    return DAG in listed


def _wait_for_success(airflow: Path, env: Mapping[str, str], runs: int) -> None:
    def ended() -> bool:
        printed = _airflow(airflow, env, "dags", "list-runs", DAG, "--output", "json")
        # Airflow logs into the same output.
        start = printed.find("[{")
        if start < 0:
            return False
        found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(printed[start:])[0]
        states = [each["state"] for each in found]
        assert "failed" not in states, found
        return states == ["success"] * runs

    wait_for(f"the end of {runs} runs", ended, every_s=_EVERY_S)
