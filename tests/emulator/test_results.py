"""Results: header, pages, counts, values, filters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.client import (
    ACCOUNT,
    BARE,
    EMPTY,
    Client,
    aw,
    expected,
)

if TYPE_CHECKING:
    from tests.emulator.conftest import Start


def test_the_answer_describes_the_query(api: Client) -> None:
    meta = api.run(fields="date,cost,CPC", max_rows=10, timezone="x")["meta"]
    assert meta["query"]["start_date"] == "2024-05-01"
    assert meta["query"]["ds_accounts"] == [ACCOUNT]
    assert meta["query"]["ds_segments"] == []
    assert meta["query"]["settings"] == {"round_metrics_to": 4, "no_json_keys": True}
    assert [field["id"] for field in meta["query"]["fields"]] == ["date", "cost", "CPC"]
    assert meta["query"]["fields"][1] == {
        "id": "cost",
        "field_id": "Cost",
        "field_name": "Cost",
        "field_type": "met",
        "field_split": "row",
        "data_type": "float.currency.value",
        "data_column": 1,
        "visible": True,
    }
    assert meta["result"]["total_columns"] == 3
    assert meta["result"]["total_rows"] == 3
    assert meta["paginate"] == {"prev": None, "next": None}


def test_the_answer_repeats_segments(api: Client) -> None:
    for segments in ("-1, -2", ["-1", "-2"]):
        assert api.run(ds_segments=segments)["meta"]["query"]["ds_segments"] == ["-1", "-2"]


def test_an_alias_is_answered_with_its_canonical_id(api: Client) -> None:
    meta = api.run(ds_id="FA", ds_accounts="act_290471836", fields="date,cost")["meta"]
    assert [field["field_id"] for field in meta["query"]["fields"]] == ["Date", "spend"]


def test_labels_in_the_header_repeat(api: Client) -> None:
    rows = api.run(fields="Week,WeekISO,Yearweek,YearWeekISO,Cost,Cost_usd")["data"]
    assert rows[0] == ["Week", "Week", "Year & week", "Year & week", "Cost", "Cost"]


def test_without_headers_only_rows_count(api: Client) -> None:
    answer = api.run(**BARE)
    assert answer["data"] == expected(api)
    assert answer["meta"]["result"]["total_rows"] == len(answer["data"])


def test_an_empty_result_has_not_even_a_header(api: Client) -> None:
    answer = api.run(ds_accounts=EMPTY)
    assert answer["data"] == []
    assert answer["meta"]["result"]["total_rows"] == 0
    assert answer["meta"]["result"]["total_columns"] == 0


def test_an_empty_result_may_say_no_data_found(start: Start) -> None:
    answer = start(empty_result="no_data_found").run(ds_accounts=EMPTY)
    assert answer["data"] == [["No data found"]]


def test_a_thousand_rows_come_unless_max_rows_is_sent(api: Client) -> None:
    terms = {"fields": "date,CampaignID,SearchTerm,Clicks", **BARE}
    assert len(api.run(**terms)["data"]) == 1000
    assert len(api.run(**terms, max_rows=3000)["data"]) == 3000
    assert len(api.run(**terms, max_rows=1_000_000)["data"]) == 2 * 6 * 460


def test_pages_of_a_result_are_inclusive_and_the_header_is_row_zero(api: Client) -> None:
    whole = api.run()["data"]
    assert api.run(offset_start=0, offset_end=0)["data"] == whole[:1]
    page = api.run(offset_start=1, offset_end=3)
    assert page["data"] == whole[1:4]
    assert page["meta"]["result"]["total_rows"] == len(whole)


def test_paginate_links_lead_through_the_result(start: Start) -> None:
    api = start(clock_factor=5000.0)
    whole = api.send("POST", "query/data/json", json=aw()).json()["data"]
    url = f"{api.emulator.url}/query/data/json?json=" + json.dumps(aw(offset_end=4))
    pages: list[Any] = []
    while url:
        answer = api.session.get(url).json()
        pages += answer["data"]
        url = answer["meta"]["paginate"]["next"]
    assert pages == whole
    assert answer["meta"]["paginate"]["prev"]


@pytest.mark.parametrize("linked", [True, False])
def test_paginate_links_follow_a_post_or_not(start: Start, *, linked: bool) -> None:
    api = start(clock_factor=5000.0, paginate_next_after_post=linked)
    meta = api.send("POST", "query/data/json", json=aw(offset_end=4)).json()["meta"]
    assert bool(meta["paginate"]["next"]) is linked


def test_results_come_by_offset_and_limit(api: Client) -> None:
    schedule_id = api.run()["meta"]["schedule_id"]
    whole = api.get("query/results", schedule_id=schedule_id).json()["data"]
    page = api.get("query/results", schedule_id=schedule_id, offset=2, limit=3).json()
    assert page["data"] == whole[2:5]
    assert api.session.get(page["meta"]["paginate"]["next"]).json()["data"] == whole[5:8]
    assert api.get("query/results", schedule_id=schedule_id, offset=999).json()["data"] == []


def test_results_may_ignore_offset_and_limit(start: Start) -> None:
    api = start(results_paging=False)
    schedule_id = api.run()["meta"]["schedule_id"]
    page = api.get("query/results", schedule_id=schedule_id, offset=2, limit=3).json()
    assert len(page["data"]) == page["meta"]["result"]["total_rows"]


def test_the_header_may_repeat_on_every_page(start: Start) -> None:
    api = start(header_on_every_page=True)
    whole = api.run()["data"]
    assert api.run(offset_start=2, offset_end=3)["data"] == [whole[0], *whole[3:5]]


@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({}, 13),
        ({"total_rows_counts_header": False}, 12),
        ({"results_total": "page"}, 4),
        ({"max_rows_counts_header": True}, 13),
    ],
)
def test_options_choose_what_total_rows_counts(
    start: Start, options: dict[str, object], total: int
) -> None:
    answer = start(**options).run(offset_start=0, offset_end=3)
    assert answer["meta"]["result"]["total_rows"] == total


def test_max_rows_may_count_the_header(start: Start) -> None:
    assert len(start(max_rows_counts_header=True).run(max_rows=5)["data"]) == 5
    assert len(start().run(max_rows=5)["data"]) == 6


BLANK = {"fields": "date,CampaignID,SearchTerm,CPC", "max_rows": 400, **BARE}


@pytest.mark.parametrize(
    ("options", "settings", "blank"),
    [
        ({}, {}, ""),
        ({"blank_metric": "null"}, {}, None),
        ({"blank_metric": "null"}, {"blanks_to_zero": True}, 0),
    ],
)
def test_blank_metrics_are_empty_or_null_or_zero(
    start: Start, options: dict[str, object], settings: dict[str, object], blank: object
) -> None:
    changes = {**BLANK, "settings": {"no_headers": True, **settings}}
    cells = [row[3] for row in start(**options).run(**changes)["data"]]
    assert {type(cell) for cell in cells} >= {float, type(blank)}
    assert blank in cells


def test_numbers_may_come_as_text_unless_cleaned(start: Start) -> None:
    api = start(numbers="strings")
    assert isinstance(api.run(fields="date,Clicks", **BARE)["data"][0][1], str)
    [query] = api.finished_batch(aw(fields="date,Clicks", **BARE), add_clean_data_types=True)
    cleaned = api.session.get(query["result_info"]["results_url"]).json()
    assert isinstance(cleaned["data"][0][1], int)


def test_metrics_are_rounded_as_asked(api: Client) -> None:
    settings = {"no_headers": True, "round_metrics_to": 1}
    [row] = api.run(fields="CPC", settings=settings)["data"]
    [exact] = expected(api, ["CPC"])
    assert row == [round(exact[0], 1)]


def test_slashes_and_other_alphabets_are_escaped_by_default(start: Start) -> None:
    raw = start().get("query/accounts", ds_id="AW").content
    assert b"M\\u00fcller" in raw
    assert b"\\/ Brand" in raw
    plain = start(escaped_slashes=False, escaped_unicode=False)
    text = plain.get("query/accounts", ds_id="AW").content.decode()
    assert "Müller" in text
    assert "/ Brand" in text


def test_filters_and_orders_apply(api: Client) -> None:
    fields = ["date", "Campaignname", "Device", "Clicks"]
    rows = api.run(
        fields=fields,
        filter="Device == Mobile AND Campaignname =@ brand OR Campaignname =~ /^kesä/i",
        order_rows="Clicks desc",
        **BARE,
    )["data"]
    wanted = [
        row
        for row in expected(api, fields)
        if (row[2] == "Mobile" and "Brand" in row[1]) or row[1].startswith("Kesä")
    ]
    assert rows == sorted(wanted, key=lambda row: row[3], reverse=True)


@pytest.mark.parametrize("text", ["Cost =@ 5", "Clicks !~ /5/", "Campaignname =~ /[/"])
def test_a_filter_that_makes_no_sense_is_refused(api: Client, text: str) -> None:
    assert api.refused(filter=text) == (400, "FILTER_INVALID")


def test_a_filter_may_name_a_dimension_that_is_not_asked_for(api: Client) -> None:
    [row] = api.run(fields="Clicks", filter="Device != Mobile", **BARE)["data"]
    parts = [part[1] for part in expected(api, ["Device", "Clicks"]) if part[0] != "Mobile"]
    assert row == [sum(parts)]
    many = api.run(fields="date,Campaignname,Clicks", filter="Clicks >= 100", **BARE)["data"]
    assert many
    assert all(row[2] >= 100 for row in many)


def test_a_large_result_is_streamed_whole(api: Client) -> None:
    answer = api.run(
        fields="date,CampaignID,SearchTerm,Clicks", end_date="2024-05-09", max_rows=1_000_000
    )
    assert len(answer["data"]) == 9 * 6 * 460 + 1 == answer["meta"]["result"]["total_rows"]
