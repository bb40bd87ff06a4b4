from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.polling import (
    LATE_SHARE,
    LONGEST_WAIT_S,
    SHORTEST_WAIT_S,
    FailedPolls,
    Polled,
    PollWait,
)


@given(st.lists(st.booleans(), max_size=30))
def test_a_wait_is_always_within_its_bounds(steps: list[bool]) -> None:
    wait = PollWait()
    waits = [wait.after(progressed=progressed) for progressed in steps]
    assert all(SHORTEST_WAIT_S <= each <= LONGEST_WAIT_S for each in waits)


@given(st.lists(st.booleans(), max_size=30))
def test_a_wait_is_never_longer_after_progress_nor_shorter_without(steps: list[bool]) -> None:
    wait = PollWait()
    for progressed in steps:
        before = wait.wait_s
        after = wait.after(progressed=progressed)
        assert after == wait.wait_s
        assert after <= before if progressed else after >= before


def test_without_progress_the_wait_becomes_the_longest() -> None:
    wait = PollWait()
    for _ in range(100):
        wait.after(progressed=False)
    assert wait.wait_s == LONGEST_WAIT_S


def test_with_progress_the_wait_becomes_the_shortest_again() -> None:
    wait = PollWait(LONGEST_WAIT_S)
    for _ in range(6):
        wait.after(progressed=True)
    assert wait.wait_s == SHORTEST_WAIT_S


def test_an_end_is_seen_soon_after_however_long_was_waited() -> None:
    """Without progress, the wait is never much more than a share of the time waited already."""
    wait, waited = PollWait(), 0.0
    for _ in range(100):
        waited += wait.wait_s
        assert wait.after(progressed=False) <= 2 * SHORTEST_WAIT_S + LATE_SHARE * waited


@given(st.floats(0, 1e6))
def test_with_an_end_in_sight_the_wait_reaches_a_third_of_the_way(expected_s: float) -> None:
    wait = PollWait().after(progressed=True, expected_s=expected_s)
    assert wait == max(SHORTEST_WAIT_S, min(expected_s / 3, LONGEST_WAIT_S))


def test_the_first_wait_is_short() -> None:
    assert PollWait().wait_s == SHORTEST_WAIT_S


def given_up_after(polls: FailedPolls, error: ApiError, *, is_answered: bool) -> float:
    """Seconds until a query is given up whose polls begin to fail now, one each five seconds."""
    polled = Polled(since=0.0, last_seen=0.0, next_poll=0.0)
    for second in count(0, 5):
        now = float(second)
        polled.note_failure(now, error)
        if is_answered and second == 5:
            polls.answered(now)
        if polls.count_failure(polled, error, now):
            return now
    raise AssertionError


def test_what_one_query_was_given_up_by_is_not_waited_for_again() -> None:
    """The API tells a failed query by an error of its status, or is ill: the first wait tells."""
    polls = FailedPolls()
    ill = ApiError("INTERNAL_SERVER_ERROR", "ill", status=500, request_id="1")
    other = ApiError("X_INTERNAL", "ill", status=500, request_id="1")
    assert given_up_after(polls, ill, is_answered=False) == polling.POLL_FAILURES_S
    assert given_up_after(polls, ill, is_answered=False) == polling.KNOWN_FAILURES_S
    assert given_up_after(polls, other, is_answered=True) == polling.OWN_FAILURES_S
    # That answer came while the first error was waited for no more: it may be of an outage.
    assert given_up_after(polls, other, is_answered=False) == polling.KNOWN_FAILURES_S
    assert given_up_after(polls, ill, is_answered=True) == polling.OWN_FAILURES_S


def test_an_outage_is_waited_for_whoever_was_given_up() -> None:
    polls = FailedPolls()
    away = ApiError("SERVICE_UNAVAILABLE", "away", status=503)
    for _ in range(2):
        assert given_up_after(polls, away, is_answered=False) == polling.POLL_FAILURES_S
