"""Waits between two polls of a query or a batch, and the end of polling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.retry import RetryPolicy

if TYPE_CHECKING:
    from tap_supermetrics.api.errors import ApiError

SHORTEST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 4.0
"""Two query batches that run for long are then polled once in two seconds."""
LATE_SHARE: Final = 0.06
"""An end is seen later by at most this share of the time already waited for it."""
POLL_FAILURES_S: Final = 900.0
"""How long polls may fail before a query or a batch is given up, in seconds."""
OWN_FAILURES_S: Final = 60.0
"""The same where others could be polled meanwhile."""
KNOWN_FAILURES_S: Final = 10.0
"""The same where another one was given up by the same error."""
LONGEST_FAILURE_WAIT_S: Final = 60.0
"""Longest wait after a failed poll, in seconds; the server's Retry-After stands above it."""
YOUNG_S: Final = 120.0
"""How long a query or batch that is not found counts as young, not gone, in seconds: it is retained
for an hour after its end, and may not be known yet."""
UNSETTLED_S: Final = 10.0
"""How long a stopped batch may show ended queries as running, or not at all, in seconds."""
GRACE_S: Final = 600.0
"""How long something may outlive the API's own limit before it counts as stuck, in seconds."""
ONE_TRY: Final = RetryPolicy(max_tries=1, outage_s=0.0)
"""A poll that is due again anyway is not retried: all others would wait meanwhile."""


@dataclass(slots=True)
class PollWait:
    """A wait that is short where an end is near, long where nothing can have ended.

    Attributes:
        wait_s: seconds until the next poll.
    """

    wait_s: float = SHORTEST_WAIT_S
    _waited_s: float = field(default=0.0, repr=False)

    def after(self, *, progressed: bool, expected_s: float | None = None) -> float:
        """Return the seconds until the next poll.

        Args:
            progressed: whether the last one showed anything new.
            expected_s: in how many seconds all should have ended, as far as can be guessed.
        """
        self._waited_s += self.wait_s
        if not progressed:
            # Grows by half with each poll, but not beyond a share of what was waited: the end of a
            # short query is seen soon.
            bound_s = 2 * SHORTEST_WAIT_S + LATE_SHARE * self._waited_s
            wait_s = max(self.wait_s, min(self.wait_s * 1.5, bound_s))
        elif expected_s is None:
            wait_s = self.wait_s / 2
        else:
            wait_s = expected_s / 3
        self.wait_s = min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)
        return self.wait_s


@dataclass(slots=True, kw_only=True)
class Polled:
    """A query or a batch that the API runs, polled until it ends. All times are monotonic.

    Attributes:
        since: time of its submission, or of its adoption.
        last_seen: time of the last good poll.
        next_poll: time of the next poll.
        wait: how long to wait until then.
        failures: polls that failed since the last good one.
        failing_since: time of the first of them.
        fails_alone: whether others could be polled meanwhile.
    """

    since: float
    last_seen: float
    next_poll: float
    wait: PollWait = field(default_factory=PollWait)
    failures: int = 0
    failing_since: float = 0.0
    fails_alone: bool = False

    def is_young(self, now: float) -> bool:
        """Return whether it cannot have expired, because it was submitted or seen just now."""
        return now < max(self.since, self.last_seen) + YOUNG_S

    def note_answer(self, now: float) -> None:
        """Note a poll that succeeded."""
        self.last_seen = now
        self.failures = 0

    def note_failure(self, now: float, error: ApiError) -> None:
        """Note a poll that failed; the next ones come less and less often."""
        self.failing_since = self.failing_since if self.failures else now
        self.failures += 1
        # The exponent is bounded by itself: `2.0 ** 1024` would raise OverflowError.
        wait_s = min(2.0 ** min(self.failures, 10), LONGEST_FAILURE_WAIT_S)
        self.next_poll = now + max(wait_s, error.retry_after_s)


class FailedPolls:
    """Failures of polls of queries: an outage, or the API's way to report a failed query."""

    def __init__(self) -> None:
        self._last_answer = 0.0
        # Codes by which one was given up, each with whether others could be polled meanwhile.
        self._given_up: dict[str, bool] = {}

    def answered(self, now: float) -> None:
        """Note that a poll was answered: an outage is over."""
        self._last_answer = now
        self._given_up = {code: is_own for code, is_own in self._given_up.items() if is_own}

    def count_failure(self, polled: Polled, error: ApiError, now: float) -> bool:
        """Count a poll that failed; return whether its query is to be given up.

        Args:
            polled: what was polled.
            error: what the last poll met.
            now: the monotonic time, in seconds.
        """
        if error.verdict.is_outage:
            return now >= polled.last_seen + POLL_FAILURES_S
        polled.fails_alone = polled.fails_alone or self._last_answer > polled.failing_since
        if error.code in self._given_up:
            return now >= polled.failing_since + KNOWN_FAILURES_S
        limit_s = OWN_FAILURES_S if polled.fails_alone else POLL_FAILURES_S
        if now < polled.last_seen + limit_s:
            return False
        self._given_up[error.code] = polled.fails_alone
        return True
