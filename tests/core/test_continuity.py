"""What was loaded, held against what is to be loaded: the key, and the types of columns."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.fields import FieldEcho, FieldInfo
from tap_supermetrics.errors import TapError
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.scope import Scope
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.records.kinds import ValueKind, data_type_of, kind_of
from tap_supermetrics.records.schema import RecordSchema, record_schema
from tap_supermetrics.sync.continuity import (
    check_day,
    check_groups,
    check_key,
    class_changes,
    joined_before,
    learn_types,
    range_gap,
    reclassified,
    type_changes,
)
from tap_supermetrics.sync.name_checks import one_spelling
from tap_supermetrics.sync.state import ReportState, report_state
from tests.core.reports import policy, report
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from tap_supermetrics.model import Report

KINDS = st.sampled_from([*ValueKind])


def known(state: ReportState) -> ReportState:
    """Write a state and read it again."""
    mistakes: list[str] = []
    read = report_state(state.to_json(), "ads", "Date", None, mistakes)
    assert not mistakes
    return read


def schema_of(metric: ValueKind, dimension: ValueKind = ValueKind.TEXT, **own: Any) -> RecordSchema:  # noqa: ANN401 - any setting
    kinds = {"Date": ValueKind.DATE, "Campaign": dimension, "Clicks": metric}
    listed = [
        FieldInfo(
            field_id=name,
            field_type="met" if name == "Clicks" else "dim",
            data_type=data_type_of(kind),
        )
        for name, kind in kinds.items()
    ]
    return record_schema(report(fields=[*kinds], **own), listed)


def loaded(schema: RecordSchema) -> ReportState:
    state = ReportState(replication_key="Date", start=None, key_properties=schema.key_properties)
    learn_types(report(), schema, state)
    return known(state)


@given(KINDS)
def test_a_data_type_is_known_for_every_kind(kind: ValueKind) -> None:
    assert kind_of(data_type_of(kind)) is kind


@given(KINDS, KINDS)
def test_a_type_that_the_target_may_not_hold_is_told_until_somebody_acts(
    was: ValueKind, now: ValueKind
) -> None:
    state, asked = loaded(schema_of(was)), report(fields=["Date", "Campaign", "Clicks"])
    is_harmless = was is now or (was, now) == (ValueKind.NUMBER, ValueKind.INTEGER)
    for _ in range(2):  # as many nights
        told = [*type_changes(asked, schema_of(now), state)]
        learn_types(asked, schema_of(now), state)
        assert bool(told) is not is_harmless
        assert all(data_type_of(was) in each and data_type_of(now) in each for each in told)

    pinned = report(fields=["Date", "Campaign", "Clicks"], types={"Clicks": data_type_of(now)})
    assert not [*type_changes(pinned, schema_of(now), state)]
    learn_types(pinned, schema_of(now), state)
    assert not [*type_changes(asked, schema_of(now), state)]


@given(st.sampled_from([ValueKind.INTEGER, ValueKind.NUMBER, ValueKind.DATE]))
def test_another_type_in_the_key_is_refused_with_the_old_one(now: ValueKind) -> None:
    state = loaded(schema_of(ValueKind.INTEGER))
    wanted = r"Campaign of its key was text .*`types: \{Campaign: string.text.value\}`"
    with pytest.raises(TapError, match=wanted):
        check_key(report(), schema_of(ValueKind.INTEGER, now), state)

    check_key(report(), schema_of(ValueKind.INTEGER, ValueKind.TEXT), state)


def test_a_dimension_that_is_added_names_no_remedy_by_which_rows_would_share_a_key() -> None:
    text = data_type_of(ValueKind.TEXT)
    listed = [
        FieldInfo(field_id=name, field_type="dim", data_type=text) for name in ("Ad", "Device")
    ]
    was = record_schema(report(fields=["Date", "Ad"]), listed)
    now = report(fields=["Date", "Ad", "Device"])
    with pytest.raises(TapError, match="Set `fields` as they were; or empty the table"):
        check_key(now, record_schema(now, listed), loaded(was))
    other_day = report(fields=["Date", "Ad"], replication_key="_sm_date")
    with pytest.raises(TapError, match="Set `key_properties: "):
        check_key(other_day, record_schema(other_day, listed), loaded(was))


@pytest.mark.parametrize(
    ("was", "now", "is_refused"),
    [
        (ValueKind.DATE, ValueKind.DATETIME, True),
        (ValueKind.DATE, ValueKind.TEXT, True),
        (ValueKind.INTEGER, ValueKind.BOOLEAN, True),
        (ValueKind.INTEGER, ValueKind.NUMBER, False),
        (ValueKind.NUMBER, ValueKind.INTEGER, False),
    ],
)
def test_another_type_of_what_the_key_joins_is_refused(
    was: ValueKind, now: ValueKind, *, is_refused: bool
) -> None:
    """`_sm_dimensions` holds its text: 2024-06-01 as a date, with a time of day as another."""
    state = loaded(schema_of(ValueKind.INTEGER, was))
    if not is_refused:
        check_key(report(), schema_of(ValueKind.INTEGER, now), state)
        return
    with pytest.raises(TapError, match=f"Campaign of its key .*{data_type_of(was)}"):
        check_key(report(), schema_of(ValueKind.INTEGER, now), state)


def joining(*fields: str) -> RecordSchema:
    """The schema of a report with some dates beside its day."""
    listed = [
        FieldInfo(field_id=name, field_type="dim", data_type=data_type_of(ValueKind.DATE))
        for name in ("Date", *fields)
    ]
    return record_schema(report(fields=["Date", *fields]), listed)


_METADATA = dict.fromkeys(("_sm_account_id", "_sm_date", "_sm_fetched_at", "_sm_schedule_id"), "1")


def _echo(schema: RecordSchema) -> list[FieldEcho]:
    return [
        FieldEcho(field_id=each.name, data_column=number)
        for number, each in enumerate(schema.fields)
    ]


@given(st.permutations(["EndDate", "LaunchDate", "StartDate"]))
def test_the_order_of_fields_changes_no_key(now: list[str]) -> None:
    was = joining("StartDate", "EndDate", "LaunchDate")
    state = known(ReportState(replication_key="Date", start=None, joined=was.joined))
    schema = joining(*now).joined_as(state.joined)
    check_key(report(), schema, state)
    assert schema.joined == was.joined
    reader = RecordReader(schema, _echo(schema), _METADATA, Mismatches())
    days = {"EndDate": "2024-06-03", "LaunchDate": "2024-06-02", "StartDate": "2024-06-01"}
    row: list[Any] = ["2024-06-09", *(days[name] for name in now)]
    (record,) = reader.records([row])
    assert record["_sm_dimensions"] == "2024-06-01|2024-06-03|2024-06-02"


@pytest.mark.parametrize("now", [["StartDate"], ["StartDate", "EndDate", "LaunchDate"], ["Other"]])
def test_other_dimensions_in_what_the_key_joins_are_refused(now: list[str]) -> None:
    was = joining("StartDate", "EndDate")
    state = known(ReportState(replication_key="Date", start=None, joined=was.joined))
    schema = joining(*now).joined_as(state.joined)
    with pytest.raises(TapError, match=f"joined StartDate, EndDate and now joins {now[0]}"):
        check_key(report(), schema, state)


def classed(**classes: str) -> RecordSchema:
    """The schema of a report of days and of some integers, each a metric or a dimension."""
    listed = [FieldInfo(field_id="Date", field_type="dim", data_type="string.time.date")]
    listed += [
        FieldInfo(field_id=name, field_type=of, data_type="int.number.value")
        for name, of in classes.items()
    ]
    return record_schema(report(fields=["Date", *classes]), listed)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"Size": "dim", "Clicks": "met"}, {"Size": "dim", "Clicks": "dim"}),
        ({"Size": "dim", "Clicks": "dim"}, {"Size": "dim", "Clicks": "met"}),
        ({"Size": "dim", "Clicks": "met"}, {"Size": "met", "Clicks": "dim"}),
    ],
    ids=str,
)
def test_a_field_that_the_api_classes_otherwise_changes_no_key(
    was: dict[str, str], now: dict[str, str]
) -> None:
    loaded_as, listed_as = classed(**was), classed(**now)
    state = loaded(loaded_as)
    state.joined = loaded_as.joined
    assert listed_as.joined != loaded_as.joined
    schema = listed_as.joined_as(state.joined, reclassified(listed_as, state))
    check_key(report(), schema, state)
    assert schema.joined == loaded_as.joined
    (told,) = class_changes(report(), schema, state)
    assert "the API changed " in told
    assert "Clicks" in told
    assert "Set `fields`" not in told
    assert not [*class_changes(report(), loaded_as, state)]

    reader = RecordReader(schema, _echo(schema), _METADATA, Mismatches())
    (record,) = reader.records([["2024-06-09", 1, 2]])
    assert record["_sm_dimensions"] == "|".join(
        str(number) for name, number in (("Size", 1), ("Clicks", 2)) if was[name] == "dim"
    )


def test_a_key_that_the_api_takes_apart_names_the_api_and_no_fields() -> None:
    was, now = classed(Size="dim", Clicks="met"), classed(Size="met", Clicks="met")
    state = loaded(was)
    state.joined = was.joined
    with pytest.raises(TapError, match="because the API changed Size") as refused:
        check_key(report(), now.joined_as(state.joined, reclassified(now, state)), state)
    assert "Set `fields`" not in str(refused.value)
    assert "under both. Empty the table" in str(refused.value)


def test_a_dimension_that_is_asked_for_anew_is_not_taken_for_one_classed_otherwise() -> None:
    was, now = classed(Size="dim"), classed(Size="dim", Rank="dim")
    state = loaded(was)
    state.joined = was.joined
    schema = now.joined_as(state.joined, reclassified(now, state))
    with pytest.raises(TapError, match="joined Size and now joins Size, Rank"):
        check_key(report(), schema, state)


@pytest.mark.parametrize("now", [["StartDate", "EndDate"], ["EndDate", "StartDate"]])
def test_a_state_of_before_tells_by_its_types_what_the_key_joins(now: list[str]) -> None:
    was = joining("StartDate", "EndDate")
    state = ReportState(replication_key="Date", start=None, key_properties=was.key_properties)
    learn_types(report(), was, state)
    listed = [FieldInfo(field_id="EndDate", field_type="dim", data_type="string.time.date")]
    schema = joining(*now)
    assert joined_before(state, schema, listed) == was.joined
    # Taken away: only the list tells that it is a dimension.
    assert joined_before(state, joining("StartDate"), listed) == was.joined


def of_units(ctr: str, week: str, **own: Any) -> RecordSchema:  # noqa: ANN401 - any setting
    """The schema of a report with a metric and a text dimension, by their data types."""
    types = {"Date": "string.time.date", "Week": week, "Ctr": ctr}
    listed = [
        FieldInfo(field_id=name, field_type="met" if name == "Ctr" else "dim", data_type=data_type)
        for name, data_type in types.items()
    ]
    return record_schema(report(fields=[*types], **own), listed)


WEEK = "string.time.yearweek"


@pytest.mark.parametrize(
    ("was", "now", "is_told"),
    [
        ("float.number.percentage", "float.number.ratio", True),
        ("float.number.ratio", "float.number.percentage", True),
        ("float.number.percentage", "float.number.value", True),
        ("float.number.value", "float.number.ratio", True),
        ("int.duration.seconds", "int.duration.milliseconds", True),
        ("int.duration.seconds", "int.number.value", True),
        ("float.currency.value", "float.number.value", False),
        ("float.number.value", "Float", False),
        ("float.number.value", "float.a\nb", False),
        ("float.number.percentage", "FLOAT.number.Percentage", False),
    ],
)
def test_a_unit_that_the_api_changes_is_told_until_somebody_acts(
    was: str, now: str, *, is_told: bool
) -> None:
    state, schema = loaded(of_units(was, WEEK)), of_units(now, WEEK)
    for _ in range(2):  # as many nights
        check_key(report(), schema, state)
        told = [*type_changes(report(), schema, state)]
        learn_types(report(), schema, state)
        assert len(told) == is_told
        assert all(f"were {was} and now are {now}" in each for each in told)

    pinned = report(fields=["Date", "Week", "Ctr"], types={"Ctr": now})
    assert not [*type_changes(pinned, schema, state)]
    learn_types(pinned, schema, state)
    assert not [*type_changes(report(), schema, known(state))]


@pytest.mark.parametrize(
    ("was", "now", "is_refused"),
    [
        ("string.time.yearmonth", "string.time.month", True),
        ("string.time.yearweek", "string.time.yearweekiso", True),
        ("string.time.yearweek", "string.time.yearweek", False),
        # Only the list has become better, or worse: values may be what they were.
        ("string.text.value", "string.time.yearweek", False),
        ("string.time.yearweek", "string.text.value", False),
    ],
)
def test_another_period_in_the_key_is_refused(was: str, now: str, *, is_refused: bool) -> None:
    ratio = "float.number.ratio"
    state, schema = loaded(of_units(ratio, was)), of_units(ratio, now)
    if not is_refused:
        check_key(report(), schema, state)
        return
    remedy = (
        rf"Week of its key was {was} and now is {now}.*set `types: \{{Week: {was}\}}`; or empty"
    )
    with pytest.raises(TapError, match=remedy):
        check_key(report(), schema, state)
    check_key(report(), of_units(ratio, now, types={"Week": was}), state)
    check_key(report(), schema, loaded(schema))

    # Outside of the key, it is told.
    state.key_properties = ("_sm_account_id", "Date")
    apart = of_units(ratio, now, key_properties=["_sm_account_id", "Date"])
    check_key(report(), apart, state)
    assert len([*type_changes(report(), apart, state)]) == 1


def test_another_unit_of_what_the_key_joins_is_refused() -> None:
    types = ("int.duration.seconds", "int.duration.milliseconds")
    was, now = (of_units("float.number.ratio", each) for each in types)
    state = loaded(was)
    state.joined = was.joined
    with pytest.raises(TapError, match=r"Week of its key was int\.duration\.seconds and now"):
        check_key(report(), now, state)


def test_a_state_without_units_learns_them_without_a_word() -> None:
    state = loaded(of_units("float.number.percentage", WEEK))
    state.units.clear()
    schema = of_units("float.number.ratio", WEEK)
    check_key(report(), schema, state)
    assert not [*type_changes(report(), schema, state)]
    learn_types(report(), schema, state)
    assert known(state).units == {"Week": "time.yearweek", "Ctr": "number.ratio"}


class Listing:
    """Accounts as the API lists them."""

    def __init__(self, *ids: str) -> None:
        self._ids = frozenset(ids)

    def spellings_of(self, _: Report) -> frozenset[str]:
        return self._ids


@pytest.mark.parametrize(
    ("listed", "accounts", "loaded_before", "asked"),
    [
        (["sc:A"], ["sc:a", "sc:A"], [], ["sc:a"]),
        (["sc:A"], ["sc:A"], ["sc:a"], ["sc:a"]),
        (["sc:A", "sc:B"], ["sc:A", "sc:B"], ["sc:a", "sc:b"], ["sc:a", "sc:b"]),
        # Two that the API knows apart are two.
        (["sc:A", "sc:a"], ["sc:a", "sc:A"], ["sc:a"], ["sc:a", "sc:A"]),
        ([], ["sc:a", "sc:b"], ["sc:c"], ["sc:a", "sc:b"]),
        # Loaded under both by an older version: each stays what it is.
        (["sc:a"], ["sc:a"], ["sc:A", "sc:a"], ["sc:a"]),
    ],
)
def test_an_account_is_the_same_in_capitals(
    listed: list[str], accounts: list[str], loaded_before: list[str], asked: list[str]
) -> None:
    lookups: Any = SimpleNamespace(accounts=Listing(*listed))
    assert [*one_spelling(lookups, report(), accounts, loaded_before)] == asked


def test_a_day_that_is_no_date_any_more_is_refused() -> None:
    """It would be read whole by every night, and its rows be of no day."""
    key = ["_sm_account_id", "_sm_date", "Campaign"]
    state = loaded(schema_of(ValueKind.INTEGER, key_properties=key))
    state.coverage["1"] = Coverage(covered=(date_range(0, 3),))
    kinds = {"Date": ValueKind.TEXT, "Campaign": ValueKind.TEXT, "Clicks": ValueKind.INTEGER}
    types = {name: data_type_of(kind) for name, kind in kinds.items()}
    now = record_schema(report(key_properties=key, types=types), [])
    with pytest.raises(TapError, match=r"Date was its day.*`types: \{Date: string.time.date\}`"):
        check_day(report(key_properties=key), now, state)
    check_day(report(date_range_type="last_30_days"), now, state)
    state.coverage.clear()
    check_day(report(key_properties=key), now, state)


def test_the_key_of_an_older_version_is_refused_with_the_setting_that_gives_it() -> None:
    """Dimensions that are no texts were in the key by themselves, and are joined now."""
    old = ("_sm_account_id", "Date", "Campaign")
    state = known(ReportState(replication_key="Date", start=None, key_properties=old))
    numbers = schema_of(ValueKind.INTEGER, ValueKind.INTEGER)
    with pytest.raises(TapError, match=r"`key_properties: \[_sm_account_id, Date, Campaign\]`"):
        check_key(report(), numbers, state)

    kept = schema_of(ValueKind.INTEGER, ValueKind.INTEGER, key_properties=list(old))
    check_key(report(), kept, state)


def test_a_state_without_types_learns_them_without_a_word() -> None:
    state = known(ReportState(replication_key="Date", start=None))
    assert not [*type_changes(report(), schema_of(ValueKind.INTEGER), state)]
    learn_types(report(), schema_of(ValueKind.INTEGER), state)
    assert state.types == {"Date": "date", "Campaign": "text", "Clicks": "integer"}


@pytest.mark.parametrize(
    ("was", "now", "is_twin"),
    [
        ("123-456-7890", "1234567890", True),
        ("act_1234567890", "1234567890", True),
        ("1234567890,2345678901", "2345678901", True),
        ("0012345", "12345", True),
        ("urn:li:sponsoredAccount:512", "512", True),
        ("urn:li:sponsoredAccount:512", "urn:li:organization:512", False),
        ("customers/123", "123", True),
        ("list.eu", "1234567890", True),
        ("9999999999", "1234567890", False),
        ("act_1234567890", "ig_1234567890", False),
    ],
)
def test_an_account_under_another_spelling_is_not_loaded_twice(
    was: str, now: str, *, is_twin: bool
) -> None:
    state = ReportState(replication_key="Date", start=None)
    state.coverage[was] = Coverage(covered=(date_range(0, 3),))
    scope = Scope(
        accounts=(now,),
        wanted=date_range(0, 5),
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(),
    )
    if not is_twin:
        check_groups(report(), scope, state)
        return
    with pytest.raises(TapError, match=f"account {now} would be loaded twice"):
        check_groups(report(), scope, state)


def test_a_metric_that_the_api_lists_no_more_is_told_as_that() -> None:
    state = loaded(schema_of(ValueKind.NUMBER))
    date_only = [FieldInfo(field_id="Date", field_type="dim", data_type="string.time.date")]
    unlisted = record_schema(report(fields=["Date", "Campaign", "Clicks"]), date_only)
    said = "Clicks was loaded as number, and AW does not list it any more.*name in `fields`"
    with pytest.raises(TapError, match=said):
        check_key(report(), unlisted, state)


@pytest.mark.parametrize(
    ("range_type", "read_on", "gap"),
    [
        ("last_7_days", "2024-03-10", "from 2024-03-10 to 2024-03-22"),
        ("last_7_days", "2024-03-24", ""),
        ("last_7_days", "2024-03-22", "from 2024-03-22 to 2024-03-22"),
        ("last_7_days", "2024-03-23", ""),
        ("last_month", "2024-02-29", ""),
        ("last_month", "2023-12-31", "from 2023-12-01 to 2024-01-31"),
        ("yesterday", "2024-03-28", "from 2024-03-28 to 2024-03-28"),
        ("of_their_own", "2024-01-01", ""),
    ],
)
def test_days_that_a_range_left_behind_are_told(range_type: str, read_on: str, gap: str) -> None:
    state = ReportState(replication_key="", start=None)
    at = datetime.fromisoformat(f"{read_on}T05:00:00+00:00")
    state.coverage = {"1": Coverage(read_at=at), "2": Coverage(read_at=at + timedelta(days=2))}
    mine = report(fields=["Date", "Clicks"], date_range_type=range_type, ds_accounts=["1", "2"])
    scope = Scope(
        accounts=("1", "2"),
        wanted=None,
        is_incremental=False,
        is_dated_by_rows=False,
        policy=policy(),
        last_complete=date(2024, 3, 29),
    )
    told = [*range_gap(mine, schema_of(ValueKind.INTEGER), scope, state)]
    assert [gap in each for each in told] == [True] * bool(gap)
    assert not [*range_gap(report(), schema_of(ValueKind.INTEGER), scope, state)]
