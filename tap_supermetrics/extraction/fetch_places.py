"""Decides how many results are fetched at the same time. Pure.

A request that is answered after 0.8 seconds lets one thread fetch 1.25 results a second, whatever
rate is allowed. So as many fetch as it takes to reach that rate (Little's law), as long as their
pages find room in memory together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FEWEST_PLACES: Final = 4
"""Places that are there however fast the API answers and however long its pages are."""
MAX_BYTES: Final = 24 * 1024 * 1024
"""Most that all places may take together, in bytes."""
PLACE_BYTES: Final = 768 * 1024
"""Memory of a place beside its page, in bytes: a thread, a connection, parts of answers."""
COPIES_OF_PAGE: Final = 5
"""How often a place has its page in memory (measured): as it came, as rows, as blocks, freed."""
MOST_PLACES: Final = MAX_BYTES // PLACE_BYTES
OF_NEWEST: Final = 0.2
"""Weight of the newest latency."""
OF_LONGEST: Final = 0.95
"""Weight of the longest page of before, with each result that has shorter ones."""


@dataclass(slots=True)
class FetchPlaces:
    """Places for results that are fetched at the same time.

    Attributes:
        requests_per_second: the rate to be reached.
        latency_s: how long the API takes to begin its answers, lately; 0 until that is known.
        page_bytes: the longest page, lately.
    """

    requests_per_second: float
    latency_s: float = 0.0
    page_bytes: float = 0.0

    @property
    def count(self) -> int:
        """Return the number of places."""
        needed = math.ceil(self.requests_per_second * self.latency_s)
        with_room = int(MAX_BYTES / (PLACE_BYTES + COPIES_OF_PAGE * self.page_bytes))
        return max(FEWEST_PLACES, min(needed, with_room))

    def learn(self, latency_s: float, page_bytes: int) -> None:
        """Adapt to a fetched result.

        Args:
            latency_s: how long the API took to begin an answer, on average.
            page_bytes: of its longest page.
        """
        # A moving average: one slow answer does not open a dozen threads.
        gained = OF_NEWEST * (latency_s - self.latency_s)
        self.latency_s = self.latency_s + gained if self.latency_s else latency_s
        # Up at once and down slowly: the next long page must find its room.
        self.page_bytes = max(float(page_bytes), OF_LONGEST * self.page_bytes)
