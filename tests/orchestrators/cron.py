"""The script for cron: killed in its midst, started again, and once more a night later."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tap_supermetrics.emulator import Emulator, Fault
from tests.orchestrators.nights import (
    ACCOUNTS,
    EXAMPLES,
    SHARDS,
    Result,
    check,
    first_day,
    kill_group,
    make_project,
    pass_a_day,
    wait_for_queries,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCRIPT = EXAMPLES / "cron" / "nightly"


def two_nights(folder: Path, emulator: Emulator, loader: Path) -> Result:
    """Run the example.

    Raises:
        AssertionError: it does not do what its README says.
    """
    env = make_project(folder, emulator, loader) | {
        "PROJECT": str(folder),
        "SHARDS": str(SHARDS),
        "LOADER": "target-jsonl",
        "ALERT": "echo ALERT",
        "PAUSE": "0",
    }
    with subprocess.Popen(  # noqa: S603 - the example
        [str(SCRIPT)], env=env, start_new_session=True, stdout=subprocess.DEVNULL
    ) as killed:
        wait_for_queries(emulator)
        # Another night would be refused now.
        second = _run(env)
        assert second.returncode == 75, second.stdout
        kill_group(killed.pid)
    killed_after = len(emulator.queries)
    for night in (1, 2):
        if night == 2:
            pass_a_day(folder, emulator)
        done = _run(env)
        assert (done.returncode, "ALERT" in done.stdout) == (0, False), done.stdout
    return check(folder, emulator, killed_after)


def exit_codes(folder: Path, emulator: Emulator, loader: Path) -> None:
    """Have exit codes 3 and 4 arrive at whoever started the script, through Meltano.

    Raises:
        AssertionError: another code arrives.
    """
    env = make_project(folder, emulator, loader) | {
        "PROJECT": str(folder),
        "SHARDS": str(SHARDS),
        "LOADER": "target-jsonl",
        "ALERT": "echo ALERT",
        "PAUSE": "0",
    }
    day, account = first_day(), ACCOUNTS[0]
    emulator.inject(
        Fault(effect="fail_query", code="QUERY_ERROR", account=account, day=day, times=None)
    )
    done = _run(env)
    assert done.returncode == 3, done.stdout
    assert done.stdout.count("ALERT shard") == 1, done.stdout
    refusal = Fault(effect="error", path="query/batch$", status=429, code="API_ROW_QUOTA_EXCEEDED")
    emulator.inject(refusal)
    pass_a_day(folder, emulator)
    done = _run(env)
    assert done.returncode == 4, done.stdout
    assert "ALERT shard 1/2: the API refuses the key or the quota" in done.stdout


def verify_units() -> str:
    """Return what systemd says of the units; nothing is good."""
    if not shutil.which("systemd-analyze"):
        return "systemd-analyze is not here: the units were not verified"
    units = [EXAMPLES / "cron" / f"supermetrics.{kind}" for kind in ("service", "timer")]
    line = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    return done.stdout + done.stderr


def _run(env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the example
        [str(SCRIPT)],
        env=env,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
