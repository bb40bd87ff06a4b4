"""Fetches the results of one query: every page, counted, checked, into a spool."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.columns import columns_of
from tap_supermetrics.extraction.page_sizes import PageSizes
from tap_supermetrics.extraction.questions import Question
from tap_supermetrics.extraction.results import Result, Spool
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_supermetrics.api.answers import Answer
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Query, Report


logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = (2.0, 4.0, 8.0)
"""Waits for results that come later than the status said: submitting the query again is dearer."""
MAX_VAIN_LOOKS: Final = 3
"""After so many second looks that found nothing, there are no more."""
OVERLAP_ROWS: Final = 100
"""So many rows at the end of a page must not begin the next one."""
ROWS_PER_BLOCK: Final = 256
"""So many rows are converted together: of more, the values do not fit a processor's cache."""


@dataclass(slots=True, kw_only=True)
class Downloader:
    """Fetches results, by any number of threads.

    Attributes:
        client: the API.
        now: the wall clock, with offset.
        looked: data sources where a look for one more row found none.
        vain_looks: how many second looks found nothing.
        has_told: whether the user knows that addresses of another origin are named.
        sizes: how many rows a page may have.
    """

    client: Client
    now: Callable[[], datetime]
    looked: set[str] = field(default_factory=set)
    vain_looks: int = 0
    has_told: bool = False
    sizes: PageSizes = field(default_factory=PageSizes)

    def is_usable(self, address: str) -> bool:
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

    def fetch(self, query: Query, report: Report, entry: wire.BatchQuery) -> Result:
        """All rows of a query that succeeded; where there are none yet, after a second look.

        Raises:
            ApiError: the request failed; RESULT_INCOMPLETE when rows are missing, repeated or too
                many; RESULT_CUT_OFF when the result is as long as `max_rows`; RESULT_MISMATCH when
                it belongs to other days.
        """
        for wait_s in LOOK_AGAIN_S:
            try:
                return self._fetch(query, report, entry)
            except ApiError as error:
                if not error.is_missing or self.vain_looks >= MAX_VAIN_LOOKS:
                    raise
            time.sleep(wait_s)
        try:
            return self._fetch(query, report, entry)
        except ApiError as error:
            self.vain_looks += error.is_missing
            raise

    def _fetch(self, query: Query, report: Report, entry: wire.BatchQuery) -> Result:
        facts = entry.result_info or wire.ResultFacts()
        spool = Spool()
        try:
            address = wire.results_address(entry.schedule_id)
            if facts.results_url and self.is_usable(facts.results_url):
                address = facts.results_url
            question = Question(query=query, report=report, schedule_id=entry.schedule_id)
            pages = _Pages(self, question, facts, address)
            for block in pages:
                spool.add(block)
            question.check_excluded(pages.echo)
            return Result(
                query=query,
                dates=question.answered_dates(pages.echo),
                schedule_id=entry.schedule_id,
                fetched_at=self.now(),
                fields=columns_of(report, pages.echo.fields, pages.width),
                row_count=pages.row_count,
                missing=pages.missing,
                is_sampled=pages.is_sampled,
                is_cached=pages.is_cached,
                cached_at=pages.cached_at,
                run_seconds=pages.run_seconds,
                latency_s=pages.latency_s,
                page_bytes=pages.page_bytes,
                spool=spool,
            )
        except BaseException:
            spool.close()
            raise


class _Pages:
    """The pages of one result as JSON arrays of some rows, never of none, and without header.

    Attributes:
        row_count: rows given so far.
        missing: 1 when the total is one more: it counts a header, or a row is missing.
        echo: how the API understood the query.
        is_sampled: whether the data source estimated the numbers of any page.
        is_cached: whether the numbers come from the API's cache.
        cached_at: when they were made, if they come from there and it tells.
        run_seconds: how long the API worked on the query, as it tells itself.
        width: how many columns the first row has; None without rows.
        page_bytes: bytes of the longest page.
    """

    def __init__(
        self, downloader: Downloader, question: Question, facts: wire.ResultFacts, address: str
    ) -> None:
        self._client = downloader.client
        self._is_usable = downloader.is_usable
        self._looked = downloader.looked
        self._sizes = downloader.sizes
        self._question = question
        self._report = question.report
        self._address = address
        self._total = facts.total_rows
        self._is_whole_total = facts.total_rows is not None
        self._has_header = False
        self._has_marker = False
        self._shift = 0
        self._asked: set[str] = set()
        self._starts: set[bytes] = set()
        self._last_rows: set[bytes] = set()
        self._saw_end = False
        self.row_count = 0
        self.missing = 0
        self.width: int | None = None
        self.is_sampled = False
        self.is_cached = False
        self.cached_at: datetime | None = None
        self.run_seconds = facts.run_seconds
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
            self._saw_end = not rows
            following = self._following(answer, rows)
            if following is None:
                break
            del answer, rows  # Not to hold two pages.
            answer = self._ask(following, None) if following else self._ask_own()
        self._check_total()

    def _note(self, facts: wire.ResultFacts) -> None:
        self.is_sampled = self.is_sampled or bool(facts.data_sampled)
        self.is_cached = self.is_cached or bool(facts.cache_used)
        self.cached_at = self.cached_at or _cached_at(facts)
        self.run_seconds = facts.run_seconds if self.run_seconds is None else self.run_seconds

    def _new_blocks(self, rows: Sequence[msgspec.Raw]) -> Iterator[bytes]:
        """A page in blocks, which must not be the same as those of a page before."""
        if len(rows) > 1:
            start = bytes(rows[0])
            if start in self._starts or start in self._last_rows:
                text = f"a page of {len(rows)} rows repeats rows of a page before"
                raise ApiError("RESULT_INCOMPLETE", text)
            self._starts.add(start)
            self._last_rows = {bytes(row) for row in rows[-OVERLAP_ROWS:]}
        for first in range(0, len(rows), ROWS_PER_BLOCK):
            yield msgspec.json.encode(rows[first : first + ROWS_PER_BLOCK])

    def _ask(self, address: str, page: dict[str, int] | None) -> Answer[list[msgspec.Raw]]:
        asked = f"{address} {page}"
        if asked in self._asked:
            raise ApiError("RESULT_INCOMPLETE", "the pages of the result run in a circle")
        self._asked.add(asked)
        asked_at = address if page is None else wire.without_paging(address)
        answer = self._client.results(asked_at, page)
        self._waited_s.append(answer.latency_s)
        self.page_bytes = max(self.page_bytes, answer.size)
        self._question.check(answer.meta)
        return answer

    @property
    def _page_size(self) -> int:
        return self._sizes.of(self._report)

    def _ask_own(self) -> Answer[list[msgspec.Raw]]:
        """Ask for the next page by our own numbers; a page that is refused as too long is halved.

        Raises:
            ApiError: a short page is refused too.
        """
        while True:
            size = self._page_size
            try:
                return self._ask(self._address, wire.page_of(self.row_count + self._shift, size))
            except ApiError as error:
                if not self._sizes.halve(self._report, size, error):
                    raise

    def _rows(self, answer: Answer[list[msgspec.Raw]]) -> list[msgspec.Raw]:
        rows = answer.data
        if not self.row_count and rows:
            self._has_header = self._is_header(rows[0])
            # A page that is one row longer than asked has its header beside what was asked for.
            self._shift = int(self._has_header and len(rows) <= self._page_size)
        if self._has_header and rows and self._is_header(rows[0]):
            rows = rows[1:]
        self._has_marker = self._has_marker or self._is_empty_marker(rows)
        if self._has_marker:
            return []
        if rows and self.width is None:
            self.width = len(_cells(rows[0]))
        return rows

    def _is_header(self, row: msgspec.Raw) -> bool:
        """Return whether a row is the header that was asked to be left out.

        An answer that says itself to have none is believed, unless the row holds words for numbers.
        """
        labels = [each.field_name for each in self.echo.fields]
        has_metrics = any(each.field_type == "met" for each in self.echo.fields)
        may_be = has_metrics or not self.echo.has_no_headers
        return may_be and bool(labels) and _cells(row) == labels

    def _is_empty_marker(self, rows: Sequence[msgspec.Raw]) -> bool:
        return (
            not self.row_count
            and len(rows) == 1
            and len(self._report.fields) > 1
            and [_cells(rows[0])] == wire.EMPTY_ANSWER
        )

    def _following(
        self, answer: Answer[list[msgspec.Raw]], rows: Sequence[msgspec.Raw]
    ) -> str | None:
        """Return the address of the next page; empty to ask by our own numbers, None at the end."""
        paginate, own = answer.meta.paginate, ""
        if paginate and paginate.next and rows:
            return paginate.next if self._is_usable(paginate.next) else own
        if len(answer.data) > self._page_size + 1:
            return None  # It does not page: this is all.
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
        """One row less than told: a counted header, or a lost row. The first time, look."""
        return (
            self._total == self.row_count + 1
            and self.row_count > 0
            and not self._saw_end
            and not self._has_header
            and self._report.ds_id not in self._looked
        )

    def _check_total(self) -> None:
        """Compare rows and total: one row may be missing, which a header may be counted for."""
        if self._total is None or (not self._total and not self.row_count):
            return
        if not self._is_whole_total and self.row_count > self._total:
            return  # What a page tells may be of this page only.
        extra = self._total - self.row_count
        # Without rows, no header is counted (observed), unless it came.
        may_lack = 1 if self.row_count else int(self._has_header or self._has_marker)
        if not 0 <= extra <= may_lack:
            raise incomplete(self._total, self.row_count)
        self.missing = extra
        if extra and self._saw_end:
            self._looked.add(self._report.ds_id)


def _cached_at(facts: wire.ResultFacts) -> datetime | None:
    """Return when numbers from the API's cache were made, with offset ("Get data").

    A time without offset is UTC, as all times of the API are; seconds count from 1970.
    """
    said = facts.cache_time
    try:
        if isinstance(said, float):
            moment = datetime.fromtimestamp(said, timezone.utc)
        else:
            moment = datetime.fromisoformat((said or "").replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware if facts.cache_used else None


def incomplete(total: int, rows: int) -> ApiError:
    """Return the error of a result that has other rows than it says."""
    return ApiError("RESULT_INCOMPLETE", f"expected {counted(total, 'row', 'rows')}, got {rows:,}")


def _cells(row: msgspec.Raw) -> list[Any]:
    try:
        cells = lenient.values_of(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError("RESULT_MISMATCH", f"a row is no JSON ({error})") from None
    return cells if isinstance(cells, list) else []


def _check_length(row_count: int, report: Report) -> None:
    if row_count >= report.max_rows:
        raise ApiError(
            "RESULT_CUT_OFF",
            f"{counted(row_count, 'row', 'rows')} came, as many as `max_rows`; more may be missing",
        )
