"""What no command does: cost a query, steer a terminal, fail by a terminal, hold up a run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.commands.command_line import COMMANDS, WITHOUT_SETTINGS
from tap_supermetrics.commands.output import print_json, print_line, print_table
from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.commands.test_commands import DATES, REPORT, command, parsed
from tests.tap import config_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARGUMENTS: Final = {"accounts": ["AW"], "fields": ["AW"], "sql": ["--dialect", "duckdb"]}
LISTED: Final = {**REPORT, "ds_accounts": "list.nordics"}
MEMBERS: Final = ("4713896205", "7391084456")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        running.changes.change_list("AW", "nordics", *MEMBERS)
        yield running


@pytest.mark.parametrize("name", [each for each in COMMANDS if each not in WITHOUT_SETTINGS])
@pytest.mark.parametrize("may_read_lists", [True, False])
def test_no_command_submits_anything_even_for_accounts_that_only_a_query_would_show(
    emulator: Emulator, tmp_path: Path, name: str, *, may_read_lists: bool
) -> None:
    if not may_read_lists:
        fault = {"status": 403, "code": "ACCESS_DENIED_PERMISSIONS"}
        emulator.inject(Fault(effect="error", path="team/.*", times=None, **fault))  # type: ignore[arg-type]
    config = config_for(emulator, [LISTED], query_log=True, **DATES)
    ended = command(tmp_path, config, name, *ARGUMENTS.get(name, []))
    asked = {request.method for request in emulator.requests}

    assert asked == {"GET"}
    assert (len(emulator.queries), len(emulator.batches)) == (0, 0)
    assert ended.code == (3 if name in {"plan", "coverage"} and not may_read_lists else 0)
    told = "list.nordics cannot be read with this key" in ended.stdout
    assert told == (name not in ARGUMENTS and not may_read_lists)


def test_accounts_of_a_list_are_marked_as_configured(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [LISTED], **DATES)
    listed = parsed(command(tmp_path, config, "accounts", "AW", "--format", "json"))
    assert {each["account_id"] for each in listed if each["is_configured"]} == {*MEMBERS}


def test_texts_of_the_api_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "red \x1b[31m \x9b2J \u202e turned"
    print_table(("NAME", "ROWS"), [(nasty, 1_234), ("plain", 5)])
    print_line(nasty)
    printed = capsys.readouterr().out
    assert all(each.isprintable() for line in printed.splitlines() for each in line)
    assert printed.splitlines()[2].endswith("     5")

    print_json({"name": nasty})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": nasty}
    assert all(each.isprintable() for line in printed.splitlines() for each in line)


@pytest.mark.parametrize("output", [[], ["--format", "json"]])
def test_a_terminal_that_knows_no_umlaut_is_served(
    emulator: Emulator, tmp_path: Path, output: list[str]
) -> None:
    config: dict[str, Any] = config_for(emulator, [REPORT], **DATES)
    (tmp_path / "config.json").write_text(json.dumps(config))
    line = [sys.executable, "-m", "tap_supermetrics", "accounts", "AW", "müller", *output]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(  # noqa: S603 - our own command
        [*line, "--config", str(tmp_path / "config.json")],
        env=env,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"8820145937" in done.stdout


def test_a_run_loads_nothing_that_only_commands_need() -> None:
    code = (
        "import sys, tap_supermetrics.program\n"
        "print(*(each for each in sys.modules if each.startswith('tap_supermetrics.commands')))"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_help_tells_of_the_commands() -> None:
    line = [sys.executable, "-m", "tap_supermetrics", "--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert all(name in done.stdout for name in COMMANDS)


def test_an_interruption_leaves_no_traceback(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tap_supermetrics", "plan", "--config"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = {"api_url": f"http://127.0.0.1:{silent.getsockname()[1]}", "api_key": "k" * 20}
        (tmp_path / "config.json").write_text(json.dumps({**config, "queries": [REPORT], **DATES}))
        with subprocess.Popen(  # noqa: S603 - our own command
            [*line, str(tmp_path / "config.json")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            asked, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            printed, told = process.communicate()
            asked.close()
    assert process.returncode == -signal.SIGINT
    assert (printed, told) == (b"", b"")


@pytest.mark.parametrize("seconds", ["0", "-3", "nan", "soon", "1e9"])
def test_seconds_that_are_none_are_refused_in_words(
    emulator: Emulator, tmp_path: Path, seconds: str
) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    ended = command(tmp_path, config, "plan", f"--query-seconds={seconds}")
    assert ended.code == 2
    assert ended.stderr.splitlines()[-1].endswith(
        f"argument --query-seconds: expected seconds up to 14,400, got {seconds!r}"
    )
