"""The extras `schema` and `metadata` of meltano.yml: done or refused, never passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.meltano.project import DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project


@pytest.fixture
def changed(project: Project) -> Iterator[Project]:
    file = project.folder / "meltano.yml"
    before = file.read_text()
    yield project
    file.write_text(before)


def test_what_can_be_done_is_done(changed: Project, emulator: Emulator) -> None:
    def change(extractor: dict[str, Any]) -> None:
        extractor["schema"] = {
            "google_ads": {
                "Cost": {"type": ["string", "null"]},
                # Meltano puts it in the place of all that the column had.
                "Campaignname": {"maxLength": 100},
            }
        }
        extractor["metadata"] = {"google_ads": {"replication-method": "FULL_TABLE"}}
        extractor["select"] = ["google_ads.*"]

    changed.change(change)
    for night in (1, 2):
        ended, target = changed.night()
        assert ended.code == 0, ended.stderr
        assert len(emulator.queries) == night * DAYS

    rows = target.tables["google_ads"].values()
    assert rows
    assert all(isinstance(each["Cost"], str) for each in rows)
    columns = changed.schemas()["google_ads"]["schema"]["properties"]
    assert columns["Campaignname"] == {"type": ["string"], "maxLength": 100}
    assert "Campaignname: values are written as they are, whatever maxLength says" in ended.stderr


def test_what_cannot_be_done_is_refused(changed: Project, emulator: Emulator) -> None:
    def change(extractor: dict[str, Any]) -> None:
        extractor["metadata"] = {
            "google_ads": {"replication-key": "Campaignname", "colour": "blue"},
            "facebook_ads": {"table-key-properties": ["Date"]},
        }
        extractor["schema"] = {"google_ads": {"Clicks": {"type": "boolean"}}}

    before = len(emulator.queries)
    changed.change(change)
    ended, target = changed.night("--force")

    assert ended.code == 1
    assert "google_ads: replication-key: expected Date, got Campaignname" in ended.stderr
    assert "facebook_ads: table-key-properties: expected _sm_account_id" in ended.stderr
    assert "google_ads: Clicks: the catalog says boolean or null, but records hold" in ended.stderr
    assert "google_ads: metadata colour: not known, and without effect" in ended.stderr
    assert not target.messages
    assert len(emulator.queries) == before
