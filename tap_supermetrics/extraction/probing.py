"""Chooses the queries that find out for others which of them would be refused."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.extraction.breakers import Breakers
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import ReportPlan

    Heads = Sequence[tuple[AccountPlan, Query]]
    """Accounts of a report, each with the next query of it in order."""


class Probing:
    """Chooses probes: the newest query of what is in doubt, the middle of an unknown history.

    Args:
        plans: what each report asks for, by its name.
        breakers: what is in doubt.
    """

    def __init__(self, plans: Mapping[str, ReportPlan], breakers: Breakers) -> None:
        self._plans = plans
        self._breakers = breakers

    def chosen(self, heads: Heads, ahead: Collection[Query]) -> Iterator[Query]:
        """Yield what to draw ahead of its turn.

        Args:
            heads: the accounts of one report.
            ahead: what was drawn ahead of its turn; each probe must be there before the next.
        """
        yield from self._in_doubt(heads, ahead)
        yield from self._in_search(heads, ahead)
        for _, head in heads:
            limit = self._breakers.history[head.report].limit_of(head)
            # Left at what is known where no query finds out more; else days are held for ever.
            limit.is_named = limit.is_named or limit.probe is None

    def _in_doubt(self, heads: Heads, ahead: Collection[Query]) -> Iterator[Query]:
        """Yield the newest queries of accounts, reports and data sources that are in doubt."""
        open_heads = [each for each in heads if not self._breakers.error_for(each[1])]
        for reach in (Reach.SOURCE, Reach.REPORT):  # A wide probe finds out for narrow ones too.
            wanted = self._breakers.probes_wanted(open_heads[0][1], reach) if open_heads else 0
            # Spread over all accounts, as those that are next to each other may share a fault.
            for each in open_heads[:: max(len(open_heads) // wanted, 1)][:wanted] if wanted else ():
                yield from self._probe(self._nearest(*each, date.max), ahead)
        for each in open_heads:
            if self._breakers.probes_wanted(each[1], Reach.ACCOUNT):
                yield from self._probe(self._newest(*each, ahead), ahead)

    def _probe(self, query: Query, ahead: Collection[Query]) -> Iterator[Query]:
        if query not in ahead:  # Else it is on its way already.
            self._breakers.probing(query)
            yield query

    def _newest(self, account: AccountPlan, head: Query, ahead: Collection[Query]) -> Query:
        """Return the newest query that was not drawn ahead of its turn, if there is one."""
        seen: set[Query] = set()
        query = self._nearest(account, head, date.max)
        while query in ahead and query not in seen and query.dates:
            seen.add(query)
            query = self._nearest(account, head, query.dates.first - timedelta(days=1))
        return query

    def _nearest(self, account: AccountPlan, head: Query, day: date) -> Query:
        is_in_order = not self._plans[head.report].is_by_rank  # Else parts have another order.
        return account.nearest(head, day) if is_in_order else head

    def _in_search(self, heads: Heads, ahead: Collection[Query]) -> Iterator[Query]:
        """Find the first day that the API gives by halves, one query of an account at a time."""
        for account, head in heads:
            limit = self._breakers.history[head.report].limit_of(head)
            day = limit.middle(self._plans[head.report].scope.last_wanted)
            if day is None or limit.probe:  # One probe at a time: each halves what is left.
                continue
            query = self._nearest(account, head, day)
            if query.day and query not in ahead and limit.is_doubtful(query):
                limit.probe = query
                yield query
