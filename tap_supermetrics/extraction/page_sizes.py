"""The longest pages that the API gives, learned where it refuses longer ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Fate

if TYPE_CHECKING:
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

REFUSED: Final = 400
"""HTTP status by which the API refuses a page that is too long."""
SHORTEST_PAGE: Final = 100
"""A page of so few rows is not refused for its length."""


@dataclass(slots=True)
class PageSizes:
    """The longest pages that the API gives, learned where it refuses longer ones."""

    longest: int | None = None

    def of(self, report: Report) -> int:
        """Return how many rows to ask for."""
        return min(report.page_size, self.longest or report.page_size)

    def halve(self, report: Report, size: int, error: ApiError) -> bool:
        """Ask for shorter pages from now on, if it is likely that one was refused as too long."""
        # A 400 may mean anything: where length was no reason, the shortest page is refused too.
        is_refused = error.status == REFUSED and error.fate is not Fate.STOP
        if not is_refused or error.verdict.is_missing or size <= SHORTEST_PAGE:
            return False
        # Else another thread has halved it already: the caller tries again with that.
        if self.of(report) == size:
            self.longest = max(size // 2, SHORTEST_PAGE)
            text = "A page of %d rows is refused, %d are asked for; set `page_size` to that. %s"
            logger.warning(text, size, self.longest, error)
        return True
