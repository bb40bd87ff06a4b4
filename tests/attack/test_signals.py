"""A signal ends the process soon, whatever a server keeps it waiting for."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.tap import TapSupermetrics
from tests.attack.driver import ADS, options, settings_for
from tests.attack.liar import ACCOUNTS, FIELDS, START, STATUS, Liar, always, http
from tests.tap import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attack.liar import Lie, Said

pytestmark = pytest.mark.timeout(120)
SOON_S = 8.0
"""Much less than any wait that the server imposes."""


@pytest.fixture
def silence() -> Iterator[Lie]:
    """A server that says nothing until the test is over."""
    is_over = threading.Event()

    def wait(_: Said) -> bytes:
        is_over.wait()
        return b""

    yield wait
    is_over.set()


def ended_while(
    asked: str, lie: Lie, folder: Path, *arguments: str, sent: signal.Signals = signal.SIGTERM
) -> tuple[int, float, str]:
    """Exit code, seconds from a signal to it, and log, of a tap that waits for an answer."""
    report = {**ADS, "ds_accounts": "list.all_accounts"}
    with Emulator(options=options()) as emulator, Liar(emulator) as liar:
        liar.tell(asked, lie)
        config = folder / "config.json"
        config.write_text(json.dumps(settings_for(emulator, report, api_url=liar.url)))
        line = command("--config", str(config), *arguments)
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=log) as process,  # noqa: S603 - our own command
        ):
            while not liar.count(asked):
                time.sleep(0.02)
            process.send_signal(sent)
            begun = time.monotonic()
            code = process.wait(60)
            return code, time.monotonic() - begun, (folder / "log").read_text()


@pytest.mark.parametrize("asked", [FIELDS, ACCOUNTS, START, STATUS])
def test_a_silent_server_does_not_hold_a_process_that_is_to_end(
    asked: str, silence: Lie, tmp_path: Path
) -> None:
    code, seconds, log = ended_while(asked, silence, tmp_path)
    assert code == 128 + signal.SIGTERM, log
    assert seconds < SOON_S
    assert "Traceback" not in log


def test_the_end_of_a_terminal_is_a_signal_like_others(silence: Lie, tmp_path: Path) -> None:
    code, _, log = ended_while(STATUS, silence, tmp_path, sent=signal.SIGHUP)
    assert code == 128 + signal.SIGHUP, log
    assert "Stopped by SIGHUP: the state says what arrived" in log


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Emulator(options=options()) as emulator:
            TapSupermetrics(config=settings_for(emulator, ADS))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("arguments", [(), ("--discover",)])
def test_a_wait_that_a_server_asks_for_does_not_hold_a_process_that_is_to_end(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    busy = always(http(b"", 503, retry_after="300"))
    code, seconds, log = ended_while(FIELDS, busy, tmp_path, *arguments)
    assert code == 128 + signal.SIGTERM, log
    assert seconds < SOON_S
    assert "Traceback" not in log


@pytest.mark.parametrize("arguments", [(), ("check",), ("accounts", "AW"), ("emulator",)])
def test_an_interrupt_while_modules_are_loaded_ends_in_silence(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    # The folder that it is started in comes first where modules are looked for.
    slow = "import time\nprint('loading', flush=True)\ntime.sleep(60)"
    (tmp_path / "msgspec.py").write_text(slow)
    with subprocess.Popen(  # noqa: S603 - our own command
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=10)
    assert (process.returncode, told) == (-signal.SIGINT, "")
