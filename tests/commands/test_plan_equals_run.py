"""`plan` tells what a run then does, whatever the settings and the state are.

`PLANS=200 pytest tests/commands/test_plan_equals_run.py` tries more of them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.commands.test_commands import command, parsed
from tests.tap import Target, config_for, discovered, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tap_supermetrics.emulator.incoming import Request

LAST = date(2024, 6, 9)
COUNT = int(os.environ.get("PLANS", "24"))
ACCOUNTS = ["4713896205", "8820145937", "2645570913", "7391084456"]
SOURCES = {
    "AW": (ACCOUNTS, "^4713|^2645", ["Date", "Cost"], ["Campaignname", "Cost"]),
    "FA": (["act_1784203956017"], "_1784|_2904", ["Date", "spend"], ["adcampaign_name", "spend"]),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    options = Options(clock_factor=400.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


def report_of(draw: random.Random, number: int) -> dict[str, Any]:
    ds_id = draw.choice(["AW", "AW", "FA"])
    accounts, found, dated, undated = SOURCES[ds_id]
    some = draw.sample(accounts, draw.randint(1, len(accounts)))
    return {
        "name": f"ads_{number}",
        "ds_id": ds_id,
        "ds_accounts": draw.choice([*[some] * 3, {"filter_id": found}]),
        "fields": dated if draw.random() < 0.8 else undated,
        "lookback_days": draw.choice([0, 2, 5]),
        "backfill_days_per_query": draw.choice([1, 1, 7]),
        "split_dates_policy": draw.choice(["day", "none"]),
        "split_accounts_policy": draw.choice(["all", "all", "none"]),
        "max_days_per_query": draw.choice([3, 31]),
        "backfill_order": draw.choice(["oldest", "newest"]),
        "query_concurrency": draw.choice([2, 10, 10]),
        "refresh_after_hours": draw.choice([0, 0, 20]),
        "require_fresh_days": draw.choice([0, 0, 2]),
    }


def config_of(draw: random.Random, emulator: Emulator) -> dict[str, Any]:
    reports = [report_of(draw, number) for number in range(draw.randint(1, 3))]
    top = {"max_queries_per_run": draw.choice([5, 20])} if draw.random() < 0.3 else {}
    top |= {"max_rows_per_run": 10_000_000} if draw.random() < 0.2 else {}
    return config_for(
        emulator,
        reports,
        start_date=str(LAST - timedelta(days=draw.choice([3, 12, 40]))),
        end_date=str(LAST),
        mode=draw.choice(["auto", "batch", "async"]),
        max_running_batches=draw.choice([1, 2]),
        requests_per_second=1000,
        **top,
    )


def least_requests(requests: Sequence[Request]) -> int:
    """Requests of a run but for lists and for looks at what is not ready yet."""
    paths = [each.path.partition("/query/")[2] for each in requests]
    statuses = {path for path in paths if path.startswith("batch/") and path.endswith("/status")}
    others = [
        path
        for path in paths
        if path.startswith(("batch", "data", "results")) and not path.endswith("/status")
    ]
    return len(statuses) + len(others)


@pytest.mark.parametrize(
    "changes", [{"selected": False}, {"replication-method": "FULL_TABLE"}], ids=str
)
def test_a_catalog_is_planned_with(
    shared: Emulator, tmp_path: Path, changes: dict[str, Any]
) -> None:
    shared.reset()
    ads = {"ds_id": "AW", "ds_accounts": ACCOUNTS[:2], "fields": ["Date", "Cost"]}
    reports = [{"name": name, **ads} for name in ("ads", "more")]
    days = {"start_date": str(LAST - timedelta(days=3)), "end_date": str(LAST)}
    config, target = config_for(shared, reports, **days), Target()
    assert sync(config, tmp_path, target).code == 0
    catalog = discovered(config, tmp_path)
    for each in catalog["streams"][0]["metadata"]:
        if each["breadcrumb"] == []:
            each["metadata"] |= changes
    given = tmp_path / "catalog.json"
    given.write_text(json.dumps(catalog))
    told = command(
        tmp_path, config, *("plan", "--format", "json", "--catalog", str(given)), state=target.state
    )
    forecast = parsed(told)
    before = len(shared.queries)
    assert sync(config, tmp_path, target, "--catalog", str(given)).code == 0
    assert len(shared.queries) - before == forecast["queries"] > 0
    names = [each["name"] for each in forecast["reports"]]
    assert len(names) == (1 if "selected" in changes else 2)


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
    told = {name: forecast[name] for name in ("queries", "batches", "requests", "held")}
    requests = least_requests(shared.requests)
    did = {"queries": queries, "batches": batches, "requests": requests, "held": 0}
    assert told == did, json.dumps(config)
    of_source = Counter(each.ds_id for each in shared.queries[before[0] :])
    source_of = {each["name"]: each["ds_id"] for each in config["queries"]}
    for each in forecast["reports"]:
        of_source[source_of[each["name"]]] -= each["queries"]
    assert not any(of_source.values())


def left_by_a_killed_run(emulator: Emulator, config: dict[str, Any], folder: Path) -> Target:
    """Kill a run when its state names what it submitted."""
    (folder / "config.json").write_text(json.dumps(config))
    line = [sys.executable, "-m", "tap_supermetrics", "--config", str(folder / "config.json")]
    target = Target()
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        assert process.stdout
        while not (emulator.batches and target.state):
            target.read(process.stdout.readline())
        process.kill()
    return target


@pytest.mark.parametrize("memory", ["state", "journal"])
def test_what_the_api_still_holds_costs_nothing_in_plan_and_run(
    tmp_path: Path, memory: str
) -> None:
    options = Options(clock_factor=10.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as emulator:
        report = {
            "name": "ads",
            "ds_id": "AW",
            "ds_accounts": ACCOUNTS,
            "fields": ["Date", "Cost"],
        }
        # One batch at a time: nothing is on its way when the run is killed.
        config = config_for(
            emulator,
            [report],
            max_running_batches=1,
            start_date=str(LAST - timedelta(days=29)),
            end_date=str(LAST),
            journal_dir=str(tmp_path / "journal"),
        )
        killed = left_by_a_killed_run(emulator, config, tmp_path)
        state = killed.state if memory == "state" else None
        before = len(emulator.queries)
        noted = {each: each.read_bytes() for each in (tmp_path / "journal").iterdir()}
        forecast = parsed(command(tmp_path, config, "plan", "--format", "json", state=state))
        left = {each: each.read_bytes() for each in (tmp_path / "journal").iterdir()}
        target = Target(state=state or {})
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr
        assert forecast["held"] > 0
        assert len(emulator.queries) - before == forecast["queries"]
        assert noted == left != {}, "who only looks leaves all to the run"


def test_what_a_budget_leaves_is_told(shared: Emulator, tmp_path: Path) -> None:
    shared.reset()
    report = {"name": "ads", "ds_id": "AW", "ds_accounts": ACCOUNTS, "fields": ["Date", "Cost"]}
    days = {"start_date": str(LAST - timedelta(days=4)), "end_date": str(LAST)}
    config = config_for(shared, [report], max_queries_per_run=6, **days)
    forecast = parsed(command(tmp_path, config, "plan", "--format", "json"))
    table = command(tmp_path, config, "plan").stdout

    assert (forecast["queries"], forecast["left"]) == (6, 14)
    assert forecast["budgets"] == {"max_queries_per_run": 6}
    assert "bounded by `max_queries_per_run`: 6" in table
    assert "14 queries were not asked" in table


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        # 20 queries of a second each: by 2 batches of 10; by one of 20; one by one.
        ({"query_concurrency": 5}, 2),
        ({"query_concurrency": 5, "max_running_batches": 1}, 4),
        ({"query_concurrency": 10, "max_running_batches": 1}, 2),
        ({"mode": "async", "max_running_queries": 4}, 5),
    ],
)
def test_the_shortest_time_follows_the_concurrency(
    shared: Emulator, tmp_path: Path, changes: dict[str, Any], seconds: int
) -> None:
    shared.reset()
    report = {"name": "ads", "ds_id": "AW", "ds_accounts": ACCOUNTS, "fields": ["Date", "Cost"]}
    days = {"start_date": str(LAST - timedelta(days=4)), "end_date": str(LAST)}
    config = config_for(shared, [report], **days, **changes)
    arguments = ("plan", "--query-seconds", "1", "--format", "json")
    assert parsed(command(tmp_path, config, *arguments))["seconds"] == seconds


def test_a_plan_of_many_queries_is_told_at_once(shared: Emulator, tmp_path: Path) -> None:
    """Only so many batches are packed: ten years of a thousand accounts would take minutes."""
    shared.reset()
    accounts = [str(1_000_000_000 + number) for number in range(10)]
    report = {"name": "ads", "ds_id": "AW", "ds_accounts": accounts, "fields": ["Date", "Cost"]}
    config = config_for(shared, [report], start_date="2014-06-10", end_date="2024-06-09")
    told = parsed(command(tmp_path, config, "plan", "--format", "json"))

    assert told["queries"] == 3653 * 10
    assert told["batches"] == 366
    assert any("are estimated" in each for each in told["notes"])
