"""Decisions about the rows of a result over its pages, without pages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldEcho
from tap_supermetrics.api.wire import QueryEcho
from tap_supermetrics.extraction.page_rows import Extras, PageTotals, Repeats, RowTotal

WHOLE, OF_PAGE = {"is_of_all": True}, {"is_of_all": False}


@pytest.mark.parametrize(
    ("total", "rows", "missing"),
    [
        (RowTotal(None, **OF_PAGE), 7, None),
        (RowTotal(0, **WHOLE), 0, 0),
        (RowTotal(7, **WHOLE), 7, 0),
        (RowTotal(8, **WHOLE), 7, 1),
        # What a page tells may be of this page only.
        (RowTotal(3, **OF_PAGE), 7, None),
    ],
)
def test_rows_that_fit_their_total(total: RowTotal, rows: int, missing: int | None) -> None:
    assert total.check_end(rows, has_extra=False) == missing


def test_without_rows_a_header_is_counted_if_it_came() -> None:
    assert RowTotal(1, **WHOLE).check_end(0, has_extra=True) == 1
    with pytest.raises(ApiError, match="expected 1 row, got 0"):
        RowTotal(1, **WHOLE).check_end(0, has_extra=False)


@pytest.mark.parametrize(
    "total", [RowTotal(9, **WHOLE), RowTotal(6, **WHOLE), RowTotal(9, **OF_PAGE)]
)
def test_rows_that_do_not_fit_their_total(total: RowTotal) -> None:
    with pytest.raises(ApiError, match=f"expected {total.stated} rows, got 7") as raised:
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
    assert total.stated == counted


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
        repeats.check_rows([row], is_beyond_end=True)
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


LISTED = (
    FieldEcho(id="Campaignname", field_name="Campaign name"),
    FieldEcho(id="Adgroup", field_name="Ad group"),
    FieldEcho(id="Clicks", field_name="Clicks", field_type="met"),
)


def left(rows: list[list[Any]], width: int, **told: Any) -> list[list[Any]]:  # noqa: ANN401 - any JSON
    """The rows of a result of so many fields, without its header."""
    extras = Extras(may_have_marker=True, listed=LISTED[:width])
    raw = [msgspec.Raw(msgspec.json.encode(row)) for row in rows]
    taken = extras.taken_out(raw, QueryEcho(**told), is_first=True, page_size=100)
    assert extras.has_header is (len(taken) < len(rows))
    return [msgspec.json.decode(row) for row in taken]


TEXTS = ["Brand", "Shoes"]
ECHO = [
    FieldEcho(id="Campaignname", field_name="Kampagne", data_column=0),
    FieldEcho(id="Adgroup", field_name="Anzeigengruppe", data_column=1),
]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (["Campaign name", "Ad group"], []),
        (["Campaign Name ", " ad  GROUP"], []),
        (["campaignname", "ADGROUP"], []),
        (["KAMPAGNE", "Anzeigengruppe "], ECHO),
        (["campaign\u00a0name", "Adgroup"], ECHO),
        (["Campaign name", "Ad group"], ECHO[::-1]),
    ],
)
def test_a_header_is_one_however_it_is_spelt(header: list[str], fields: list[FieldEcho]) -> None:
    assert left([header, TEXTS], 2, fields=fields) == [TEXTS]
    assert left([TEXTS, header], 2, fields=fields) == [TEXTS, header]
    # An answer that says to have none is believed.
    no_headers = {"no_headers": True}
    assert left([header, TEXTS], 2, fields=fields, settings=no_headers) == [header, TEXTS]


@pytest.mark.parametrize("first", [["Kampagne", "Anzeigengruppe"], ["Campaign name", "Shoes"]])
def test_without_metrics_no_header_is_guessed(first: list[str]) -> None:
    assert left([first, TEXTS], 2) == [first, TEXTS]


@pytest.mark.parametrize("others", [[7], [7, 1.5], ["1 234,5"], [7, None, ""]])
def test_words_where_all_others_have_numbers_are_a_header(others: list[Any]) -> None:
    rows = [[*TEXTS, each] for each in others]
    assert left([["Kampagne", "Anzeigengruppe", "Klicks"], *rows], 3) == rows


@pytest.mark.parametrize(
    "rows",
    [
        [["Kampagne", "Anzeigengruppe", "Klicks"]],
        [["Kampagne", "Anzeigengruppe", "Klicks"], [*TEXTS, "viele"]],
        [["Kampagne", "Anzeigengruppe", "Klicks"], [*TEXTS, None]],
        [["Kampagne", "Anzeigengruppe", "Klicks"], [*TEXTS, True]],
        [["Kampagne", "Anzeigengruppe", 7], [*TEXTS, 7]],
        [["Kampagne", None, "Klicks"], [*TEXTS, 7]],
        [["Kampagne", "Klicks", "Klicks"], [*TEXTS, 7]],
        [["2024-03-01", "Shoes", "many"], [*TEXTS, 7]],
        *([["Boots", "Shoes", word], [*TEXTS, 7]] for word in ("N/A", "(not set)", "--", "NaN")),
        *([["Boots", "Shoes", word], [*TEXTS, 7]] for word in ("", "1e999", "< 10", "Infinity")),
    ],
)
def test_a_row_that_may_be_one_is_no_header(rows: list[list[Any]]) -> None:
    assert left(rows, 3) == rows
