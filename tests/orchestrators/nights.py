"""A Meltano project over the emulator, a kill, and what must be there after two nights."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tap_supermetrics.emulator import Emulator, Options
from tests.house.generate import PROJECT
from tests.tap import METADATA, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


EXAMPLES: Final = PROJECT / "examples"
CACHE: Final = PROJECT / ".meltano" / "orchestrators"
SHARDS: Final = 2
LOOKBACK: Final = 3
ACCOUNTS: Final = ["4713896205", "8820145937", "5096627718", "7391084456", "2645570913"]
REPORT: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ACCOUNTS,
    "fields": ["Date", "Campaignname", "Cost"],
}
NEEDED: Final = len(ACCOUNTS) * (10 + 1 + LOOKBACK)
"""Queries of ten days, and a night later of one day more and the lookback."""
_KILLED_AFTER: Final = 8
_FIRST_NIGHT, _SECOND_NIGHT = "2 days ago", "yesterday"
_PATIENCE_S: Final = 600


_DAY_S: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What two nights came to.

    Attributes:
        rows: in the target.
        queries: that were paid for.
        killed_after: queries that were paid for when the task was killed.
    """

    rows: int
    queries: int
    killed_after: int


def make_project(folder: Path, emulator: Emulator, loader: Path) -> dict[str, str]:
    """Write a project with two shards by `inherit_from`; return the environment to run it in."""
    plugin = yaml.safe_load((PROJECT / "tap_supermetrics" / "meltano-plugin.yml").read_text())
    for name in ("pip_url", "plugin_type"):
        plugin.pop(name, None)
    config = {
        "api_url": emulator.url,
        "requests_per_second": 100,
        "max_running_batches": 1,
        "start_date": str(first_day()),
        "end_date": _FIRST_NIGHT,
        "lookback_days": LOOKBACK,
        "queries": [REPORT],
    }
    shards = [
        {
            "name": f"tap-supermetrics-{number}",
            "inherit_from": "tap-supermetrics",
            "config": {"shard": f"{number}/{SHARDS}"},
        }
        for number in range(1, SHARDS + 1)
    ]
    target = {
        "name": "target-jsonl",
        "namespace": "target_jsonl",
        "executable": str(loader),
        "settings": [{"name": "destination_path"}, {"name": "do_timestamp_file"}],
        "config": {"destination_path": str(folder / "output"), "do_timestamp_file": False},
    }
    project = {
        "default_environment": "dev",
        "environments": [{"name": "dev"}],
        "send_anonymous_usage_stats": False,
        "plugins": {"extractors": [plugin | {"config": config}, *shards], "loaders": [target]},
    }
    (folder / "output").mkdir()
    (folder / "meltano.yml").write_text(yaml.safe_dump(project))
    others = {name: each for name, each in os.environ.items() if "MELTANO_" not in name}
    here = Path(sys.executable).parent
    return others | {
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "TAP_SUPERMETRICS_API_KEY": emulator.api_key,
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def first_day() -> date:
    """Return the first day that is loaded."""
    return datetime.now(tz=timezone.utc).date() - timedelta(days=11)


def emulated() -> Emulator:
    """Return an emulator that is a day behind the clock of this machine."""
    today = datetime.now(tz=timezone.utc).date() - timedelta(days=1)
    return Emulator(options=Options(clock_factor=60.0, now=f"{today}T04:00:00+00:00"))


def pass_a_day(folder: Path, emulator: Emulator) -> None:
    """Let the second night come."""
    emulator.clock.advance(seconds=_DAY_S)
    file = folder / "meltano.yml"
    file.write_text(file.read_text().replace(_FIRST_NIGHT, _SECOND_NIGHT))


def wait_for(what: str, is_there: Callable[[], Any], every_s: float = 0.1) -> None:
    """Wait for a fact.

    Raises:
        TimeoutError: it does not come.
    """
    end = time.monotonic() + _PATIENCE_S
    while not is_there():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(every_s)


def wait_for_queries(emulator: Emulator) -> None:
    """Wait until a part of the first night was submitted."""
    wait_for("the first queries", lambda: len(emulator.queries) >= _KILLED_AFTER)


def kill_group(process_id: int) -> None:
    """Kill a process and all of its group at once, as a node that goes away."""
    os.killpg(process_id, signal.SIGKILL)


def held(folder: Path) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return what a warehouse would hold: of each key the record that was fetched last."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for line in (folder / "output" / "google_ads.jsonl").read_text().splitlines():
        record = json.loads(line)
        key = (record["_sm_account_id"], record["Date"], record["Campaignname"])
        if key not in rows or rows[key]["_sm_fetched_at"] <= record["_sm_fetched_at"]:
            rows[key] = record
    return {
        key: {name: value for name, value in row.items() if name not in METADATA[1:]}
        for key, row in rows.items()
    }


def check(folder: Path, emulator: Emulator, killed_after: int) -> Result:
    """Hold the target against the truth, and what was paid against what was needed.

    Raises:
        AssertionError: rows are wrong, or queries too many.
    """
    yesterday = emulator.today - timedelta(days=1)
    rows, queries = held(folder), len(emulator.queries)
    expected = truth(emulator, REPORT, first_day(), yesterday)
    assert rows == expected, f"{len(rows)} rows, expected {len(expected)}"
    assert queries <= 1.05 * NEEDED, f"{queries} queries, needed {NEEDED}"
    return Result(rows=len(rows), queries=queries, killed_after=killed_after)
