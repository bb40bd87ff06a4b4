"""`plan` tells what a run then does, whatever the settings and the state are.

`PLANS=200 pytest tests/commands/test_plan_equals_run.py` tries more of them.
"""

from __future__ import annotations

import json
import os
import random
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.commands.test_commands import command, parsed
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST = date(2024, 6, 9)
COUNT = int(os.environ.get("PLANS", "8"))
ACCOUNTS = ["4713896205", "8820145937", "2645570913", "7391084456"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    options = Options(clock_factor=400.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


def config_of(draw: random.Random, emulator: Emulator) -> dict[str, Any]:
    reports = [
        {
            "name": f"ads_{number}",
            "ds_id": "AW",
            "ds_accounts": draw.sample(ACCOUNTS, draw.randint(1, 4)),
            "fields": ["Date", "Cost"] if draw.random() < 0.8 else ["Campaignname", "Cost"],
            "lookback_days": draw.choice([0, 2, 5]),
            "backfill_days_per_query": draw.choice([1, 1, 7]),
            "split_dates_policy": draw.choice(["day", "none"]),
            "split_accounts_policy": draw.choice(["all", "all", "none"]),
            "max_days_per_query": draw.choice([3, 31]),
            "backfill_order": draw.choice(["oldest", "newest"]),
        }
        for number in range(draw.randint(1, 3))
    ]
    top = {"max_queries_per_run": draw.choice([5, 20])} if draw.random() < 0.3 else {}
    return config_for(
        emulator,
        reports,
        start_date=str(LAST - timedelta(days=draw.choice([3, 12, 40]))),
        end_date=str(LAST),
        mode=draw.choice(["batch", "async"]),
        max_running_batches=draw.choice([1, 2]),
        requests_per_second=1000,
        **top,
    )


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_run_does_what_the_plan_told(shared: Emulator, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
    shared.reset()
    config, target = config_of(draw, shared), Target()
    if draw.random() < 0.7:
        earlier = {**config, "end_date": str(LAST - timedelta(days=draw.randint(0, 3)))}
        shared.inject(Fault(effect="fail_query", code="BAD_REQUEST", times=draw.randint(1, 3)))
        sync(earlier, tmp_path, target)
        shared.clear_faults()
    before = len(shared.queries), len(shared.batches)
    forecast = parsed(command(tmp_path, config, "plan", "--format", "json", state=target.state))
    assert before == (len(shared.queries), len(shared.batches)), "a plan costs nothing"
    shared.clear_requests()
    ended = sync(config, tmp_path, target)

    assert ended.code == 0, ended.stderr
    queries, batches = len(shared.queries) - before[0], len(shared.batches) - before[1]
    told = {name: forecast[name] for name in ("queries", "batches")}
    assert told == {"queries": queries, "batches": batches}, json.dumps(config)
    assert sum(each["queries"] for each in forecast["reports"]) == queries
    assert forecast["requests"] <= len(shared.requests)
