"""Days before all that is in the target: a source may give none of them, night after night.

Sources keep some months only, and many refuse older days with a code that says nothing. An account
that gives its newest days is alive, so no other bound would end what is paid for the older ones.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

MIN_QUERIES: Final = 10
"""Fewer old queries are not worth a trial."""


@dataclass(slots=True, kw_only=True)
class Trial:
    """The old days of one account, of which a few are tried before the rest.

    Attributes:
        dates: the old days.
        probes: queries on their way that find out; None before any is.
        error: what all the others would meet, once none of the tried ones was given.
    """

    dates: DateRange
    probes: set[Query] | None = None
    error: ApiError | None = None

    def concerns(self, query: Query) -> bool:
        """Return whether a query asks for old days only."""
        return query.dates is not None and query.dates.last <= self.dates.last


@dataclass(slots=True)
class OldDays:
    """The accounts whose old days are on trial or given up, by report and account."""

    trials: dict[tuple[str, str], Trial] = field(default_factory=dict)

    @classmethod
    def of(cls, plans: Mapping[str, ReportPlan]) -> OldDays:
        """Return those of some plans; where days go by rank, a budget bounds what is paid."""
        return cls(
            {
                (name, account.whole.account_id): Trial(dates=old)
                for name, plan in plans.items()
                if not (plan.is_by_rank or plan.is_tried_first)
                for account in plan.accounts
                if (old := account.older_than_covered(MIN_QUERIES))
            }
        )

    def trial_of(self, query: Query) -> Trial | None:
        """Return the trial that an old query belongs to; None for any other."""
        trial = self.trials.get(query.report_account)
        return trial if trial and trial.concerns(query) else None

    def error_for(self, query: Query) -> ApiError | None:
        """Return what an old query would meet; None where it may be given."""
        trial = self.trial_of(query)
        return trial.error if trial else None

    def must_wait(self, query: Query) -> bool:
        """Return whether an old query waits for those that find out."""
        trial = self.trial_of(query)
        return trial is not None and trial.error is None

    def end(self, query: Query) -> Reach | None:
        """Let all old days of an account be queried; return how far that reaches, if any waited."""
        trial = self.trial_of(query)
        if trial is None or trial.error:
            return None
        del self.trials[query.report_account]
        return Reach.ACCOUNT

    def failed(self, query: Query, error: ApiError) -> Reach | None:
        """Learn that an old query failed for good; return how far that reaches, if it decides."""
        trial = self.trial_of(query)
        if trial is None or trial.error or trial.probes is None:
            return None
        trial.probes = {each for each in trial.probes if not _stands_for(query, each)}
        if trial.probes:
            return None
        trial.error = error
        text = "%s, account %s: none of some days up to %s was given, so that no other of them is "
        text += "submitted now. If the source has none so old, set `start_date` to its first day"
        logger.warning(text, query.report, query.account_id, trial.dates.last)
        return Reach.ACCOUNT


def _stands_for(query: Query, probe: Query) -> bool:
    """Return whether a query is a probe, or the newest part of one that was split."""
    if query.dates is None or probe.dates is None:
        return query == probe
    return probe.dates.holds(query.dates) and query.dates.last == probe.dates.last
