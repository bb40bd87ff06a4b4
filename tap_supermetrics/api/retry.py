"""Limits of repeating a request and of waiting for a service that is away, and the pace."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, cast

import backoff

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.items import ItemForm
from tap_supermetrics.api.verdicts import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from backoff.types import Details

T = TypeVar("T")

logger = logging.getLogger(__name__)

MAX_TRIES: Final = 6
MAX_TRIES_UNREACHED: Final = 3
"""Tries of a request without an answer, where no answer ever came."""
MAX_TIME_UNREACHED_S: Final = 60.0
"""No such try begins later than this after the first, in seconds."""
MAX_RETRY_S: Final = 600.0
"""No retry begins later than this after the first try, in seconds."""
OUTAGE_S: Final = 900.0
"""How long retries go on for a service that answered before and now is away, in seconds."""
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
SCARCE_PART: Final = 10
"""Requests are spread when so small a part of them is left."""
MIN_SCARCE: Final = 4
"""And when so few are left, as several threads may have one on its way each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Limits of repeating. Waits are drawn between zero and a doubling bound.

    Attributes:
        max_tries: tries in all.
        max_time_s: no retry begins later than this after the first try.
        first_wait_s: bound of the first wait.
        longest_wait_s: bound of any wait; the server's Retry-After stands above it.
        outage_s: how long tries go on where the service has answered before and is not there now.
            Its results are paid for, and a night's run is not to end by some bad minutes; a
            mistake in `api_url` is reported at once all the same.
    """

    max_tries: int = MAX_TRIES
    max_time_s: float = MAX_RETRY_S
    outage_s: float = OUTAGE_S
    first_wait_s: float = FIRST_WAIT_S
    longest_wait_s: float = LONGEST_WAIT_S

    def waits(self) -> Generator[float, ApiError, None]:
        """Yield the seconds to wait after each error sent in."""
        # `backoff` throws the first value away, and sends each error in from then on.
        error = yield 0.0
        bound = self.first_wait_s
        while True:
            drawn = random.uniform(0, bound)  # noqa: S311 - spreads load, guards nothing
            error = yield max(drawn, error.retry_after_s)
            bound = min(bound * 2, self.longest_wait_s)


@dataclass(slots=True, kw_only=True)
class Service:
    """Knowledge of the service, as its answers have shown it; shared by all threads.

    Attributes:
        is_there: whether it has answered at all.
        gone: kinds of answer that were waited for in vain; not again until one comes.
        unanswered_starts: how many starts of a query batch got no answer; each may have made a
            batch that nobody found.
        batches: ids of the query batches that were started.
        item_forms: in which forms an item of a batch may be taken, the likeliest first.
    """

    is_there: bool = False
    gone: set[object] = field(default_factory=set)
    unanswered_starts: int = 0
    batches: set[str] = field(default_factory=set)
    item_forms: tuple[ItemForm, ...] = (*ItemForm,)

    def answered(self, kind: object) -> None:
        """Note that a good answer of this kind came."""
        self.is_there = True
        self.gone.discard(kind)


class RateLimit:
    """A pace that spreads the requests of all threads evenly: no second sees too many.

    It is slowed down where the API says that few requests are left, before it refuses any.

    Attributes:
        requests: how many were let through.
    """

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._lock = threading.Lock()
        self._next = 0.0
        self._pause_s = 0.0
        self._paused_until = 0.0
        self.requests = 0

    def wait(self) -> None:
        """Return when the next request may be sent."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval_s
            self.requests += 1
        # Outside the lock, which others need to take the turns after this one.
        if turn > now:
            time.sleep(turn - now)

    def allow(self, limit: int, left: int) -> None:
        """Record how many requests are left; the last tenth of them is spread.

        Documents disagree about the time that they are counted in: an hour (the API's schema), or a
        second ("Usage limits"). So pauses begin short and double, up to what an hour would take.

        Args:
            limit: as many are allowed in all.
            left: as many are left.
        """
        # Never while more than half is left, however small the limit is.
        is_scarce = left <= min(max(limit // SCARCE_PART, MIN_SCARCE), limit // 2)
        with self._lock:
            now = time.monotonic()
            if not is_scarce:
                self._pause_s = 0.0
            # Answers to requests of before the pause must not double it.
            elif now >= self._paused_until:
                self._pause(now, limit, left)

    def _pause(self, now: float, limit: int, left: int) -> None:
        if not self._pause_s:
            logger.info("The API allows %d of %d requests: they are spread", left, limit)
        of_hour_s = min(3600.0 / max(limit, 1), LONGEST_WAIT_S)
        self._pause_s = min(max(self._pause_s * 2, FIRST_WAIT_S), of_hour_s)
        self._paused_until = now + self._pause_s
        self._next = max(self._next, self._paused_until)


class RetryState:
    """Counts the tries of one request, and decides when there were enough.

    Args:
        policy: how much is enough.
        service: what is known of the service.
        kind: of the answer, by which an outage of a part of the service is known.
    """

    def __init__(self, policy: RetryPolicy, service: Service, kind: object) -> None:
        self._policy = policy
        self._service = service
        self._kind = kind
        self._started = time.monotonic()
        self._tries = 0

    def count_failure(self, error: ApiError) -> bool:
        """Count a try that failed; return whether it was the last.

        A service that is away gets more tries and more time.
        """
        self._tries += 1
        if error.fate is not Fate.RETRY:
            return True
        # The server's Retry-After counts before the wait.
        waited_s = time.monotonic() - self._started + error.retry_after_s
        may_come_back = self._may_come_back(error)
        if may_come_back and waited_s <= self._policy.outage_s:
            return False
        max_tries, max_time_s = self._bounds(error)
        if self._tries < max_tries and waited_s <= max_time_s:
            return False
        # Waited for in vain: the next request does not wait so long.
        if may_come_back and self._policy.outage_s:
            self._service.gone.add(self._kind)
        return True

    def _may_come_back(self, error: ApiError) -> bool:
        is_known = self._service.is_there and self._kind not in self._service.gone
        return error.verdict.is_outage and is_known

    def _bounds(self, error: ApiError) -> tuple[int, float]:
        """Return how many tries there may be, and how long after the first, in seconds."""
        tries, time_s = self._policy.max_tries, self._policy.max_time_s
        if error.status or self._service.is_there:
            return tries, time_s
        # Where no answer ever came, `api_url` is likely wrong: no use to wait for long.
        return min(tries, MAX_TRIES_UNREACHED), min(time_s, MAX_TIME_UNREACHED_S)


def repeated(
    send: Callable[[], T], policy: RetryPolicy, count_failure: Callable[[ApiError], bool]
) -> T:
    """Return the result of `send`; it is called again after an `ApiError`, until that is the last.

    Args:
        send: sends a request once.
        policy: how long is waited before each further try.
        count_failure: takes each error; returns whether it is the last.

    Raises:
        ApiError: the last one.
    """
    retrying = backoff.on_exception(
        policy.waits,
        ApiError,
        # The waits are drawn at random already; `backoff` would add to them.
        jitter=None,
        giveup=cast("Callable[[Exception], bool]", count_failure),
        on_backoff=_log_retry,
        logger=None,
    )
    answer: T = retrying(send)()
    return answer


def _log_retry(details: Details) -> None:
    """Log that a request is repeated, when, and why."""
    logger.warning(
        "Request failed, try %d follows in %.1f s: %s",
        details["tries"] + 1,
        details["wait"],
        details["exception"],
    )
