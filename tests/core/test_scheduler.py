"""Any story of an extraction keeps the promises; `tests.core.stories` says which."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.stories import play

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Stories warn of all that goes wrong in them, which takes most of their time."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_every_planned_day_ends_once_whatever_happens(seed: int) -> None:
    for each in range(seed, seed + 10):
        play(each)
