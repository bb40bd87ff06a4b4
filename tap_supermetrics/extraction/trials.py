"""Days that may never be given: a few of them are tried before the rest, night after night.

Sources retain some months only, and many refuse older days, or those of an outage, with a code that
gives no reason. An account that gives its newest days is alive, so no other bound would end what is
paid for the others. And one that gave nothing last night will hardly give anything tonight.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.dates import intersect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

MIN_QUERIES: Final = 10
"""Fewer queries are not worth a trial."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """Days of one account, of which a few are tried before the rest.

    Attributes:
        dates: from the first to the last of them.
        covered: days between them that are in the target.
        is_of_all: whether they are all that is wanted of the account, as it gave nothing last.
        probes: queries on their way that decide; None before any is.
        error: the one that all others would meet, once no probe succeeded.
    """

    dates: DateRange
    covered: tuple[DateRange, ...] = ()
    is_of_all: bool = False
    probes: set[Query] | None = None
    error: ApiError | None = None

    def concerns(self, query: Query) -> bool:
        """Return whether a query requests only such days, and not only covered ones."""
        dates = query.dates
        return (
            dates is not None
            and self.dates.contains(dates)
            and intersect(dates, self.covered) != (dates,)
        )


@dataclass(slots=True)
class Trials:
    """The trials, running or given up, by report and account."""

    by_account: dict[tuple[str, str], Trial] = field(default_factory=dict)

    @classmethod
    def of(cls, plans: Mapping[str, ReportPlan]) -> Trials:
        """Return the trials of some plans; where days go by rank, a budget bounds the cost."""
        return cls(
            {
                (name, account.whole.account_id): Trial(
                    dates=dates,
                    covered=() if account.gave_nothing else account.covered,
                    is_of_all=account.gave_nothing,
                )
                for name, plan in plans.items()
                if not (plan.is_by_rank or plan.is_tried_first)
                for account in plan.accounts
                if (dates := account.unlikely_days(MIN_QUERIES))
            }
        )

    def trial_of(self, query: Query) -> Trial | None:
        """Return the trial that a query belongs to; None for any other."""
        trial = self.by_account.get(query.report_account)
        return trial if trial and trial.concerns(query) else None

    def error_for(self, query: Query) -> ApiError | None:
        """Return the error that a query would meet; None where it may succeed."""
        trial = self.trial_of(query)
        return trial.error if trial else None

    def must_wait(self, query: Query) -> bool:
        """Return whether a query waits for the probes."""
        trial = self.trial_of(query)
        return trial is not None and trial.error is None

    def begin(self, query: Query, probes: Iterable[Query]) -> set[Query]:
        """Make some queries of an account its probes; return them. Without any, nothing waits.

        Args:
            query: any query of the account.
            probes: likely ones; those of other days are left out.
        """
        trial = self.by_account[query.report_account]
        trial.probes = {*filter(trial.concerns, probes)}
        if not trial.probes:
            del self.by_account[query.report_account]
        return trial.probes

    def end(self, query: Query) -> Reach | None:
        """Let all days of a trial be queried; return how far that reaches, if any waited."""
        trial = self.trial_of(query)
        if trial is None or trial.error:
            return None
        del self.by_account[query.report_account]
        return Reach.ACCOUNT

    def failed(self, query: Query, error: ApiError) -> Reach | None:
        """Note that a query failed for good; return how far that reaches, if it decides."""
        trial = self.trial_of(query)
        if trial is None or trial.error or trial.probes is None:
            return None
        trial.probes = {each for each in trial.probes if not _stands_for(query, each)}
        if trial.probes:
            return None
        trial.error = error
        logger.warning(
            "%s, account %s: %s, so that the others wait for the next run. %s",
            query.report,
            query.account_id,
            *_words_for(trial),
        )
        return Reach.ACCOUNT


def _words_for(trial: Trial) -> tuple[str, str]:
    """Return the finding and the advice."""
    if trial.is_of_all:
        text = "it gave nothing in an earlier run, and none of the days that were tried now"
        return text, "If it is gone, remove it from `ds_accounts`"
    text = f"of the days up to {trial.dates.last} that are missing, none that was tried was given"
    if trial.covered[0].first < trial.dates.last:
        return text, "If the source has lost them, add them to `covered` of the state"
    return text, "If the source has none so old, set `start_date` to its first day"


def _stands_for(query: Query, probe: Query) -> bool:
    """Return whether a query is a probe, or the newest part of one that was split."""
    if query.dates is None or probe.dates is None:
        return query == probe
    return probe.dates.contains(query.dates) and query.dates.last == probe.dates.last
