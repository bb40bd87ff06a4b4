"""A run at a terminal: a line for each report, gone at the end; its output is as without."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import command, config_for, sync
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTS: Final[list[dict[str, Any]]] = [
    {
        "name": name,
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "8820145937"],
        "fields": ["Date", "Campaignname", "Cost"],
    }
    for name in ("google_ads", "more")
]
DATES: Final = {"start_date": "2024-05-01", "end_date": "2024-06-09"}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=20.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


def children_s() -> float:
    """Return the CPU time of all processes that were started and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def records(text: str) -> list[str]:
    volatile = r'"(_sm_fetched_at|_sm_schedule_id|time_extracted)":"[^"]*",?'
    return [re.sub(volatile, "", each) for each in text.splitlines() if '"RECORD"' in each]


def test_a_terminal_shows_a_line_for_each_report_and_keeps_the_summary(
    emulator: Emulator, tmp_path: Path
) -> None:
    fault = Fault(effect="fail_query", code="BAD_REQUEST", account="8820145937", times=2)
    emulator.inject(fault)
    config = config_for(emulator, REPORTS, **DATES)
    (tmp_path / "config.json").write_text(json.dumps(config))
    line = command("--config", "config.json")
    with (tmp_path / "out").open("wb") as out, Terminal(line, tmp_path, stdout=out) as terminal:
        assert terminal.end() == 3, terminal.shown
    shown = terminal.shown

    progress = re.findall(r"(\w+) +\|[^|]*\| (\d+) of (\d+) queries, ([\d,]+) rows(.*?)\r", shown)
    assert {each[0] for each in progress} == {"google_ads", "more"}
    assert {each[2] for each in progress} == {"80"}
    assert any("1 failed" in each[4] or "2 failed" in each[4] for each in progress)
    assert any(" left" in each[4] for each in progress)
    counts = [int(each[1]) for each in progress if each[0] == "google_ads"]
    assert counts == sorted(counts)
    # What stands at the end is the log alone: the lines were wiped before the summary.
    end = shown[shown.index("Summary: ") :]
    assert not re.search(r"\d of \d+ queries, ", end)
    assert "google_ads, account 4713896205: 40 days done" in end

    (tmp_path / "plain").mkdir()
    plain = sync(config, tmp_path / "plain")
    assert "|####" not in plain.stderr
    whole = set(records(plain.stdout))
    written = records((tmp_path / "out").read_text())
    assert len(written) == len(set(written))
    assert set(written) <= whole
    assert len(written) > len(whole) * 0.9


def test_drawing_holds_up_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """By CPU time, which a busy machine does not stretch as it does the wall clock."""
    (tmp_path / "config.json").write_text(json.dumps(config_for(emulator, REPORTS, **DATES)))
    line = command("--config", "config.json")
    before = children_s()
    # A child of this very process: the time of others is not counted.
    plain = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    plain_s = children_s() - before
    with (tmp_path / "out").open("wb") as out, Terminal(line, tmp_path, stdout=out) as terminal:
        assert terminal.end() == 0, terminal.shown
    drawing_s = children_s() - before - plain_s

    assert "of 80 queries" in terminal.shown
    assert records((tmp_path / "out").read_text()) == records(plain.stdout)
    # The library is loaded, and two lines are drawn four times a second.
    assert drawing_s < 1.2 * plain_s + 1.0


def test_no_line_is_drawn_where_records_would_come_in_between(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, REPORTS, **(DATES | {"start_date": "2024-06-08"}))
    (tmp_path / "config.json").write_text(json.dumps(config))
    with Terminal(command("--config", "config.json"), tmp_path) as terminal:
        assert terminal.end() == 0
    assert not re.search(r"\d of \d+ queries, ", terminal.shown)


def test_a_run_without_a_terminal_does_not_load_what_draws() -> None:
    code = "import sys, tap_supermetrics.program; print('tqdm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert done.stdout == "False\n"
