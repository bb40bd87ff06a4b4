"""`meltano select`: what is deselected is neither asked for nor loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.meltano.project import DAYS

if TYPE_CHECKING:
    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project


def test_a_field_and_a_stream_can_be_deselected(project: Project, emulator: Emulator) -> None:
    select = ("select", "--exclude", "tap-supermetrics")
    project.told("select", "tap-supermetrics", "*", "*")
    project.told(*select, "google_ads", "Clicks")
    project.told(*select, "facebook_ads", "*")
    listed = selection(project)

    assert listed["google_ads", "Date"] == "automatic"
    assert listed["google_ads", "Cost"] == "selected"
    assert listed["google_ads", "Clicks"] == "excluded"
    streams = {stream for (stream, _), how in listed.items() if how != "excluded"}
    assert streams == {"google_ads"}
    assert not emulator.queries

    ended, target = project.night()
    assert ended.code == 0, ended.stderr
    rows = target.tables["google_ads"].values()
    assert [*target.tables] == ["google_ads"]
    assert {"Date", "Campaignname", "Cost"} <= {*next(iter(rows))}
    assert all("Clicks" not in each for each in rows)
    assert "Clicks" not in project.schemas()["google_ads"]["schema"]["properties"]
    asked = emulator.queries
    assert {(each.ds_id, each.fields) for each in asked} == {
        ("AW", ("Date", "Campaignname", "Cost"))
    }
    assert len(asked) == DAYS

    # What comes back is loaded from then on: days that are there are not paid for again.
    project.told("select", "--clear", "tap-supermetrics")
    ended, target = project.night(TAP_SUPERMETRICS_END_DATE="2024-06-06")
    assert ended.code == 0, ended.stderr
    assert all(each["Clicks"] is not None for each in target.tables["google_ads"].values())
    assert "what it asks for has changed" not in ended.stderr
    assert len(emulator.queries) == DAYS + 1 + DAYS + 1


def selection(project: Project) -> dict[tuple[str, str], str]:
    """Return how each column of each stream is selected."""
    told = project.told("select", "tap-supermetrics", "--list", "--all", "--json")
    streams: list[dict[str, Any]] = json.loads(told)["streams"]
    return {(each["stream"], each["property"]): each["selection"] for each in streams}
