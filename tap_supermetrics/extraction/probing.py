"""Chooses probes: queries that show which others would be refused."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.extraction.breakers import Breakers
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.account import AccountPlan
    from tap_supermetrics.planning.plan import ReportPlan

    Head = tuple[AccountPlan, Query]
    """An account of a report, with the next query of it in order."""

_GOLDEN: Final = 0.618034
"""Multiples of it, without their whole part, are spread evenly, however few are taken."""


class Probing:
    """Chooses probes: the newest query of what is in doubt, the middle of an unknown history.

    A report or a data source is probed with accounts that were loaded in an earlier run, then with
    those that have not failed in this one: working accounts must not fail with the others.

    Args:
        plans: what each report requests, by its name.
        breakers: what is in doubt.
    """

    def __init__(self, plans: Mapping[str, ReportPlan], breakers: Breakers) -> None:
        self._plans = plans
        self._breakers = breakers

    def of_reports(
        self, reports: Sequence[Sequence[Head]], reach: Reach, ahead: Collection[Query]
    ) -> Iterator[Query]:
        """Yield the probes of a report or data source to draw ahead, by newest queries.

        Args:
            reports: the accounts of each report, which have their turn one after the other.
            reach: what is in doubt.
            ahead: what was drawn ahead of its turn; each probe must be in it before the next.
        """
        one = next(filter(self._is_open, chain.from_iterable(reports)), None)
        wanted = self._breakers.doubts.probes_wanted(one[1], reach) if one else 0
        if not wanted:
            return  # Before the accounts are sorted: there may be thousands.
        turns = chain.from_iterable(zip_longest(*map(self._likeliest, reports)))
        for each in islice(filter(None, turns), wanted):
            yield from self._probe(each, reach, ahead)

    def of_accounts(self, heads: Sequence[Head], ahead: Collection[Query]) -> Iterator[Query]:
        """Yield the probes of accounts, each by itself, and of their history, to draw ahead.

        Args:
            heads: the accounts.
            ahead: see `of_reports`.
        """
        for each in heads:
            if self._is_open(each) and self._breakers.doubts.probes_wanted(each[1], Reach.ACCOUNT):
                yield from self._probe(each, Reach.ACCOUNT, ahead)
            yield from self._of_trials(*each, ahead)
        yield from self._in_search(heads, ahead)
        for _, head in heads:
            bounds = self._breakers.first_days[head.report].bounds_of(head)
            # Left as it is known where no query shows more; else days would wait for ever.
            bounds.is_sure = bounds.is_sure or bounds.probe is None

    def _of_trials(
        self, account: AccountPlan, head: Query, ahead: Collection[Query]
    ) -> Iterator[Query]:
        """Yield the newest and the oldest of the days that are on trial, and one between them.

        Each night it is another one: a few good days among many bad ones are found in the end.
        """
        trial = self._breakers.trials.by_account.get(head.report_account)
        if trial is None or trial.probes is not None:
            return
        first, last = trial.dates.first, trial.dates.last
        share = self._plans[head.report].scope.last_wanted.toordinal() * _GOLDEN % 1
        days = (last, first, first + timedelta(days=int(trial.dates.days * share)))
        queries = dict.fromkeys(account.nearest(head, day) for day in days)
        likely = [each for each in queries if each not in ahead]
        probes = self._breakers.trials.begin(head, likely)
        yield from (each for each in likely if each in probes)

    def _likeliest(self, heads: Sequence[Head]) -> list[Head]:
        """Return accounts, the likeliest to answer first; neighbours may share a fault."""
        numbers = sorted(range(len(heads)), key=lambda number: number * _GOLDEN % 1)
        spread = (heads[number] for number in numbers if self._is_open(heads[number]))
        return sorted(
            spread,
            key=lambda each: (not each[0].was_loaded, self._breakers.doubts.has_failed(each[1])),
        )

    def _is_open(self, head: Head) -> bool:
        return not self._breakers.error_for(head[1])

    def _probe(self, head: Head, reach: Reach, ahead: Collection[Query]) -> Iterator[Query]:
        query = self._newest(*head, ahead)
        if query not in ahead:
            self._breakers.doubts.probing(query, reach)
            yield query
        elif self._breakers.doubts.is_probing(query):
            # On its way already, for another doubt.
            self._breakers.doubts.probing(query, reach)

    def _newest(self, account: AccountPlan, head: Query, ahead: Collection[Query]) -> Query:
        """Return the newest query that is not known to have failed, if there is one."""
        seen: set[Query] = set()
        query = self._nearest(account, head, date.max)
        while query in ahead and query not in seen and query.dates:
            if self._breakers.doubts.is_probing(query):
                break
            seen.add(query)
            query = self._nearest(account, head, query.dates.first - timedelta(days=1))
        return query

    def _nearest(self, account: AccountPlan, head: Query, day: date) -> Query:
        is_in_order = not self._plans[head.report].is_by_rank  # Else parts have another order.
        return account.nearest(head, day) if is_in_order else head

    def _in_search(self, heads: Sequence[Head], ahead: Collection[Query]) -> Iterator[Query]:
        """Yield the probes that search the first day by halves, one of an account at a time."""
        for account, head in heads:
            bounds = self._breakers.first_days[head.report].bounds_of(head)
            day = bounds.middle(self._plans[head.report].scope.last_wanted)
            if day is None or bounds.probe:  # One probe at a time: each halves what is left.
                continue
            query = self._nearest(account, head, day)
            if query.day and query not in ahead and bounds.is_unknown(query):
                bounds.probe = query
                yield query
