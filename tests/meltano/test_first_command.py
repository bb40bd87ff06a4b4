"""`init` is the first command of the README: there is no report yet, and perhaps no key."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import yaml

from tests.meltano.project import PROGRAMS
from tests.terminal import Terminal

if TYPE_CHECKING:
    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project


def test_a_key_that_is_set_goes_into_env(project: Project) -> None:
    project.told("config", "set", "tap-supermetrics", "api_key", "api_of_nobody_0123456789")

    assert "api_of_nobody" in (project.folder / ".env").read_text()
    assert "api_of_nobody" not in (project.folder / "meltano.yml").read_text()


def test_init_is_asked_at_a_terminal_before_there_are_reports(
    project: Project, emulator: Emulator
) -> None:
    (project.folder / ".env").unlink()
    project.change(lambda extractor: extractor["config"].pop("queries"))
    env = {name: value for name, value in os.environ.items() if "SUPERMETRICS" not in name}
    env["MELTANO_PROJECT_ROOT"] = str(project.folder)
    line = [str(PROGRAMS / "meltano"), "invoke", "tap-supermetrics:init"]
    with Terminal(line, project.folder, env) as terminal:
        terminal.answer("(hidden): ", f"{emulator.api_key}\n")
        terminal.answer("Data source", "AW\n")
        terminal.answer("> ", "4713896205\n")
        terminal.answer("> ", "\n")
        terminal.answer("> ", "Date, Cost\n")
        terminal.answer("> ", "\n")
        terminal.answer("First day to load", "2024-06-01\n")
        terminal.answer("Name of the report [google_ads]: ", "\n")
        terminal.answer("Loader", "\n")
        terminal.answer("Test it now", "\n")
        assert terminal.end() == 0, terminal.shown

    (extractor,) = yaml.safe_load((project.folder / "meltano.yml").read_text())["plugins"][
        "extractors"
    ]
    (report,) = extractor["config"]["queries"]
    assert report["fields"] == ["Date", "Cost"]
    # It was there, as a plugin of this project.
    assert "meltano install" not in terminal.shown
    assert "Next: meltano run tap-supermetrics LOADER" in terminal.shown
    printed = project.told("config", "--unsafe", "print", "tap-supermetrics")
    assert json.loads(printed)["api_key"] == emulator.api_key


def test_a_run_before_there_are_reports_is_told_in_a_line(project: Project) -> None:
    ended, target = project.night(TAP_SUPERMETRICS_QUERIES="[]")

    assert ended.code == 1
    assert "queries: " in ended.stderr
    assert not target.messages
