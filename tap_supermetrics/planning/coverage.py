"""The days fully emitted for one report and account, which need not be queried again.

Coverage is a value: whole days only, changed by making a new one. A killed run can therefore
never leave half a change behind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import date, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from tap_supermetrics.dates import (
    ONE_DAY,
    DateRange,
    common,
    intersect,
    merge,
    outside,
    subtract,
    with_range,
    without_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysFetched:
    """When days were fetched, with offset."""

    dates: DateRange
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """The lookback as it is when days are read.

    Attributes:
        days: how many of the last days are read again.
        last_wanted: the last day that the report wants.
        last_known: the last day that was wanted and over when the numbers were made, which may be
            long ago for those of a cache.
        is_timed: whether the times of reading are stored.
    """

    days: int
    last_wanted: date
    last_known: date
    is_timed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The days of one (report, account) that are in the target.

    Attributes:
        covered: the days fully emitted: merged, in order.
        stale: covered days to query again whatever the lookback: a query for them failed, or
            had not ended when the run did.
        bookmark: last day up to which there was no gap from the start; it never goes back.
        fetched: when the newest days were read; stored only where the report's settings need it.
        read_at: when all was read last, of a report that is read whole.
        tried_at: when a query failed, of a run in which none was answered.
        not_before: first day that the API gives of it; None while that is the report's, or unknown.
        settled: days that the lookback reaches, and that were read when they were older than it.
        wanted_from: first day that a first day that moves has wanted; None for that of `covered`,
            or where none moves.
    """

    covered: tuple[DateRange, ...] = ()
    stale: tuple[DateRange, ...] = ()
    bookmark: date | None = None
    fetched: tuple[DaysFetched, ...] = ()
    read_at: datetime | None = None
    tried_at: datetime | None = None
    settled: tuple[DateRange, ...] = ()
    not_before: date | None = None
    wanted_from: date | None = None

    @property
    def last_attempt_at(self) -> datetime | None:
        """Return when all was read last, or failed."""
        return max(filter(None, (self.read_at, self.tried_at)), default=None)

    @property
    def is_loaded(self) -> bool:
        """Return whether the target has rows of it, or none because there are none."""
        return bool(self.covered or self.read_at)

    def first_given(self, of_report: date | None) -> date | None:
        """Return the first day that the API gives of it, as far as is known; None for any day.

        That of the report was learned from any account. It counts for one that was loaded from then
        on: another was given earlier days, or has to be queried first.
        """
        if self.not_before or not of_report:
            return self.not_before
        return of_report if self.covered and self.covered[0].first >= of_report else None

    def with_wanted(self, first: date) -> Coverage:
        """Return that of an account without days, after a first day that moves has wanted one.

        A bookmark that a person or another tool wrote says that all is there up to its day.
        """
        if self.bookmark and self.bookmark < first:
            there = DateRange(first=self.bookmark, last=self.bookmark)
            return replace(self, covered=(there,), wanted_from=self.bookmark)
        return replace(self, wanted_from=self.wanted_from or first)

    def with_done(self, done: DateRange, start: date, not_before: date | None = None) -> Coverage:
        """Return it after every record of the days `done` was written (or there were none).

        Args:
            done: the days of the query.
            start: the report's first day, from which the bookmark counts.
            not_before: first day that the API is known to give of the report.
        """
        covered, stale = with_range(self.covered, done), without_range(self.stale, done)
        after = replace(self, covered=covered, stale=stale, tried_at=None)
        first = max(start, after.first_given(not_before) or start)
        return replace(after, bookmark=_bookmark(covered, first, self.bookmark))

    def with_fetch(self, fetch: DaysFetched, lookback: Lookback) -> Coverage:
        """Return it after these days were read; only days of the lookback are stored."""
        if not lookback.is_timed:
            return replace(self, fetched=())
        older = _cut(self.fetched, fetch)
        restated = self._restated(lookback.days, lookback.last_wanted)
        left = (each for each in (*older, fetch) if restated and each.dates.last >= restated.first)
        return replace(self, fetched=tuple(left))

    def with_settled(self, done: DateRange, lookback: Lookback) -> Coverage:
        """Return it after these days were read: those older than the lookback are settled.

        A history that is loaded over many nights ends each night with days that are its last ones
        for now only: they need not be read again in the next night.
        """
        settled = without_range(self.settled, done)
        for late in _older(done, lookback.days, lookback.last_known):
            settled = with_range(settled, late)
        restated = self._restated(lookback.days, lookback.last_wanted)
        return replace(self, settled=intersect(restated, settled) if restated else ())

    def merged_with(self, other: Coverage) -> Coverage:
        """Return the coverage of two states together: covered by either, stale by either."""
        by_age = sorted((*self.fetched, *other.fetched), key=lambda each: each.at)
        fetched: tuple[DaysFetched, ...] = ()
        # Each cuts its days out of those before it: of a day, the newest fetch counts.
        for newer in by_age:
            fetched = (*_cut(fetched, newer), newer)
        return Coverage(
            covered=merge((*self.covered, *other.covered)),
            stale=merge((*self.stale, *other.stale)),
            bookmark=max(filter(None, (self.bookmark, other.bookmark)), default=None),
            fetched=fetched,
            read_at=max(filter(None, (self.read_at, other.read_at)), default=None),
            tried_at=max(filter(None, (self.tried_at, other.tried_at)), default=None),
            settled=common(self.settled, other.settled),
            not_before=_earlier(self.not_before, other.not_before),
            wanted_from=_earlier(self.wanted_from, other.wanted_from),
        )

    def with_stale(self, *dates: DateRange) -> Coverage:
        """Return it after queries for these days failed: those already covered are stale."""
        return replace(self, stale=merge((*self.stale, *common(merge(dates), self.covered))))

    def needed(
        self, wanted: DateRange, lookback_days: int, fresh_since: datetime | None = None
    ) -> tuple[DateRange, ...]:
        """Return the days of `wanted` to query: not covered, stale, or within the lookback.

        The lookback is the last `lookback_days` calendar days up to the last covered day that is
        not after `wanted`: those that the source may have restated since they were read. Days of
        it that were read after `fresh_since`, or when they were settled, are left out.
        """
        if self.not_before and self.not_before > wanted.first:
            if self.not_before > wanted.last:
                return ()
            wanted = replace(wanted, first=self.not_before)
        due = self.stale
        if restated := self._restated(lookback_days, wanted.last):
            fresh = (each.dates for each in self.fetched if fresh_since and each.at > fresh_since)
            # Days that a shorter lookback had settled may not be settled for this one.
            settled = (
                late for each in self.settled for late in _older(each, lookback_days, wanted.last)
            )
            due = merge((*due, *subtract(restated, merge((*fresh, *settled)))))
        return subtract(wanted, outside(self.covered, due))

    def left_behind(
        self, first: date, lookback_days: int = 0, fresh_since: datetime | None = None
    ) -> tuple[DateRange, ...]:
        """Return the days before `first` to query, from the first that was ever wanted.

        Where the first wanted day moves, no window will contain them any more. They are those not
        covered, or stale; after a pause so long that all that is covered lies before `first`, those
        of the lookback too.
        """
        since = max(self.wanted_from or first, self.not_before or date.min)
        if since >= first:
            return ()
        is_behind = bool(self.covered) and self.covered[-1].last < first
        behind = DateRange(first=since, last=first - ONE_DAY)
        return self.needed(behind, lookback_days if is_behind else 0, fresh_since)

    def _restated(self, lookback_days: int, last_wanted: date) -> DateRange | None:
        # Days after `last_wanted` were wanted by another run: they do not date the others.
        place = bisect_right(self.covered, last_wanted, key=attrgetter("first"))
        if not place or not lookback_days:
            return None
        last = min(self.covered[place - 1].last, last_wanted)
        days = min(lookback_days, last.toordinal())  # the calendar has no day before day 1
        return DateRange(first=last - timedelta(days=days - 1), last=last)


def _older(dates: DateRange, lookback_days: int, last_wanted: date) -> Iterator[DateRange]:
    """Yield the days that are older than the lookback, if there are any."""
    late = last_wanted.toordinal() - lookback_days
    if dates.first.toordinal() <= late:
        yield replace(dates, last=min(dates.last, date.fromordinal(late)))


def _cut(older: Iterable[DaysFetched], newer: DaysFetched) -> tuple[DaysFetched, ...]:
    """Return fetches without the days that a newer one read again."""
    return tuple(
        DaysFetched(dates=left, at=each.at)
        for each in older
        for left in subtract(each.dates, (newer.dates,))
    )


def _earlier(one: date | None, other: date | None) -> date | None:
    # A day that one was given counts, though the other was refused it.
    return min(one, other) if one and other else None


def _bookmark(covered: tuple[DateRange, ...], start: date, before: date | None) -> date | None:
    # Where the start was moved, no range may contain it: then the bookmark stays.
    place = bisect_left(covered, start, key=attrgetter("last"))
    reached = (each.last for each in covered[place : place + 1] if each.first <= start)
    return max((*reached, *filter(None, (before,))), default=None)
