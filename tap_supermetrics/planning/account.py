"""The plan of one account: ranges of days, made into queries one at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import DateRange, intersect, subtract
from tap_supermetrics.model import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


NEARLY_LOADED_DAYS: Final = 14
"""An account that lacks no more than the last days is brought up to date before others begin."""


class Rank(IntEnum):
    """The order of queries where not all can be submitted.

    Attributes:
        NEXT: queries with a day after all that is loaded, of an account that is loaded but for the
            last days: a history that is still to come must not make others old.
        NEW: queries with a day that was never loaded.
        WHOLE: reports that are read whole.
        AGAIN: days that may have been restated.
        FAILED: days of accounts that gave nothing.
        ANYWAY: days that a catalog wants to have reloaded; of these the newest come first.
    """

    NEXT = 0
    NEW = 1
    WHOLE = 2
    AGAIN = 3
    FAILED = 4
    ANYWAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Days without a gap, queried some at a time.

    Attributes:
        dates: all the days.
        step: days of one query; the last one may have fewer.
        is_backwards: whether the newest query comes first.
    """

    dates: DateRange
    step: int
    is_backwards: bool = False

    def __len__(self) -> int:
        """Return the number of queries."""
        return (self.dates.days + self.step - 1) // self.step

    def pieces(self) -> Iterator[DateRange]:
        """Make the date ranges of the queries, in their order."""
        numbers = range(len(self))
        return map(self._piece, reversed(numbers) if self.is_backwards else numbers)

    def piece_at(self, day: date) -> DateRange:
        """Return the date range that contains a day, or the one nearest to it."""
        inside = min(max(day, self.dates.first), self.dates.last)
        return self._piece((inside - self.dates.first).days // self.step)

    def after(self, dates: DateRange) -> Stretch:
        """Return the rest from one of the pieces on, in the order of the queries."""
        if self.is_backwards:
            return replace(self, dates=replace(self.dates, last=dates.last))
        return replace(self, dates=replace(self.dates, first=dates.first))

    def _piece(self, number: int) -> DateRange:
        first = self.dates.first + timedelta(days=number * self.step)
        last = first + timedelta(days=self.step - 1)
        return DateRange(first=first, last=min(last, self.dates.last))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlan:
    """The plan of one account, or of accounts that are queried together.

    Attributes:
        whole: a query of these accounts, for all the days wanted.
        parts: stretches of days, and single queries as they are, in the order of emission.
        covered: days that are in the target.
        fresh_from: first day that the API's cache must not serve; None for none.
        is_read_whole: whether it has no days, so that each run reads all of it.
        is_read_anyway: whether each run reads all of its days, whatever is there.
        was_loaded: whether an earlier run loaded any of it.
        gave_nothing: whether its queries failed when any was submitted last.
        comes_last: whether that is so short ago that all others come before it.
        last_attempt_at: when an account without days was read last, or failed; None
            where neither is known.
    """

    whole: Query
    parts: tuple[Stretch | Query, ...]
    covered: tuple[DateRange, ...] = ()
    fresh_from: date | None = None
    is_read_whole: bool = False
    is_read_anyway: bool = False
    was_loaded: bool = False
    gave_nothing: bool = False
    comes_last: bool = False
    last_attempt_at: datetime | None = None

    def __len__(self) -> int:
        """Return the number of queries."""
        return sum(1 if isinstance(part, Query) else len(part) for part in self.parts)

    def unlikely_days(self, least: int) -> DateRange | None:
        """Return the days that may never be given, from the first to the last of them.

        They are all days of an account that gave nothing last; else those that are not there though
        later ones are. None where fewer than `least` queries request them.
        """
        if self.is_read_anyway or not (self.covered or self.gave_nothing):
            return None
        # The calendar has no day before day 1.
        newest = self.covered[-1].first.toordinal() if self.covered else 0
        last = date.max if self.gave_nothing else date.fromordinal(max(newest - 1, 1))
        days, count = list[DateRange](), 0
        for part in self.parts:
            if part.dates and part.dates.first <= last:
                dates = replace(part.dates, last=min(part.dates.last, last))
                left = (dates,) if self.gave_nothing else subtract(dates, self.covered)
                days += left
                step = 1 if isinstance(part, Query) else part.step
                count += sum((each.days + step - 1) // step for each in left)
        if count < least:
            return None
        return DateRange(first=min(days).first, last=max(each.last for each in days))

    def queries(self, *, by_rank: bool = False) -> Iterator[Query]:
        """Make the queries in order; by rank, those of one rank after those of another."""
        if not by_rank:
            return chain.from_iterable(map(self._queries_of, self.parts))
        return (
            query
            for rank in Rank
            for part in (self._newest_first() if rank is Rank.ANYWAY else self.parts)
            if self._may_contain(part, rank)
            for query in self._queries_of(part)
            if self.rank(query) == rank
        )

    def _newest_first(self) -> Iterator[Stretch | Query]:
        """Return the parts with the newest days first."""
        for part in sorted(self.parts, key=first_day, reverse=True):
            yield part if isinstance(part, Query) else replace(part, is_backwards=True)

    def rank(self, query: Query) -> Rank:
        """Return the rank of a query: where not all can be queried, the lowest comes first."""
        if self.is_read_whole:
            return Rank.WHOLE
        if not query.dates or intersect(query.dates, self.covered) != (query.dates,):
            if self.comes_last:
                return Rank.FAILED
            return Rank.NEXT if self._is_next(query.dates) else Rank.NEW
        return Rank.ANYWAY if self.is_read_anyway else Rank.AGAIN

    def _is_next(self, dates: DateRange | None) -> bool:
        if not (self.covered and self.whole.dates and dates):
            return False
        last = self.covered[-1].last
        return dates.last > last and (self.whole.dates.last - last).days <= NEARLY_LOADED_DAYS

    def left(self, head: Query) -> Iterator[Stretch | Query]:
        """Return the parts from a query of this plan on, itself included."""
        is_past_head = False
        for part in self.parts:
            if is_past_head:
                yield part
            elif part == head:
                is_past_head = True
                yield part
            elif isinstance(part, Stretch) and head.dates and part.dates.contains(head.dates):
                is_past_head = True
                yield part.after(head.dates)

    def nearest(self, head: Query, day: date) -> Query:
        """Return the query for a day, or for the nearest one, among those from `head` on."""
        found = [
            part if isinstance(part, Query) else self._query(part.piece_at(day))
            for part in self.left(head)
        ]
        return min(found, key=lambda query: _distance(query, day), default=head)

    def _queries_of(self, part: Stretch | Query) -> Iterator[Query]:
        return iter((part,)) if isinstance(part, Query) else map(self._query, part.pieces())

    def _query(self, dates: DateRange) -> Query:
        is_fresh = self.fresh_from is not None and dates.last >= self.fresh_from
        return replace(self.whole, dates=dates, is_fresh=is_fresh)

    def _may_contain(self, part: Stretch | Query, rank: Rank) -> bool:
        """Return whether a part may have queries of a rank; spares walks through long stretches."""
        if isinstance(part, Query):
            return True
        # Some need a day that is not covered, others one that is; `WHOLE` comes as a single query.
        if rank is Rank.NEXT:
            return not self.comes_last and self._is_next(part.dates)
        known = intersect(part.dates, self.covered)
        if rank in {Rank.NEW, Rank.FAILED}:
            return known != (part.dates,) and (rank is Rank.FAILED) == self.comes_last
        return bool(known)


def first_day(part: Stretch | Query) -> date:
    """Return the first day of a part; the first of the calendar where it has no days."""
    return part.dates.first if part.dates else date.min


def _distance(query: Query, day: date) -> int:
    if query.dates is None:
        return 0
    return max((query.dates.first - day).days, (day - query.dates.last).days, 0)
