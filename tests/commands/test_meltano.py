"""Meltano runs the commands as its plugin definition declares them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import yaml

from tap_supermetrics.commands.command_line import COMMANDS
from tap_supermetrics.emulator import Emulator, Options
from tests.demo import processes

PROJECT = processes.PROJECT
PLUGIN = PROJECT / "tap_supermetrics" / "meltano-plugin.yml"
CALLS = {
    "accounts": (("AW", "nordic"), "4713896205  Nordic Outdoor"),
    "fields": (("AW", "cost"), "Cost"),
    "check": (("--state", "state.json"), "ok      report google_ads, 1 account"),
    "plan": (("--state", "state.json"), "9 queries in 2 query batches,"),
    "coverage": (("--state=state.json",), "missing: 2024-06-01 to 2024-06-09"),
    "sql": (("--dialect", "duckdb"), 'CREATE OR REPLACE VIEW "google_ads_current"'),
    "state": (("merge", "state.json"), '"bookmarks": {'),
    "init": (("--help",), "usage: tap-supermetrics init"),
    "emulator": (("--help",), "usage: tap-supermetrics emulator"),
}


def test_every_command_is_called_here() -> None:
    assert [*CALLS] == [*COMMANDS]


def test_meltano_gives_each_command_its_settings(tmp_path: Path) -> None:
    plugin = yaml.safe_load(PLUGIN.read_text())
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
                "query_log": True,
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

        (tmp_path / "state.json").write_text(json.dumps({"bookmarks": {}}))
        told = {
            name: invoke(f"tap-supermetrics:{name}", *arguments)
            for name, (arguments, _) in CALLS.items()
        }
        assert not emulator.queries

    for name, (_, expected) in CALLS.items():
        assert expected in told[name]
