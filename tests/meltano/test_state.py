"""`meltano state`: what docs/state.md tells to do with it is what happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.meltano.project import DAYS, STATE_ID

if TYPE_CHECKING:
    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project


def test_a_state_is_got_edited_set_and_cleared(project: Project, emulator: Emulator) -> None:
    ended, _ = project.night()
    assert ended.code == 0, ended.stderr
    asked = len(emulator.queries)
    assert asked == 2 * DAYS
    assert STATE_ID in project.told("state", "list").split()

    # Two days of one report are to be loaded again, and another report is to be forgotten.
    state = json.loads(project.told("state", "get", STATE_ID))
    bookmarks = state["singer_state"]["bookmarks"]
    (partition,) = bookmarks["google_ads"]["partitions"]
    partition["covered"] = [["2024-06-01", "2024-06-02"], ["2024-06-05", "2024-06-05"]]
    del bookmarks["facebook_ads"]
    file = project.folder / "state.json"
    file.write_text(json.dumps(state))
    missing = project.told(
        "invoke", "tap-supermetrics:coverage", "--state=state.json", "--format=json"
    )
    assert json.loads(missing)[0]["accounts"][0]["missing"] == [["2024-06-03", "2024-06-04"]]
    project.told("state", "set", "--force", "--input-file", str(file), STATE_ID)

    ended, target = project.night()
    assert ended.code == 0, ended.stderr
    again = [(each.ds_id, str(each.first)) for each in emulator.queries[asked:]]
    assert sorted(again) == [
        ("AW", "2024-06-03"),
        ("AW", "2024-06-04"),
        *(("FA", f"2024-06-0{day}") for day in range(1, DAYS + 1)),
    ]
    assert {each["Date"] for each in target.tables["google_ads"].values()} == {
        "2024-06-03",
        "2024-06-04",
    }
    (partition,) = target.state["bookmarks"]["google_ads"]["partitions"]
    assert partition["replication_key_value"] == "2024-06-05"
    assert "covered" not in partition

    project.told("state", "clear", "--force", STATE_ID)
    assert STATE_ID not in project.told("state", "list")
