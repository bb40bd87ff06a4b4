"""Targets that are slow, stuck or dead: nothing piles up, nothing is lost, nothing is torn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tap_supermetrics.emulator import Emulator
from tests.attack.driver import ADS, LAST, options, some
from tests.tap import Target, command, config_for, days_covered, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(180)
HOUR_S: Final = 3600
FIRST: Final = LAST - timedelta(days=499)
QUERIES: Final = 1000


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options(clock_factor=900.0, max_seconds=30.0)) as running:
        yield running


@contextmanager
def tap(
    emulator: Emulator, folder: Path, stdout: int = subprocess.PIPE, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The tap as a process, backfilling a thousand queries."""
    config = config_for(
        emulator, [ADS], start_date=str(FIRST), end_date=str(LAST), requests_per_second=1000
    )
    (folder / "config.json").write_text(json.dumps(config))
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - our own command
            command("--config", str(folder / "config.json")),
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **env},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def said(folder: Path) -> str:
    return (folder / "stderr").read_text()


def memory_mib(process: subprocess.Popen[bytes]) -> float:
    """Resident memory; 0 where the system does not tell."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return 0.0
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def open_files(process: subprocess.Popen[bytes]) -> int:
    folder = Path(f"/proc/{process.pid}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def wait(seconds: float) -> None:
    """Real time: the emulator's hour passes in four seconds of it."""
    time.sleep(seconds)


def test_a_target_that_sleeps_longer_than_results_live_gets_all_rows(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    with tap(emulator, tmp_path) as process:
        assert process.stdout
        for _ in range(20):
            target.read(process.stdout.readline())
        wait(2)
        begun, memory = len(emulator.queries), memory_mib(process)
        started = emulator.clock.seconds()
        while emulator.clock.seconds() < started + 1.3 * HOUR_S:
            wait(0.2)

        assert len(emulator.queries) == begun < QUERIES
        assert memory_mib(process) < memory + 20
        assert open_files(process) < 100
        for line in process.stdout:
            target.read(line)
        assert process.wait(60) == 0, said(tmp_path)

    assert target.tables["google_ads"] == truth(emulator, ADS, FIRST, LAST)
    assert target.doubled == []
    assert len(emulator.queries) == QUERIES


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_full_pipe_that_was_made_non_blocking_loses_nothing(
    unbuffered: str, emulator: Emulator, tmp_path: Path
) -> None:
    """Programs that share a pipe share its mode."""
    target = Target()
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with tap(emulator, tmp_path, write_end, PYTHONUNBUFFERED=unbuffered) as process:
        os.close(write_end)
        wait(3)
        with os.fdopen(read_end, "rb") as lines:
            for line in lines:
                target.read(line)
        assert process.wait(60) == 0, said(tmp_path)

    assert target.tables["google_ads"] == truth(emulator, ADS, FIRST, LAST)


@pytest.mark.parametrize("unbuffered", some(["1", ""], 1))
def test_a_target_that_dies_ends_the_tap_quietly_with_its_batches_cancelled(
    unbuffered: str, emulator: Emulator, tmp_path: Path
) -> None:
    with tap(emulator, tmp_path, PYTHONUNBUFFERED=unbuffered) as process:
        assert process.stdout
        for _ in range(20):
            process.stdout.readline()
        process.stdout.close()
        code = process.wait(60)

    assert code not in {0, -9}
    assert "Traceback" not in said(tmp_path)
    assert "Exception ignored" not in said(tmp_path)
    assert all(batch.status == "STOPPED" for batch in emulator.batches)


@pytest.mark.parametrize("number", some([signal.SIGTERM, signal.SIGINT], 1))
def test_a_stuck_target_does_not_keep_the_tap_alive_when_asked_twice(
    number: signal.Signals, emulator: Emulator, tmp_path: Path
) -> None:
    """After the first signal it waits for the line to end; after the second, for nothing."""
    with tap(emulator, tmp_path) as process:
        assert process.stdout
        for _ in range(20):
            process.stdout.readline()
        wait(1.5)
        process.send_signal(number)
        wait(0.5)
        assert process.poll() is None
        process.send_signal(number)
        code = process.wait(30)
        rest = process.stdout.read()

    assert code == 128 + number
    assert "Traceback" not in said(tmp_path)
    assert all(batch.status == "STOPPED" for batch in emulator.batches)
    *lines, torn = rest.split(b"\n")
    for line in lines:
        json.loads(line)
    assert not torn.endswith(b"}")


def test_a_slow_target_that_is_asked_to_end_gets_whole_lines_and_the_state(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    with tap(emulator, tmp_path) as process:
        assert process.stdout
        for _ in range(20):
            target.read(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        for line in process.stdout:
            target.read(line)
        assert process.wait(30) == 128 + signal.SIGTERM

    # Each day that the state calls done came whole; one that was begun is not among them.
    rows = truth(emulator, ADS, FIRST, LAST)
    done = {
        (account, first + timedelta(days=number))
        for account, ranges in days_covered(target.state["bookmarks"]["google_ads"]).items()
        for first, last in [map(date.fromisoformat, each) for each in ranges]
        for number in range((last - first).days + 1)
    }
    got = target.tables["google_ads"]
    assert all(rows[key] == row for key, row in got.items())
    due = [key for key in rows if (key[0], date.fromisoformat(key[1])) in done]
    assert [key for key in due if key not in got] == []
