"""Checks of the rows of one result over all its pages: none twice, none missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction import headers
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.api.fields import FieldEcho

FEWEST_ROWS: Final = 2
"""Rows that are all there are, where their page says so: no page is cut to so few."""
OVERLAP_ROWS: Final = 100
"""Rows at the end of a page of which none may begin the next one."""


@dataclass(slots=True)
class Repeats:
    """Refuses pages that came before."""

    _requested: set[str] = field(default_factory=set)
    _starts: set[bytes] = field(default_factory=set)
    _last_rows: set[bytes] = field(default_factory=set)
    _last_row: bytes = b""
    _first_page: tuple[int, bytes, bytes] | None = None

    def check_address(self, address: str) -> None:
        """Refuse to request the same page twice.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        if address in self._requested:
            raise ApiError("RESULT_INCOMPLETE", "the pages of the result run in a circle")
        self._requested.add(address)

    def check_rows(self, rows: Sequence[msgspec.Raw], *, is_beyond_end: bool = False) -> None:
        """Refuse a page that begins as another one did, or within the end of the last one.

        Args:
            rows: the page.
            is_beyond_end: whether it was requested after what may be the last row.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        start, is_one = bytes(rows[0]), len(rows) == 1
        # A single row may well be like another, but not where the last one was passed.
        is_again = start == self._last_row and is_beyond_end
        if is_again or (not is_one and (start in self._starts or start in self._last_rows)):
            text = f"a page of {counted(len(rows), 'row', 'rows')} repeats rows of a page before"
            raise ApiError("RESULT_INCOMPLETE", text)
        self._first_page = self._first_page or _outline(rows)
        self._last_row = bytes(rows[-1])
        if not is_one:
            self._starts.add(start)
            self._last_rows = {bytes(row) for row in rows[-OVERLAP_ROWS:]}

    def is_first_page(self, rows: Sequence[msgspec.Raw]) -> bool:
        """Return whether a page is the first one again."""
        return bool(rows) and _outline(rows) == self._first_page


@dataclass(slots=True, kw_only=True)
class Extras:
    """Removes rows without data: a header, or the marker of an empty result.

    Attributes:
        may_have_marker: whether the marker cannot be mistaken for a row.
        listed: the requested fields, in order, as the API lists them.
        has_header: whether the first page had a header.
        has_marker: whether it had the marker.
        shift: how many rows our own offsets are short of the API's.
    """

    may_have_marker: bool
    listed: Sequence[FieldEcho] = ()
    has_header: bool = False
    has_marker: bool = False
    shift: int = 0
    _header: bytes = b""

    def taken_out(
        self, rows: Sequence[msgspec.Raw], echo: wire.QueryEcho, *, is_first: bool, page_size: int
    ) -> Sequence[msgspec.Raw]:
        """Return the rows of a page without them."""
        if is_first and rows:
            self.has_header = self._is_header(rows, echo)
            self._header = bytes(rows[0]) if self.has_header else b""
            # A page that is one row longer than requested has its header beside the requested rows.
            self.shift = int(self.has_header and len(rows) <= page_size)
        if self.has_header and rows and bytes(rows[0]) == self._header:
            rows = rows[1:]
        may_have_marker = self.may_have_marker or any(each.is_metric for each in echo.fields)
        if is_first and may_have_marker and len(rows) == 1:
            self.has_marker = self.has_marker or wire.is_empty_answer(cells_of(rows[0]))
        return [] if self.has_marker else rows

    def _is_header(self, rows: Sequence[msgspec.Raw], echo: wire.QueryEcho) -> bool:
        """Return whether the first row is the header, though none was requested.

        An answer that states no header is believed, unless the row has words for numbers.
        """
        columns = headers.columns_of(echo, self.listed)
        if echo.has_no_headers and not any(each.is_metric for each in columns):
            return False
        first = cells_of(rows[0])
        if headers.is_named(first, columns):
            return True
        # Nearly always it has numbers, so that no other row is decoded.
        others = map(cells_of, rows[1 : headers.COMPARED])
        return headers.is_of_words(first, columns) and headers.are_of_numbers(others, columns)


@dataclass(slots=True)
class RowTotal:
    """Compares the number of rows that a result states with those that came.

    Attributes:
        stated: the total; None while nothing has stated it.
        is_of_all: whether it counts the whole result; a page may count its own rows only.
    """

    stated: int | None
    is_of_all: bool

    def note(self, total: int | None) -> None:
        """Record the total of a page; of two totals, the one by which rows are missing counts."""
        # One more may be a header that is counted here and not there.
        if self.stated is None or (total or 0) > self.stated + 1:
            self.stated = total

    def is_sure(self, row_count: int) -> bool:
        """Return whether the total is that of all rows, as no page is cut to so few."""
        return self.is_of_all or (row_count <= FEWEST_ROWS and row_count == self.stated)

    def is_reached(self, row_count: int) -> bool:
        """Return whether these are all rows, for sure."""
        return self.is_of_all and row_count == self.stated

    def has_more(self, row_count: int) -> bool:
        """Return whether rows are missing for sure: pages may be shorter than requested."""
        return (self.stated or 0) - row_count > 1

    def lacks_one(self, row_count: int) -> bool:
        """Return whether one row is missing, or a header was counted."""
        return row_count > 0 and self.stated == row_count + 1

    def check_so_far(self, row_count: int) -> None:
        """Refuse rows beyond the total, as pages may go on for ever.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        if self.is_of_all and self.stated and row_count > self.stated:
            raise self._incomplete(row_count)

    def check_end(self, row_count: int, *, has_extra: bool) -> int | None:
        """Return how many rows are missing: one may be, which a header may be counted for.

        None where no total of the whole result was stated.

        Args:
            row_count: the rows that came.
            has_extra: whether a row without data came.

        Raises:
            ApiError: RESULT_INCOMPLETE when more are missing, or more came.
        """
        if self.stated is None or (not self.is_of_all and row_count > self.stated):
            return None
        if not self.stated and not row_count:
            return 0
        missing = self.stated - row_count
        # Without rows, no header is counted (observed), unless it came.
        may_lack = 1 if row_count else int(has_extra)
        # More rows than stated are as wrong as fewer: pages may have overlapped.
        if not 0 <= missing <= may_lack:
            raise self._incomplete(row_count)
        return missing

    def _incomplete(self, row_count: int) -> ApiError:
        return incomplete(self.stated or 0, row_count)


@dataclass(slots=True)
class PageTotals:
    """Compares the totals of the pages of one result: each of the whole, or of its page."""

    _of_whole: set[int] = field(default_factory=set)
    _are_of_pages: bool = True
    _last: int = 0

    def note(self, total: int | None, *, came: int, rows: int) -> None:
        """Record the total of a page; refuse one that contradicts the pages before it.

        Args:
            total: the stated total.
            came: how many rows came with it.
            rows: how many of these have data; the others may be counted or not.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        # A page after the last row may report itself as empty.
        if total is None or not (total or came):
            return
        possible = {total, total - (came - rows)}
        self._of_whole = self._of_whole & possible if self._last else possible
        self._are_of_pages &= total in {rows, came, came + 1}
        if not self._of_whole and not self._are_of_pages:
            before = counted(self._last, "row", "rows")
            text = f"one of its pages tells of {before} in all, the next one of {total:,}"
            raise ApiError("RESULT_INCOMPLETE", text)
        self._last = total


def _outline(rows: Sequence[msgspec.Raw]) -> tuple[int, bytes, bytes]:
    """Return what distinguishes a page from others."""
    return len(rows), bytes(rows[0]), bytes(rows[-1])


def incomplete(total: int, rows: int) -> ApiError:
    """Return the error of a result that has other rows than it states."""
    return ApiError("RESULT_INCOMPLETE", f"expected {counted(total, 'row', 'rows')}, got {rows:,}")


def cells_of(row: msgspec.Raw) -> list[Any]:
    """Return the cells of a row; none where it is no list.

    Raises:
        ApiError: RESULT_MISMATCH when it is no JSON.
    """
    try:
        cells = lenient.values_of(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("RESULT_MISMATCH", f"a row is no JSON ({error})") from None
    return cells if isinstance(cells, list) else []
