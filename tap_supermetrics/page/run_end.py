"""Notes how a run ends. What writes the report is imported only where `report_dir` is set."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.run import Run


@dataclass(slots=True)
class RunFacts:
    """The facts of a run so far; they grow, for the report on whatever ends it.

    Attributes:
        settings: the configuration; None where it was not understood.
        lookups: what the API lists; None as long as nothing was requested.
        run: the run; None before it was planned.
    """

    settings: Settings | None = None
    lookups: Lookups | None = None
    run: Run | None = None


@contextmanager
def reported_at_end() -> Iterator[RunFacts]:
    """Write the report on a run to `report_dir`, if set, however it ends; yield its facts."""
    facts, started_at, error = RunFacts(), utc_now(), None
    try:
        yield facts
    except BaseException as raised:
        error = raised
        raise
    finally:
        settings = facts.settings
        if settings and settings.report_dir:
            from tap_supermetrics.page.ending import Ending  # noqa: PLC0415 - see above

            Ending(
                settings=settings,
                run=facts.run,
                lookups=facts.lookups,
                started_at=started_at,
                error=error,
            ).write()
