"""A mapper between the tap and the loader."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.meltano.project import DAYS, PROGRAMS

if TYPE_CHECKING:
    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project


@pytest.mark.skipif(
    importlib.util.find_spec("meltano_map_transform") is None, reason="needs meltano-map-transform"
)
def test_a_mapper_changes_records_and_passes_the_state_on(
    project: Project, emulator: Emulator
) -> None:
    maps = {"google_ads": {"cost_cents": "int(float(Cost) * 100)", "Clicks": None}}
    mapper = {
        "name": "meltano-map-transformer",
        "namespace": "meltano_map_transformer",
        "executable": str(PROGRAMS / "meltano-map-transform"),
        "settings": [{"name": "stream_maps", "kind": "object"}],
        "mappings": [{"name": "in-cents", "config": {"stream_maps": maps}}],
    }
    file = project.folder / "meltano.yml"
    whole: dict[str, Any] = yaml.safe_load(file.read_text())
    whole["plugins"]["mappers"] = [mapper]
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    ended = project.meltano("run", "tap-supermetrics", "in-cents", "target-lines")
    target = project.loaded()

    assert ended.code == 0, ended.stderr
    rows = target.tables["google_ads"].values()
    assert rows
    assert all(each["cost_cents"] == int(each["Cost"] * 100) for each in rows)
    assert all("Clicks" not in each for each in rows)
    assert target.tables["facebook_ads"]
    assert {*target.state["bookmarks"]} == {"google_ads", "facebook_ads"}
    assert len(emulator.queries) == 2 * DAYS
