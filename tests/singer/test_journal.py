"""What a killed pipeline submitted is collected by the next run; a good night is not."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST = date(2024, 6, 9)
REPORT = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Cost"],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=Options(clock_factor=60.0, now="2024-06-10T04:00:00+00:00")) as running:
        yield running


def config(emulator: Emulator, folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return config_for(
        emulator,
        [REPORT],
        start_date="2024-06-01",
        end_date=str(LAST),
        journal_dir=str(folder),
        **changes,
    )


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_after_a_good_night_everything_is_read_afresh(
    emulator: Emulator, tmp_path: Path, mode: str
) -> None:
    settings = config(emulator, tmp_path / "journal", mode=mode)
    assert sync(settings, tmp_path, Target()).code == 0
    once = len(emulator.queries)
    # As `--full-refresh` does: no state, and nobody was killed.
    assert sync(settings, tmp_path, Target()).code == 0

    assert len(emulator.queries) == 2 * once
    assert list((tmp_path / "journal").iterdir()) == []


@pytest.mark.parametrize("what", ["a file", "no folder can be made"])
def test_a_folder_that_cannot_be_used_costs_a_warning(
    emulator: Emulator, tmp_path: Path, what: str
) -> None:
    (tmp_path / "journal").write_text("not a folder")
    folder = tmp_path / "journal" if what == "a file" else tmp_path / "journal" / "below"
    ended = sync(config(emulator, folder), tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("journal_dir:") == 1
    assert "Traceback" not in ended.stderr
