"""Meltano runs the commands as its plugin definition declares them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from tap_supermetrics.commands.command_line import COMMANDS
from tap_supermetrics.emulator import Emulator, Options
from tests.demo import processes

PROJECT = processes.PROJECT
FILES = ("meltano.yml", "tap_supermetrics/meltano-plugin.yml")


def definition(name: str) -> dict[str, dict[str, str]]:
    read = yaml.safe_load((PROJECT / name).read_text())
    plugin = read["plugins"]["extractors"][0] if "plugins" in read else read
    commands: dict[str, dict[str, str]] = plugin["commands"]
    return commands


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_declared(name: str) -> None:
    declared = definition(name)
    assert declared == definition(FILES[0])
    assert [*declared] == [*COMMANDS]
    for command, told in declared.items():
        assert told["args"] == f"{command} --config=ENV"


def test_meltano_gives_a_command_its_settings(tmp_path: Path) -> None:
    plugin = yaml.safe_load((PROJECT / FILES[1]).read_text())
    program = str(Path(sys.executable).with_name("tap-supermetrics"))
    extractor = {
        name: value for name, value in plugin.items() if name not in {"pip_url", "plugin_type"}
    }
    with Emulator(options=Options(now="2024-06-10T04:00:00+00:00")) as emulator:
        extractor |= {
            "executable": program,
            "config": {
                "api_url": emulator.url,
                "start_date": "2024-06-01",
                "end_date": "2024-06-09",
                "queries": [
                    {
                        "name": "google_ads",
                        "ds_id": "AW",
                        "ds_accounts": ["4713896205"],
                        "fields": ["Date", "Cost"],
                    }
                ],
            },
        }
        project = {
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "send_anonymous_usage_stats": False,
            "plugins": {"extractors": [extractor]},
        }
        (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project))
        env = {name: value for name, value in os.environ.items() if "MELTANO_" not in name}
        env |= {
            "MELTANO_PROJECT_ROOT": str(tmp_path),
            "TAP_SUPERMETRICS_API_KEY": emulator.api_key,
        }

        def invoke(*words: str) -> str:
            meltano = str(Path(sys.executable).with_name("meltano"))
            return processes.run((meltano, "invoke", *words), env, cwd=tmp_path)

        accounts = invoke("tap-supermetrics:accounts", "AW", "nordic")
        plan = invoke("tap-supermetrics:plan")
        assert not emulator.queries

    assert "4713896205  Nordic Outdoor" in accounts
    assert "9 queries in 2 query batches," in plan
