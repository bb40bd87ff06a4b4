"""`coverage` tells done, stale and missing days apart, and names all that are not done."""

from __future__ import annotations

import json
import subprocess
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.commands.test_commands import REPORT, command, parsed
from tests.tap import command as tap
from tests.tap import config_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT, OTHER = REPORT["ds_accounts"]
FIRST = "2024-05-01"
SOON = str(datetime.now(tz=timezone.utc).date() + timedelta(days=9))


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(options=Options(now="2024-06-10T04:00:00+00:00")) as running:
        yield running


def config(emulator: Emulator, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return config_for(emulator, [{**REPORT, **changes}], start_date=FIRST, end_date="2024-06-09")


def state_of(covered: list[list[str]], stale: list[list[str]]) -> dict[str, Any]:
    partition = {"context": {"account_id": ACCOUNT}, "covered": covered, "stale": stale}
    return {"bookmarks": {"google_ads": {"partitions": [partition]}}}


def test_days_are_done_or_stale_or_missing(emulator: Emulator, tmp_path: Path) -> None:
    stale = [["2024-05-10", "2024-05-11"], ["2024-06-01", "2024-06-01"]]
    state = state_of([[FIRST, "2024-05-20"], ["2024-05-25", "2024-06-08"]], stale)
    given = config(emulator)
    (report,) = parsed(command(tmp_path, given, "coverage", "--format", "json", state=state))
    table = command(tmp_path, given, "coverage", state=state).stdout

    assert (report["first"], report["last"], report["note"]) == (FIRST, "2024-06-09", "")
    known, unknown = report["accounts"]
    assert known == {
        "account_id": ACCOUNT,
        "days_done": 32,
        "days_stale": 3,
        "days_missing": 5,
        "stale": stale,
        "missing": [["2024-05-21", "2024-05-24"], ["2024-06-09", "2024-06-09"]],
    }
    assert (unknown["days_done"], unknown["missing"]) == (0, [[FIRST, "2024-06-09"]])
    assert f"  {ACCOUNT} █▒█·▒· 32 days done; missing: 2024-05-21 to 2024-05-24" in table
    assert "stale: 2024-05-10 to 2024-05-11, 2024-06-01" in table
    assert f"  {OTHER} ······ 0 days done; missing: {FIRST} to 2024-06-09" in table


def test_days_that_a_moving_first_day_left_behind_are_missing(
    emulator: Emulator, tmp_path: Path
) -> None:
    today = datetime.now(tz=timezone.utc).date()
    days = [str(today - timedelta(days=each)) for each in (90, 41, 39, 35, 30, 1)]
    state = state_of([days[0:2], days[2:4]], [])
    state["bookmarks"]["google_ads"]["wanted_from"] = days[0]
    given = config(emulator) | {"start_date": "30 days ago", "end_date": "yesterday"}
    (report,) = parsed(command(tmp_path, given, "coverage", "--format", "json", state=state))

    known, unknown = report["accounts"]
    gap = str(today - timedelta(days=40))
    after = str(today - timedelta(days=34))
    assert (report["first"], report["last"]) == (gap, days[-1])
    assert (known["missing"], known["days_done"]) == ([[gap, gap], [after, days[-1]]], 5)
    # Of the other nothing was loaded: its first day is that of the window.
    assert unknown["missing"] == [[days[-2], days[-1]]]


@pytest.mark.parametrize(
    ("encoding", "signs"),
    [("ascii", "#~#.~."), ("latin-1", "#~#.~."), ("cp437", "█▒█·▒·"), ("utf-8", "█▒█·▒·")],
)
def test_weeks_are_drawn_with_signs_that_the_output_can_hold(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    signs: str,
) -> None:
    stale = [["2024-05-10", "2024-05-11"], ["2024-06-01", "2024-06-01"]]
    state = state_of([[FIRST, "2024-05-20"], ["2024-05-25", "2024-06-08"]], stale)
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    given = config(emulator, ds_accounts=[ACCOUNT])
    (tmp_path / "config.json").write_text(json.dumps(given))
    (tmp_path / "state.json").write_text(json.dumps(state))
    files = ("--config", str(tmp_path / "config.json"), "--state", str(tmp_path / "state.json"))
    done = subprocess.run([*tap("coverage"), *files], capture_output=True, check=True)  # noqa: S603 - our own command
    printed = done.stdout.decode(encoding)

    legend = f"{signs[0]} done, {signs[1]} days stale, {signs[3]} days missing"
    assert f"  {ACCOUNT} {signs} 32 days done" in printed
    assert f"a sign for each week: {legend}" in printed


def test_a_state_as_meltano_gives_it_is_read(emulator: Emulator, tmp_path: Path) -> None:
    state = {"singer_state": state_of([[FIRST, "2024-06-09"]], [])}
    (report,) = parsed(
        command(tmp_path, config(emulator), "coverage", "--format=json", state=state)
    )
    assert report["accounts"][0]["days_done"] == 40


def test_json_names_every_range_and_a_line_only_some(emulator: Emulator, tmp_path: Path) -> None:
    days = [date(2024, 5, 1) + timedelta(days=2 * number) for number in range(20)]
    state = state_of([[str(day), str(day)] for day in days], [])
    given = config(emulator, ds_accounts=[ACCOUNT])
    (report,) = parsed(command(tmp_path, given, "coverage", "--format", "json", state=state))
    table = command(tmp_path, given, "coverage", state=state).stdout

    gaps = [[str(day + timedelta(days=1))] * 2 for day in days]
    assert report["accounts"][0]["missing"] == gaps
    assert "2024-05-10 and 15 more" in table


def test_of_a_long_history_the_newest_weeks_are_drawn(emulator: Emulator, tmp_path: Path) -> None:
    given = config_for(emulator, [REPORT], start_date="2020-01-01")
    note, *lines = command(tmp_path, given, "coverage").stdout.splitlines()
    assert note == "note: without `--state`, as if nothing had been loaded before"
    assert lines[1].count("·") == 53
    assert "the newest 53" in lines[-1]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"ds_id": "FACEBOOK"}, "FACEBOOK"),
        ({"fields": ["Campaignname", "Cost"]}, "read whole by every run"),
        ({"start_date": SOON, "end_date": SOON}, "no day that is over"),
    ],
)
def test_a_report_without_days_says_why(
    emulator: Emulator, tmp_path: Path, changes: dict[str, Any], note: str
) -> None:
    given = config(emulator)
    given["queries"].append({**REPORT, "name": "other", **changes})
    ended = command(tmp_path, given, "coverage", "--format", "json")
    found = json.loads(ended.stdout)
    assert ended.code == (3 if note == "FACEBOOK" else 0)
    assert [each["name"] for each in found] == ["google_ads", "other"]
    assert note in found[1]["note"]
    (line,) = command(tmp_path, given, "coverage").stdout.splitlines()[-1:]
    assert line.startswith("other: ")
    assert note in line
