"""Plans of many accounts and days: time and memory before the first query, and what STATE costs.

`python -m tests.benchmarks.plan` runs whole processes against the fast server: a long history under
a budget, a plan of millions of queries until its first query batch, and 3,000 queries of many
accounts and of many reports, first loaded and then read again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any, Final

from tests.benchmarks.processes import show
from tests.benchmarks.server import FIRST_DAY, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBMITTED: Final = re.compile(r"Query batch \S+ submitted")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
FIELDS: Final = ["Date", "Campaignname", "Clicks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked for.

    Attributes:
        reports: number of reports, all alike.
        accounts: of each.
        days: of each account.
        budget: `max_queries_per_run`.
        until_first: whether the run is stopped once it has submitted something.
        first: the first day.
        has_gaps: whether every other day is in the target.
    """

    reports: int = 1
    accounts: int
    days: int
    budget: int | None = None
    until_first: bool = False
    first: date = FIRST_DAY
    has_gaps: bool = False

    def __str__(self) -> str:
        size = f"{self.reports} x {self.accounts:,} accounts x {self.days:,} days"
        size += ", every other there" if self.has_gaps else ""
        return f"{size}, {self.budget} queries" if self.budget else size

    @property
    def accounts_asked(self) -> list[str]:
        """Ids of the accounts."""
        return [str(10_000_000 + number) for number in range(self.accounts)]

    def state(self) -> dict[str, Any]:
        """What was loaded before."""
        there = [str(self.first + timedelta(days=each)) for each in range(0, self.days, 2)]
        covered = [[each, each] for each in there] if self.has_gaps else []
        partitions = [
            {"context": {"account_id": each}, "covered": covered} for each in self.accounts_asked
        ]
        names = [f"google_ads_{number}" for number in range(self.reports)]
        return {"bookmarks": {name: {"partitions": partitions} for name in names}}

    def config(self, url: str) -> dict[str, Any]:
        """Settings of the tap that ask for it."""
        return {
            "api_key": "api_k3y_of_the_benchmarks",
            "api_url": url,
            "requests_per_second": 1000,
            "start_date": self.first.isoformat(),
            "end_date": (self.first + timedelta(days=self.days - 1)).isoformat(),
            "max_queries_per_run": self.budget,
            "queries": [
                {
                    "name": f"google_ads_{number}",
                    "ds_id": "AW",
                    "ds_accounts": self.accounts_asked,
                    "fields": FIELDS,
                }
                for number in range(self.reports)
            ],
        }


@dataclass(slots=True, kw_only=True)
class Figures:
    """What a run took: CPU seconds, MiB, bytes of STATE, and the last STATE itself."""

    first_cpu_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float = 0.0
    state_bytes: int = 0
    state: Any = None


def measured(load: Load, url: str, state: object = None) -> Figures:
    """Run the tap once."""
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        config, given = Path(folder) / "config.json", Path(folder) / "state.json"
        out = Path(folder) / "out"
        config.write_text(json.dumps({k: v for k, v in load.config(url).items() if v is not None}))
        line = [sys.executable, "-m", "tap_supermetrics", "--config", str(config)]
        if state:
            given.write_text(json.dumps(state))
            line += ["--state", str(given)]
        with (
            out.open("wb") as stdout,
            Popen(line, stdout=stdout, stderr=PIPE, text=True) as process,  # noqa: S603 - our own command
        ):
            assert process.stderr
            for said in process.stderr:
                if SUBMITTED.search(said) and not figures.first_cpu_s:
                    figures.first_cpu_s = _cpu_s(process.pid)
                    if load.until_first:
                        process.send_signal(signal.SIGTERM)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        figures.cpu_s = usage.ru_utime + usage.ru_stime
        figures.peak_mib = usage.ru_maxrss / 1024
        with out.open("rb") as lines:
            for each in lines:
                if each.startswith(b'{"type":"STATE"'):
                    figures.state_bytes += len(each)
                    last = each
        figures.state = json.loads(last)["value"] if figures.state_bytes else None
    return figures


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def plans(url: str) -> None:
    rows = []
    for load in (
        Load(accounts=1_000, days=3_650, budget=50),
        Load(reports=2, accounts=3_000, days=1_095, until_first=True),
        Load(accounts=300, days=3_650, budget=50, first=date(2016, 1, 1), has_gaps=True),
    ):
        got = measured(load, url, load.state() if load.has_gaps else None)
        cells = [f"{got.first_cpu_s:.1f} s", f"{got.cpu_s:.1f} s", f"{got.peak_mib:.0f} MiB"]
        rows.append([str(load), *cells])
    show(["plan", "CPU until the first query batch", "CPU of the run", "peak"], rows)


def states(url: str, loads: Sequence[Load]) -> None:
    rows = []
    for load in loads:
        queries = load.reports * load.accounts * load.days
        first = measured(load, url)
        again = measured(load, url, first.state)
        nightly = load.reports * load.accounts * min(load.days, 3)
        rows.append(
            [
                str(load),
                f"{first.state_bytes / queries:,.0f} B",
                f"{again.state_bytes / nightly:,.0f} B",
                f"{first.state_bytes / 1e6:.2f} MB",
            ]
        )
    show(["load", "STATE a query, first", "read again", "first, in all"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("plans", "states"), help="one of the two tables")
    given = parser.parse_args()
    with serving(1) as server:
        if given.only != "states":
            plans(server.url)
        if given.only != "plans":
            loads = [Load(accounts=each, days=3_000 // each) for each in (100, 300, 3_000)]
            states(server.url, [*loads, Load(reports=200, accounts=1, days=1)])


if __name__ == "__main__":
    main()
