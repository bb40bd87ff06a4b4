"""The pages of one result, requested in turn, compared with each other and with the total."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction.page_requests import PageRequests
from tap_supermetrics.extraction.page_rows import Extras, PageTotals, Repeats, RowTotal, cells_of
from tap_supermetrics.extraction.results import Provenance
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.extraction.page_requests import Page, PageAccess
    from tap_supermetrics.extraction.questions import Question
    from tap_supermetrics.model import Report

OF_KEY: Final = frozenset({401, 403})
"""HTTP status by which the API or a proxy refuses a key."""
ROWS_PER_BLOCK: Final = 256
"""Rows converted together: the values of more do not fit a processor's cache."""


class Pages:
    """The pages of one result as JSON arrays of some rows, never of none, and without header.

    Attributes:
        row_count: rows given so far.
        missing: 1 when the total is one more: it counts a header, or a row is missing; None where
            no total of all was stated.
        echo: how the API understood the query.
        provenance: where the numbers come from.
        width: how many columns the first row has; None without rows.
        stated_width: how many columns the result states; None or 0 where it states none.
        page_count: pages that had rows.
        requests: the requests for pages.
    """

    def __init__(
        self, access: PageAccess, question: Question, facts: wire.ResultFacts, address: str
    ) -> None:
        self._access = access
        self._question = question
        self._report = question.report
        # Zero, or less, may stand for an unknown number.
        self._total = RowTotal(facts.total_rows, is_of_all=(facts.total_rows or 0) > 0)
        # The marker is a row of one cell: with one field, it could be a value of a text field.
        self._extras = Extras(
            may_have_marker=len(question.report.fields) > 1, listed=question.listed
        )
        self._totals = PageTotals()
        self._repeats = Repeats()
        self._saw_end = False
        self.requests = PageRequests(access, question, self._repeats, address)
        self.row_count = self.page_count = 0
        self.missing: int | None = None
        self.width: int | None = None
        self.stated_width: int | None = None
        self.provenance = Provenance().with_page(facts)
        self.echo = wire.QueryEcho()

    def __iter__(self) -> Iterator[bytes]:
        """Request page after page until nothing can be missing."""
        answer: Page | None = self.requests.at(0)
        self.echo = (answer and answer.meta.query) or wire.QueryEcho()
        is_beyond_end = False
        while answer:
            facts = answer.meta.result or wire.ResultFacts()
            self.provenance = self.provenance.with_page(facts)
            self._total.note(facts.total_rows)
            self.stated_width = facts.total_columns or self.stated_width
            rows = self._rows(answer)
            self._totals.note(facts.total_rows, came=len(answer.data), rows=len(rows))
            if rows:
                self._repeats.check_rows(rows, is_beyond_end=is_beyond_end)
                self.page_count += 1
                self.row_count += len(rows)
                yield from _blocks(rows)
                _check_length(self.row_count, self._report)
                self._total.check_so_far(self.row_count)
                self.requests.check_pace(self.row_count)
            self._saw_end = not rows
            following = self._following(answer, rows)
            if following is None:
                break
            del answer, rows  # Else two pages are in memory.
            is_beyond_end = not following and not self._total.has_more(self.row_count)
            answer = self._page_beyond_end() if is_beyond_end else self._more(following)
        has_extra = self._extras.has_header or self._extras.has_marker
        self.missing = self._total.check_end(self.row_count, has_extra=has_extra)
        if self.missing and self._saw_end:
            self._access.confirmed_ends.add(self._report.ds_id)

    @property
    def _offset(self) -> int:
        """Return where the next page begins."""
        return self.row_count + self._extras.shift

    def _more(self, following: str) -> Page:
        """Request a page that has to exist."""
        return self.requests.follow(following) if following else self.requests.at(self._offset)

    def _page_beyond_end(self) -> Page | None:
        """Request the page after what may be the last row; None where there is nothing.

        The API's answer to that is not documented. A refusal shows only that there is no such
        page, so the last row has to be there still, and to be the last. An API that does not page
        returns its only page again.
        """
        try:
            answer = self.requests.at(self._offset, is_beyond_end=True)
        except ApiError as error:
            if not _may_be_no_page(error) or not self._is_last(self._offset - 1):
                raise
            answer = None
        is_only_page = self.page_count == 1 and self.row_count < self.requests.page_size
        if answer and not (is_only_page and self._repeats.is_first_page(self._rows(answer))):
            return answer
        self._saw_end = True
        return None

    def _is_last(self, offset: int) -> bool:
        """Return whether there is one row from an offset on."""
        with suppress(ApiError):
            return len(self._rows(self.requests.few_at(offset))) == 1
        return False

    def _rows(self, answer: Page) -> Sequence[msgspec.Raw]:
        """Return the rows of a page, without header and marker, once its columns were compared."""
        if answer.meta.query and self.row_count:
            _check_columns(self.echo.fields, answer.meta.query.fields)
        rows = self._extras.taken_out(
            answer.data, self.echo, is_first=not self.row_count, page_size=self.requests.page_size
        )
        if rows and self.width is None:
            self.width = len(cells_of(rows[0]))
        return rows

    def _following(self, answer: Page, rows: Sequence[msgspec.Raw]) -> str | None:
        """Return the address of the next page; empty to request it by offset, None at the end."""
        paginate, own = answer.meta.paginate, ""
        if paginate and paginate.next and rows:
            is_its = self._access.names_results_of(paginate.next, self._question.schedule_id)
            return str(paginate.next) if is_its else own
        if len(answer.data) > self.requests.page_size + 1:
            return None  # It does not page: this is all.
        # A full page may be the last one by chance, and the API may give shorter pages than
        # requested: only a total that fits says so.
        is_full = len(answer.data) >= self.requests.page_size
        may_be_cut = bool(rows) and (is_full or not self._total.is_sure(self.row_count))
        is_cut = may_be_cut and not self._total.is_reached(self.row_count)
        if is_cut or self._may_be_short() or (rows and self._total.has_more(self.row_count)):
            return own
        return None

    def _may_be_short(self) -> bool:
        """Return whether to search for the one missing row, once a source: it may be a header."""
        return (
            self._total.lacks_one(self.row_count)
            and not self._saw_end
            and not self._extras.has_header
            and self._report.ds_id not in self._access.confirmed_ends
        )


def _blocks(rows: Sequence[msgspec.Raw]) -> Iterator[bytes]:
    """Yield a page in blocks."""
    for first in range(0, len(rows), ROWS_PER_BLOCK):
        yield msgspec.json.encode(rows[first : first + ROWS_PER_BLOCK])


def _may_be_no_page(error: ApiError) -> bool:
    """Return whether a refusal may mean that there is no such page: not one of key or service."""
    if not error.status or error.status in OF_KEY:
        return False  # The tap's own errors have no status.
    return error.is_not_there or error.fate not in {Fate.RETRY, Fate.STOP}


def _check_columns(first: Sequence[FieldEcho], here: Sequence[FieldEcho]) -> None:
    """Compare the columns of a page with those of the first, by which all rows are read.

    Raises:
        ApiError: RESULT_MISMATCH when they differ.
    """
    columns = {name: each.data_column for each in first for name in each.names if name}
    for each in here:
        own = {columns.get(name) for name in each.names} - {None}
        if own and each.data_column is not None and each.data_column not in own:
            text = f"{each.id or each.field_id} is in another column than on the page before"
            raise ApiError("RESULT_MISMATCH", text)


def _check_length(row_count: int, report: Report) -> None:
    # A cut-off result has exactly `max_rows`; so has a whole one by chance.
    if row_count >= report.max_rows:
        raise ApiError(
            "RESULT_CUT_OFF",
            f"{counted(row_count, 'row', 'rows')} came, as many as `max_rows`; more may be missing",
        )
