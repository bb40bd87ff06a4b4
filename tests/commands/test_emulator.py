"""The emulator as a command of the tap: no other file of the package's need be on the path."""

from __future__ import annotations

import re
import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING

from tests.tap import command, run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_emulator_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    line = command("emulator", "--port", "0", "--now", "2024-06-10T04:00:00+00:00")
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:  # noqa: S603 - our own command
        assert process.stdout
        greeting = ""
        while "Stop it" not in greeting:
            greeting += process.stdout.readline()
        origin = re.search(r"http://127\.0\.0\.1:\d+", greeting)
        assert origin
        with urllib.request.urlopen(f"{origin[0]}/emulator/", timeout=30) as answer:  # noqa: S310 - our own server
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert "Emulated time:             2024-06-10 04:00:0" in greeting


def test_its_options_are_those_of_the_emulator_and_mistakes_name_this_command() -> None:
    help_ = run("emulator", "--help")
    wrong = run("emulator", "--port", "many")

    assert help_.code == 0
    assert "--option NAME=VALUE" in help_.stdout
    assert "tap-supermetrics emulator --clock-factor 1000" in help_.stdout
    assert wrong.code == 2
    assert "tap-supermetrics emulator: error: argument --port" in wrong.stderr
