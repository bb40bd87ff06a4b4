from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.extraction.polling import (
    LATE_SHARE,
    LONGEST_WAIT_S,
    SHORTEST_WAIT_S,
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
