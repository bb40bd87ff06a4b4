"""The number of requests that the API takes in a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from tap_supermetrics.emulator.engine import Engine

REQUESTS_PER_HOUR = 5000
"""The requests that are counted where no limit is set: the example of the API's schema."""


class Rates:
    """Counts requests.

    Args:
        engine: Knows the options in force.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recent: deque[float] = deque(maxlen=10_000)
        self._lock = threading.Lock()

    def count(self) -> dict[str, str]:
        """Count a request; return the headers that tell how many are left.

        Raises:
            RefusalError: There were too many.
        """
        options = self._engine.options
        limit, period_s = options.requests_per_second, 1.0
        if not limit:
            limit, period_s = REQUESTS_PER_HOUR, 3600.0
        now = time.monotonic()
        with self._lock:
            while self._recent and now - self._recent[0] >= period_s:
                self._recent.popleft()
            is_over = len(self._recent) >= limit and options.requests_per_second > 0
            # A refused request does not count, so that it is enough to wait as long as is told.
            if not is_over:
                self._recent.append(now)
            headers = self._rate_headers(limit)
        if is_over:
            headers |= {"Retry-After": "1"} if options.retry_after else {}
            raise RefusalError("TOO_MANY_REQUESTS", headers=headers)
        return headers

    def _rate_headers(self, limit: int) -> dict[str, str]:
        if not self._engine.options.rate_headers:
            return {}
        left = max(limit - len(self._recent), 0)
        return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
