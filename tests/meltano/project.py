"""A project of Meltano's beside an emulator, as a user has one after the set-up of the README."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.demo.processes import PROJECT
from tests.tap import Ended, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_supermetrics.emulator import Emulator

PLUGIN: Final = PROJECT / "tap_supermetrics" / "meltano-plugin.yml"
PROGRAMS: Final = Path(sys.executable).parent
DATES: Final = {"start_date": "2024-06-01", "end_date": "2024-06-05"}
REPORTS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205"],
        "fields": ["Date", "Campaignname", "Clicks", "Cost"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017"],
        "fields": ["Date", "adcampaign_name", "spend"],
    },
)
DAYS: Final = 5
LOADER: Final = '''\
"""Keeps every line, and prints the last state as a loader does that has stored all before it."""
import json, sys
from pathlib import Path

lines = sys.stdin.readlines()
Path(__file__).with_name("loaded.jsonl").write_text("".join(lines))
states = [each["value"] for line in lines if (each := json.loads(line))["type"] == "STATE"]
sys.stdout.writelines(json.dumps(each) + "\\n" for each in states[-1:])
'''
STATE_ID: Final = "dev:tap-supermetrics-to-target-lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project.

    Attributes:
        folder: of `meltano.yml`.
    """

    folder: Path

    def meltano(self, *words: str, **env: str) -> Ended:
        """Run a command of Meltano's to its end."""
        return self.call(str(PROGRAMS / "meltano"), *words, **env)

    def told(self, *words: str, **env: str) -> str:
        """Return what a command prints that must not fail."""
        ended = self.meltano(*words, **env)
        assert ended.code == 0, ended.stdout + ended.stderr
        return ended.stdout

    def call(self, *line: str, **env: str) -> Ended:
        """Run a program in the project, with nothing of the settings of whoever runs the tests."""
        others = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MELTANO_", "TAP_", "TARGET_"))
        }
        own = {
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "MELTANO_CLI_LOG_FORMAT": "uncolored",
            "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        }
        done = subprocess.run(  # noqa: S603 - our own command
            line,
            cwd=self.folder,
            env=others | own | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def night(self, *words: str, **env: str) -> tuple[Ended, Target]:
        """Run the pipeline; return how it ended and what the loader was given."""
        loaded = self.folder / "loaded.jsonl"
        loaded.unlink(missing_ok=True)
        ended = self.meltano("run", *words, "tap-supermetrics", "target-lines", **env)
        return ended, self.loaded()

    def loaded(self) -> Target:
        """Return what the last pipeline gave to the loader."""
        loaded, target = self.folder / "loaded.jsonl", Target()
        for line in loaded.read_text().splitlines() if loaded.exists() else ():
            target.read(line)
        return target

    def schemas(self) -> dict[str, Any]:
        """Return the SCHEMA that the loader was given, by stream."""
        lines = (self.folder / "loaded.jsonl").read_text().splitlines()
        messages = [json.loads(line) for line in lines]
        return {each["stream"]: each for each in messages if each["type"] == "SCHEMA"}

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the extractor in `meltano.yml`, as with an editor."""
        file = self.folder / "meltano.yml"
        whole = yaml.safe_load(file.read_text())
        change(whole["plugins"]["extractors"][0])
        file.write_text(yaml.safe_dump(whole, sort_keys=False))


def add_tap(folder: Path) -> str:
    """Make a project with the tap as the README does; return its `meltano.yml`."""
    loader = {
        "name": "target-lines",
        "namespace": "target_lines",
        "executable": "./target-lines",
    }
    begin = {
        "default_environment": "dev",
        "project_id": "0190f1a2-0000-7000-8000-000000000000",
        "environments": [{"name": "dev"}],
        "send_anonymous_usage_stats": False,
        "plugins": {"loaders": [loader]},
    }
    (folder / "meltano.yml").write_text(yaml.safe_dump(begin, sort_keys=False))
    project = Project(folder=folder)
    add = ("add", "--plugin-type", "extractor", "tap-supermetrics", "--no-install")
    project.told(*add, "--from-ref", str(PLUGIN))
    return (folder / "meltano.yml").read_text()


def made_project(folder: Path, text: str, emulator: Emulator) -> Project:
    """Make a project with the key in `.env`, where `meltano config set` puts it."""
    (folder / "loader.py").write_text(LOADER)
    loader = folder / "target-lines"
    loader.write_text(f'#!/bin/sh\nexec {sys.executable} "$(dirname "$0")/loader.py"\n')
    loader.chmod(0o755)
    (folder / "meltano.yml").write_text(text)
    (folder / ".env").write_text(f"TAP_SUPERMETRICS_API_KEY='{emulator.api_key}'\n")
    project = Project(folder=folder)
    project.change(lambda extractor: _configure(extractor, emulator))
    return project


def _configure(extractor: dict[str, Any], emulator: Emulator) -> None:
    # The tap of this very environment, which Meltano need not install.
    del extractor["pip_url"]
    extractor["executable"] = str(PROGRAMS / "tap-supermetrics")
    extractor["config"] = {
        "api_url": emulator.url,
        "requests_per_second": 500,
        "lookback_days": 0,
        **DATES,
        "queries": [dict(each) for each in REPORTS],
    }
