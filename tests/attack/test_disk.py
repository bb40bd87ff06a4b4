"""What this machine lacks ends the run in one line that names it."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
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
    assert "standard output cannot be written" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("arguments", [("--discover",), ("--about",), ("accounts", "AW")])
def test_whatever_is_printed_to_a_full_disk_is_told_in_a_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with Emulator(options=options()) as emulator:
        (tmp_path / "config.json").write_text(json.dumps(settings_for(emulator, ADS)))
        line = command(*arguments, "--config", str(tmp_path / "config.json"))
        with open("/dev/full", "wb") as full:  # noqa: PTH123 - no path of ours
            ended = subprocess.run(  # noqa: S603 - our own command
                line, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
            )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert "No space left on device" in ended.stderr.splitlines()[-1]


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
