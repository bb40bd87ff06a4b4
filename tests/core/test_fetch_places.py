"""As many results are fetched at the same time as the latency needs, and memory allows."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.extraction.fetch_places import (
    COPIES_OF_PAGE,
    FEWEST_PLACES,
    MAX_BYTES,
    MOST_PLACES,
    PLACE_BYTES,
    FetchPlaces,
)

SHOWN = st.lists(st.tuples(st.floats(0, 60), st.integers(0, 64 * 1024 * 1024)), max_size=50)


def after(rate: float, *shown: tuple[float, int]) -> FetchPlaces:
    places = FetchPlaces(rate)
    for latency_s, page_bytes in shown:
        places.learn(latency_s, page_bytes)
    return places


@given(st.floats(0.01, 1000), SHOWN)
def test_there_are_never_too_few_nor_too_many(rate: float, shown: list[tuple[float, int]]) -> None:
    places = after(rate, *shown)
    assert FEWEST_PLACES <= places.count <= MOST_PLACES
    longest = max((size for _, size in shown[-1:]), default=0)
    taken = PLACE_BYTES + COPIES_OF_PAGE * longest
    assert places.count == FEWEST_PLACES or places.count * taken <= MAX_BYTES


@given(st.floats(1, 40), st.floats(0.001, 3), st.integers(1, 30))
def test_a_steady_latency_is_made_up_for(rate: float, latency_s: float, count: int) -> None:
    places = after(rate, *[(latency_s, 1000)] * count)
    needed = min(math.ceil(rate * latency_s), MOST_PLACES)
    assert abs(places.count - max(needed, FEWEST_PLACES)) <= 1  # floats add up a little apart
    assert places.count / latency_s >= min(rate, MOST_PLACES / latency_s) - 1.001 / latency_s


def test_before_anything_is_known_there_are_few() -> None:
    assert after(1000).count == FEWEST_PLACES


def test_fifteen_requests_a_second_of_800_ms_take_twelve_places() -> None:
    assert after(15, (0.8, 1000)).count == 12


def test_one_slow_answer_among_fast_ones_changes_little() -> None:
    fast = [(0.05, 1000)] * 20
    assert after(15, *fast, (2.0, 1000)).count <= 7
    assert after(15, *fast, (2.0, 1000), *fast).count == FEWEST_PLACES


def test_places_follow_a_latency_that_grows_and_falls() -> None:
    slow, fast = [(2.0, 1000)] * 20, [(0.1, 1000)] * 20
    assert after(15, *fast, *slow).count >= 29
    assert after(15, *slow, *fast).count <= 6


def test_long_pages_take_places_away_and_give_them_back_slowly() -> None:
    long, short = (0.8, 500_000), (0.8, 1000)
    assert after(15, long).count == 7
    assert after(15, long, short).count == 7
    assert after(15, long, *[short] * 100).count == 12
