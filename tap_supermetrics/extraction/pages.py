"""The pages of one result, asked for in turn, compared with each other and with the total."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.answers import Answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.listings import is_of_query
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.extraction.page_rows import Extras, PageTotals, Repeats, RowTotal, cells_of
from tap_supermetrics.extraction.results import Provenance
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.extraction.questions import Question
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

Page = Answer[list[msgspec.Raw]]

MAX_SHORT_PAGES: Final = 1_000
"""So many pages may have a few rows only."""
FEW_ROWS: Final = 10
"""Fewer rows than these, of thousands that are asked for, are few for a page."""
REFUSED: Final = 400
"""HTTP status by which the API refuses a page that is too long."""
SHORTEST_PAGE: Final = 100
"""A page of so few rows is not refused for its length."""
FEW_TO_SEE: Final = 3
"""So few rows are asked for to see that one is the last: a header may be counted as one of them."""
OF_KEY: Final = frozenset({401, 403})
"""HTTP status by which a key is refused, or what stands between refuses."""
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


class PageRequests:
    """Asks for the pages of one result, none of them twice.

    Attributes:
        page_bytes: bytes of the longest page.
        count: how many were asked for.
    """

    def __init__(
        self, access: PageAccess, question: Question, repeats: Repeats, address: str
    ) -> None:
        self._access = access
        self._question = question
        self._repeats = repeats
        self._address = address
        self._waited_s = 0.0
        self.page_bytes = self.count = 0

    @property
    def latency_s(self) -> float:
        """Return how long the API took to begin an answer, on average, in seconds."""
        return self._waited_s / max(self.count, 1)

    @property
    def page_size(self) -> int:
        """Return how many rows to ask for."""
        return self._access.page_size(self._question.report)

    def follow(self, address: str) -> Page:
        """Ask for a page that the API names."""
        return self._ask(address, None)

    def at(self, offset: int, *, is_look: bool = False) -> Page:
        """Ask for the page at an offset; one that is refused as too long is halved.

        Args:
            offset: how many rows of the result to leave out.
            is_look: whether there may be no such page, so that its length is no reason to refuse
                it: a page of that length was given before.

        Raises:
            ApiError: a short page is refused too.
        """
        while True:
            size = self.page_size  # Read once: another thread may halve it meanwhile.
            try:
                return self._ask(self._address, wire.page_of(offset, size))
            except ApiError as error:
                if is_look or not self._access.halve(self._question.report, size, error):
                    raise

    def few_at(self, offset: int) -> Page:
        """Ask for the few rows at an offset."""
        return self._ask(self._address, wire.page_of(offset, FEW_TO_SEE))

    def _ask(self, address: str, page: dict[str, int] | None) -> Page:
        self._repeats.check_address(f"{address} {page}")
        # Two offsets in one address: nobody knows which of them the API would obey.
        asked_at = address if page is None else wire.without_paging(address)
        answer = self._access.client.results(asked_at, page)
        self._waited_s += answer.latency_s
        self.count += 1
        self.page_bytes = max(self.page_bytes, answer.size)
        self._question.check(answer.meta)
        return answer


class Pages:
    """The pages of one result as JSON arrays of some rows, never of none, and without header.

    Attributes:
        row_count: rows given so far.
        missing: 1 when the total is one more: it counts a header, or a row is missing; None where
            no total of all was told.
        echo: how the API understood the query.
        provenance: where the numbers come from.
        width: how many columns the first row has; None without rows.
        told_width: how many columns the result says to have; None or 0 where it does not.
        page_count: pages that had rows.
        requests: how the pages are asked for.
    """

    def __init__(
        self, access: PageAccess, question: Question, facts: wire.ResultFacts, address: str
    ) -> None:
        self._access = access
        self._question = question
        self._report = question.report
        told = facts.total_rows
        # Zero, or less, may stand for a number that nobody knows.
        self._total = RowTotal(told, is_of_all=told is not None and told > 0)
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
        self.told_width: int | None = None
        self.provenance = Provenance().with_page(facts)
        self.echo = wire.QueryEcho()

    def __iter__(self) -> Iterator[bytes]:
        """Ask for page after page until nothing can be missing."""
        answer: Page | None = self.requests.at(0)
        self.echo = (answer and answer.meta.query) or wire.QueryEcho()
        is_look = False
        while answer:
            facts = answer.meta.result or wire.ResultFacts()
            self.provenance = self.provenance.with_page(facts)
            self._total.note(facts.total_rows)
            self.told_width = facts.total_columns or self.told_width
            rows = self._rows(answer)
            self._totals.note(facts.total_rows, came=len(answer.data), rows=len(rows))
            if rows:
                self._repeats.check_rows(rows, is_look=is_look)
                self.page_count += 1
                self.row_count += len(rows)
                yield from _blocks(rows)
                _check_length(self.row_count, self._report)
                self._check_pace()
            self._saw_end = not rows
            following = self._following(answer, rows)
            if following is None:
                break
            del answer, rows  # Else two pages are in memory.
            is_look = not following and not self._total.has_more(self.row_count)
            answer = self._look() if is_look else self._more(following)
        has_extra = self._extras.has_header or self._extras.has_marker
        self.missing = self._total.check_end(self.row_count, has_extra=has_extra)
        if self.missing and self._saw_end:
            self._access.looked.add(self._report.ds_id)

    @property
    def _offset(self) -> int:
        """Return where the next page begins."""
        return self.row_count + self._extras.shift

    def _more(self, following: str) -> Page:
        """Ask for a page that there has to be."""
        return self.requests.follow(following) if following else self.requests.at(self._offset)

    def _look(self) -> Page | None:
        """Look behind what may be the last row; None where there is nothing.

        Nobody knows what the API answers there. A refusal tells that there is no such page, and no
        more, so the last row has to be there still, and to be the last. An API that does not page
        gives its only page again.
        """
        try:
            answer = self.requests.at(self._offset, is_look=True)
        except ApiError as error:
            if not _may_be_no_page(error) or not self._is_last(self._offset - 1):
                raise
            answer = None
        if answer and not (self._is_only_page and self._repeats.is_first_page(self._rows(answer))):
            return answer
        self._saw_end = True
        return None

    @property
    def _is_only_page(self) -> bool:
        """Return whether one page came, which is shorter than it could be."""
        return self.page_count == 1 and self.row_count < self.requests.page_size

    def _is_last(self, offset: int) -> bool:
        """Return whether there is one row from an offset on."""
        with suppress(ApiError):
            return len(self._rows(self.requests.few_at(offset))) == 1
        return False

    def _rows(self, answer: Page) -> Sequence[msgspec.Raw]:
        """Return the rows of a page, without what is none, once its columns were compared."""
        if answer.meta.query and self.row_count:
            _check_columns(self.echo.fields, answer.meta.query.fields)
        rows = self._extras.taken_out(
            answer.data, self.echo, is_first=not self.row_count, page_size=self.requests.page_size
        )
        if rows and self.width is None:
            self.width = len(cells_of(rows[0]))
        return rows

    def _following(self, answer: Page, rows: Sequence[msgspec.Raw]) -> str | None:
        """Return the address of the next page; empty to ask by our own numbers, None at the end."""
        paginate, own = answer.meta.paginate, ""
        if paginate and paginate.next and rows:
            is_its = self._access.is_of(paginate.next, self._question.schedule_id)
            return str(paginate.next) if is_its else own
        if len(answer.data) > self.requests.page_size + 1:
            return None  # It does not page: this is all.
        # A full page may be the last one by chance, and the API may give shorter pages than asked:
        # only a total that fits says so.
        is_full = len(answer.data) >= self.requests.page_size
        may_be_cut = bool(rows) and (is_full or not self._total.is_sure(self.row_count))
        is_cut = may_be_cut and not self._total.is_reached(self.row_count)
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
        pages, few = self.requests.count, min(FEW_ROWS, self.requests.page_size)
        if pages > MAX_SHORT_PAGES and self.row_count < pages * few:
            text = f"its pages do not end: {pages:,} of them gave {self.row_count:,} rows"
            raise ApiError("RESULT_INCOMPLETE", text)


def _blocks(rows: Sequence[msgspec.Raw]) -> Iterator[bytes]:
    """Yield a page in blocks."""
    for first in range(0, len(rows), ROWS_PER_BLOCK):
        yield msgspec.json.encode(rows[first : first + ROWS_PER_BLOCK])


def _may_be_no_page(error: ApiError) -> bool:
    """Return whether a refusal may be of a page that there is not: not of the key, or of all."""
    if not error.status or error.status in OF_KEY:
        return False  # What the tap finds itself has no status.
    return error.is_not_there or error.fate not in {Fate.RETRY, Fate.STOP}


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
