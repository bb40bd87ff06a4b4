"""Parts of failed queries: which are asked at once, and which wait to see whether that helps."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import is_too_early, may_be_too_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query, ReportAccount

MAX_IN_VAIN: Final = 3
"""So many failed queries of an account are looked into by parts before one has to help."""


class Parts:
    """What becomes of the parts of queries that were split.

    A long query that failed for no clear reason may have been too large, or may never succeed; one
    that reaches too far back may do so in part. So its newest part is asked first, and the others
    wait for it: when that succeeds, they are asked too; when even its last days fail, each by
    itself, they are lost with these, and cost nothing. Of an account that has not answered yet, or
    was tried in vain a few times, such a query finds out for others that fail meanwhile.
    """

    def __init__(self) -> None:
        self._behind: dict[Query, list[Query]] = {}
        self._answering: set[ReportAccount] = set()
        self._begun: Counter[ReportAccount] = Counter()

    def may_help(self, query: Query, error: ApiError) -> bool:
        """Whether parts of a query may succeed, which failed for no clear reason."""
        is_worth_it = self._begun[query.report_account] < MAX_IN_VAIN or bool(self._fellows(query))
        return may_be_too_large(error) and is_worth_it

    def split(self, query: Query, parts: Sequence[Query], error: ApiError) -> tuple[Query, ...]:
        """A query is replaced by parts.

        Args:
            query: the query.
            parts: in the order of their days.
            error: why the query failed.

        Returns:
            The parts to ask now.
        """
        is_doubtful = may_be_too_large(error) or is_too_early(error)
        behind = self._behind.pop(query, None)
        if is_doubtful and behind is None:
            if ahead := self._ahead_of(query, error):
                self._behind[ahead] += parts
                return ()
            self._begun[query.report_account] += 1
        *earlier, newest = parts
        waiting = [] if behind is None else behind
        asked = tuple(parts) if newest.day or not is_doubtful else (newest,)
        if asked == (newest,):
            waiting += earlier
        if is_doubtful or waiting:
            self._behind |= dict.fromkeys(asked, waiting)
        return asked

    def _ahead_of(self, query: Query, error: ApiError) -> Query | None:
        """A query of the same account that finds out for this one too."""
        account, fellows = query.report_account, self._fellows(query)
        if self._begun[account] >= MAX_IN_VAIN and not is_too_early(error):
            return fellows[-1]
        last = _last_day(query)
        newer = fellows and fellows[-1] if account not in self._answering else None
        return newer if newer and _last_day(newer) >= last else None

    def _fellows(self, query: Query) -> list[Query]:
        """Queries of the same account for which others wait, in the order of their days."""
        alike = (each for each in self._behind if each.report_account == query.report_account)
        return sorted(alike, key=_last_day)

    def succeeded(self, query: Query) -> tuple[Query, ...]:
        """The parts to ask now that a query succeeded."""
        account = query.report_account
        self._answering.add(account)
        if query in self._behind:
            self._begun[account] = 0
        return _taken(self._behind.pop(query, []))

    def lost(self, query: Query) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
        """What becomes of the parts that waited for a query which is lost.

        Returns:
            The parts that are lost with it, and one to ask now: of parts that are newer than the
            query, the newest finds out for the others.
        """
        waiting = self._behind.pop(query, [])
        if any(each is waiting for each in self._behind.values()):
            return (), ()
        newest = max(waiting, key=_last_day, default=query)
        if _last_day(newest) <= _last_day(query):
            return _taken(waiting), ()
        waiting.remove(newest)
        self._behind[newest] = waiting
        return (), (newest,)


def _taken(waiting: list[Query]) -> tuple[Query, ...]:
    taken = tuple(waiting)
    waiting.clear()
    return taken


def _last_day(query: Query) -> date:
    return query.dates.last if query.dates else date.max
