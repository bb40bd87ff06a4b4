"""Killed anywhere, the tap goes on from the last state: nothing lost, little paid twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.tap import Target, command, config_for, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

LAST = date(2024, 6, 9)
FIRST = LAST - timedelta(days=24)
REPORTS: list[dict[str, Any]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "2645570913"],
        "fields": ["Date", "Campaignname", "Cost"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017", "act_604418273950"],
        "fields": ["Date", "spend"],
    },
]
QUERIES = 100
MESSAGES = 400
"""About as many messages as a whole run writes."""


@pytest.fixture
def options() -> Options:
    return Options(
        clock_factor=60.0, now="2024-06-10T04:00:00+00:00", min_seconds=1.0, max_seconds=6.0
    )


def run_and_kill(config: dict[str, Any], target: Target, folder: Path, after: int) -> int | None:
    """Run the tap, read `after` messages as a target would, kill it; None when it ended before."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "state.json").write_text(json.dumps(target.state))
    line = command("--config", str(folder / "config.json"))
    if target.state:
        line += ["--state", str(folder / "state.json")]
    target.new_run()
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        assert process.stdout
        for count, message in enumerate(process.stdout, start=1):
            target.read(message)
            if count == after:
                process.kill()
                process.wait()
                return process.returncode
    return None


def holds_the_truth(target: Target, emulator: Emulator) -> None:
    for report in REPORTS:
        assert target.tables[report["name"]] == truth(emulator, report, FIRST, LAST)


@pytest.mark.parametrize(("mode", "seed"), [*(("batch", n) for n in range(5)), ("async", 5)])
def test_killed_at_random_messages_it_loses_nothing_and_pays_little_twice(
    tmp_path: Path, options: Options, mode: str, seed: int
) -> None:
    draw, target = random.Random(seed), Target()  # noqa: S311 - reproducible, guards nothing
    with Emulator(options=options) as emulator:
        config = config_for(
            emulator, REPORTS, start_date=str(FIRST), end_date=str(LAST), lookback_days=0, mode=mode
        )
        for _ in range(draw.randint(1, 4)):
            run_and_kill(config, target, tmp_path, draw.randint(1, MESSAGES))
        ended = sync(config, tmp_path, target)

        assert ended.code == 0, ended.stderr[-2000:]
        holds_the_truth(target, emulator)
        assert target.doubled == []
        assert len(emulator.queries) <= 1.2 * QUERIES


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_ends_it_with_whole_lines_state_and_cancelled_batches(
    tmp_path: Path, options: Options, number: signal.Signals, unbuffered: str
) -> None:
    target = Target()
    with Emulator(options=options) as emulator:
        config = config_for(
            emulator, REPORTS, start_date=str(FIRST), end_date=str(LAST), lookback_days=0
        )
        (tmp_path / "config.json").write_text(json.dumps(config))
        with subprocess.Popen(  # noqa: S603 - our own command
            command("--config", str(tmp_path / "config.json")),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        ) as process:
            wait_for_batches(emulator)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=30)

        assert process.returncode == 128 + number, stderr.decode()
        assert b"Traceback" not in stderr
        for line in stdout.splitlines():
            target.read(line)
        assert target.messages[-1] == "STATE"
        assert all(batch.status == "STOPPED" for batch in emulator.batches)

        ended = sync(config, tmp_path, target)
        assert ended.code == 0, ended.stderr[-2000:]
        holds_the_truth(target, emulator)


def wait_for_batches(emulator: Emulator) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if any(batch.status == "RUNNING" for batch in emulator.batches):
            return
        time.sleep(0.02)
    raise AssertionError("no batch was started")
