"""The number of requests that the API takes in a time."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from tap_supermetrics.emulator.engine import Engine


class Rates:
    """Counts the requests of the last second.

    Args:
        engine: Knows the options in force.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> dict[str, str]:
        """Count a request; return the headers that tell how many are left.

        Raises:
            RefusalError: There were too many.
        """
        options = self._engine.options
        limit, now = options.requests_per_second, time.monotonic()
        if not limit:
            return {}
        with self._lock:
            while self._recent and now - self._recent[0] >= 1:
                self._recent.popleft()
            left = limit - len(self._recent)
            # A refused request does not count, so that it is enough to wait as long as is told.
            if left > 0:
                self._recent.append(now)
        headers = _rate_headers(limit, max(left - 1, 0)) if options.rate_headers else {}
        if left > 0:
            return headers
        headers |= {"Retry-After": "1"} if options.retry_after else {}
        raise RefusalError("TOO_MANY_REQUESTS", headers=headers)


def _rate_headers(limit: int, left: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}
