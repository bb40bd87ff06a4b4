"""The pages of one result, asked for one after the other, held against each other and the total."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.listings import is_of_query
from tap_supermetrics.dates import moment_of
from tap_supermetrics.extraction.page_sizes import PageSizes
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tap_supermetrics.api.answers import Answer
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.extraction.questions import Question
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

OVERLAP_ROWS: Final = 100
"""So many rows at the end of a page must not begin the next one."""
MAX_SHORT_PAGES: Final = 1_000
"""So many pages may have a few rows only."""
FEW_ROWS: Final = 10
"""Fewer rows than these, of thousands that are asked for, are few for a page."""
ROWS_PER_BLOCK: Final = 256
"""So many rows are converted together: of more, the values do not fit a processor's cache."""


@dataclass(slots=True, kw_only=True)
class PageAccess:
    """Access to pages, and what those of all results have shown. Any thread may use it.

    Attributes:
        client: the API.
        looked: data sources where a look for one more row found none.
        has_told: whether the user knows that addresses of another origin are named.
        sizes: how many rows a page may have.
    """

    client: Client
    looked: set[str] = field(default_factory=set)
    has_told: bool = False
    sizes: PageSizes = field(default_factory=PageSizes)

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
            if not self.has_told:
                self.has_told = True
                logger.warning("%s Until then, `api_url` is asked for the same.", error)
            return False
        return True


@dataclass(slots=True, kw_only=True)
class Provenance:
    """The provenance of a result's numbers, as its pages tell.

    Attributes:
        run_seconds: how long the API worked on the query, as it tells itself.
        is_sampled: whether the data source estimated the numbers of any page.
        is_cached: whether the numbers come from the API's cache.
        cached_at: when they were made, if they come from there and it tells.
    """

    run_seconds: float | None
    is_sampled: bool = False
    is_cached: bool = False
    cached_at: datetime | None = None

    def note(self, facts: wire.ResultFacts) -> None:
        """Add what a page tells."""
        self.is_sampled = self.is_sampled or facts.is_sampled
        self.is_cached = self.is_cached or facts.is_cached
        cached_at = moment_of(facts.cache_time) if facts.is_cached else None
        # Of several pages, the oldest counts.
        self.cached_at = min(filter(None, (self.cached_at, cached_at)), default=None)
        self.run_seconds = facts.run_seconds if self.run_seconds is None else self.run_seconds


@dataclass(slots=True)
class Repeats:
    """Refuses pages that came before."""

    _asked: set[str] = field(default_factory=set)
    _starts: set[bytes] = field(default_factory=set)
    _last_rows: set[bytes] = field(default_factory=set)

    def check_address(self, asked: str) -> None:
        """Refuse to ask for the same page twice.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        if asked in self._asked:
            raise ApiError("RESULT_INCOMPLETE", "the pages of the result run in a circle")
        self._asked.add(asked)

    def check_rows(self, rows: Sequence[msgspec.Raw]) -> None:
        """Refuse a page that begins as another one did, or within the end of the last one.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        if len(rows) < 2:  # noqa: PLR2004 - a single row may well be like another
            return
        start = bytes(rows[0])
        if start in self._starts or start in self._last_rows:
            text = f"a page of {len(rows)} rows repeats rows of a page before"
            raise ApiError("RESULT_INCOMPLETE", text)
        self._starts.add(start)
        self._last_rows = {bytes(row) for row in rows[-OVERLAP_ROWS:]}


@dataclass(slots=True, kw_only=True)
class Extras:
    """Takes out rows that hold no data: a header, or the marker of an empty result.

    Attributes:
        may_have_marker: whether the marker cannot be mistaken for a row.
        has_header: whether the first page had a header.
        has_marker: whether it had the marker.
        shift: how many rows our own offsets count too few.
    """

    may_have_marker: bool
    has_header: bool = False
    has_marker: bool = False
    shift: int = 0

    def taken_out(
        self, rows: Sequence[msgspec.Raw], echo: wire.QueryEcho, *, is_first: bool, page_size: int
    ) -> Sequence[msgspec.Raw]:
        """Return the rows of a page without them."""
        if is_first and rows:
            self.has_header = _is_header(rows[0], echo)
            # A page that is one row longer than asked has its header beside what was asked for.
            self.shift = int(self.has_header and len(rows) <= page_size)
        if self.has_header and rows and _is_header(rows[0], echo):
            rows = rows[1:]
        may_have_marker = self.may_have_marker or any(each.is_metric for each in echo.fields)
        if is_first and may_have_marker and len(rows) == 1:
            self.has_marker = self.has_marker or wire.is_empty_answer(_cells(rows[0]))
        return [] if self.has_marker else rows


class Pages:
    """The pages of one result as JSON arrays of some rows, never of none, and without header.

    Attributes:
        row_count: rows given so far.
        missing: 1 when the total is one more: it counts a header, or a row is missing.
        echo: how the API understood the query.
        provenance: where the numbers come from.
        width: how many columns the first row has; None without rows.
        page_bytes: bytes of the longest page.
    """

    def __init__(
        self, access: PageAccess, question: Question, facts: wire.ResultFacts, address: str
    ) -> None:
        self._access = access
        self._question = question
        self._report = question.report
        self._address = address
        self._total = facts.total_rows
        self._is_whole_total = facts.total_rows is not None  # A page may count itself only.
        # The marker is a row of one cell: with one field, it could be a value of a text field.
        self._extras = Extras(may_have_marker=len(question.report.fields) > 1)
        self._repeats = Repeats()
        self._saw_end = False
        self.row_count = 0
        self.missing = 0
        self.width: int | None = None
        self.provenance = Provenance(run_seconds=facts.run_seconds)
        self.provenance.note(facts)
        self.echo = wire.QueryEcho()
        self.page_bytes = 0
        self._waited_s: list[float] = []

    @property
    def latency_s(self) -> float:
        """Return how long the API took to begin an answer, on average, in seconds."""
        return sum(self._waited_s) / max(len(self._waited_s), 1)

    def __iter__(self) -> Iterator[bytes]:
        """Ask for page after page until nothing can be missing."""
        answer = self._ask_own()
        self.echo = answer.meta.query or wire.QueryEcho()
        if self._total is None and answer.meta.result:
            self._total = answer.meta.result.total_rows
        while True:
            self._note(answer.meta.result or wire.ResultFacts())
            rows = self._rows(answer)
            if rows:
                self.row_count += len(rows)
                yield from self._new_blocks(rows)
                _check_length(self.row_count, self._report)
                self._check_pace()
            self._saw_end = not rows
            following = self._following(answer, rows)
            if following is None:
                break
            del answer, rows  # Not to hold two pages.
            answer = self._ask(following, None) if following else self._ask_own()
        self._check_total()

    def _note(self, facts: wire.ResultFacts) -> None:
        """Take in what a page tells; of two totals, the one by which rows are missing counts."""
        self.provenance.note(facts)
        # One more may be a header that is counted here and not there.
        if self._total is not None and (facts.total_rows or 0) > self._total + 1:
            self._total = facts.total_rows

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
        return self._access.sizes.of(self._report)

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
                if not self._access.sizes.halve(self._report, size, error):
                    raise

    def _rows(self, answer: Answer[list[msgspec.Raw]]) -> Sequence[msgspec.Raw]:
        """Return the rows of a page, without what is none."""
        rows = self._extras.taken_out(
            answer.data, self.echo, is_first=not self.row_count, page_size=self._page_size
        )
        if rows and self.width is None:
            self.width = len(_cells(rows[0]))
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
        is_cut = is_full and not (self._is_whole_total and self.row_count == self._total)
        if is_cut or self._may_be_short() or (rows and self._has_more):
            return own
        return None

    @property
    def _has_more(self) -> bool:
        """Return whether rows are missing for sure: the API may give shorter pages than asked."""
        return (self._total or 0) - self.row_count > 1

    def _may_be_short(self) -> bool:
        """Return whether to look for the one row that lacks, once a source: it may be a header."""
        return (
            self._total == self.row_count + 1
            and self.row_count > 0
            and not self._saw_end
            and not self._extras.has_header
            and self._report.ds_id not in self._access.looked
        )

    def _check_pace(self) -> None:
        """Refuse pages that would go on for ever: beyond the total, or with few rows in each."""
        if self._is_whole_total and self._total and self.row_count > self._total:
            raise incomplete(self._total, self.row_count)
        pages = len(self._waited_s)
        if pages > MAX_SHORT_PAGES and self.row_count < pages * min(FEW_ROWS, self._page_size):
            text = f"its pages do not end: {pages:,} of them gave {self.row_count:,} rows"
            raise ApiError("RESULT_INCOMPLETE", text)

    def _check_total(self) -> None:
        """Compare rows and total: one row may be missing, which a header may be counted for."""
        if self._total is None or (not self._total and not self.row_count):
            return
        if not self._is_whole_total and self.row_count > self._total:
            return  # What a page tells may be of this page only.
        extra = self._total - self.row_count
        # Without rows, no header is counted (observed), unless it came.
        may_lack = 1 if self.row_count else int(self._extras.has_header or self._extras.has_marker)
        # More rows than told are as wrong as fewer: pages may have overlapped.
        if not 0 <= extra <= may_lack:
            raise incomplete(self._total, self.row_count)
        self.missing = extra
        if extra and self._saw_end:
            self._access.looked.add(self._report.ds_id)


def incomplete(total: int, rows: int) -> ApiError:
    """Return the error of a result that has other rows than it says."""
    return ApiError("RESULT_INCOMPLETE", f"expected {counted(total, 'row', 'rows')}, got {rows:,}")


def _is_header(row: msgspec.Raw, echo: wire.QueryEcho) -> bool:
    """Return whether a row is the header that was asked to be left out.

    An answer that says itself to have none is believed, unless the row holds words for numbers.
    """
    headers = (
        [each.field_name for each in echo.fields],
        [each.id for each in echo.fields],
        [each.field_id for each in echo.fields],
    )
    has_metrics = any(each.is_metric for each in echo.fields)
    may_be = has_metrics or not echo.has_no_headers
    return may_be and bool(echo.fields) and _cells(row) in headers


def _check_columns(first: Sequence[FieldEcho], here: Sequence[FieldEcho]) -> None:
    """Hold the columns of a page against those of the first, by which all rows are read.

    Raises:
        ApiError: RESULT_MISMATCH when they are others.
    """
    told = {name: each.data_column for each in first for name in each.names if name}
    for each in here:
        own = {told.get(name) for name in each.names} - {None}
        if own and each.data_column is not None and each.data_column not in own:
            text = f"{each.id or each.field_id} is in another column than on the page before"
            raise ApiError("RESULT_MISMATCH", text)


def _cells(row: msgspec.Raw) -> list[Any]:
    try:
        cells = lenient.values_of(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("RESULT_MISMATCH", f"a row is no JSON ({error})") from None
    return cells if isinstance(cells, list) else []


def _check_length(row_count: int, report: Report) -> None:
    # Exactly `max_rows` is what a cut-off result looks like, and so does a whole one by chance.
    if row_count >= report.max_rows:
        raise ApiError(
            "RESULT_CUT_OFF",
            f"{counted(row_count, 'row', 'rows')} came, as many as `max_rows`; more may be missing",
        )
