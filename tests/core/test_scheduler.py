"""Any story of an extraction keeps the promises; `tests.core.stories` says which."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.stories import play


@settings(max_examples=1_500)
@given(st.integers(0, 2**32 - 1))
def test_every_planned_day_ends_once_whatever_happens(seed: int) -> None:
    play(seed)
