"""What lost queries say about others that were not asked yet: known answers are not paid for."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import first_day_given, is_of_account, is_too_early

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query, ReportAccount

logger = logging.getLogger(__name__)

DOUBTFUL_AFTER: Final = 20
"""After so many lost queries of an account, and none answered, its newest is asked next."""
NO_SERVICE: Final = frozenset(
    {"", "ANSWER_INVALID", "CONNECTION_FAILED", "SERVICE_UNAVAILABLE", "TOO_MANY_REQUESTS"}
)
"""Errors that any start would meet now, whatever it asks for."""
_NO_REPORT: Final = frozenset(
    {
        "ACCOUNT_FILTER_INVALID",
        "ACCOUNT_FILTER_PATTERN_INVALID",
        "LIST_NOT_FOUND",
        "LOGIN_NOT_FOUND",
        "SETTING_KEY_INVALID",
    }
)
"""Errors that every query of the same report would meet."""


class Refusals:
    """What is known to be refused.

    Some errors say it by themselves. Others may be of one day, or of all: so an account of which
    nothing but losses came is tried with its newest query, because history is what fails most; when
    that is lost too, the account is given up for this run. And where a day is too early, but nobody
    says which is not, the first day that is given is searched by halves.

    Attributes:
        has_news: whether queries that wait should be looked at again.
    """

    def __init__(self) -> None:
        self._refused: dict[ReportAccount, ApiError] = {}
        self._history: dict[str, tuple[date, ApiError]] = {}
        self._guessed: set[str] = set()
        self._earliest: dict[str, date] = {}
        self._searching: dict[str, Query] = {}
        self._answered: set[ReportAccount] = set()
        self._lost: Counter[ReportAccount] = Counter()
        self._probes: dict[ReportAccount, Query] = {}
        self.has_news = False

    def answered(self, query: Query) -> None:
        """The results of a query are there. May be called by any thread."""
        self._answered.add(query.report_account)

    def accepted(self, query: Query) -> None:
        """The API ran a query, so its days are not too early."""
        if query.dates:
            known = self._earliest.get(query.report, query.dates.first)
            self._earliest[query.report] = min(query.dates.first, known)
        self._searched(query)

    def _searched(self, query: Query) -> None:
        if self._searching.get(query.report) == query:
            del self._searching[query.report]
            self.has_news = True

    def learn(
        self, query: Query, error: ApiError, *, is_by_day: bool, last: date = date.max
    ) -> None:
        """A query is lost.

        Args:
            query: the query.
            error: why.
            is_by_day: whether days of its report count by themselves.
            last: the last day that its report wants.
        """
        account = query.report_account
        self._searched(query)
        if error.code in _NO_REPORT:
            self._refuse((query.report, ""), error)
        elif is_of_account(error):
            self._refuse(account, error)
        elif is_too_early(error) and query.day and is_by_day:
            self._learn_history(query, first_day_given(error, query.day, last), error)
        elif _is_part_of(query, self._probes.get(account)):
            text = "%s is lost, as all %d queries of the account before: no more are asked now"
            logger.warning(text, query, self._lost[account])
            self._refuse(account, error)
        elif error.code not in NO_SERVICE:
            self._lost[account] += 1
            self.has_news = self.has_news or self._lost[account] == DOUBTFUL_AFTER

    def _refuse(self, account: ReportAccount, error: ApiError) -> None:
        self._refused[account] = error
        self.has_news = True

    def _learn_history(self, refused: Query, first_day: date, error: ApiError) -> None:
        known, _ = self._history.get(refused.report, (date.min, error))
        if refused.day and first_day > refused.day + timedelta(days=1):
            self._guessed.discard(refused.report)
        elif first_day > known:
            self._guessed.add(refused.report)
        self.refuse_history(refused.report, first_day, error)

    def refuse_history(self, report: str, first_day: date, error: ApiError) -> None:
        """Of a report, nothing is to be asked that ends before a day."""
        known, _ = self._history.get(report, (first_day, error))
        self._history[report] = max(first_day, known), error
        self.has_news = True

    def of(self, query: Query) -> ApiError | None:
        """The refusal that a query not yet asked would meet too."""
        whole, own = self._refused.get((query.report, "")), self._refused.get(query.report_account)
        first_day, too_early = self._history.get(query.report, (date.min, None))
        is_history = query.dates is not None and query.dates.last < first_day
        return whole or own or (too_early if is_history else None)

    def may_be_too_early(self, query: Query) -> bool:
        """Whether a query is between days that are too early and those that are given."""
        if query.dates is None or query.report not in self._guessed:
            return False
        return query.dates.first < self._earliest.get(query.report, date.max)

    def probes(self, queries: Sequence[Query]) -> set[Query]:
        """Of queries in their order, those to ask first, to know whether to ask the others."""
        for report, query in [*self._searching.items()]:
            if self.of(query):  # by what another query said
                del self._searching[report]
        for report in self._guessed - self._searching.keys():
            between = [each for each in queries if each.report == report and each.day]
            days = sorted(filter(self.may_be_too_early, between), key=_first_day)
            if days:
                self._searching[report] = days[len(days) // 2]
        searching = {*self._searching.values()} & {*queries}
        return self._newest_of_doubtful(queries) | searching

    def _newest_of_doubtful(self, queries: Sequence[Query]) -> set[Query]:
        doubtful = {
            account
            for account, count in self._lost.items()
            if count >= DOUBTFUL_AFTER and account not in self._answered | self._probes.keys()
        }
        newest: dict[ReportAccount, Query] = {}
        for query in queries if doubtful else ():
            account = query.report_account
            if account in doubtful and _is_part_of(query, newest.get(account, query)):
                newest[account] = query
        self._probes |= newest
        return {*newest.values()}


def _first_day(query: Query) -> date:
    return query.dates.first if query.dates else date.min


def _is_part_of(query: Query, probe: Query | None) -> bool:
    """Whether a query reaches to the last day of a probe, which may have been split."""
    if probe is None or probe.dates is None or query.dates is None:
        return query == probe
    return query.dates.last >= probe.dates.last
