"""The query log: every query that ended, told before the state that counts it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Target, config_for, days_covered, discovered, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = "supermetrics_query_log"
LAST = date(2024, 6, 9)
FIRST = LAST - timedelta(days=3)
ACCOUNTS = ("4713896205", "8820145937")
REPORT: dict[str, Any] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": [*ACCOUNTS],
    "fields": ["Date", "Campaignname", "Cost"],
}
QUERIES = 2 * 4
OPTIONS = Options(clock_factor=500.0, now="2024-06-10T04:00:00+00:00")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=OPTIONS) as running:
        yield running


def config(emulator: Emulator, *others: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    days = {"start_date": str(FIRST), "end_date": str(LAST), "lookback_days": 0}
    return config_for(emulator, [REPORT, *others], **{**days, "query_log": True, **top})


def days_logged(target: Target, status: str = "success") -> set[tuple[str, str, str]]:
    return {
        (each["report"], each["account_id"], each["first_day"])
        for each in target.tables[LOG].values()
        if each["status"] == status
    }


def days_in_state(state: dict[str, Any], report: str) -> set[tuple[str, str, str]]:
    return {
        (report, account, str(date.fromisoformat(first) + timedelta(days=number)))
        for account, ranges in days_covered(state["bookmarks"].get(report, {})).items()
        for first, last in ranges
        for number in range((date.fromisoformat(last) - date.fromisoformat(first)).days + 1)
    }


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_each_query_has_one_record_with_its_facts(
    mode: str, emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    ended = sync(config(emulator, mode=mode), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert len(target.tables[LOG]) == QUERIES
    rows = target.tables["google_ads"]
    for each in target.tables[LOG].values():
        assert each["status"] == "success"
        assert each["first_day"] == each["last_day"] == each["last_whole_day"]
        mine = [key for key in rows if key[:2] == (each["account_id"], each["first_day"])]
        assert each["row_count"] == len(mine)
        assert each["submitted_at"] <= each["finished_at"] <= each["fetched_at"]
        assert each["tries"] == 1
        assert each["run_seconds"] > 0
        assert bool(each["batch_id"]) == (mode == "batch")
        assert (each["error_code"], each["data_sampled"], each["cache_used"]) == (None,) + (
            False,
        ) * 2
    assert len({each["run_id"] for each in target.tables[LOG].values()}) == 1
    schedule_ids = {each["schedule_id"] for each in target.tables[LOG].values()}
    assert len(schedule_ids) == QUERIES


@pytest.mark.parametrize(
    "of_rows", [{}, {"stream_maps": {"google_ads": {"extra": "'x'"}}}], ids=["lines", "records"]
)
@pytest.mark.parametrize("days", [1, 31])
def test_rows_are_counted_by_day_where_a_query_has_several(
    days: int, of_rows: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    settings = config(emulator, backfill_days_per_query=days, **of_rows)
    ended = sync(settings, tmp_path, target)
    assert ended.code == 0, ended.stderr
    told = {}
    for each in target.tables[LOG].values():
        first = date.fromisoformat(each["first_day"])
        length = (date.fromisoformat(each["last_day"]) - first).days + 1
        if length == 1:
            assert each["rows_by_day"] is None
            counts = [each["row_count"]]
        else:
            counts = [int(count) for count in each["rows_by_day"].split(",")]
        assert len(counts) == length
        for number, count in enumerate(counts):
            told[each["account_id"], str(first + timedelta(days=number))] = count
    rows = Counter(key[:2] for key in target.tables["google_ads"])
    assert {key: count for key, count in told.items() if count} == rows
    assert (len(target.tables[LOG]) < len(told)) == (days > 1)


def test_the_days_of_a_range_of_the_api_are_in_the_log(emulator: Emulator, tmp_path: Path) -> None:
    """So that a view knows which days a reading says nothing of."""
    target = Target()
    report = REPORT | {"date_range_type": "last_7_days"}
    settings = config_for(emulator, [report], query_log=True)
    ended = sync(settings, tmp_path, target)
    assert ended.code == 0, ended.stderr
    for each in target.tables[LOG].values():
        assert each["first_day"] is each["last_day"] is None
        assert sum(map(int, each["rows_by_day"].split(","))) == each["row_count"]
        assert (each["range_start"], each["range_end"]) == ("2024-06-03", "2024-06-09")


def test_no_state_counts_a_day_before_the_log_and_its_rows_do(
    emulator: Emulator, tmp_path: Path
) -> None:
    """As a loader sees it that dies after any message."""
    ended = sync(config(emulator), tmp_path)
    assert ended.code == 0, ended.stderr
    target, states = Target(), 0
    for line in ended.stdout.splitlines():
        target.read(line)
        if target.state and LOG in target.tables:
            assert days_in_state(target.state, "google_ads") <= days_logged(target)
            states += 1
        for each in target.tables.get(LOG, {}).values():
            rows = target.tables.get("google_ads", {})
            mine = [key for key in rows if key[:2] == (each["account_id"], each["first_day"])]
            assert each["row_count"] == len(mine)
    assert states
    assert not {LOG} & {*target.state["bookmarks"]}


def test_failed_and_spared_queries_have_a_record_with_the_reason(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.inject(
        Fault(
            effect="fail_query", account=ACCOUNTS[0], code="QUERY_ACCOUNT_UNAVAILABLE", times=None
        )
    )
    target = Target()
    ended = sync(config(emulator), tmp_path, target)

    assert ended.code == 3
    failed = [each for each in target.tables[LOG].values() if each["status"] == "failed"]
    assert {each["first_day"] for each in failed} == {
        str(FIRST + timedelta(days=number)) for number in range(4)
    }
    assert {(each["account_id"], each["error_code"]) for each in failed} == {
        (ACCOUNTS[0], "QUERY_ACCOUNT_UNAVAILABLE")
    }
    assert all(each["error_message"] and each["row_count"] is None for each in failed)
    assert len(days_logged(target)) == 4


def test_an_account_that_was_left_out_is_excluded(emulator: Emulator, tmp_path: Path) -> None:
    code = "ACCOUNT_EXCLUDED"
    emulator.inject(Fault(effect="fail_query", account=ACCOUNTS[0], code=code, times=None))
    target = Target()
    sync(config(emulator), tmp_path, target)
    assert len(days_logged(target, "excluded")) == 4


def test_a_report_that_is_read_whole_has_no_days(emulator: Emulator, tmp_path: Path) -> None:
    whole = {
        "name": "campaigns",
        "ds_id": "AW",
        "ds_accounts": [ACCOUNTS[0]],
        "fields": ["Campaignname", "Cost"],
        "date_range_type": "last_year",
    }
    target = Target()
    ended = sync(config(emulator, whole), tmp_path, target)
    assert ended.code == 0, ended.stderr
    (each,) = [each for each in target.tables[LOG].values() if each["report"] == "campaigns"]
    assert (each["first_day"], each["last_day"], each["status"]) == (None, None, "success")


def test_a_result_that_is_estimated_or_from_the_cache_is_marked(tmp_path: Path) -> None:
    options = replace(OPTIONS, cache_age=60, data_sampled="true")
    target = Target()
    with Emulator(options=options) as emulator:
        sync(config(emulator), tmp_path, target)
    for each in target.tables[LOG].values():
        assert each["data_sampled"]
        assert each["cache_used"]
        assert each["cache_time"] < each["fetched_at"]


def test_of_files_the_log_comes_before_the_state_too(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    batch_config = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": f"file://{tmp_path / 'files'}"},
    }
    ended = sync(config(emulator, batch_config=batch_config), tmp_path)
    assert ended.code == 0, ended.stderr
    target = Target()
    for line in ended.stdout.splitlines():
        target.read(line)
        if target.state:
            logged = days_logged(target) if LOG in target.tables else set()
            assert days_in_state(target.state, "google_ads") <= logged
    assert "BATCH" in target.messages
    assert len(target.tables[LOG]) == QUERIES


def test_the_log_of_files_tells_of_each_query_what_that_of_records_tells(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Many results end in one file, and count as done only when it was emitted."""
    (tmp_path / "files").mkdir()
    files = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": f"file://{tmp_path / 'files'}"},
    }
    several = {"split_dates_policy": "none", "max_days_per_query": 2}
    known: list[dict[tuple[str, str], tuple[int, str]]] = []
    for own in ({}, {"batch_config": files}):
        target = Target()
        ended = sync(config(emulator, **several, **own), tmp_path, target)
        assert ended.code == 0, ended.stderr
        known.append(
            {
                (each["account_id"], each["first_day"]): (each["row_count"], each["rows_by_day"])
                for each in target.tables[LOG].values()
            }
        )
    assert known[0] == known[1]
    assert all(by_day for _, by_day in known[0].values())


def test_the_log_and_the_json_of_a_run_share_its_id(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    sync(config(emulator, report_dir=str(tmp_path / "report")), tmp_path, target)
    (told,) = (tmp_path / "report").glob("run-*.json")
    assert {each["run_id"] for each in target.tables[LOG].values()} == {
        json.loads(told.read_text())["run_id"]
    }


def test_the_log_is_a_stream_like_any_other(emulator: Emulator, tmp_path: Path) -> None:
    given = config(emulator, query_log_name="tap_log")
    catalog = discovered(given, tmp_path)
    assert [each["stream"] for each in catalog["streams"]] == ["google_ads", "tap_log"]
    stream = catalog["streams"][1]
    for each in stream["metadata"]:
        if each["breadcrumb"] == ["properties", "tap_version"]:
            each["metadata"]["selected"] = False
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    target = Target()
    ended = sync(given, tmp_path, target, "--catalog", str(tmp_path / "catalog.json"))
    assert ended.code == 0, ended.stderr
    assert not any("tap_version" in each for each in target.tables["tap_log"].values())

    mapped = {
        **given,
        "stream_maps": {"tap_log": {"id": "id", "day": "first_day", "__else__": None}},
    }
    target = Target()
    ended = sync(mapped, tmp_path, target)
    assert ended.code == 0, ended.stderr
    assert all({*each} == {"id", "day"} for each in target.tables["tap_log"].values())

    for each in stream["metadata"]:
        if each["breadcrumb"] == []:
            each["metadata"]["selected"] = False
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    target = Target()
    sync(given, tmp_path, target, "--catalog", str(tmp_path / "catalog.json"))
    assert target.tables.keys() == {"google_ads"}


def test_a_map_that_one_record_of_the_log_does_not_fit_holds_nothing_back(
    emulator: Emulator, tmp_path: Path
) -> None:
    maps = {LOG: {"share": f"1 / (first_day != '{FIRST}')"}}
    target = Target()
    ended = sync(config(emulator, stream_maps=maps), tmp_path, target)

    assert ended.code == 3
    assert f"{LOG}: STREAM_MAP_FAILED: stream_maps.{LOG} (share)" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(target.tables[LOG]) == QUERIES - len(ACCOUNTS)
    days = {record["Date"] for record in target.tables["google_ads"].values()}
    assert days == {str(FIRST + timedelta(days=number)) for number in range(4)}


def test_without_the_setting_and_in_a_test_there_is_no_log(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    sync(config(emulator, query_log=False), tmp_path, target)
    assert target.tables.keys() == {"google_ads"}
    ended = sync(config(emulator), tmp_path, None, "--test")
    assert ended.code == 0, ended.stderr
    assert '"RECORD","stream":"supermetrics_query_log"' not in ended.stdout.replace(" ", "")


def test_a_report_of_the_name_of_the_log_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    ended = sync(config(emulator, query_log_name="Google_Ads"), tmp_path)
    assert ended.code == 1
    assert "query_log_name: Google_Ads and google_ads (queries[0]) would be one table" in (
        ended.stderr
    )
