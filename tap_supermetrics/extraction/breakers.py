"""Circuit breakers: queries that would meet a known refusal are not paid for."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import Reach
from tap_supermetrics.extraction.history import HistoryLimit
from tap_supermetrics.planning.scope import recent_days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query, ReportAccount
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

DOUBTFUL_AFTER: Final = 20
"""After so many failed queries, and none answered, the newest one is submitted by itself."""


@dataclass(slots=True, kw_only=True)
class _Account:
    """The breaker of one report and account.

    Closed while it has an answer or few failures; doubtful, when only failures came; probing, while
    `probe` is on its way; open, when `error` says what every query would meet.
    """

    failures: int = 0
    is_answered: bool = False
    probe: Query | None = None
    error: ApiError | None = None


class Breakers:
    """The refusals that are known: of an account, of a report, of a data source, of a time.

    Some errors say how far they reach. Others may be of one day or of all: so an account of which
    nothing but failures came is tried with its newest query, because history is what fails most;
    when that fails too, the account is given up for this run.

    Args:
        plans: what each report asks for, by its name.
    """

    def __init__(self, plans: Mapping[str, ReportPlan]) -> None:
        self._plans = plans
        self._sources: dict[str, ApiError] = {}
        self._reports: dict[str, ApiError] = {}
        self._accounts: dict[ReportAccount, _Account] = {}
        self._given_up: dict[str, tuple[date, ApiError]] = {}
        self._misfits: Counter[str] = Counter()
        self._fitting: set[str] = set()
        self.history = {name: HistoryLimit() for name in plans}

    def error_for(self, query: Query) -> ApiError | None:
        """Return the refusal that a query would meet; None where it may be answered."""
        plan = self._plans[query.report]
        return (
            self._sources.get(plan.report.ds_id)
            or self._reports.get(query.report)
            or self._account(query).error
            or self.history[query.report].limit_of(query).error_for(query)
            or self._too_old(query)
        )

    def is_held(self, query: Query) -> bool:
        """Say that a query waits for what a probe finds out."""
        account = self._account(query)
        is_probing = account.probe is not None and account.error is None
        return is_probing or self.history[query.report].limit_of(query).is_doubtful(query)

    def wants_probe(self, query: Query) -> bool:
        """Say that the account of a query is doubtful, and nothing finds out yet."""
        account = self._account(query)
        is_doubtful = account.failures >= DOUBTFUL_AFTER and not account.is_answered
        return is_doubtful and account.probe is None and account.error is None

    def probing(self, probe: Query) -> None:
        """Let one query find out for the others of its account."""
        self._account(probe).probe = probe

    def answered(self, query: Query) -> bool:
        """Learn that the API gave the results of a query; return whether others may go on."""
        account = self._account(query)
        was_held = account.probe is not None
        account.is_answered, account.probe = True, None
        return was_held

    def given(self, query: Query) -> bool:
        """Learn that the API ran a query; return whether that taught anything of history."""
        return self.history[query.report].given(query)

    def failed(self, query: Query, error: ApiError) -> bool:
        """Learn from a query that failed for good; return whether others are concerned."""
        plan, account = self._plans[query.report], self._account(query)
        was_probe = _is_part_of(query, account.probe)
        if error.reach is Reach.SOURCE:
            self._sources[plan.report.ds_id] = error
        elif error.reach is Reach.REPORT:
            self._reports[query.report] = error
        elif error.reach is Reach.ACCOUNT:
            account.error = error
        elif error.reach is Reach.SERVICE:
            account.probe = None if was_probe else account.probe
            return was_probe
        elif error.reach is Reach.HISTORY and plan.scope.is_incremental:
            account.probe = None if was_probe else account.probe
            return self._learn_history(query, error) or was_probe
        elif was_probe:
            text = "%s failed, as all %d queries of the account before: no more are submitted now"
            logger.warning(text, query, account.failures)
            account.error = error
        else:
            account.failures += 1
            return account.failures == DOUBTFUL_AFTER
        return True

    def _learn_history(self, query: Query, error: ApiError) -> bool:
        last_wanted = self._plans[query.report].scope.last_wanted
        return self.history[query.report].refused(query, error, last_wanted)

    def fitted(self, query: Query) -> None:
        """Learn that rows of a report became records."""
        self._fitting.add(query.report)

    def did_not_fit(self, query: Query, error: ApiError) -> bool:
        """Learn that a result fits no record; return whether others are concerned.

        A mistake in a report, by which no result fits, must not cost its whole history.
        """
        report, plan = query.report, self._plans[query.report]
        self._misfits[report] += 1
        wanted = plan.scope.wanted if plan.scope.is_incremental else None
        is_hopeless = self._misfits[report] == DOUBTFUL_AFTER and report not in self._fitting
        if not is_hopeless or wanted is None:
            return False
        first_day = recent_days(plan.report, wanted).first
        text = "%s: none of %d results fitted, so days before %s are not submitted now"
        logger.warning(text, report, self._misfits[report], first_day)
        self._given_up[report] = first_day, error
        return True

    def _too_old(self, query: Query) -> ApiError | None:
        first_day, error = self._given_up.get(query.report, (date.min, None))
        return error if query.dates and query.dates.last < first_day else None

    def _account(self, query: Query) -> _Account:
        return self._accounts.setdefault(query.report_account, _Account())


def _is_part_of(query: Query, probe: Query | None) -> bool:
    """Say that a query reaches to the last day of a probe, which may have been split."""
    if probe is None or probe.dates is None or query.dates is None:
        return query == probe
    return query.dates.last >= probe.dates.last
