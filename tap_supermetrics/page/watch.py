"""Sees how a run ends. What tells of it is imported only where `report_dir` asks for that."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.run import Run

    Facts = tuple[Settings | None, Run | None, Lookups | None]


@contextmanager
def told_at_end(facts: Callable[[], Facts]) -> Iterator[None]:
    """Leave a run in `report_dir`, if that is set, however it ends.

    Args:
        facts: gives what is known at the end; settings are None where they were not understood.
    """
    started_at, error = utc_now(), None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        settings, run, lookups = facts()
        if settings and settings.report_dir:
            from tap_supermetrics.page.ending import Ending  # noqa: PLC0415 - see above

            Ending.of(settings, run, lookups, started_at, error).write()
