"""The first day that the API gives: named by refusals, or searched by halves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.dates import ONE_DAY, parse_date

if TYPE_CHECKING:
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query


@dataclass(slots=True, kw_only=True)
class FirstDayBounds:
    """The first day, as far as it is known, of one account or of a whole report.

    A refusal may name that day. Where it does not, the day lies after the refused one and not after
    the first that was given, and is searched by halves.

    Attributes:
        first_possible: queries that end before it are not submitted.
        error: the refusal that says so.
        first_given: the first day that was given in this run.
        is_sure: whether the first possible day counts as the first one, and no search is needed.
        probe: the query that searches; None while none is on its way.
    """

    first_possible: date = date.min
    error: ApiError | None = None
    first_given: date = date.max
    is_sure: bool = True
    probe: Query | None = None

    @property
    def is_contradicted(self) -> bool:
        """Return whether a day was given that is before the first."""
        return self.first_given < self.first_possible

    def error_for(self, query: Query) -> ApiError | None:
        """Return the refusal that a query would meet; None where it may be given."""
        is_before = query.dates is not None and query.dates.last < self.first_possible
        return self.error if is_before else None

    def is_unknown(self, query: Query) -> bool:
        """Return whether a query lies between the days refused and those given."""
        return not self.is_sure and query.dates is not None and query.dates.first < self.first_given

    def middle(self, last_wanted: date) -> date | None:
        """Return the day to query next, half way between those refused and those given.

        None when no search is needed.
        """
        last = min(self.first_given - ONE_DAY, last_wanted)
        if self.is_sure or self.first_possible > last:
            return None
        return self.first_possible + (last - self.first_possible) // 2

    def gives(self, day: date) -> bool:
        """Note that a day is given; return whether it is the earliest so far."""
        is_news = day < self.first_given
        self.first_given = min(day, self.first_given)
        return is_news

    def refused(self, day: date, first_day: date, error: ApiError) -> bool:
        """Note a refused day and the first day by its refusal; return whether that is news."""
        # An earlier or equal day is known better already.
        if first_day <= self.first_possible:
            return False
        self.first_possible, self.error = first_day, error
        # The day after the refused one is not stated, but the least that follows from a refusal.
        self.is_sure = first_day > day + ONE_DAY
        return True


class FirstDays:
    """The first day that the API gives of one report, as this run learns it.

    Licenses and data sources limit all accounts alike, so a refusal of one account counts for
    all; until another is given an earlier day. From then on each account has its own first day.
    """

    def __init__(self) -> None:
        self._shared = FirstDayBounds()
        self._own: dict[str, FirstDayBounds] = {}

    @property
    def first_day(self) -> date | None:
        """Return the first day known to be given of any account; None while all may be."""
        if not self._is_shared:
            return self._shared.first_given
        day = self._shared.first_possible
        return None if day == date.min else day

    @property
    def own_days(self) -> dict[str, date]:
        """Return the first day of each account that was refused itself, once accounts differ."""
        return {
            name: each.first_possible
            for name, each in self._own.items()
            # A refusal may name another day, such as the end of a license: what is given counts.
            if each.error and not (self._is_shared or each.is_contradicted)
        }

    def bounds_of(self, query: Query) -> FirstDayBounds:
        """Return the bounds that count for the account of a query."""
        return self._shared if self._is_shared else self._own_of(query)

    def refused(self, query: Query, error: ApiError, last_wanted: date) -> Reach | None:
        """Learn from a refusal; return how far the news reaches, None if there is none.

        Args:
            query: what was refused; one of several days teaches nothing.
            error: the refusal, of reach `HISTORY`.
            last_wanted: a later day that it names is another, such as the end of a license.
        """
        if query.day is None:
            return None
        first_day = first_day_given(error, query.day, last_wanted)
        # Both always learn: should accounts turn out to differ, each one's own is known already.
        was_shared = self._is_shared
        own = self._own_of(query).refused(query.day, first_day, error)
        shared = self._shared.refused(query.day, first_day, error)
        return self._reach(was_shared=was_shared, own=own, shared=shared)

    def given(self, query: Query) -> Reach | None:
        """Note that the days of a query are given; return how far that reaches, or None."""
        if query.dates is None:
            return None
        was_shared = self._is_shared
        own = self._own_of(query).gives(query.dates.first)
        # Without a search, nothing waits for what is given.
        shared = self._shared.gives(query.dates.first) and not self._shared.is_sure
        return self._reach(was_shared=was_shared, own=own, shared=shared)

    def settled(self, query: Query) -> Reach | None:
        """Note that a query has an outcome; return how far its search reached, or None."""
        own, shared = self._own_of(query), self._shared
        if query not in {own.probe, shared.probe}:
            return None
        reach = Reach.REPORT if query == shared.probe else Reach.ACCOUNT
        for bounds in (own, shared):
            bounds.probe = None if bounds.probe == query else bounds.probe
        return reach

    @property
    def _is_shared(self) -> bool:
        """Return whether all accounts have the same first day, as far as is known."""
        return not self._shared.is_contradicted

    def _reach(self, *, was_shared: bool, own: bool, shared: bool) -> Reach | None:
        """Return how far news reaches: of bounds that do not count, nowhere."""
        if self._is_shared:
            return Reach.REPORT if shared else None
        if was_shared:
            return Reach.REPORT  # From now on, each account has its own.
        return Reach.ACCOUNT if own else None

    def _own_of(self, query: Query) -> FirstDayBounds:
        return self._own.setdefault(query.account_id, FirstDayBounds())


def first_day_given(error: ApiError, refused: date, last: date = date.max) -> date:
    """Return the first day that the API may give, after it refused one day as too far back.

    Args:
        error: the refusal; its text has been seen to name the earliest day, and may name others.
        refused: the refused day.
        last: the last day that is wanted; a later one is another, such as the end of a license.
    """
    words = re.findall(r"\b\d{4}-\d{2}-\d{2}\b", str(error))
    later = (day for word in words if (day := _day(word)) and refused < day <= last)
    # The earliest that it names: a later one might leave days out.
    return min(later, default=refused + ONE_DAY)


def _day(word: str) -> date | None:
    try:
        return parse_date(word)
    except ValueError:
        return None
