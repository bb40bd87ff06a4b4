"""The pages of one result, asked for in turn, compared with each other and with the total."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.listings import is_of_query
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction.page_rows import Extras, PageTotals, Repeats, RowTotal, cells_of
from tap_supermetrics.extraction.results import Provenance
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_supermetrics.api.answers import Answer
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.extraction.questions import Question
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

MAX_SHORT_PAGES: Final = 1_000
"""So many pages may have a few rows only."""
FEW_ROWS: Final = 10
"""Fewer rows than these, of thousands that are asked for, are few for a page."""
REFUSED: Final = 400
"""HTTP status by which the API refuses a page that is too long."""
SHORTEST_PAGE: Final = 100
"""A page of so few rows is not refused for its length."""
ROWS_PER_BLOCK: Final = 256
"""So many rows are converted together: of more, the values do not fit a processor's cache."""


@dataclass(slots=True, kw_only=True)
class PageAccess:
    """Access to pages, and what those of all results have shown. Any thread may use it.

    Attributes:
        client: the API.
        looked: data sources where a look for one more row found none.
        read_twice: data sources of which several pages that lack one row lacked it again.
        has_warned: whether the user was told that the API names addresses of another origin.
        longest_page: rows of the longest page that the API gives, learned where it refuses longer
            ones; None while none was refused.
    """

    client: Client
    looked: set[str] = field(default_factory=set)
    read_twice: set[str] = field(default_factory=set)
    has_warned: bool = False
    longest_page: int | None = None

    def is_of(self, address: Any, schedule_id: str) -> bool:  # noqa: ANN401 - any JSON
        """Return whether an address may be asked for the results of a query, and names no other."""
        return is_of_query(address, schedule_id) and self._is_usable(address)

    def _is_usable(self, address: str) -> bool:
        """Return whether an address that the API names may be asked.

        One of another origin gets no key. The API has more hosts than the documented one, some of a
        cluster each (observed), so the same results are asked for at `api_url` instead.
        """
        try:
            self.client.checked_url(address)
        except ApiError as error:
            if not self.has_warned:
                self.has_warned = True
                logger.warning("%s Until then, `api_url` is asked for the same.", error)
            return False
        return True

    def page_size(self, report: Report) -> int:
        """Return how many rows to ask for."""
        return min(report.page_size, self.longest_page or report.page_size)

    def halve(self, report: Report, size: int, error: ApiError) -> bool:
        """Ask for shorter pages from now on, if it is likely that one was refused as too long."""
        # A 400 may mean anything: where length was no reason, the shortest page is refused too.
        is_refused = error.status == REFUSED and error.fate is not Fate.STOP
        if not is_refused or error.verdict.is_missing or size <= SHORTEST_PAGE:
            return False
        # Else another thread has halved it already: the caller tries again with that.
        if self.page_size(report) == size:
            self.longest_page = max(size // 2, SHORTEST_PAGE)
            text = "A page of %d rows is refused, %d are asked for; set `page_size` to that. %s"
            logger.warning(text, size, self.longest_page, error)
        return True


class Pages:
    """The pages of one result as JSON arrays of some rows, never of none, and without header.

    Attributes:
        row_count: rows given so far.
        missing: 1 when the total is one more: it counts a header, or a row is missing.
        echo: how the API understood the query.
        provenance: where the numbers come from.
        width: how many columns the first row has; None without rows.
        told_width: how many columns the result says to have; None or 0 where it does not.
        page_bytes: bytes of the longest page.
        page_count: pages that had rows.
    """

    def __init__(
        self, access: PageAccess, question: Question, facts: wire.ResultFacts, address: str
    ) -> None:
        self._access = access
        self._question = question
        self._report = question.report
        self._address = address
        self._total = RowTotal(facts.total_rows, is_of_all=facts.total_rows is not None)
        # The marker is a row of one cell: with one field, it could be a value of a text field.
        self._extras = Extras(
            may_have_marker=len(question.report.fields) > 1, listed=question.listed
        )
        self._totals = PageTotals()
        self._repeats = Repeats()
        self._saw_end = False
        self.row_count = 0
        self.missing = 0
        self.width: int | None = None
        self.told_width: int | None = None
        self.provenance = Provenance().with_page(facts)
        self.echo = wire.QueryEcho()
        self.page_bytes = self.page_count = 0
        self._waited_s: list[float] = []

    @property
    def latency_s(self) -> float:
        """Return how long the API took to begin an answer, on average, in seconds."""
        return sum(self._waited_s) / max(len(self._waited_s), 1)

    def __iter__(self) -> Iterator[bytes]:
        """Ask for page after page until nothing can be missing."""
        answer = self._ask_own()
        self.echo = answer.meta.query or wire.QueryEcho()
        while True:
            facts = answer.meta.result or wire.ResultFacts()
            self.provenance = self.provenance.with_page(facts)
            self._total.note(facts.total_rows)
            self.told_width = facts.total_columns or self.told_width
            rows = self._rows(answer)
            self._totals.note(facts.total_rows, came=len(answer.data), rows=len(rows))
            if rows:
                self.page_count += 1
                self.row_count += len(rows)
                yield from self._new_blocks(rows)
                _check_length(self.row_count, self._report)
                self._check_pace()
            self._saw_end = not rows
            following = self._following(answer, rows)
            if following is None:
                break
            del answer, rows  # Else two pages are in memory.
            answer = self._ask(following, None) if following else self._ask_own()
        has_extra = self._extras.has_header or self._extras.has_marker
        self.missing = self._total.check_end(self.row_count, has_extra=has_extra)
        if self.missing and self._saw_end:
            self._access.looked.add(self._report.ds_id)

    def _new_blocks(self, rows: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        """Yield a page in blocks, after a check that it does not repeat a page before."""
        self._repeats.check_rows(rows)
        for first in range(0, len(rows), ROWS_PER_BLOCK):
            yield msgspec.json.encode(rows[first : first + ROWS_PER_BLOCK])

    def _ask(self, address: str, page: dict[str, int] | None) -> Answer[list[msgspec.Raw]]:
        self._repeats.check_address(f"{address} {page}")
        # Two offsets in one address: nobody knows which of them the API would obey.
        asked_at = address if page is None else wire.without_paging(address)
        answer = self._access.client.results(asked_at, page)
        self._waited_s.append(answer.latency_s)
        self.page_bytes = max(self.page_bytes, answer.size)
        self._question.check(answer.meta)
        if answer.meta.query and self.row_count:
            _check_columns(self.echo.fields, answer.meta.query.fields)
        return answer

    @property
    def _page_size(self) -> int:
        return self._access.page_size(self._report)

    def _ask_own(self) -> Answer[list[msgspec.Raw]]:
        """Ask for the next page by our own numbers; a page that is refused as too long is halved.

        Raises:
            ApiError: a short page is refused too.
        """
        while True:
            size = self._page_size  # Read once: another thread may halve it meanwhile.
            try:
                return self._ask(
                    self._address, wire.page_of(self.row_count + self._extras.shift, size)
                )
            except ApiError as error:
                if not self._access.halve(self._report, size, error):
                    raise

    def _rows(self, answer: Answer[list[msgspec.Raw]]) -> Sequence[msgspec.Raw]:
        """Return the rows of a page, without what is none."""
        rows = self._extras.taken_out(
            answer.data, self.echo, is_first=not self.row_count, page_size=self._page_size
        )
        if rows and self.width is None:
            self.width = len(cells_of(rows[0]))
        return rows

    def _following(
        self, answer: Answer[list[msgspec.Raw]], rows: Sequence[msgspec.Raw]
    ) -> str | None:
        """Return the address of the next page; empty to ask by our own numbers, None at the end."""
        paginate, own = answer.meta.paginate, ""
        if paginate and paginate.next and rows:
            is_its = self._access.is_of(paginate.next, self._question.schedule_id)
            return str(paginate.next) if is_its else own
        if len(answer.data) > self._page_size + 1:
            return None  # It does not page: this is all.
        # A full page may be the last one by chance: only a total that fits it says so.
        is_full = bool(rows) and len(answer.data) >= self._page_size
        is_cut = is_full and not self._total.is_reached(self.row_count)
        if is_cut or self._may_be_short() or (rows and self._total.has_more(self.row_count)):
            return own
        return None

    def _may_be_short(self) -> bool:
        """Return whether to look for the one row that lacks, once a source: it may be a header."""
        return (
            self._total.lacks_one(self.row_count)
            and not self._saw_end
            and not self._extras.has_header
            and self._report.ds_id not in self._access.looked
        )

    def _check_pace(self) -> None:
        """Refuse pages that would go on for ever: beyond the total, or with few rows in each."""
        self._total.check_so_far(self.row_count)
        pages = len(self._waited_s)
        if pages > MAX_SHORT_PAGES and self.row_count < pages * min(FEW_ROWS, self._page_size):
            text = f"its pages do not end: {pages:,} of them gave {self.row_count:,} rows"
            raise ApiError("RESULT_INCOMPLETE", text)


def _check_columns(first: Sequence[FieldEcho], here: Sequence[FieldEcho]) -> None:
    """Compare the columns of a page with those of the first, by which all rows are read.

    Raises:
        ApiError: RESULT_MISMATCH when they are others.
    """
    told = {name: each.data_column for each in first for name in each.names if name}
    for each in here:
        own = {told.get(name) for name in each.names} - {None}
        if own and each.data_column is not None and each.data_column not in own:
            text = f"{each.id or each.field_id} is in another column than on the page before"
            raise ApiError("RESULT_MISMATCH", text)


def _check_length(row_count: int, report: Report) -> None:
    # Exactly `max_rows` is what a cut-off result looks like, and so does a whole one by chance.
    if row_count >= report.max_rows:
        raise ApiError(
            "RESULT_CUT_OFF",
            f"{counted(row_count, 'row', 'rows')} came, as many as `max_rows`; more may be missing",
        )
