from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import permutations
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldEcho, FieldInfo
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, DIMENSIONS, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.records.encode import LineFormat
from tap_supermetrics.records.kinds import ValueKind, kind_of
from tap_supermetrics.records.names import warnings_of_columns
from tap_supermetrics.records.rows import rows_of
from tap_supermetrics.records.schema import RecordSchema, record_schema
from tap_supermetrics.sync.remarks import remarks_on_values
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_supermetrics.api.wire import Cell

METADATA: dict[str, str | None] = {
    ACCOUNT_ID: "123",
    DATE: "2024-03-01",
    FETCHED_AT: "2024-03-02T04:00:00.000+00:00",
    SCHEDULE_ID: "qrb_1_query_1",
}

SOME = ("Date", "Campaign", "Clicks", "Cost")
LISTED = (
    FieldInfo(field_id="Date", field_name="Date", field_type="dim", data_type="string.time.date"),
    FieldInfo(
        field_id="Campaign", field_name="Name", field_type="dim", data_type="string.text.value"
    ),
    FieldInfo(
        field_id="Clicks", field_name="Clicks", field_type="met", data_type="int.number.value"
    ),
    FieldInfo(
        field_id="Cost",
        field_name="Cost",
        field_type="met",
        data_type="float.currency.value",
        description="Money spent.",
    ),
    FieldInfo(
        field_id="Reach",
        field_name="Reach",
        field_type="met",
        data_type="int.number.value",
        is_non_aggregatable=True,
    ),
)


def schema(*fields: str, **own: object) -> RecordSchema:
    return record_schema(
        report(fields=list(fields or ("Date", "Campaign", "Clicks")), **own), LISTED
    )


def echo(*ids: str) -> tuple[FieldEcho, ...]:
    return tuple(
        FieldEcho(id=name, field_id=name, field_name=name, data_column=place)
        for place, name in enumerate(ids)
    )


def read(
    found: RecordSchema,
    *rows: list[Cell],
    placed: Sequence[FieldEcho] | None = None,
    mismatches: Mismatches | None = None,
    metadata: dict[str, str | None] | None = None,
) -> list[dict[str, Any]]:
    placed = echo(*(each.name for each in found.fields)) if placed is None else placed
    reader = RecordReader(
        found, placed, metadata or METADATA, mismatches or Mismatches(are_refused=True)
    )
    return list(reader.records(rows))


def read_one(data_type: str, cell: Cell, mismatches: Mismatches | None = None) -> Any:  # noqa: ANN401 - of the type
    """One value of a metric of this type."""
    info = FieldInfo(field_id="x", field_type="met", data_type=data_type)
    found = record_schema(report(fields=["x"]), [info])
    (record,) = read(found, [cell], mismatches=mismatches)
    jsonschema.validate(record, dict(found.json_schema))
    return record["x"]


TEXT, INTEGER, NUMBER = ("string", None), ("integer", None), ("number", None)

DATA_TYPES: list[tuple[str, tuple[str, str | None], Cell, object]] = [
    ("float.currency.value", NUMBER, 499.01, 499.01),
    ("int.currency.value", INTEGER, 499, 499),
    ("string.currency.code", TEXT, "EUR", "EUR"),
    ("int.duration.seconds", INTEGER, 127, 127),
    ("string.geo.city", TEXT, "London", "London"),
    ("string.geo.continent", TEXT, "Asia", "Asia"),
    ("string.geo.coordinates", TEXT, "51.5074, -0.1278", "51.5074, -0.1278"),
    ("string.geo.country", TEXT, "Finland", "Finland"),
    ("string.geo.country.twolettercode", TEXT, "FI", "FI"),
    ("string.geo.latitude", TEXT, "51.5074", "51.5074"),
    ("string.geo.longitude", TEXT, "-0.1278", "-0.1278"),
    ("string.geo.metro", TEXT, "Helsinki", "Helsinki"),
    ("string.geo.region", TEXT, "Virgin Islands, U.S.", "Virgin Islands, U.S."),
    ("string.geo.street", TEXT, "Downing Street", "Downing Street"),
    ("string.geo.zip", TEXT, "10121", "10121"),
    ("string.language.locale", TEXT, "pt_BR", "pt_BR"),
    ("string.language.twolettercode", TEXT, "SV", "SV"),
    ("string.language.value", TEXT, "English (United States)", "English (United States)"),
    ("float.number.percentage", NUMBER, 80.5, 80.5),
    ("float.number.ratio", NUMBER, 0.02, 0.02),
    ("float.number.value", NUMBER, 13, 13),
    ("int.number.value", INTEGER, 40466, 40466),
    ("bool", ("boolean", None), True, True),
    ("string.text.value", TEXT, "Söker / 日本", "Söker / 日本"),
    ("string.text.url", TEXT, "https://example.com/?a=b", "https://example.com/?a=b"),
    ("string.time.date", ("string", "date"), "2023-11-29", "2023-11-29"),
    (
        "string.time.datetime",
        ("string", "date-time"),
        "2023-11-29 19:21:17",
        "2023-11-29T19:21:17",
    ),
    ("string.time.year", TEXT, "2023", "2023"),
    ("string.time.yearmonth", TEXT, "2023|11", "2023|11"),
    ("string.time.month", TEXT, "11", "11"),
    ("string.time.dayofmonth", TEXT, "29", "29"),
    ("string.time.yearweek", TEXT, "2023|48", "2023|48"),
    ("string.time.yearweekiso", TEXT, "2023|48", "2023|48"),
    ("string.time.week", TEXT, "48", "48"),
    ("string.time.weekiso", TEXT, "48", "48"),
    ("string.time.dayofweek", TEXT, "3 Wednesday", "3 Wednesday"),
    ("string.time.dayofweekiso", TEXT, "3 Wednesday", "3 Wednesday"),
    ("string.time.hm", ("string", "time"), "9:05", "09:05:00"),
    ("string.time.hms", ("string", "time"), "19:21:17", "19:21:17"),
    ("string.person.name", TEXT, "Nobody knows", "Nobody knows"),
    ("INT.Number.Value", INTEGER, 5, 5),
    ("", TEXT, "no type", "no type"),
]


@pytest.mark.parametrize(("data_type", "expected", "cell", "value"), DATA_TYPES)
def test_a_documented_type_has_a_schema_and_its_example_a_value(
    data_type: str, expected: tuple[str, str | None], cell: Cell, value: object
) -> None:
    json_type, json_format = expected
    schema = kind_of(data_type).schema(nullable=True)
    assert schema["type"] == [json_type, "null"]
    assert schema.get("format") == json_format
    assert read_one(data_type, cell) == value


CONVERSIONS: list[tuple[str, Cell, object]] = [
    ("int.number.value", 9_007_199_254_740_993, 9_007_199_254_740_993),
    ("int.number.value", "9007199254740993", 9_007_199_254_740_993),
    ("int.number.value", "9007199254740993.0", 9_007_199_254_740_993),
    ("int.number.value", "-9007199254740993.", -9_007_199_254_740_993),
    ("int.number.value", 2**63 - 1, 2**63 - 1),
    ("int.number.value", -(2**63), -(2**63)),
    ("float.number.value", 2**70, 2**70),
    ("int.number.value", "-12", -12),
    ("int.number.value", 12.0, 12),
    ("int.number.value", "12.0", 12),
    ("float.number.value", "499.01", 499.01),
    ("float.number.value", ".5", 0.5),
    ("float.number.value", "-1.5e3", -1500.0),
    ("float.number.value", 9_007_199_254_740_993, 9_007_199_254_740_993),
    ("string.text.value", 4713896205, "4713896205"),
    ("string.text.value", 9_007_199_254_740_993, "9007199254740993"),
    ("string.text.value", 23843000000000000.0, "23843000000000000"),
    ("string.text.value", 12.5, "12.5"),
    ("string.text.value", True, "true"),
    ("string.text.value", False, "false"),
    ("string.time.year", 2023, "2023"),
    ("string.time.date", "20231129", "2023-11-29"),
    ("string.time.date", 20231129, "2023-11-29"),
    ("string.time.date", "2023-11-29T00:00:00", "2023-11-29"),
    ("string.time.date", "2023-11-29 00:00:00", "2023-11-29"),
    ("string.time.date", "2023-11-29 00:00", "2023-11-29"),
    ("string.time.date", "2023-11-29T00:00:00Z", "2023-11-29"),
    ("string.time.date", "2023-11-29T00:00:00.000+02:00", "2023-11-29"),
    ("string.time.date", "2023-11-29 00:00:00 UTC", "2023-11-29"),
    *(
        ("string.time.date", cell, "2023-11-09")
        for cell in ("2023/11/09", "2023.11.9", "2023-11-9", " 2023-11-09 ", "2023-11-09Z")
    ),
    ("string.time.date", "2023-11-09t00:00:00.000+0000", "2023-11-09"),
    ("string.text.value", "a\0b", "ab"),
    ("string.time.datetime", "2023-11-29T19:21:17Z", "2023-11-29T19:21:17Z"),
    ("string.time.datetime", "2023-11-29 19:21:17+02:00", "2023-11-29T19:21:17+02:00"),
    ("string.time.datetime", "2023-11-29T19:21:17+0000", "2023-11-29T19:21:17+00:00"),
    ("string.time.datetime", "2023-11-29 19:21:17 UTC", "2023-11-29T19:21:17Z"),
    ("string.time.datetime", "2023-11-29 19:21", "2023-11-29T19:21:00"),
    ("string.time.datetime", "2023-11-29", "2023-11-29T00:00:00"),
    ("float.number.value", " 12.5 ", 12.5),
    ("bool", "true", True),
    ("bool", "FALSE", False),
    ("bool", 1, True),
    ("bool", 0, False),
]


@pytest.mark.parametrize(("data_type", "cell", "value"), CONVERSIONS)
def test_a_value_is_taken_for_what_its_type_says(data_type: str, cell: Cell, value: object) -> None:
    found = read_one(data_type, cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("data_type", ["bool", "float.number.value", "int.number.value"])
@pytest.mark.parametrize("kind", ["date", "datetime", "hm"])
def test_blanks_are_a_blank_number_or_time(data_type: str, kind: str) -> None:
    assert [read_one(each, " \t") for each in (data_type, f"string.time.{kind}")] == [None, None]


@pytest.mark.parametrize("cell", ["", None])
@pytest.mark.parametrize("data_type", sorted({each[0] for each in DATA_TYPES}))
def test_a_blank_metric_is_null_whatever_its_type(data_type: str, cell: Cell) -> None:
    assert read_one(data_type, cell) is None


MISFITS: list[tuple[str, Cell]] = [
    ("int.number.value", "many"),
    ("int.number.value", 12.5),
    ("int.number.value", "12.5"),
    ("int.number.value", "1,234"),
    ("int.number.value", "nan"),
    ("int.number.value", "inf"),
    ("int.number.value", True),
    ("int.number.value", "9" * 5_000),
    ("int.number.value", 2**63),
    ("int.number.value", "-9223372036854775809"),
    ("int.number.value", 1e30),
    ("float.number.value", 10**400),
    ("float.number.value", "n/a"),
    ("float.number.value", "12,5"),
    ("float.number.value", "nan"),
    ("float.number.value", "Infinity"),
    ("float.number.value", "1e999"),
    ("float.number.value", True),
    ("float.number.value", "5%"),
    ("string.time.date", "29.11.2023"),
    ("string.time.date", "2023-02-30"),
    ("string.time.date", "3/1/2024"),
    ("string.time.date", "2023-11-29T00:00:01"),
    ("string.time.date", "2023-11-29T12:00:00Z"),
    ("string.time.date", "2023-02-30T00:00:00"),
    ("string.time.date", "2023|11"),
    ("string.time.date", 5),
    ("string.time.datetime", "yesterday"),
    ("string.time.datetime", "2023-02-30 10:00:00"),
    ("string.time.datetime", "2023-11-29 99:99:99"),
    ("string.time.hm", "25:00"),
    ("string.time.hms", "12"),
    ("bool", "maybe"),
    ("bool", 2),
]


@pytest.mark.parametrize(("data_type", "cell"), MISFITS)
def test_a_value_that_does_not_fit_loses_the_query(data_type: str, cell: Cell) -> None:
    with pytest.raises(ApiError, match="TYPE_MISMATCH: field x is ") as caught:
        read_one(data_type, cell)
    assert caught.value.fate is Fate.FAIL
    assert "on_type_mismatch: null" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("data_type", "cell"), MISFITS)
def test_a_value_that_does_not_fit_becomes_null_and_is_counted(data_type: str, cell: Cell) -> None:
    mismatches = Mismatches()
    assert read_one(data_type, cell, mismatches) is None
    assert mismatches.counts == {"x": 1}
    assert mismatches.examples == {"x": repr(cell)[:60]}


def test_misfits_are_counted_for_each_field_with_the_first_as_example() -> None:
    mismatches = Mismatches()
    rows: list[list[Cell]] = [["i", "a", 1], ["j", "b", "x"], ["k", 3, ""]]
    read(schema("Campaign", "Clicks", "Cost"), *rows, mismatches=mismatches)
    assert mismatches.counts == {"Clicks": 2, "Cost": 1}
    assert mismatches.examples == {"Clicks": "'a'", "Cost": "'x'"}


# The key


@pytest.mark.parametrize("cell", ["", None])
def test_a_blank_dimension_of_the_key_is_an_empty_text(cell: Cell) -> None:
    (record,) = read(schema(), ["2024-03-01", cell, 5])
    assert record["Campaign"] == ""


@pytest.mark.parametrize("cell", ["", None])
def test_a_blank_dimension_outside_the_key_is_null(cell: Cell) -> None:
    found = schema(key_properties=["_sm_account_id", "Date"])
    (record,) = read(found, ["2024-03-01", cell, 5])
    assert record["Campaign"] is None


@pytest.mark.parametrize("mismatches", [None, Mismatches()])
@pytest.mark.parametrize("cell", ["", None, "soon", "11/26/2026"])
def test_a_day_is_never_null_and_its_remedy_helps(
    cell: Cell, mismatches: Mismatches | None
) -> None:
    remedy = (
        r"set `replication_key: _sm_date`, and the field's type to string.text.value in `types`"
    )
    text = f"TYPE_MISMATCH: field Date of the key, the day of its row, is .*{remedy}"
    with pytest.raises(ApiError, match=text) as caught:
        read(schema(), [cell, "Brand", 5], mismatches=mismatches)
    assert "on_type_mismatch" not in str(caught.value)

    mended = schema(replication_key="_sm_date", types={"Date": "string.text.value"})
    (record,) = read(mended, [cell, "Brand", 5], mismatches=mismatches)
    assert (record["Date"], record[DATE]) == (cell or "", METADATA[DATE])


@pytest.mark.parametrize("cell", ["", None, "Total"])
def test_the_remedy_for_a_day_of_a_report_that_is_read_whole_helps(cell: Cell) -> None:
    own: dict[str, object] = {"date_range_type": "last_30_days"}
    with pytest.raises(ApiError, match=r"by `types: {Date: string.text.value}`") as caught:
        read(schema(**own), [cell, "Brand", 5])
    assert "replication_key" not in str(caught.value)
    mended = schema(**own, types={"Date": "string.text.value"})
    (record,) = read(mended, [cell, "Brand", 5])
    assert record["Date"] == (cell or "")
    assert mended.warnings() == [], "it can have no replication key"


def test_the_key_is_the_account_and_the_dimensions_in_order() -> None:
    found = schema("Campaign", "Clicks", "Date")
    assert found.key_properties == (ACCOUNT_ID, "Campaign", "Date")


def test_the_key_of_a_report_without_date_field_has_the_day() -> None:
    found = schema("Campaign", "Clicks", replication_key="_sm_date")
    assert found.key_properties == (ACCOUNT_ID, DATE, "Campaign")
    assert found.json_schema["properties"][DATE]["type"] == ["string"]


def test_a_key_of_the_users_own_is_taken_as_it_is() -> None:
    assert schema(key_properties=["Date"]).key_properties == ("Date",)


def test_a_field_that_the_api_does_not_list_is_text_and_part_of_the_key() -> None:
    found = schema("Date", "Mystery")
    assert [each.is_listed for each in found.fields] == [True, False]
    assert found.json_schema["properties"]["Mystery"]["type"] == ["string"]
    assert found.key_properties == (ACCOUNT_ID, "Date", "Mystery")
    assert "Not listed" in found.json_schema["properties"]["Mystery"]["description"]


def test_an_unlisted_field_that_is_said_to_be_a_number_is_no_part_of_the_key() -> None:
    found = schema("Date", "Goal", types={"Goal": "float.number.percentage"})
    assert found.json_schema["properties"]["Goal"]["type"] == ["number", "null"]
    assert found.key_properties == (ACCOUNT_ID, "Date")


def test_a_type_of_the_users_own_overrides_the_apis() -> None:
    found = schema(types={"Clicks": "float.number.value"})
    assert found.json_schema["properties"]["Clicks"]["type"] == ["number", "null"]


def test_columns_are_named_as_the_fields_are_requested() -> None:
    found = schema("date", "CAMPAIGN", "Clicks")
    (record,) = read(found, ["2024-03-01", "Brand", 5], placed=echo("Date", "Campaign", "Clicks"))
    assert [each for each in record if not each.startswith("_sm_")] == [
        "date",
        "CAMPAIGN",
        "Clicks",
    ]
    assert all(each.is_listed for each in found.fields)


def test_descriptions_say_what_must_not_be_summed() -> None:
    properties = schema("Date", "Cost", "Reach").json_schema["properties"]
    assert properties["Cost"]["description"] == "Cost (float.currency.value). Money spent."
    assert "Not to be summed" in properties["Reach"]["description"]


# The replication key


@pytest.mark.parametrize(
    ("fields", "own", "expected"),
    [
        (["Campaign", "Date", "Clicks"], {}, "Date"),
        (["Started", "Date"], {"types": {"Started": "string.time.date"}}, "Date"),
        (["Started", "Clicks"], {"types": {"Started": "string.time.date"}}, ""),
        (
            ["Started", "Clicks"],
            {"types": {"Started": "string.time.date"}, "replication_key": "Started"},
            "Started",
        ),
        (["Campaign", "Clicks"], {}, ""),
        (["Campaign", "Clicks"], {"replication_key": "_sm_date"}, "_sm_date"),
        (["Date", "Clicks"], {"replication_key": "_sm_date"}, "_sm_date"),
        (["Date", "Clicks"], {"date_range_type": "last_30_days"}, ""),
        (["Day", "Date"], {"types": {"Day": "string.time.date"}}, "Day"),
        (
            ["Day", "Date"],
            {"types": {"Day": "string.time.date"}, "replication_key": "Date"},
            "Date",
        ),
    ],
)
def test_the_replication_key_is_the_date_field_or_what_the_user_says(
    fields: list[str], own: dict[str, object], expected: str
) -> None:
    assert schema(*fields, **own).replication_key == expected


def test_a_source_is_dated_when_any_of_its_fields_is() -> None:
    assert record_schema(report(), LISTED).is_dated
    assert not record_schema(report(), LISTED[1:]).is_dated


def test_a_source_is_dated_when_the_user_says_so_of_a_field() -> None:
    typed = report(fields=["Cost"], types={"Cost": "string.time.date"})
    assert record_schema(typed, LISTED[1:]).is_dated


# The tap's own columns


def test_a_record_has_the_taps_own_columns() -> None:
    (record,) = read(schema(), ["2024-03-01", "Brand", 5])
    assert record == {**METADATA, "Date": "2024-03-01", "Campaign": "Brand", "Clicks": 5}


def test_the_day_of_a_query_over_several_days_is_that_of_the_row() -> None:
    rows: list[list[Cell]] = [["2024-03-01", "a", 1], ["2024-03-02", "b", 2]]
    records = read(schema(), *rows, metadata={**METADATA, DATE: None})
    assert [each[DATE] for each in records] == ["2024-03-01", "2024-03-02"]


def test_the_day_of_a_report_read_whole_is_null() -> None:
    found = schema("Campaign", "Clicks")
    (record,) = read(found, ["Brand", 5], metadata={**METADATA, DATE: None})
    assert record[DATE] is None
    jsonschema.validate(record, dict(found.json_schema))


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ({}, {ACCOUNT_ID}),
        ({"key_properties": ["Date", "Campaign"]}, set()),
        ({"replication_key": "_sm_date"}, {ACCOUNT_ID, DATE, DIMENSIONS}),
        ({"key_properties": ["_sm_schedule_id", "Date"]}, {SCHEDULE_ID}),
    ],
)
def test_without_metadata_columns_only_those_of_the_key_stay(
    own: dict[str, object], kept: set[str]
) -> None:
    found = schema(metadata_columns=False, **own)
    (record,) = read(found, ["2024-03-01", "Brand", 5])
    assert {each for each in record if each.startswith("_sm_")} == kept
    assert set(found.json_schema["properties"]) == set(record)


# Places in the row


def test_values_are_found_by_their_column_not_by_label_or_order() -> None:
    placed = [
        FieldEcho(id="Clicks", field_id="Clicks", field_name="Week", data_column=0),
        FieldEcho(id="Campaign", field_id="Campaign", field_name="Week", data_column=2),
        FieldEcho(id="Date", field_id="Date", field_name="Clicks", data_column=1),
    ]
    (record,) = read(schema(), [5, "2024-03-01", "Brand"], placed=placed)
    assert (record["Date"], record["Campaign"], record["Clicks"]) == ("2024-03-01", "Brand", 5)


@given(st.permutations(["Date", "Campaign", "Clicks", "Cost"]))
def test_the_order_of_columns_does_not_matter(order: list[str]) -> None:
    values: dict[str, Cell] = {"Date": "2024-03-01", "Campaign": "Brand", "Clicks": 5, "Cost": 1.5}
    found = schema("Cost", "Date", "Clicks", "Campaign")
    (record,) = read(found, [values[name] for name in order], placed=echo(*order))
    assert {name: record[name] for name in values} == values


def test_a_field_that_the_api_calls_otherwise_is_found_by_the_requested_id() -> None:
    placed = [
        FieldEcho(id="Date", field_id="date_iso", data_column=0),
        FieldEcho(id="Campaign", field_id="campaign_name", data_column=1),
        FieldEcho(id="Clicks", field_id="clicks_all", data_column=2),
    ]
    (record,) = read(schema(), ["2024-03-01", "Brand", 5], placed=placed)
    assert record["Clicks"] == 5


def test_a_requested_id_counts_more_than_what_the_api_calls_another_field() -> None:
    placed = [
        FieldEcho(id="Cost", field_id="spend", data_column=0),
        FieldEcho(id="Clicks", field_id="cost", data_column=1),
    ]
    (record,) = read(schema("Cost", "Clicks"), [12.5, 7], placed=placed)
    assert (record["Cost"], record["Clicks"]) == (12.5, 7)


def test_rows_may_have_more_values_than_fields() -> None:
    (record,) = read(schema(), ["2024-03-01", "Brand", 5, "more"])
    assert record["Clicks"] == 5


def test_a_row_that_is_too_short_loses_the_query() -> None:
    with pytest.raises(ApiError, match="RESULT_MISMATCH: expected rows of 3 values, got 2"):
        read(schema(), ["2024-03-01", "Brand", 5], ["2024-03-01", "Brand"])


UNLISTED = ("Date", "Campaign", "c_goal4")


@pytest.mark.parametrize(
    ("said", "cell"),
    [
        ({"data_type": "float.number.value"}, "5.5"),
        ({"data_type": "int.number.value"}, "5"),
        ({"field_type": "met"}, "5.5"),
        ({}, 5.5),
        ({"field_type": "dim"}, 5),
    ],
)
def test_an_unlisted_field_that_shows_as_a_number_is_not_in_the_key(
    said: dict[str, str], cell: Cell
) -> None:
    placed = (*echo("Date", "Campaign"), FieldEcho(id="c_goal4", data_column=2, **said))
    row: list[Cell] = ["2024-03-01", "a", cell]
    found = schema(*UNLISTED)
    assert "c_goal4" in found.key_properties
    with pytest.raises(ApiError, match="FIELD_NOT_LISTED: c_goal4 is no listed field"):
        read(found, row, placed=placed)


@pytest.mark.parametrize(
    ("said", "cell", "own"),
    [
        ({"field_type": "dim", "data_type": "int.number.value"}, "5", {}),
        ({"data_type": "string.text.value"}, "5", {}),
        ({"data_type": "float.number.value"}, 5, {"types": {"c_goal4": "string.text.value"}}),
        ({}, 5, {"key_properties": ["Date", "Campaign"]}),
        ({}, True, {}),
    ],
)
def test_an_unlisted_field_may_be_a_text(
    said: dict[str, str], cell: Cell, own: dict[str, object]
) -> None:
    placed = (*echo("Date", "Campaign"), FieldEcho(id="c_goal4", data_column=2, **said))
    (record,) = read(schema(*UNLISTED, **own), ["2024-03-01", "a", cell], placed=placed)
    assert isinstance(record["c_goal4"], str)


@pytest.mark.parametrize("more", [["2024-03-01", "b", 1, 5], ["2024-03-01", "b"]])
@pytest.mark.parametrize("is_fast", [False, True])
def test_a_row_of_another_width_than_others_loses_the_query(
    more: list[Cell],
    is_fast: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    now = datetime(2024, 3, 2, 4, tzinfo=timezone.utc)
    made = LineFormat(stream="ads", version=None, is_selected=bool, clock=lambda: now)
    take: Callable[[RecordReader, list[bytes]], Iterator[object]] = (
        made.lines if is_fast else RecordReader.all_records
    )
    rows: list[list[Cell]] = [["2024-03-01", "a", 1]]
    found = schema()
    placed = echo(*(each.name for each in found.fields))

    def reader(width: int) -> RecordReader:
        return RecordReader(found, placed, METADATA, Mismatches(), width=width)

    assert [*take(reader(3), [json.dumps(rows).encode()])]
    for width, block in ((3, [*rows, more]), (4, rows), (3, [more])):
        with pytest.raises(ApiError, match=f"expected rows of {width} values, got"):
            [*take(reader(width), [json.dumps(block).encode()])]


def test_a_row_that_came_as_an_object_lacks_no_place() -> None:
    assert rows_of(b'[{"0": "2024-03-01", "2": 5}]', 4) == [["2024-03-01", None, 5, None]]


@pytest.mark.parametrize(
    "placed",
    [
        (),
        echo("Date", "Campaign"),
        (*echo("Date", "Campaign"), FieldEcho(id="Clicks")),
        (*echo("Date", "Campaign"), FieldEcho(id="Clicks", data_column=-1)),
    ],
)
def test_a_field_without_column_loses_the_query(placed: tuple[FieldEcho, ...]) -> None:
    with pytest.raises(ApiError, match="RESULT_MISMATCH: the result has no column for the field"):
        read(schema(), placed=placed)


# Properties

cells = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
)
plausible = st.sampled_from(
    ["", None, "2024-03-01", "2024-03-01 10:11:12", "10:11", "true", "5", "1.5", 5, 1.5, "1e400"]
)
data_types = st.sampled_from(sorted({each[0] for each in DATA_TYPES if each[0]}))


@given(
    types=st.lists(data_types, min_size=1, max_size=4),
    row=st.lists(plausible | cells, min_size=4, max_size=4),
    is_key=st.booleans(),
)
def test_every_record_is_valid_json_of_its_schema(
    *, types: list[str], row: list[Cell], is_key: bool
) -> None:
    infos = [
        FieldInfo(field_id=f"f{number}", field_type="dim" if is_key else "met", data_type=each)
        for number, each in enumerate(types)
    ]
    found = record_schema(report(fields=[each.field_id for each in infos]), infos)
    try:
        records = read(found, row, mismatches=Mismatches())
    except ApiError as error:
        records, code = [], error.code
    else:
        code = ""
    assert code == "" or (is_key and code == "TYPE_MISMATCH")
    for record in records:
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        jsonschema.validate(
            record, dict(found.json_schema), format_checker=jsonschema.FormatChecker()
        )
        assert all(record[name] is not None for name in found.key_properties)


@given(cells.filter(lambda cell: cell not in {"", None}))
def test_text_keeps_every_value(cell: Cell) -> None:
    found = read_one("string.text.value", cell)
    if isinstance(cell, float):
        assert float(found) == cell
    elif isinstance(cell, (str, int)) and not isinstance(cell, bool):
        # But a NUL, which targets refuse; what is empty then is a blank.
        assert found == (str(cell).replace("\0", "") or None)


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_that_targets_can_hold_keep_every_digit(number: int) -> None:
    assert read_one("int.number.value", number) == number
    assert read_one("int.number.value", str(number)) == number


def test_every_kind_of_value_has_a_schema_that_is_valid() -> None:
    for kind in ValueKind:
        jsonschema.Draft202012Validator.check_schema(kind.schema(nullable=False))


# What is likely to go wrong


@pytest.mark.parametrize("name", ["CampaignStartDate", "WeekStart", "Started"])
def test_a_date_that_is_not_the_day_is_a_dimension_and_told(name: str) -> None:
    info = FieldInfo(field_id=name, field_type="dim", data_type="string.time.date")
    listed = record_schema(report(fields=[name, "Clicks"]), [info, *LISTED])
    assert listed.replication_key == ""
    assert listed.key_properties == (ACCOUNT_ID, DIMENSIONS)
    (doubt,) = [each for each in listed.warnings() if each.startswith("replication_key")]
    assert f"set `replication_key` to {name} " in doubt


@pytest.mark.parametrize(
    ("some", "other"),
    [
        ("costPerClick", "cost_per_click"),
        ("a-b", "a_b"),
        ("goal:1", "goal_1"),
        ("x" * 63 + "1", "x" * 63 + "2"),
        ("Clicks", "clicks_"),
        ("Gr\u00f6\u00dfe", "gre"),
        ("cost%", "cost"),
    ],
)
def test_names_that_targets_cannot_keep_apart_are_told(some: str, other: str) -> None:
    (doubt,) = [each for each in warnings_of_columns(["Date", some, other]) if " and " in each]
    assert doubt.startswith(f"{some} and {other} are one column")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 64, "is longer than 63 bytes"),
        ("\u8cbb\u7528", "has no letter or digit of ASCII"),
        ("_sdc_batched_at", "begins with _sdc_"),
    ],
)
def test_a_name_that_targets_refuse_by_itself_is_told(name: str, told: str) -> None:
    (doubt,) = warnings_of_columns(["Date", name])
    assert doubt.startswith(f"the name {name} {told}")
    assert "`stream_maps`" in doubt


@given(st.lists(st.sampled_from(["Date", "Campaign", "Clicks", "Cost"]), min_size=1, unique=True))
def test_of_common_fields_nothing_is_told(fields: list[str]) -> None:
    assert schema(*fields).warnings() == []


def test_an_address_in_the_key_is_told() -> None:
    info = FieldInfo(field_id="Landing", field_type="dim", data_type="string.text.url")
    (doubt,) = record_schema(report(fields=["Landing"]), [info]).warnings()
    assert doubt.startswith("key_properties: Landing is an address")


@pytest.mark.parametrize("name", ["_sm_fetched_at", "_sm_schedule_id", "Clicks", "Cost"])
def test_what_changes_with_each_reading_is_told_in_a_key(name: str) -> None:
    (doubt,) = schema(*SOME, key_properties=["_sm_account_id", "Date", name]).warnings()
    assert doubt.startswith(f"key_properties: {name} changes when a day is read again")


def info(field_id: str, data_type: str, kind: str = "dim") -> FieldInfo:
    return FieldInfo(field_id=field_id, field_type=kind, data_type=data_type)


@pytest.mark.parametrize(
    "listed",
    [
        info("Date", "string.time.datetime"),
        info("Date", "string.text.value"),
        info("Date", ""),
        info("Date", "date"),
        info("Date", "string.time.date", "met"),
    ],
)
def test_a_day_by_name_of_another_type_is_told_with_a_remedy_that_helps(listed: FieldInfo) -> None:
    found = record_schema(report(fields=["Date"]), [listed])
    assert found.replication_key == ""
    assert "`replication_key: Date` and `types: {Date: string.time.date}`" in found.warnings()[0]

    own: dict[str, object] = {"replication_key": "Date", "types": {"Date": "string.time.date"}}
    mended = record_schema(report(fields=["Date"], **own), [listed])
    assert (mended.replication_key, mended.day, mended.warnings()) == ("Date", "Date", [])


@pytest.mark.parametrize("data_type", ["string.time.dayofmonth", "string.time.dayofweek"])
def test_a_day_of_a_month_is_no_day(data_type: str) -> None:
    assert record_schema(report(fields=["day"]), [info("day", data_type)]).warnings() == []


@pytest.mark.parametrize("data_type", ["", "INTEGER", "number.int"])
def test_a_metric_of_a_type_that_nobody_knows_is_told(data_type: str) -> None:
    listed = [info("Hits", data_type, "met")]
    (doubt,) = record_schema(report(fields=["Hits"]), listed).warnings()
    assert "`types: {Hits: float.number.value}`" in doubt
    mended = report(fields=["Hits"], types={"Hits": "float.number.value"})
    assert record_schema(mended, listed).warnings() == []


@pytest.mark.parametrize("other", ["float.number.value", "string.text.value"])
def test_the_order_of_fields_that_are_listed_twice_changes_nothing(other: str) -> None:
    """A source lists a field for each kind of report; the list has no order that is promised."""
    listed = [info("x", "int.number.value", "met"), info("x", other, "met"), info("x", other)]
    ways = [record_schema(report(fields=["x"]), way) for way in permutations(listed)]
    assert {each.fields[0] for each in ways} == {ways[0].fields[0]}
    assert not ways[0].fields[0].is_dimension
    assert ways[0].fields[0].data_type == other


@pytest.mark.parametrize("name", ["ReportDate", "stat_date"])
def test_a_date_of_the_report_is_not_taken_before_the_day(name: str) -> None:
    listed = [info(each, "string.time.date") for each in (name, "Date")]
    assert record_schema(report(fields=[name, "Date"]), listed).day == "Date"
    assert record_schema(report(fields=[name]), listed).day == name


def test_texts_that_lose_a_nul_are_counted() -> None:
    mismatches = Mismatches()
    read(schema(), ["2024-03-01", "a\0", 5], ["2024-03-01", "b", 5], mismatches=mismatches)
    assert mismatches.nuls == {"Campaign": 1}


def test_ids_whose_last_digits_are_not_sure_are_counted() -> None:
    mismatches = Mismatches()
    cells: list[Cell] = [2.0**53, 2.0**53 + 2, 2**60 + 1, "9007199254740994.0", -1e300]
    read(
        schema(), *([f"2024-03-0{n}", x, 5] for n, x in enumerate(cells, 1)), mismatches=mismatches
    )
    assert mismatches.rounded == {"Campaign": 2}
    (remark,) = remarks_on_values("ads", mismatches)
    assert remark.startswith("ads.Campaign: 2 values came as numbers with a point and more than 15")


def test_members_of_an_object_in_the_key_have_one_order() -> None:
    ways = (b'{"a": 1, "b": {"d": 2, "c": 3}}', b'{"b": {"c": 3, "d": 2}, "a": 1}')
    (one,), (other,) = (rows_of(b"[[" + way + b"]]") for way in ways)
    assert one == other == ['{"a":1,"b":{"c":3,"d":2}}']


@pytest.mark.parametrize("cell", [None, "", "x"])
def test_the_remedy_for_a_value_that_a_chosen_key_cannot_hold_helps(cell: Cell) -> None:
    own: dict[str, object] = {"key_properties": ["Date", "Clicks"]}
    with pytest.raises(ApiError, match=r"by `types: {Clicks: string.text.value}`"):
        read(schema(**own), ["2024-03-01", "a", cell])
    mended = schema(**own, types={"Clicks": "string.text.value"})
    (record,) = read(mended, ["2024-03-01", "a", cell])
    assert record["Clicks"] == (cell or "")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b'["a", {"b": 1}]', '["a",{"b":1}]'),
        (b'{"id": "1", "name": "\xc3\xa4"}', '{"id":"1","name":"\u00e4"}'),
        (b"[]", ""),
        (b"{}", ""),
        (b'[[["deep"]], 1e999]', '[[["deep"]],"1e999"]'),
    ],
)
def test_a_list_or_an_object_in_a_cell_is_its_json(written: bytes, text: str) -> None:
    """Such as labels; a dimension other than the day never costs a day."""
    rows = rows_of(b'[["2024-03-01", %b, 5], ["2024-03-01", "x", 6]]' % written)
    assert [each["Campaign"] for each in read(schema(), *rows)] == [text, "x"]


def test_a_list_in_a_metric_fits_no_number() -> None:
    mismatches = Mismatches()
    (record,) = read(schema(), *rows_of(b'[["2024-03-01", "a", [1]]]'), mismatches=mismatches)
    assert record["Clicks"] is None
    assert mismatches.examples == {"Clicks": "'[1]'"}


@pytest.mark.parametrize("data_type", ["int.number.value", "float.number.value"])
@pytest.mark.parametrize(
    "cell", ["1_000", "\u0661\u0662", "0x10", "1e400", "nan", "\u00b2", "1,000"]
)
def test_what_only_python_takes_for_a_number_is_none(data_type: str, cell: str) -> None:
    with pytest.raises(ApiError, match="TYPE_MISMATCH"):
        read_one(data_type, cell)


@pytest.mark.parametrize("cell", ["12", " 12 ", "+12", "12.0", "1.2e1", "12."])
def test_whole_numbers_may_be_texts(cell: str) -> None:
    assert read_one("int.number.value", cell) == 12
