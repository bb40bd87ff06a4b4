"""The main job at size: a backfill by query batches, a second night, and what fails on the way."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tap_supermetrics.extraction import polling
from tests.attack.driver import attempt
from tests.backfill import (
    CAMPAIGNS,
    DAY,
    FACEBOOK,
    FIRST,
    LAST,
    NOW,
    QUERIES,
    REPORTS,
)
from tests.tap import Ended, Target, config_for, days_covered, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

FAST = {"clock_factor": 60.0, "now": NOW, "min_seconds": 1.0, "max_seconds": 6.0}


def options(**changes: Any) -> Options:  # noqa: ANN401 - any option
    return Options(**{**FAST, **changes})


def test_1200_queries_arrive_once_and_the_next_night_asks_only_for_what_is_new(
    tmp_path: Path,
) -> None:
    """Three reports, two data sources, five accounts, 150 days: every row, each once."""
    target = Target()
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS, start_date=str(FIRST), end_date=str(LAST))
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-2000:]
        assert len(emulator.queries) == QUERIES
        assert emulator.peak_running_batches == 2
        assert max(batch.amount for batch in emulator.batches) <= 100
        assert len(emulator.batches) == 12
        for report in REPORTS:
            assert target.tables[report["name"]] == truth(emulator, report, FIRST, LAST)
        assert target.doubled == []

        asked_before = len(emulator.queries)
        emulator.clock.advance(seconds=24 * 3600)
        config["end_date"] = str(LAST + DAY)
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-2000:]
        asked = emulator.queries[asked_before:]
        assert {query.first for query in asked} == {LAST - 2 * DAY, LAST - DAY, LAST, LAST + DAY}
        assert len(asked) == 8 * 4
        for report in REPORTS:
            expected = truth(emulator, report, FIRST, LAST - 3 * DAY, asked_on=emulator.today - DAY)
            expected |= truth(emulator, report, LAST - 2 * DAY, LAST + DAY)
            assert target.tables[report["name"]] == expected
        assert target.doubled == []


def test_an_account_that_is_gone_and_a_day_that_fails_hold_nothing_back(tmp_path: Path) -> None:
    target, first = Target(), LAST - 9 * DAY
    gone, bad_day = "5096627718", LAST - 6 * DAY
    report = {**CAMPAIGNS, "ds_accounts": ["4713896205", gone, "8820145937"]}
    with Emulator(options=options()) as emulator:
        emulator.changes.drop_account("AW", gone)
        emulator.inject(
            Fault(
                effect="fail_query",
                account="8820145937",
                day=bad_day,
                code="QUERY_ERROR",
                description="The source had a hiccup.",
                times=None,
            )
        )
        config = config_for(emulator, [report], start_date=str(first), end_date=str(LAST))
        ended = sync(config, tmp_path, target)

        assert ended.code == 3
        assert "Traceback" not in ended.stderr
        assert f"google_ads, account {gone}" in ended.stderr
        assert "QUERY_ACCOUNT_UNAVAILABLE" in ended.stderr
        assert f"google_ads, account 8820145937, {bad_day}: QUERY_ERROR" in ended.stderr
        arrived = ["4713896205", "8820145937"]
        expected = truth(emulator, report, first, LAST, accounts=arrived)
        missing = truth(emulator, report, bad_day, bad_day, accounts=["8820145937"])
        assert target.tables["google_ads"] == {
            key: values for key, values in expected.items() if key not in missing
        }

        asked_before = len(emulator.queries)
        emulator.clear_faults()
        emulator.changes.restore_account("AW", gone)
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-2000:]
        asked = {(*query.accounts, query.first) for query in emulator.queries[asked_before:]}
        lookback = {LAST, LAST - DAY, LAST - 2 * DAY}
        assert asked == {
            *((gone, first + n * DAY) for n in range(10)),
            *((account, day) for account in arrived for day in lookback),
            ("8820145937", bad_day),
        }
        accounts = [*arrived, gone]
        assert target.tables["google_ads"] == truth(
            emulator, report, first, LAST, accounts=accounts
        )


UNKNOWNS: list[dict[str, Any]] = [
    {"total_rows_counts_header": False},
    {"results_paging": False},
    {"results_total": "page"},
    {"header_on_every_page": True},
    {"empty_result": "no_data_found"},
    {"blank_metric": "null"},
    {"numbers": "strings"},
    {"escaped_slashes": False, "escaped_unicode": False},
    {"split_info_unsplit": "object"},
    {"schedule_id_counts": "split"},
    {"schedule_id_date": "date"},
    {"split_order": "date"},
    {"errors_in_200": True},
    {"unfinished_status": 200, "status_unfinished_status": 202},
    {"status_not_found_status": 400},
    {"max_rows_counts_header": True},
    {"paginate_next_after_post": True},
    {"end_date_clamped": False},
    {"unfinished_in_stopped_batch": "failed"},
    {"eleventh_duplicate": "wait", "same_schedule_id": "return", "schedule_id_conflict": "refuse"},
    {"results_limit_max": 2, "results_limit_over_maximum": "clamp", "results_next": "null"},
    {"results_limit_max": 2, "results_total": "none", "results_behind_end": "refused"},
    {"clean_dates": "midnight", "echo": "thin", "results_total": "none"},
    {"split_info_form": "null", "duplicate_accounts": "each", "batch_item_lists": "texts"},
    {"header": "of_empty", "same_schedule_id": "rerun"},
    {"schedule_id_sent": "replaced"},
    {"data_sampled": "true", "cache_age": 3000.0},
    {"requests_per_second": 8, "retry_after": False},
    {"requests_per_second": 8, "retry_after": True},
]


def test_every_choice_of_the_emulator_is_tried() -> None:
    names = [each.name for each in dataclasses.fields(Options)]
    unknown = names[names.index("unfinished_status") :]
    assert {*unknown} <= {name for choice in UNKNOWNS for name in choice}


@pytest.mark.parametrize("choice", UNKNOWNS, ids=str)
def test_whatever_the_api_does_where_nobody_knows_the_same_rows_arrive(
    tmp_path: Path, choice: dict[str, Any]
) -> None:
    target, first = Target(), LAST - 6 * DAY
    report = {**CAMPAIGNS, "ds_accounts": ["4713896205", "2645570913", "6604219873"]}
    unsplit = {**FACEBOOK, "split_dates_policy": "none"}
    with Emulator(options=options(**choice)) as emulator:
        config = config_for(
            emulator, [report, unsplit], start_date=str(first), end_date=str(LAST), page_size=3
        )
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-3000:]
        assert target.tables["google_ads"] == truth(emulator, report, first, LAST)
        assert target.tables["facebook_ads"] == truth(emulator, unsplit, first, LAST)
        assert target.doubled == []


@pytest.mark.parametrize("mode", ["batch", "async", "auto"])
def test_every_mode_gives_the_same_records_of_the_1200_queries(tmp_path: Path, mode: str) -> None:
    ended, emulator = backfill(tmp_path, mode=mode)

    assert len(emulator.queries) == QUERIES
    assert bool(emulator.batches) == (mode != "async")
    assert "not available" not in ended.stderr


def test_auto_asks_query_by_query_when_the_batch_endpoint_disappears_half_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # For so long the batches that ran may still be found.
    monkeypatch.setattr(polling, "YOUNG_S", 1.0)
    gone = Fault(
        effect="error",
        path="query/batch",
        status=404,
        code="ENDPOINT_NOT_FOUND",
        after=40,
        times=None,
    )
    with Emulator(options=options(license_concurrency=50)) as emulator:
        emulator.inject(gone)
        done = attempt(
            config_for(
                emulator,
                REPORTS,
                start_date=str(FIRST),
                end_date=str(LAST),
                mode="auto",
                max_running_queries=50,
            )
        )

        rows = {each["name"]: truth(emulator, each, FIRST, LAST) for each in REPORTS}
    assert done.code == 0
    for name, right in rows.items():
        assert sorted(map(str, done.rows[name].values())) == sorted(map(str, right.values()))
    assert done.written == sum(map(len, rows.values()))
    assert "\n".join(done.log).count("Query batches are not available") == 1
    # At most what two running batches and one that waits had not told yet is asked again.
    assert QUERIES <= len(emulator.queries) <= QUERIES + 3 * 100
    assert 0 < sum(batch.amount for batch in emulator.batches) < QUERIES
    # In plan order, in which records are emitted: else all would wait for a few, asked last.
    last = emulator.queries[-1]
    assert (last.params["fields"], last.first) == (FACEBOOK["fields"], LAST)


def backfill(tmp_path: Path, *faults: Fault, mode: str) -> tuple[Ended, Emulator]:
    """The 1,200 queries in some mode, all of whose rows arrived once."""
    target = Target()
    with Emulator(options=options(license_concurrency=50)) as emulator:
        for fault in faults:
            emulator.inject(fault)
        config = config_for(
            emulator,
            REPORTS,
            start_date=str(FIRST),
            end_date=str(LAST),
            mode=mode,
            max_running_queries=50,
        )
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-3000:]
        for report in REPORTS:
            assert target.tables[report["name"]] == truth(emulator, report, FIRST, LAST)
        assert target.doubled == []
    return ended, emulator


def test_an_account_that_the_api_leaves_out_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    target, first = Target(), LAST - 4 * DAY
    gone = "9150336284"
    report = {**CAMPAIGNS, "ds_accounts": ["4713896205", gone]}
    with Emulator(options=options()) as emulator:
        config = config_for(
            emulator,
            [report],
            start_date=str(first),
            end_date=str(LAST),
            add_exclude_account_errors=True,
        )
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-2000:]
        assert f"account {gone}: 0 days done (0 empty), 0 failed, 5 left out by the API" in (
            ended.stderr
        )
        assert [*days_covered(target.state["bookmarks"]["google_ads"])] == ["4713896205"]
