from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.extraction.polling import LONGEST_WAIT_S, SHORTEST_WAIT_S, PollWait


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


def test_the_first_wait_is_short() -> None:
    assert PollWait().wait_s == SHORTEST_WAIT_S
