"""Decisions about the rows of a result over its pages, without pages."""

from __future__ import annotations

import msgspec
import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.page_rows import PageTotals, Repeats, RowTotal

WHOLE, OF_PAGE = {"is_of_all": True}, {"is_of_all": False}


@pytest.mark.parametrize(
    ("total", "rows", "missing"),
    [
        (RowTotal(None, **OF_PAGE), 7, 0),
        (RowTotal(0, **WHOLE), 0, 0),
        (RowTotal(7, **WHOLE), 7, 0),
        (RowTotal(8, **WHOLE), 7, 1),
        # What a page tells may be of this page only.
        (RowTotal(3, **OF_PAGE), 7, 0),
    ],
)
def test_rows_that_fit_their_total(total: RowTotal, rows: int, missing: int) -> None:
    assert total.check_end(rows, has_extra=False) == missing


def test_without_rows_a_header_is_counted_if_it_came() -> None:
    assert RowTotal(1, **WHOLE).check_end(0, has_extra=True) == 1
    with pytest.raises(ApiError, match="expected 1 row, got 0"):
        RowTotal(1, **WHOLE).check_end(0, has_extra=False)


@pytest.mark.parametrize(
    "total", [RowTotal(9, **WHOLE), RowTotal(6, **WHOLE), RowTotal(9, **OF_PAGE)]
)
def test_rows_that_do_not_fit_their_total(total: RowTotal) -> None:
    with pytest.raises(ApiError, match=f"expected {total.told} rows, got 7") as raised:
        total.check_end(7, has_extra=True)
    assert raised.value.code == "RESULT_INCOMPLETE"


@pytest.mark.parametrize(
    ("first", "then", "counted"), [(None, 5, 5), (5, 6, 5), (5, 7, 7), (5, 3, 5), (5, None, 5)]
)
def test_of_two_totals_the_one_by_which_rows_are_missing_counts(
    first: int | None, then: int | None, counted: int
) -> None:
    total = RowTotal(first, is_of_all=first is not None)
    total.note(then)
    assert total.told == counted


def test_more_rows_than_told_end_the_pages_at_once() -> None:
    total = RowTotal(5, is_of_all=True)
    total.check_so_far(5)
    with pytest.raises(ApiError, match="expected 5 rows, got 6"):
        total.check_so_far(6)


def test_a_row_that_comes_again_is_a_repeated_page_only_where_the_last_one_was_passed() -> None:
    repeats = Repeats()
    row, other = msgspec.Raw(b"[1]"), msgspec.Raw(b"[2]")
    repeats.check_rows([other, row])
    repeats.check_rows([row])
    with pytest.raises(ApiError, match="a page of 1 row repeats rows of a page before") as raised:
        repeats.check_rows([row], is_look=True)
    assert raised.value.code == "RESULT_INCOMPLETE"


@pytest.mark.parametrize(
    "pages",
    [
        [(6, 3, 3), (6, 3, 3)],
        [(6, 3, 3), (None, 3, 3)],
        [(6, 3, 3), (6, 3, 3), (0, 0, 0)],
        # Each tells of itself.
        [(3, 3, 3), (3, 3, 3), (1, 1, 1)],
        [(4, 4, 3), (2, 2, 2)],
        # A header is counted where it came.
        [(7, 4, 3), (6, 3, 3)],
        [(6, 3, 3), (7, 4, 3)],
    ],
)
def test_totals_of_pages_that_agree(pages: list[tuple[int | None, int, int]]) -> None:
    totals = PageTotals()
    for told, came, rows in pages:
        totals.note(told, came=came, rows=rows)


@pytest.mark.parametrize("last", [(5, 2, 2), (5, 3, 3), (7, 3, 3), (8, 4, 3)])
def test_totals_of_pages_that_contradict_each_other(last: tuple[int, int, int]) -> None:
    totals = PageTotals()
    totals.note(6, came=3, rows=3)
    told, came, rows = last
    with pytest.raises(ApiError, match=f"tells of 6 rows in all, the next one of {told}"):
        totals.note(told, came=came, rows=rows)
