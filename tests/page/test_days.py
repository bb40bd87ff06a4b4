from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.dates import DateRange
from tap_supermetrics.model import Query
from tap_supermetrics.page.days import LETTERS, MAX_DAYS, letters_of, read, written
from tap_supermetrics.sync.calendar import AccountDays
from tap_supermetrics.sync.days_read import DaysRead, aligned
from tests.core.strategies import date_range

WANTED = date_range(0, 9)
QUERY = Query(report="ads", accounts=("1",), dates=WANTED)


def letters(before: str = "", read_now: str = "", **days: tuple[DateRange, ...]) -> str:
    account = AccountDays(
        account_id="1",
        wanted=WANTED,
        stale=days.get("stale", ()),
        missing=days.get("missing", ()),
    )
    return letters_of(account, before.ljust(10, "."), read_now.ljust(10, "."))


@given(st.text(LETTERS, max_size=300))
def test_what_is_written_is_read(text: str) -> None:
    assert read(written(text)) == text


@pytest.mark.parametrize(
    "text", ["x", "3", "3d4", "-3d", "0d", "01d", "1d", "d d", f"{MAX_DAYS + 1}d"]
)
def test_what_the_tap_would_not_write_is_not_read(text: str) -> None:
    assert read(text) == ""


@given(st.integers(-20, 20), st.integers(1, 20), st.text(LETTERS, max_size=20))
def test_letters_of_one_range_stand_at_the_same_days_in_another(
    shift: int, days: int, text: str
) -> None:
    first = WANTED.first
    other = DateRange(
        first=first + timedelta(days=shift), last=first + timedelta(days=shift + days - 1)
    )
    moved = aligned(text, first, other)
    expected = [text[n] if 0 <= n < len(text) else "." for n in range(shift, shift + days)]
    assert moved == "".join(expected)


def test_the_state_says_what_is_there_and_runs_what_was_found() -> None:
    assert letters() == "d" * 10
    assert letters(before="epepepepep", read_now="dd") == "ddepepepep"
    assert letters(before="fffff", missing=(date_range(0, 2),)) == "fffdd" + "d" * 5
    assert letters(before="eeeee", missing=(date_range(0, 2),)) == "mmmee" + "d" * 5
    assert letters(read_now="e", stale=(date_range(0, 1),)) == "ss" + "d" * 8


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from("depf")), max_size=9)
)
def test_days_may_be_read_in_any_order(parts: list[tuple[int, int, str]]) -> None:
    found, expected = DaysRead(), ["."] * 40
    for first, days, letter in parts:
        found.put(QUERY, date_range(first, first + days - 1), letter)
        expected[first : first + days] = letter * days
    assert found.of("ads", "1", date_range(0, 39)) == "".join(expected)
    assert found.of("ads", "1", date_range(5, 20)) == "".join(expected[5:21])
    assert found.of("ads", "2", WANTED) == "." * 10
