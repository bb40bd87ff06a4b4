"""What a run leaves in `report_dir`: a JSON for alerts, a page for people, never another end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tap_supermetrics.page import folder as folder_module
from tap_supermetrics.page.document import html_of
from tap_supermetrics.page.folder import remove_unfinished, stored_runs, write_run, write_whole
from tap_supermetrics.page.run_json import AccountCalendar, Failure, ReportPart, RunJson
from tests.tap import Ended, Target, command, config_for, run, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS: Final = ("4713896205", "8820145937")
REPORT: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": [*ACCOUNTS],
    "fields": ["Date", "Campaignname", "Cost"],
}
LAST: Final = date(2024, 6, 9)
NOW: Final = datetime(2024, 6, 10, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(options=Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")) as running:
        yield running


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    shared.reset()
    return shared


def config(emulator: Emulator, folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    given = {"start_date": "2024-05-31", "end_date": str(LAST), "lookback_days": 0, **changes}
    return config_for(emulator, [REPORT], report_dir=str(folder / "report"), **given)


def told(folder: Path) -> list[dict[str, Any]]:
    """The runs that are told, the oldest first."""
    # Not by what they tell: two runs may begin within one second.
    files = sorted((folder / "report").glob("run-*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in files]


def data_of(page: str) -> dict[str, Any]:
    """The data in a page."""
    block = r'<script type="application/json" id="data">(.*?)</script>'
    (text,) = re.findall(block, page, re.DOTALL)
    data: dict[str, Any] = json.loads(text)
    return data


def fail(emulator: Emulator, day: date, **other: Any) -> None:  # noqa: ANN401 - any part of a fault
    fault = {"code": "BAD_REQUEST", "account": ACCOUNTS[1], "day": day, "times": None, **other}
    emulator.inject(Fault(effect="fail_query", **fault))


def test_a_good_run_leaves_a_json_and_a_page(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    ended = sync(config(emulator, tmp_path), tmp_path, target)
    (run,) = told(tmp_path)
    assert ended.code == run["exit_code"] == 0
    assert run["message"] == ""
    assert run["queries"] == run["queries_done"] == len(emulator.queries) == 20
    assert run["requests"] == len(emulator.requests)
    assert run["rows"] == sum(target.written.values())
    (report,) = run["reports"]
    assert (report["first"], report["last"]) == ("2024-05-31", str(LAST))
    assert report["days_done"] == 20
    assert report["days_missing"] == report["days_failed"] == report["days_stale"] == 0
    assert [each["account_id"] for each in report["accounts"]] == [*ACCOUNTS]
    data = data_of((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    assert [each["run_id"] for each in data["runs"]] == [run["run_id"]]
    assert data["causes"] == []


def test_a_lost_day_is_failed_then_done_and_empty_days_are_remembered(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**REPORT, "filter": "Cost > 1000000000"}
    given = config(emulator, tmp_path) | {"queries": [report]}
    target, lost = Target(), LAST - timedelta(days=4)
    fail(emulator, lost)
    assert sync(given, tmp_path, target).code == 3
    emulator.clear_faults()
    assert sync(given, tmp_path, target).code == 0
    first, second = told(tmp_path)
    assert first["exit_code"] == 3
    assert first["queries_failed"] == 1
    assert "1 query failed" in first["message"]
    (failure,) = first["failures"]
    assert (failure["code"], failure["days"]) == ("BAD_REQUEST", str(lost))
    assert failure["advice"]
    days = [[each["days"] for each in run["reports"][0]["accounts"]] for run in (first, second)]
    assert days == [["10e", "5ef4e"], ["10e", "10e"]]
    assert second["queries"] == 1


def test_days_are_stale_after_a_failed_look_again_and_sampled_where_estimated(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    emulator.change_options(data_sampled="true")
    sync(config(emulator, tmp_path), tmp_path, target)
    emulator.change_options(data_sampled="false")
    fail(emulator, LAST - timedelta(days=1))
    sync(config(emulator, tmp_path, lookback_days=2), tmp_path, target)
    days = [[each["days"] for each in run["reports"][0]["accounts"]] for run in told(tmp_path)]
    assert days == [["10p", "10p"], ["8p2d", "8psd"]]


@pytest.mark.parametrize("place", ["plan", "rows"])
def test_a_run_that_is_refused_is_told_with_its_exit_code(
    emulator: Emulator, tmp_path: Path, place: str
) -> None:
    given = config(emulator, tmp_path)
    if place == "plan":
        given["api_key"] = "api_wrong_key_0123456789"
    else:
        fail(emulator, LAST, code="LICENSE_NOT_FOUND", account=None)
    ended = sync(given, tmp_path, Target())
    (run,) = told(tmp_path)
    assert ended.code == run["exit_code"] != 0
    assert run["message"]
    assert given["api_key"] not in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_signal_leaves_the_run_with_its_exit_code(emulator: Emulator, tmp_path: Path) -> None:
    given = config(emulator, tmp_path, start_date="2023-06-01")
    emulator.inject(Fault(effect="slow_query", seconds=3_000, times=None))
    (tmp_path / "config.json").write_text(json.dumps(given))
    with subprocess.Popen(  # noqa: S603 - our own command
        command("--config", str(tmp_path / "config.json")),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not emulator.batches:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    (run,) = told(tmp_path)
    assert process.returncode == run["exit_code"] == 128 + signal.SIGTERM
    assert run["message"].startswith("Stopped by SIGTERM")
    assert run["reports"][0]["days_missing"] > 0


def no_folder(folder: Path) -> None:
    folder.write_text("a file is in the way")


def page_in_the_way(folder: Path) -> None:
    (folder / "index.html").mkdir(parents=True)


def broken_run(folder: Path) -> None:
    folder.mkdir()
    (folder / "run-20240101T000000Z-00000000.json").write_bytes(b'{"format": \xff')


@pytest.mark.parametrize("spoil", [no_folder, page_in_the_way, broken_run])
def test_a_folder_that_cannot_be_used_is_a_warning_and_no_other_exit_code(
    emulator: Emulator,
    tmp_path: Path,
    spoil: Any,  # noqa: ANN401 - one of the above
) -> None:
    spoil(tmp_path / "report")
    target = Target()
    ended = sync(config(emulator, tmp_path), tmp_path, target)
    assert ended.code == 0
    assert warnings_of(ended)
    assert "Traceback" not in ended.stderr
    assert target.messages[-1] == "STATE"


def test_a_folder_below_no_home_is_a_mistake_in_a_line(emulator: Emulator, tmp_path: Path) -> None:
    given = {**config(emulator, tmp_path), "report_dir": "~nobody-of-that-name/report"}
    ended = sync(given, tmp_path)
    assert ended.code == 1
    assert "Traceback" not in ended.stderr
    assert "report_dir: expected a folder" in ended.stderr.splitlines()[-1]


def test_a_pipe_among_the_runs_is_not_waited_for(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    os.mkfifo(tmp_path / "report" / "run-20240101T000000Z-00000000.json")
    assert sync(config(emulator, tmp_path), tmp_path, timeout=60).code == 0
    assert len([*stored_runs(tmp_path / "report")]) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_a_warning(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del emulator

    def to_full(path: Path, mode: str) -> Any:  # noqa: ANN401 - a file
        del path, mode
        return open("/dev/full", "wb", buffering=0)  # noqa: PTH123 - closed by its user

    monkeypatch.setattr(type(tmp_path), "open", to_full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "index.html", b"x")
    monkeypatch.undo()
    assert [*tmp_path.iterdir()] == []


def warnings_of(ended: Ended) -> list[str]:
    return [line for line in ended.stderr.splitlines() if "report_dir" in line]


def test_a_bounded_number_of_runs_is_kept_and_what_is_not_ours_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "MAX_RUNS", 3)
    (tmp_path / "run-of-mine.json").write_text("mine")
    (tmp_path / ".index.html.0123abcd").write_text("half")
    for day in range(1, 7):
        run = a_run(started_at=f"2024-06-0{day}T04:00:00Z", run_id=f"{day:08x}")
        write_run(tmp_path, run, json.dumps({"format": 1, **as_json(run)}).encode())
    assert [each.started_at[8:10] for each in stored_runs(tmp_path)] == ["06", "05", "04"]
    remove_unfinished(tmp_path, 0)
    assert (tmp_path / ".index.html.0123abcd").exists()
    remove_unfinished(tmp_path, time.time() + 60)
    assert len([*tmp_path.iterdir()]) == 4
    assert (tmp_path / "run-of-mine.json").read_text() == "mine"


def test_of_each_calendar_only_the_newest_is_held(tmp_path: Path) -> None:
    for day, account_ids in ((1, "abc"), (2, "ab")):
        accounts = [{"account_id": each, "days": f"{day}d"} for each in account_ids]
        run = a_run(started_at=f"2024-06-0{day}T04:00:00Z")
        told = {**as_json(run), "reports": [{"name": "ads", "accounts": accounts}]}
        write_run(tmp_path, run, json.dumps(told).encode())
    held = [
        [(each.account_id, each.days) for each in run.reports[0].accounts]
        for run in stored_runs(tmp_path)
    ]
    assert held == [[("a", "2d"), ("b", "2d")], [("c", "1d")]]


NASTY: Final = "</script><script>alert(1)</script><!-- \u2028 \u2029 & <b onload=x>"


def a_run(**changes: Any) -> RunJson:  # noqa: ANN401 - any part of it
    given: dict[str, Any] = {
        "run_id": "0" * 8,
        "tap_version": "0",
        "started_at": "2024-06-10T04:00:00Z",
        "ended_at": "2024-06-10T04:00:00Z",
        "seconds": 1.0,
        "exit_code": 0,
    }
    return RunJson(**given | changes)


def as_json(run: RunJson) -> dict[str, Any]:
    return {name: getattr(run, name) for name in ("run_id", "tap_version", "started_at")} | {
        "ended_at": run.ended_at,
        "seconds": run.seconds,
        "exit_code": run.exit_code,
    }


def nasty_page() -> str:
    account = AccountCalendar(account_id=NASTY, account_name=NASTY, days="9dm")
    part = ReportPart(
        name=NASTY,
        ds_id="AW",
        first="2024-05-31",
        last=str(LAST),
        days_missing=1,
        accounts=[account],
    )
    failure = Failure(report=NASTY, account_id=NASTY, code=NASTY, message=NASTY, advice=NASTY)
    return html_of([a_run(message=NASTY, reports=[part], failures=[failure])], NOW)


def test_no_text_breaks_out_of_the_data() -> None:
    page = nasty_page()
    assert page.count("<script") == page.count("</script>") == 2
    assert "\u2028" not in page
    assert data_of(page)["reports"][0]["accounts"] == [[NASTY, "9dm", NASTY]]


def test_the_page_names_no_other_place() -> None:
    page = nasty_page()
    assert "default-src 'none'" in page
    without_names = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|url\(|@import|src=|fetch\(|XMLHttp|sendBeacon", without_names)


def test_values_of_rows_stay_out_even_where_they_are_the_reason(
    emulator: Emulator, tmp_path: Path
) -> None:
    given = config(emulator, tmp_path)
    given["queries"] = [{**REPORT, "types": {"Campaignname": "int.number.value"}}]
    given["queries"][0]["key_properties"] = ["_sm_account_id", "Date", "Campaignname"]
    ended = sync(given, tmp_path, Target())
    (run,) = told(tmp_path)
    assert ended.code == 3
    (value, *_) = re.findall(r"got '([^']+)'", ended.stderr)
    assert {each["message"] for each in run["failures"]} == {""}
    assert all(each["code"] and each["advice"] for each in run["failures"])
    assert value not in json.dumps(run, ensure_ascii=False)


def test_a_key_in_a_name_is_taken_out(emulator: Emulator, tmp_path: Path) -> None:
    key, account = emulator.api_key, emulator.world.sources["AW"].accounts[0]
    name = account.name
    object.__setattr__(account, "name", f"shop {key}")
    try:
        sync(config(emulator, tmp_path), tmp_path, Target())
    finally:
        object.__setattr__(account, "name", name)
    (run,) = told(tmp_path)
    assert run["reports"][0]["accounts"][0]["account_name"] == "shop (the key)"
    for path in (tmp_path / "report").iterdir():
        assert key not in path.read_text(encoding="utf-8")


def test_coverage_writes_the_same_page(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    sync(config(emulator, tmp_path), tmp_path, target)
    (tmp_path / "state.json").write_text(json.dumps(target.state))
    file = tmp_path / "page.html"
    line = ["coverage", "--config", str(tmp_path / "config.json")]
    line += ["--state", str(tmp_path / "state.json"), "--html", str(file)]
    done = run(*line)
    assert done.stdout == f"{file} shows 1 report\n"
    mine = data_of(file.read_text(encoding="utf-8"))
    theirs = data_of((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    assert mine["runs"] == theirs["runs"]
    assert mine["reports"][0]["accounts"] == theirs["reports"][0]["accounts"]
    line[-1] = str(tmp_path / "none" / "page.html")
    refused = run(*line)
    assert (refused.code, len(refused.stderr.splitlines())) == (1, 1)


def test_discovery_and_a_test_leave_nothing(emulator: Emulator, tmp_path: Path) -> None:
    given = config(emulator, tmp_path)
    assert sync(given, tmp_path, None, "--discover").code == 0
    assert sync(given, tmp_path, None, "--test").code == 0
    assert not (tmp_path / "report").exists()


def test_shards_in_one_folder_are_shown_together(emulator: Emulator, tmp_path: Path) -> None:
    lost = LAST - timedelta(days=2)
    fail(emulator, lost)
    given = config(emulator, tmp_path)
    for shard, code in (("2/2", 3), ("1/2", 0)):
        place = tmp_path / shard[0]
        place.mkdir()
        assert sync(given | {"shard": shard}, place, Target()).code == code
    # Runs that began in the same second have no order.
    assert sorted(run["shard"] for run in told(tmp_path)) == ["1/2", "2/2"]
    data = data_of((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    (report,) = data["reports"]
    assert [each[:2] for each in report["accounts"]] == [
        [ACCOUNTS[0], "10d"],
        [ACCOUNTS[1], "7df2d"],
    ]
    assert (report["days_done"], report["days_missing"], report["days_failed"]) == (19, 1, 1)
    assert [each["examples"][0][1] for each in data["causes"]] == [ACCOUNTS[1]]
    assert [each["is_last"] for each in data["runs"]] == [True, True]


def test_a_shard_that_lags_lacks_the_days_of_the_newest() -> None:
    def left(shard: str, last: str, account: str, days: str) -> RunJson:
        accounts = [AccountCalendar(account_id=account, days=days)]
        part = ReportPart(name="ads", first="2024-06-01", last=last, rows=5, accounts=accounts)
        return a_run(shard=shard, reports=[part])

    newest_first = [
        left("1/2", "2024-06-03", "a", "3d"),
        left("2/2", "2024-06-02", "b", "de"),
        left("1/2", "2024-06-02", "a", "2f"),
        left("3/3", "2024-06-02", "c", "2d"),
    ]
    (report,) = data_of(html_of(newest_first, NOW))["reports"]
    assert report["accounts"] == [["a", "3d", ""], ["b", "dem", ""]]
    assert (report["rows"], report["days_done"], report["days_missing"]) == (10, 5, 1)


@pytest.mark.parametrize("first", ["x", "2024-06-09", "0001-01-01", None])
def test_a_shard_whose_days_a_hand_has_spoilt_is_left_out(first: str | None) -> None:
    def left(shard: str, first: str | None, account: str) -> RunJson:
        accounts = [AccountCalendar(account_id=account, days="2d")]
        part = ReportPart(name="ads", first=first, last="2024-06-02", accounts=accounts)
        return a_run(shard=shard, reports=[part])

    page = html_of([left("1/2", "2024-06-01", "a"), left("2/2", first, "b")], NOW)
    (report,) = data_of(page)["reports"]
    assert report["accounts"] == [["a", "2d", ""]]
