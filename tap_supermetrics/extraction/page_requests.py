"""Requests the pages of results, as long as the API gives them, at addresses of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.answers import Answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.listings import is_of_query
from tap_supermetrics.api.verdicts import Fate

if TYPE_CHECKING:
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.extraction.page_rows import Repeats
    from tap_supermetrics.extraction.questions import Question
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

Page = Answer[list[msgspec.Raw]]

MAX_SHORT_PAGES: Final = 1_000
"""Most pages that may have few rows each."""
FEW_ROWS: Final = 10
"""Fewer rows than this, of thousands requested, are few for a page."""
REFUSED: Final = 400
"""HTTP status by which the API refuses a page that is too long."""
SHORTEST_PAGE: Final = 100
"""A page of so few rows is not refused for its length."""
FEW_TO_SEE: Final = 3
"""Rows requested to see that one is the last: a header may be counted as one of them."""


@dataclass(slots=True, kw_only=True)
class PageAccess:
    """Access to pages, and what those of all results have shown. Any thread may use it.

    Attributes:
        client: the API.
        confirmed_ends: data sources where no row was found after the last one.
        read_twice: data sources whose pages lacked one row again when they were read again.
        has_warned: whether the user was warned of addresses of another origin.
        longest_page: rows of the longest page that the API gives, learned where it refuses longer
            ones; None while none was refused.
    """

    client: Client
    confirmed_ends: set[str] = field(default_factory=set)
    read_twice: set[str] = field(default_factory=set)
    has_warned: bool = False
    longest_page: int | None = None

    def names_results_of(self, address: Any, schedule_id: str) -> bool:  # noqa: ANN401 - any JSON
        """Return whether an address may be requested for the results of a query, and no other."""
        return is_of_query(address, schedule_id) and self._is_usable(address)

    def _is_usable(self, address: str) -> bool:
        """Return whether an address that the API names may be requested.

        One of another origin gets no key. The API has more hosts than the documented one, some of
        them for one cluster (observed), so the same results are requested at `api_url` instead.
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
        """Return how many rows to request."""
        return min(report.page_size, self.longest_page or report.page_size)

    def halve(self, report: Report, size: int, error: ApiError) -> bool:
        """Halve the pages from now on, if one was likely refused as too long; return whether."""
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
    """Requests the pages of one result, none of them twice.

    Attributes:
        page_bytes: bytes of the longest page.
        count: how many were requested.
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
        """Return how many rows to request."""
        return self._access.page_size(self._question.report)

    def follow(self, address: str) -> Page:
        """Request a page that the API names."""
        return self._request(address, None)

    def at(self, offset: int, *, is_beyond_end: bool = False) -> Page:
        """Request the page at an offset; one that is refused as too long is halved.

        Args:
            offset: how many rows of the result to leave out.
            is_beyond_end: whether there may be no such page, so that its length is no reason to
                refuse it: a page of that length was given before.

        Raises:
            ApiError: a short page is refused too.
        """
        while True:
            size = self.page_size  # Read once: another thread may halve it meanwhile.
            try:
                return self._request(self._address, wire.page_of(offset, size))
            except ApiError as error:
                if is_beyond_end or not self._access.halve(self._question.report, size, error):
                    raise

    def few_at(self, offset: int) -> Page:
        """Request the few rows at an offset."""
        return self._request(self._address, wire.page_of(offset, FEW_TO_SEE))

    def check_pace(self, row_count: int) -> None:
        """Refuse pages that would go on for ever, with few rows in each.

        Raises:
            ApiError: RESULT_INCOMPLETE.
        """
        few = min(FEW_ROWS, self.page_size)
        if self.count > MAX_SHORT_PAGES and row_count < self.count * few:
            text = f"its pages do not end: {self.count:,} of them gave {row_count:,} rows"
            raise ApiError("RESULT_INCOMPLETE", text)

    def _request(self, address: str, page: dict[str, int] | None) -> Page:
        self._repeats.check_address(f"{address} {page}")
        # Of two offsets in one address, the API may obey either.
        url = address if page is None else wire.without_paging(address)
        answer = self._access.client.results(url, page)
        self._waited_s += answer.latency_s
        self.count += 1
        self.page_bytes = max(self.page_bytes, answer.size)
        self._question.check(answer.meta)
        return answer
