"""The next query batch is there when one stops, and never more of them than that."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from pathlib import Path

LAST = date(2024, 6, 9)
REPORT = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937", "5096627718", "2645570913"],
    "fields": ["Date", "Cost"],
    "max_days_per_query": 1,
}


@pytest.mark.parametrize("running", [1, 2])
def test_the_next_batch_waits_already_when_one_stops(tmp_path: Path, running: int) -> None:
    # The last queries of a batch run for half a second, so that a busy machine sees them too.
    options = Options(
        clock_factor=20.0 if running == 1 else 8.0,
        now="2024-06-10T04:00:00+00:00",
        min_seconds=2.0,
        max_seconds=6.0,
    )
    with Emulator(options=options) as emulator:
        config = config_for(
            emulator,
            [REPORT],
            start_date=str(LAST - timedelta(days=99)),
            end_date=str(LAST),
            max_running_batches=running,
        )
        ended = sync(config, tmp_path, Target())
        batches = emulator.batches

    assert ended.code == 0, ended.stderr[-2000:]
    assert [batch.amount for batch in batches] == [100] * 4
    assert emulator.peak_running_batches == running
    for batch in batches:
        others = [each for each in batches if each.arrived <= batch.arrived]
        open_then = sum(each.ended is None or each.ended > batch.arrived for each in others)
        assert open_then <= (running + 1 if running == 2 else running)
    if running == 2:
        # The third was there before its place was; the fourth may find two places at once.
        gap = (batches[2].started or 0.0) - batches[2].arrived
        assert gap > options.batch_start_seconds
