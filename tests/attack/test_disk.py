"""What this machine lacks ends the run in one line that names it."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.results import Spool
from tests.attack.driver import ADS, attempt, options, settings_for
from tests.tap import command, sync

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_disk_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Spool, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "add", full)
    with Emulator(options=options()) as emulator:
        ended = attempt(settings_for(emulator, ADS))
    assert ended.code == TapError.exit_code
    assert "No space left on device" in ended.message
    assert "TMPDIR" in ended.message


@pytest.mark.parametrize("where", ["closed", "full"])
def test_an_output_that_cannot_be_written_is_told_in_a_line(tmp_path: Path, where: str) -> None:
    with Emulator(options=options()) as emulator:
        (tmp_path / "config.json").write_text(json.dumps(settings_for(emulator, ADS)))
        line = shlex.join(command("--config", str(tmp_path / "config.json")))
        redirected = f"{line} >&-" if where == "closed" else f"{line} >/dev/full"
        ended = subprocess.run(  # noqa: S602 - our own command
            redirected, shell=True, capture_output=True, text=True, check=False, timeout=60
        )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    (told,) = ended.stderr.splitlines()[-1:]
    assert "standard output cannot be written" in told
    assert told.endswith("run again to go on from the last state that was stored")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--discover",),
        ("--about",),
        ("accounts", "AW"),
        ("check",),
        ("sql", "--dialect", "duckdb"),
    ],
)
def test_whatever_is_printed_to_a_full_disk_is_told_in_a_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with Emulator(options=options()) as emulator:
        settings = {**settings_for(emulator, ADS), "query_log": True}
        (tmp_path / "config.json").write_text(json.dumps(settings))
        line = command(*arguments, "--config", str(tmp_path / "config.json"))
        with open("/dev/full", "wb") as full:  # noqa: PTH123 - no path of ours
            ended = subprocess.run(  # noqa: S603 - our own command
                line, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
            )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    (told,) = ended.stderr.splitlines()[-1:]
    assert "standard output cannot be written (No space left on device)" in told
    assert "state" not in told, "there is none to go on from"


@pytest.mark.parametrize("arguments", [("--discover",), ("accounts", "AW"), ("plan",)])
def test_nothing_is_asked_for_an_output_that_is_closed(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with Emulator(options=options()) as emulator:
        (tmp_path / "config.json").write_text(json.dumps(settings_for(emulator, ADS)))
        line = shlex.join(command(*arguments, "--config", str(tmp_path / "config.json")))
        ended = subprocess.run(  # noqa: S602 - our own command
            f"{line} >&-", shell=True, capture_output=True, text=True, check=False, timeout=60
        )
        assert not emulator.requests
    assert ended.returncode == 1
    assert "standard output cannot be written (it is closed)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_run_without_stderr_loads_all_the_same(tmp_path: Path) -> None:
    with Emulator(options=options()) as emulator:
        (tmp_path / "config.json").write_text(json.dumps(settings_for(emulator, ADS)))
        line = shlex.join(command("--config", str(tmp_path / "config.json")))
        ended = subprocess.run(  # noqa: S602 - our own command
            f"{line} 2>&-", shell=True, stdout=subprocess.PIPE, check=False, timeout=60
        )
    assert ended.returncode == 0
    assert b'"RECORD"' in ended.stdout


@pytest.mark.parametrize(("most", "code"), [(3, 0), (2, TapError.exit_code)])
def test_a_system_that_gives_few_threads_is_slow_not_broken(
    monkeypatch: pytest.MonkeyPatch, most: int, code: int
) -> None:
    """Two decide and submit, one fetches; the next is refused."""
    start, started = threading.Thread.start, list[threading.Thread]()

    def refusing(thread: threading.Thread) -> None:
        if "_guarded" in repr(getattr(thread, "_target", "")):
            if len(started) == most:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refusing)
    with Emulator(options=options()) as emulator:
        ended = attempt(settings_for(emulator, ADS))
    assert ended.code == code, ended.message
    assert ("no thread can be started" in ended.message) is bool(code)


@pytest.mark.parametrize("arguments", [("--discover",), ("--about",), ("accounts", "AW")])
def test_a_reader_that_has_seen_enough_ends_it_quietly(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with Emulator(options=options()) as emulator:
        (tmp_path / "config.json").write_text(json.dumps(settings_for(emulator, ADS)))
        line = command(*arguments, "--config", str(tmp_path / "config.json"))
        read_end, write_end = os.pipe()
        os.close(read_end)
        ended = subprocess.run(  # noqa: S603 - our own command
            line, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
        os.close(write_end)
    assert ended.returncode in {0, 1}  # 1 is click's own
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_folder_for_batch_files_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" / "below"
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": root.as_uri()},
    }
    with Emulator(options=options()) as emulator:
        ended = sync(settings_for(emulator, ADS, batch_config=batch), tmp_path)
    assert ended.code == 1
    assert "Traceback" not in ended.stderr
    assert str(tmp_path / "file") in ended.stderr.splitlines()[-1]
    assert "batch_config.storage.root" in ended.stderr.splitlines()[-1]
