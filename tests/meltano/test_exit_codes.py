"""`examples/meltano_run.py` ends with the code of the tap, whatever Meltano makes of it."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.emulator import Fault
from tests.demo.processes import PROJECT

if TYPE_CHECKING:
    from tap_supermetrics.emulator import Emulator
    from tests.meltano.project import Project

RUN: Final = (sys.executable, str(PROJECT / "examples" / "meltano_run.py"), "--force")
PIPELINE: Final = ("tap-supermetrics", "target-lines")


def test_a_key_that_is_refused_from_the_start_is_4(project: Project) -> None:
    """Meltano then fails in the discovery of the catalog, before the tap is run at all."""
    ended = project.call(*RUN, *PIPELINE, TAP_SUPERMETRICS_API_KEY="api_of_nobody_0123456789")

    assert ended.code == 4, ended.stdout
    assert "What to do: check `api_key`" in ended.stdout
    assert not project.loaded().messages


def test_a_mistake_in_the_settings_is_1(project: Project) -> None:
    ended = project.call(*RUN, *PIPELINE, TAP_SUPERMETRICS_START_DATE="soon")

    assert ended.code == 1, ended.stdout
    assert "start_date: expected" in ended.stdout


def test_a_misspelt_setting_or_flag_is_found_for_free(project: Project, emulator: Emulator) -> None:
    """Commands are not given what Meltano does not know; its own flags take any word for false."""
    emulator.reset()
    before = (project.folder / "meltano.yml").read_text()
    project.change(lambda extractor: extractor["config"].update(lookbak_days=7, query_log="ture"))
    try:
        ended = project.meltano("invoke", "tap-supermetrics", "--discover")
    finally:
        (project.folder / "meltano.yml").write_text(before)

    assert ended.code == 1
    assert "lookbak_days: unknown setting, did you mean lookback_days?" in ended.stderr
    assert "query_log: expected true or false" in ended.stderr
    assert len(emulator.queries) == 0


def test_what_is_lost_in_the_midst_of_a_run_is_3(project: Project, emulator: Emulator) -> None:
    emulator.reset()
    emulator.inject(Fault(effect="fail_query", code="BAD_REQUEST", day=date(2024, 6, 3)))
    ended = project.call(*RUN, *PIPELINE)

    assert ended.code == 3, ended.stdout
