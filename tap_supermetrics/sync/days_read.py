"""Notes a letter for each day of a run: rows, none, estimates, or a failure.

A calendar of an account has the same letters, and two that only the state knows.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import DateRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.model import Query

UNREAD: Final = "."
ROWS: Final = "d"
EMPTY: Final = "e"
SAMPLED: Final = "p"
FAILED: Final = "f"
STALE: Final = "s"
MISSING: Final = "m"


class _Letters:
    """A letter for each day from a first one on, which moves as days come."""

    def __init__(self, dates: DateRange) -> None:
        self.first = dates.first.toordinal()
        self.letters = bytearray()

    def put(self, dates: DateRange, letter: str) -> None:
        # With `newest_first`, earlier days come later.
        early = max(0, self.first - dates.first.toordinal())
        self.letters[:0] = UNREAD.encode() * early
        self.first -= early
        place = dates.first.toordinal() - self.first
        late = max(0, place + dates.days - len(self.letters))
        self.letters += UNREAD.encode() * late
        self.letters[place : place + dates.days] = letter.encode() * dates.days


class DaysRead:
    """The days that a run read or failed to read; a byte for each day and account."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], _Letters] = {}

    def put(self, query: Query, dates: DateRange | None, letter: str) -> None:
        """Note what became of the days of a query."""
        if dates:
            alike = (query.report, query.account_id)
            if alike not in self._read:
                self._read[alike] = _Letters(dates)
            self._read[alike].put(dates, letter)

    def put_empty(self, query: Query, dates: DateRange, rows_by_day: Sequence[int]) -> None:
        """Note which days of a query have no rows.

        Args:
            query: the query.
            dates: its days.
            rows_by_day: the number of rows of each; empty where they are not known.
        """
        for day, count in zip(dates.each_day() if rows_by_day else (), rows_by_day, strict=True):
            if not count:
                self.put(query, DateRange(first=day, last=day), EMPTY)

    def of(self, report: str, account_id: str, dates: DateRange) -> str:
        """Return a letter for each of the days; `UNREAD` for those that the run did not read."""
        read = self._read.get((report, account_id))
        if read is None:
            return UNREAD * dates.days
        return aligned(read.letters.decode(), date.fromordinal(read.first), dates)


def aligned(letters: str, first: date, dates: DateRange) -> str:
    """Return letters that begin with one day, for the days of another range."""
    shift = (dates.first - first).days
    known = letters[max(0, shift) : max(0, shift + dates.days)]
    return (UNREAD * min(max(0, -shift), dates.days) + known).ljust(dates.days, UNREAD)
