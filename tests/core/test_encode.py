from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldEcho, FieldInfo
from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.records.encode import LineFormat
from tap_supermetrics.records.schema import RecordSchema, record_schema
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_supermetrics.api.wire import Cell

NOW = datetime(2024, 3, 2, 4, tzinfo=timezone.utc)
DATA_TYPES = {
    "Day": "string.time.date",
    "Name": "string.text.value",
    "Label": "string.text.value",
    "Started": "string.time.datetime",
    "Hour": "string.time.hm",
    "Clicks": "int.number.value",
    "Cost": "float.currency.value",
    "Active": "bool",
    "Due": "string.time.date",
}
DIMENSIONS = {"Day", "Name"}
LISTED = [
    FieldInfo(field_id=name, field_type="dim" if name in DIMENSIONS else "met", data_type=data_type)
    for name, data_type in DATA_TYPES.items()
]
GOOD: list[Cell] = [
    "2024-03-01", "Brand", "a", "2024-03-01 10:00:00", "9:05", 5, 1.5, True, "2024-04-01",
]  # fmt: skip

texts = st.sampled_from(
    ["", " ", "Sale", "Söker / 日本", 'a "quoted"', "a],[b", "\n", "\0", "-", "{}"]
)
wild: st.SearchStrategy[Cell] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 1, -0.0, 1e300, 12.0, 20240301, 23843000000000000.0]),
    st.sampled_from(
        [
            "12",
            "-1.5e3",
            "9007199254740993",
            "9007199254740993.0",
            "true",
            "20240301",
            "2024-02-30",
            "0000-01-01",
        ]
    ),
    texts,
    st.text(),
)
fitting: dict[str, st.SearchStrategy[Cell]] = {
    "Day": st.sampled_from(["2024-03-01", "2024-02-29", "0001-01-01", "20240301"]),
    "Name": texts,
    "Label": texts | st.none(),
    "Started": st.sampled_from(["2024-03-01 10:00:00", "2024-03-01T10:00:00Z", "", None]),
    "Hour": st.sampled_from(["9:05", "23:59", "", None]),
    "Clicks": st.one_of(st.integers(), st.sampled_from(["", None, "12", 12.0])),
    "Cost": st.one_of(
        st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", None])
    ),
    "Active": st.sampled_from([True, False, "", None, "true", 1]),
    "Due": st.sampled_from(["2024-04-01", "", None]),
}


def schema(**own: object) -> RecordSchema:
    return record_schema(report(fields=list(DATA_TYPES), **own), LISTED)


def echo(order: Sequence[str] = tuple(DATA_TYPES), extra: int = 0) -> tuple[FieldEcho, ...]:
    placed = {name: place for place, name in enumerate(order)}
    named = [FieldEcho(id=name, field_id=name, data_column=placed[name]) for name in DATA_TYPES]
    more = [FieldEcho(id=f"x{n}", data_column=len(order) + n) for n in range(extra)]
    return (*named, *more)


def metadata(day: str | None) -> dict[str, str | None]:
    return {ACCOUNT_ID: "1", DATE: day, FETCHED_AT: "2024-03-02T04:00:00Z", SCHEDULE_ID: "q\\1"}


def everything(_: str) -> bool:
    return True


def line_format(is_selected: Callable[[str], bool] = everything) -> LineFormat:
    return LineFormat(stream="ads", version=None, is_selected=is_selected, clock=lambda: NOW)


def blocks(rows: Sequence[Sequence[Cell]], size: int) -> list[bytes]:
    return [msgspec.json.encode(rows[at : at + size]) for at in range(0, len(rows), size)]


def one_by_one(reader: RecordReader, parts: Sequence[bytes]) -> tuple[list[str], str]:
    """Records as the SDK gets them, exactly as they print, and what went wrong."""
    found: list[str] = []
    try:
        for record in reader.all_records(parts):
            found.append(exact(record))  # noqa: PERF401 - those before an error count
    except ApiError as error:
        return found, without_example(error)
    return found, ""


def without_example(error: ApiError) -> str:
    """Of keys that are far apart only one way knows an example."""
    return re.sub(r", for example .*(?=; a target)", "", str(error))


def by_lines(
    made: LineFormat, reader: RecordReader, parts: Sequence[bytes]
) -> tuple[list[str], str]:
    found: list[str] = []
    try:
        for lines in made.lines(reader, parts):
            messages = [json.loads(line) for line in lines.data.splitlines()]
            assert lines.data.endswith(b"\n")
            assert lines.count == len(messages)
            assert all(
                list(each) == ["type", "stream", "record", "time_extracted"] for each in messages
            )
            found.extend(exact(each["record"]) for each in messages)
    except ApiError as error:
        return found, without_example(error)
    return found, ""


def exact(record: dict[str, Any]) -> str:
    """A record as text in which 1, 1.0, True and "1" are four different things."""
    return json.dumps(json.loads(msgspec.json.encode(record)), sort_keys=True)


def agree(  # noqa: PLR0913 - all that makes a difference
    rows: Sequence[Sequence[Cell]],
    *,
    size: int = 3,
    policy: str = "fail",
    day: str | None = "2024-03-01",
    placed: tuple[FieldEcho, ...] | None = None,
    found: RecordSchema | None = None,
) -> None:
    """Both ways give the same records, the same counts of misfits and the same error."""
    counts = [Mismatches(are_refused=policy != "null") for _ in range(2)]
    readers = [
        RecordReader(
            found or schema(),
            echo() if placed is None else placed,
            metadata(day),
            each,
        )
        for each in counts
    ]
    parts = blocks(rows, size)
    expected = one_by_one(readers[0], parts)
    assert by_lines(line_format(), readers[1], parts) == expected
    assert counts[0] == counts[1]


@given(
    st.lists(st.tuples(*fitting.values()), min_size=1, max_size=12),
    st.integers(1, 5),
    st.sampled_from(["fail", "null"]),
    st.sampled_from(["2024-03-01", None]),
)
def test_rows_that_fit_give_the_same_records_as_one_by_one(
    rows: list[tuple[Cell, ...]], size: int, policy: str, day: str | None
) -> None:
    agree(rows, size=size, policy=policy, day=day)


@given(
    st.lists(st.tuples(*[wild] * len(DATA_TYPES)), min_size=1, max_size=6),
    st.integers(1, 4),
    st.sampled_from(["fail", "null"]),
)
def test_any_rows_give_the_same_records_or_the_same_error(
    rows: list[tuple[Cell, ...]], size: int, policy: str
) -> None:
    agree(rows, size=size, policy=policy)


@given(st.sampled_from(sorted(DATA_TYPES)), st.lists(wild, min_size=1, max_size=8))
@example("Cost", ["", 1, None, "1.5", 2**70])
@example("Name", [None, "", 5, "a"])
@example("Label", [None, "", 5, "a"])
@example("Due", ["2024-04-01", "", "20240401", "2024-02-30"])
def test_a_column_with_any_cells_gives_the_same_values(name: str, cells: list[Cell]) -> None:
    place = list(DATA_TYPES).index(name)
    rows = [[*GOOD[:place], cell, *GOOD[place + 1 :]] for cell in cells]
    agree(rows, size=2, policy="null")
    agree(rows, size=2, policy="fail")


@given(st.permutations(list(DATA_TYPES)), st.integers(0, 2))
def test_columns_may_have_any_order_and_rows_more_cells(order: list[str], extra: int) -> None:
    by_name = dict(zip(DATA_TYPES, GOOD, strict=True))
    row = [*(by_name[name] for name in order), *([None] * extra)]
    agree([row, row], placed=echo(order, extra))
    agree([row, row], placed=echo(order))


def test_two_names_of_a_field_in_one_column_each_have_their_own_type() -> None:
    placed = tuple(
        FieldEcho(id=each.id, field_id="x", data_column=5)
        if each.id == "Label" or each.data_column == 5
        else each
        for each in echo()
    )
    agree([GOOD, [*GOOD[:5], "", *GOOD[6:]]], placed=placed)


@pytest.mark.parametrize(
    "row", [GOOD[:-1], [], [*GOOD, 1], [*GOOD[:-1], [1]], [*GOOD[:-1], {"a": 1}], "text", 5, None]
)
def test_a_row_of_another_shape_is_refused_or_taken_alike(row: Any) -> None:  # noqa: ANN401 - hostile
    agree([GOOD, GOOD, row, GOOD], size=4)
    agree([GOOD, GOOD, row, GOOD], size=1)


@pytest.mark.parametrize("block", [b"[[1,", b"[[1e999]]", b'[["\xff"]]', b"{}", b"[[]]"])
def test_a_block_that_is_no_rows_loses_the_query(block: bytes) -> None:
    reader = RecordReader(schema(), echo(), metadata(None), Mismatches(are_refused=True))
    assert by_lines(line_format(), reader, [block]) == one_by_one(reader, [block])
    assert "RESULT_MISMATCH" in one_by_one(reader, [block])[1]


def test_of_a_block_with_a_value_that_does_not_fit_nothing_is_given() -> None:
    bad = [*GOOD[:5], "many", *GOOD[6:]]
    reader = RecordReader(schema(), echo(), metadata(None), Mismatches(are_refused=True))
    others = [["2024-03-01", f"Sale {number}", *GOOD[2:]] for number in range(3)]
    parts = [*blocks([GOOD], 4), *blocks([*others, bad], 4)]
    found, error = by_lines(line_format(), reader, parts)
    assert len(found) == 1
    assert "TYPE_MISMATCH: field Clicks" in error


@pytest.mark.parametrize("selected", [DATA_TYPES, ["Day", DATE], ["Day", ACCOUNT_ID], [DATE]])
@pytest.mark.parametrize("day", ["2024-03-01", None])
def test_rows_that_need_no_mending_give_the_same_records(
    selected: Sequence[str], day: str | None
) -> None:
    fields = ["Day", "Name", "Clicks"]
    found = record_schema(report(fields=fields), LISTED)
    placed = [FieldEcho(id=name, data_column=place) for place, name in enumerate(fields)]
    rows: list[list[Cell]] = [["2024-03-01", "a", 1], ["2024-03-02", "", None]]
    reader = RecordReader(found, placed, metadata(day), Mismatches(are_refused=True))
    expected = [
        exact({name: value for name, value in each.items() if name in selected})
        for each in reader.records(rows)
    ]
    made = line_format(selected.__contains__)
    reader = RecordReader(found, placed, metadata(day), Mismatches(are_refused=True))
    assert by_lines(made, reader, blocks(rows, 2)) == (expected, "")


@pytest.mark.parametrize("own", [{}, {"metadata_columns": False}])
@pytest.mark.parametrize("day", ["2024-03-01", None])
def test_the_taps_own_columns_are_the_same(own: dict[str, object], day: str | None) -> None:
    agree([GOOD] * 4, day=day, found=schema(**own))
    agree([GOOD] * 4, day=day, found=schema(**own, replication_key="_sm_date"))
    agree([GOOD] * 4, day=day, found=schema(**own, key_properties=["Name"]))


@given(st.sets(st.sampled_from([*DATA_TYPES, ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID])))
def test_only_selected_columns_are_written(selected: set[str]) -> None:
    for day in ("2024-03-01", None):
        reader = RecordReader(schema(), echo(), metadata(day), Mismatches(are_refused=True))
        whole = list(reader.records([GOOD]))
        expected = [exact({n: v for n, v in each.items() if n in selected}) for each in whole]
        made = line_format(selected.__contains__)
        for rows in (GOOD, [*GOOD[:5], "5", *GOOD[6:]], [*GOOD, None]):
            reader = RecordReader(schema(), echo(), metadata(day), Mismatches(are_refused=True))
            assert by_lines(made, reader, blocks([rows], 1)) == (expected, "")


def test_a_message_has_the_version_of_its_stream() -> None:
    made = LineFormat(stream='a"b', version=17, is_selected=everything, clock=lambda: NOW)
    reader = RecordReader(schema(), echo(), metadata(None), Mismatches(are_refused=True))
    (lines,) = made.lines(reader, blocks([GOOD], 1))
    message = json.loads(lines.data)
    assert (message["stream"], message["version"]) == ('a"b', 17)
    assert message["time_extracted"] == "2024-03-02T04:00:00Z"


@pytest.mark.parametrize("name", ['Height (12")', "a\\b", "a\tb", "a'b", "{a}", "a\x7fb"])
@pytest.mark.parametrize("is_dimension", [True, False])
def test_a_field_may_have_any_name(name: str, *, is_dimension: bool) -> None:
    """Custom fields are called as the columns of their sheet."""
    kinds = {"Day": "dim", name: "dim" if is_dimension else "met"}
    listed = [
        FieldInfo(
            field_id=each, field_type=kind, data_type=DATA_TYPES.get(each, DATA_TYPES["Name"])
        )
        for each, kind in kinds.items()
    ]
    found = record_schema(report(fields=[*kinds]), listed)
    placed = tuple(FieldEcho(id=x, field_id=x, data_column=n) for n, x in enumerate(kinds))
    cells: list[list[list[Cell]]] = [
        [["2024-03-01", "x"], ["2024-03-01", "y"]],
        [["20240301", 5]],
    ]
    for rows in cells:
        agree(rows, placed=placed, found=found)
        agree(rows, placed=placed, found=found, day=None)
