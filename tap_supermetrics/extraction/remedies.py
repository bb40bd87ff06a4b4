"""Chooses a remedy for a query that failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction.doubts import DOUBT_LIMITS
from tap_supermetrics.extraction.splits import Splits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.breakers import Breakers
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query that failed.

    Attributes:
        query: the query.
        error: why.
        has_results: whether it succeeded, and only the request for its results failed.
    """

    query: Query
    error: ApiError
    has_results: bool = False


class Remedy(Enum):
    """A remedy for a query that failed."""

    GIVE_UP = "it fails for this run"
    WAIT = "a probe of its account or report decides"
    SPLIT = "its halves are submitted in its place"
    RESUBMIT = "it is submitted again"


class Remedies:
    """Chooses by the error, and by earlier tries.

    Args:
        plans: what each report requests, by its name.
        breakers: what is known to be refused.
        served: queries that the API has taken before.
        max_queries: so many queries may be paid for in this run.

    Attributes:
        submitted: how many queries the API has taken in this run.
        breakers: what is known to be refused.
        splits: queries that were split, until their parts are settled.
    """

    def __init__(
        self,
        plans: Mapping[str, ReportPlan],
        breakers: Breakers,
        served: Iterable[Query],
        max_queries: int,
    ) -> None:
        self.submitted = 0
        self._max_queries = max_queries
        self.splits = Splits()
        self._plans = plans
        self.breakers = breakers
        # An earlier run paid for these once: that counts as their first submission.
        self._submissions = Counter(served)

    def taken(self, queries: Sequence[Query]) -> None:
        """Count queries that the API has taken."""
        self._submissions.update(queries)
        self.submitted += len(queries)

    @property
    def is_budget_used(self) -> bool:
        """Return whether this run may pay for no query more."""
        return self.submitted >= self._max_queries

    def forget(self, query: Query) -> None:
        """Forget how often a query was taken."""
        # A Counter does not mind that a key is missing.
        del self._submissions[query]

    def choose(self, failure: Failure) -> Remedy:
        """Return the remedy; `GIVE_UP` where any other would be paid for in vain."""
        query, error = failure.query, failure.error
        # An error that reaches beyond the query would meet its parts and its next try too.
        if error.reach in DOUBT_LIMITS or self.breakers.error_for(query):
            return Remedy.GIVE_UP
        # A part that others wait for is a probe already.
        if self.breakers.doubts.is_in_doubt(query) and not self.splits.is_waited_for(query):
            return Remedy.WAIT
        # It is paid: parts or another try would cost again, and be fetched in the same way.
        return Remedy.GIVE_UP if failure.has_results else self._choose_try(query, error)

    def _choose_try(self, query: Query, error: ApiError) -> Remedy:
        """Return how to try again, the whole or its parts; `GIVE_UP` where neither may help."""
        is_divisible = bool(self.parts_of(query))
        # Certainly too large: another try of the whole would be paid for in vain.
        if is_divisible and error.fate is Fate.SPLIT:
            return Remedy.SPLIT
        if self._may_be_resubmitted(query, error):
            return Remedy.RESUBMIT
        # Perhaps too large: only after the tries that the error allows.
        if is_divisible and self.splits.may_help(query, error):
            return Remedy.SPLIT
        return Remedy.GIVE_UP

    def parts_of(self, query: Query) -> Sequence[Query]:
        """Return the query as smaller ones; none where it cannot or must not be split."""
        # The sums of two halves are not the sum of the whole: see `Scope.is_incremental`.
        is_by_day = self._plans[query.report].scope.is_incremental
        return (query.split() or ()) if is_by_day else ()

    def _may_be_resubmitted(self, query: Query, error: ApiError) -> bool:
        may_help = error.fate in {Fate.RETRY, Fate.RESUBMIT}
        return may_help and self._submissions[query] < error.verdict.max_submissions
