"""Decisions about the rows of a result over its pages, without pages."""

from __future__ import annotations

import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction.page_rows import RowTotal

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
