"""`meltano.yml` and the plugin definition are what Meltano itself takes for right."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import date, datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonschema import Draft202012Validator
from meltano.core.state_store import MeltanoState

from tap_supermetrics.dates import DateRange
from tap_supermetrics.model import AsyncRun, SubmittedBatch
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.settings import Settings
from tap_supermetrics.sync.state import ReportState
from tests.core.reports import split
from tests.demo import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = json.loads(files("meltano.schemas").joinpath("meltano.schema.json").read_text())
PLUGIN = processes.PROJECT / "tap_supermetrics" / "meltano-plugin.yml"


def test_meltano_yml_fits_meltanos_schema() -> None:
    project = yaml.safe_load((processes.PROJECT / "meltano.yml").read_text())

    assert list(Draft202012Validator(SCHEMA).iter_errors(project)) == []


def test_the_plugin_definition_can_be_added_to_another_project(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(
        "default_environment: dev\nenvironments:\n- name: dev\nsend_anonymous_usage_stats: false\n"
    )

    meltano(tmp_path, "add", "tap-supermetrics", "--from-ref", str(PLUGIN), "--no-install")

    project = yaml.safe_load((tmp_path / "meltano.yml").read_text())
    assert list(Draft202012Validator(SCHEMA).iter_errors(project)) == []
    (added,) = project["plugins"]["extractors"]
    (ours,) = yaml.safe_load((processes.PROJECT / "meltano.yml").read_text())["plugins"][
        "extractors"
    ]
    assert by_name(added) == by_name(ours)
    assert added["capabilities"] == ours["capabilities"]
    printed = meltano(tmp_path, "config", "print", "tap-supermetrics")
    folder = tmp_path / ".meltano" / "tap-supermetrics-journal"
    assert f'"journal_dir": "{folder}"' in printed


def test_states_of_any_two_runs_can_be_merged() -> None:
    """Meltano fails where a key holds an object in one state and null in the other."""
    now, day = datetime(2024, 6, 10, tzinfo=timezone.utc), date(2024, 6, 9)
    dates = DateRange(first=day, last=day)
    batch = SubmittedBatch(
        batch_id="qrb_1", submitted_at=now, split=split(), items={}, item_count=1
    )
    idle = ReportState(replication_key="Date", start=day)
    busy = ReportState(
        replication_key="Date",
        start=day,
        coverage={"1": Coverage(covered=(dates,), stale=(dates,), bookmark=day)},
        batches=(batch,),
        async_run=AsyncRun(id="1", submitted_at=now),
        not_before=day,
    )
    for before, after in [(idle, busy), (busy, idle), (busy, busy)]:
        states = [{"bookmarks": {"ads": each.to_json()}} for each in (before, after)]
        merged = MeltanoState("x", completed_state=states[0], partial_state=states[1])
        bookmark = json.loads(merged.json_merged())["bookmarks"]["ads"]
        assert bookmark == after.to_json()


def test_the_readmes_reports_can_be_pasted_at_the_end_of_what_meltano_adds(tmp_path: Path) -> None:
    file = tmp_path / "meltano.yml"
    file.write_text("default_environment: dev\nenvironments:\n- name: dev\n")
    meltano(tmp_path, "add", "tap-supermetrics", "--from-ref", str(PLUGIN), "--no-install")
    readme = (processes.PROJECT / "README.md").read_text(encoding="utf-8")
    pasted = re.findall(r"(?<=```yaml\n)[^`]+", readme)
    (reports,) = [each for each in pasted if "queries:" in each]
    file.write_text(file.read_text() + reports)

    (added,) = yaml.safe_load(file.read_text())["plugins"]["extractors"]
    settings = Settings.from_config({**added["config"], "api_key": "a_key"})
    assert settings.query_log
    assert [report.name for report in settings.reports] == ["google_ads", "facebook_ads", "ga4"]


def by_name(plugin: Mapping[str, Any]) -> Mapping[str, Any]:
    return {setting["name"]: setting for setting in plugin["settings"]}


def meltano(project: Path, *arguments: str) -> str:
    command = (str(Path(sys.executable).with_name("meltano")), *arguments)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MELTANO_")}
    return processes.run(command, {**env, "MELTANO_PROJECT_ROOT": str(project)}, cwd=project)
