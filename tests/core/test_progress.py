"""How long a run takes yet comes from what has finished."""

from __future__ import annotations

import pytest

from tap_supermetrics.extraction.progress import Progress, ReportProgress


def report(name: str, ended: int, planned: int) -> ReportProgress:
    return ReportProgress(name=name, ended=ended, failed=0, planned=planned, rows=10 * ended)


def test_reports_end_one_after_another() -> None:
    progress = Progress(reports=(report("a", 10, 20), report("b", 0, 40)), elapsed_s=60.0)

    assert progress.time_left(0) == "1 min left"
    assert progress.time_left(1) == progress.time_left() == "5 min left"
    assert str(progress) == "10 of 60 queries ended, 100 rows, 5 min left"


def test_while_batches_queue_it_is_the_least() -> None:
    delays = ("2 query batches wait to be run",)
    progress = Progress(reports=(report("a", 1, 2),), elapsed_s=7.0, delays=delays)

    assert str(progress) == "1 of 2 queries ended, 10 rows, at least 7 s left; " + delays[0]


@pytest.mark.parametrize("ended", [0, 5])
def test_nothing_is_said_where_nothing_is_known_or_left(ended: int) -> None:
    progress = Progress(reports=(report("a", ended, 5),), elapsed_s=100.0)
    assert progress.time_left() == ""


def test_hours_are_told_as_hours() -> None:
    assert Progress(reports=(report("a", 1, 3),), elapsed_s=3600.0).time_left() == "2.0 h left"
