"""What a run does not ask, and in which order it asks the rest."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.tap import Target, config_for, days_covered, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
LAST = date(2024, 6, 9)
FIRST = LAST - 29 * DAY
REPORT: dict[str, Any] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "Campaignname", "Cost"],
}
DATES = {"start_date": str(FIRST), "end_date": str(LAST)}


def covered(target: Target) -> dict[str, Any]:
    return days_covered(target.state["bookmarks"]["google_ads"])


def test_history_is_asked_in_long_queries_and_the_newest_days_one_by_one(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    config = config_for(emulator, [REPORT], backfill_days_per_query=10, **DATES)
    ended = sync(config, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["google_ads"] == truth(emulator, REPORT, FIRST, LAST)
    # 26 days of history in 3 queries, then 4 days one by one, for each of two accounts.
    assert len(emulator.queries) == 2 * (3 + 4)
    assert {query.first for query in emulator.queries if query.first == query.last} == {
        LAST - n * DAY for n in range(4)
    }


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_budget_of_queries_is_spent_in_order_and_the_next_run_goes_on(
    emulator: Emulator, tmp_path: Path, order: str
) -> None:
    target = Target()
    config = config_for(
        emulator,
        [REPORT],
        max_queries_per_run=20,
        backfill_order=order,
        lookback_days=0,
        **DATES,
    )
    ended = sync(config, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert len(emulator.queries) == 20
    assert "40 queries were not asked" in ended.stderr
    asked = {query.first for query in emulator.queries}
    assert asked == {(FIRST + n * DAY if order == "oldest" else LAST - n * DAY) for n in range(10)}

    for _ in range(2):
        assert sync(config, tmp_path, target).code == 0
    assert len(emulator.queries) == 60
    assert target.tables["google_ads"] == truth(emulator, REPORT, FIRST, LAST)
    assert covered(target) == {
        account: [[str(FIRST), str(LAST)]] for account in REPORT["ds_accounts"]
    }


def test_a_budget_of_rows_ends_the_run_cleanly(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    report = {**REPORT, "ds_accounts": ["4713896205", "8820145937", "5096627718", "7391084456"]}
    config = config_for(
        emulator,
        [report],
        max_rows_per_run=100,
        max_running_batches=1,
        start_date=str(LAST - 99 * DAY),
        end_date=str(LAST),
    )
    ended = sync(config, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert "not asked" in ended.stderr
    assert 100 <= len(target.tables["google_ads"]) < 2000
    assert len(emulator.queries) <= 200
    assert all(batch.status == "STOPPED" for batch in emulator.batches)


def test_only_the_newest_days_are_asked_without_the_cache(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**REPORT, "cache_minutes": 600}
    config = config_for(emulator, [report], require_fresh_days=2, **DATES)
    ended = sync(config, tmp_path, Target())

    assert ended.code == 0, ended.stderr
    minutes = {query.first: query.params["cache_minutes"] for query in emulator.queries}
    assert {day for day, value in minutes.items() if value == 0} == {LAST, LAST - DAY}
    assert set(minutes.values()) == {0, 600}


def test_a_day_read_a_short_while_ago_is_not_read_again(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    config = config_for(emulator, [REPORT], refresh_after_hours=12, **DATES)
    assert sync(config, tmp_path, target).code == 0
    before = len(emulator.queries)
    assert sync(config, tmp_path, target).code == 0
    assert len(emulator.queries) == before

    for partition in target.state["bookmarks"]["google_ads"]["partitions"]:
        assert partition["fetched"]
        partition["fetched"] = [
            [first, last, "2020-01-01T00:00:00+00:00"] for first, last, _ in partition["fetched"]
        ]
    assert sync(config, tmp_path, target).code == 0
    assert len(emulator.queries) == before + 2 * 3


def test_days_before_what_the_source_has_are_learned_once(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Facebook Ads has nothing before 2019 here."""
    report = {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017"],
        "fields": ["Date", "spend"],
    }
    first = date(2018, 6, 1)
    target = Target()
    config = config_for(
        emulator, [report], start_date=str(first), end_date="2019-01-20", lookback_days=0
    )
    ended = sync(config, tmp_path, target)

    assert ended.code == 3
    assert "the API has nothing before 2019-01-01" in ended.stderr
    assert target.state["bookmarks"]["facebook_ads"]["not_before"] == "2019-01-01"
    assert target.state["bookmarks"]["facebook_ads"]["partitions"][0]["replication_key_value"] == (
        "2019-01-20"
    )
    assert len(target.tables["facebook_ads"]) > 15
    assert len(emulator.queries) < 300

    before = len(emulator.queries)
    ended = sync(config, tmp_path, target)
    assert ended.code == 0, ended.stderr
    assert len(emulator.queries) == before


def test_an_account_added_later_gets_its_own_history_and_a_removed_one_keeps_its_state(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    config = config_for(emulator, [{**REPORT, "ds_accounts": ["4713896205"]}], **DATES)
    config["lookback_days"] = 0
    assert sync(config, tmp_path, target).code == 0
    before = len(emulator.queries)
    config["queries"] = [{**REPORT, "ds_accounts": ["8820145937"]}]
    assert sync(config, tmp_path, target).code == 0

    asked = emulator.queries[before:]
    assert {query.accounts for query in asked} == {("8820145937",)}
    assert len(asked) == 30
    assert set(covered(target)) == {"4713896205", "8820145937"}


def test_a_changed_query_is_told_once_and_loads_no_history_by_itself(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    config = config_for(emulator, [REPORT], lookback_days=0, **DATES)
    assert sync(config, tmp_path, target).code == 0
    before = len(emulator.queries)
    config["queries"] = [{**REPORT, "fields": ["Date", "Campaignname", "Cost", "Clicks"]}]
    changed = sync(config, tmp_path, target)
    again = sync(config, tmp_path, target)

    assert "what it asks for has changed" in changed.stderr
    assert "what it asks for has changed" not in again.stderr
    assert len(emulator.queries) == before


def test_a_day_that_still_goes_on_is_read_by_every_run_until_it_is_over(tmp_path: Path) -> None:
    now = datetime.now(tz=timezone.utc)
    today = now.date()
    with Emulator(options=Options(now=now.isoformat(), clock_factor=20.0)) as emulator:
        config = config_for(
            emulator,
            [{**REPORT, "ds_accounts": ["4713896205"], "start_date": "2 days ago"}],
            end_date="today",
            lookback_days=0,
        )
        target = Target()
        for _ in range(2):
            assert sync(config, tmp_path, target).code == 0
        if datetime.now(tz=timezone.utc).date() != today:
            pytest.skip("midnight came in between")

        asked = [query.first for query in emulator.queries]
        assert asked == [today - 2 * DAY, today - DAY, today, today]
        assert covered(target)["4713896205"] == [[str(today - 2 * DAY), str(today - DAY)]]
