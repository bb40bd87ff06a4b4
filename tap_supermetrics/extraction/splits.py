"""Parts of failed queries: which are submitted at once, and which wait for those."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.errors import may_be_too_large
from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query, ReportAccount

MAX_IN_VAIN: Final = 3
"""Failed queries of an account that are tried in parts before one has to help."""


@dataclass(slots=True, eq=False)
class _Group:
    """Queries that are submitted ahead, and those that wait for them."""

    ahead: set[Query] = field(default_factory=set)
    waiting: list[Query] = field(default_factory=list)

    def release(self) -> tuple[Query, ...]:
        released, self.waiting = tuple(self.waiting), []
        return released


class Splits:
    """The parts of queries that were split, and the queries that they wait for.

    A long query that failed for no clear reason may have been too large, or may never succeed; one
    that reaches too far back may do so in part. So its newest part is submitted first, and the
    others wait for it: when that succeeds, they are submitted too; when even its last days fail,
    each by itself, they fail with these, and cost nothing. Of an account that has not answered
    yet, or was tried in vain a few times, others that fail meanwhile wait for such a query.
    """

    def __init__(self) -> None:
        self._groups: dict[Query, _Group] = {}
        self._answering: set[ReportAccount] = set()
        self._in_vain: Counter[ReportAccount] = Counter()

    def is_waited_for(self, query: Query) -> bool:
        """Return whether others wait for a query."""
        return query in self._groups

    def may_help(self, query: Query, error: ApiError) -> bool:
        """Return whether parts of a query may succeed, which failed for no clear reason."""
        # With fellows, it costs nothing: the parts wait for a query that is tried in parts anyway.
        is_worth_it = self._in_vain[query.report_account] < MAX_IN_VAIN or bool(
            self._fellows(query)
        )
        return may_be_too_large(error) and is_worth_it

    def split(self, query: Query, parts: Sequence[Query], error: ApiError) -> tuple[Query, ...]:
        """Replace a query by parts; return those to submit now.

        Args:
            query: the query.
            parts: in the order of their days.
            error: why the query failed.
        """
        is_unclear = may_be_too_large(error) or error.reach is Reach.HISTORY
        # A part that is split again stays in the group of the whole, with all that waits there.
        group = self._leave(query)
        if is_unclear and group is None:
            # Another query of the account is tried in parts already: these parts wait for it.
            if ahead := self._ahead_of(query, error):
                self._groups[ahead].waiting += parts
                return ()
            self._in_vain[query.report_account] += 1
        *earlier, newest = parts
        group = group or _Group()
        # One part at a time, the newest first, until it is a day that fails by itself.
        if is_unclear and newest.day is None:
            self._join(group, (newest,))
            group.waiting += earlier
            return (newest,)
        # Others wait for the group: these parts decide for them too.
        if is_unclear or group.waiting:
            self._join(group, parts)
        return tuple(parts)

    def succeeded(self, query: Query) -> tuple[Query, ...]:
        """Return the parts to submit now that a query succeeded."""
        account = query.report_account
        self._answering.add(account)
        group = self._leave(query)
        if group is None:
            return ()
        # Splitting helped: so the account is worth as many tries again.
        self._in_vain[account] = 0
        return group.release()

    def failed(self, query: Query) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
        """Decide about the parts that waited for a query which failed for good.

        Returns:
            The parts that fail with it, and one to submit now: of parts that are newer than the
            query, the newest decides for the others.
        """
        group = self._leave(query)
        if group is None or group.ahead:
            return (), ()  # Others still decide for those that wait.
        newest, account = max(group.waiting, key=_last_day, default=query), query.report_account
        if _last_day(newest) <= _last_day(query) or self._in_vain[account] > MAX_IN_VAIN:
            return group.release(), ()
        self._in_vain[account] += 1
        group.waiting.remove(newest)
        self._join(group, (newest,))
        return (), (newest,)

    def _ahead_of(self, query: Query, error: ApiError) -> Query | None:
        """Return a query of the same account that decides for this one too."""
        account, fellows = query.report_account, self._fellows(query)
        if self._in_vain[account] >= MAX_IN_VAIN and error.reach is not Reach.HISTORY:
            # `may_help` has let it through for these fellows: there is at least one.
            return fellows[-1]
        # An account that has answered in this run is not dead: all its queries are tried in parts.
        newer = fellows[-1] if fellows and account not in self._answering else None
        return newer if newer and _last_day(newer) >= _last_day(query) else None

    def _fellows(self, query: Query) -> list[Query]:
        """Return the queries of the same account for which others wait, by their days."""
        alike = (each for each in self._groups if each.report_account == query.report_account)
        return sorted(alike, key=_last_day)

    def _join(self, group: _Group, queries: Iterable[Query]) -> None:
        for query in queries:
            group.ahead.add(query)
            self._groups[query] = group

    def _leave(self, query: Query) -> _Group | None:
        group = self._groups.pop(query, None)
        if group:
            group.ahead.discard(query)
        return group


def _last_day(query: Query) -> date:
    return query.dates.last if query.dates else date.max
