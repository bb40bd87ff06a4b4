"""Compares what was loaded before with what is to be loaded now.

A target's table has the key and the types of its first night. A report with another key is refused,
as rows would be there twice. A type that changes is warned of each night until somebody acts: a
column of integers rounds 10.5 to 10 in silence. `types` pins the column: with the old type, values
that do not fit are reported; with the new one, the user has changed the table. A unit that changes,
from percentage to ratio, is warned of likewise; in the key, a period that changes is refused.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_supermetrics.date_ranges import ranges_of
from tap_supermetrics.dates import ONE_DAY
from tap_supermetrics.errors import TapError
from tap_supermetrics.model import account_id_of, is_list
from tap_supermetrics.model.account_spelling import are_one, core_of
from tap_supermetrics.model.columns import DIMENSIONS
from tap_supermetrics.records.kinds import ValueKind, data_type_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tap_supermetrics.api.fields import FieldInfo
    from tap_supermetrics.model import Report
    from tap_supermetrics.planning.scope import Scope
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.sync.state import ReportState

logger = logging.getLogger(__name__)


def check_key(report: Report, schema: RecordSchema, state: ReportState) -> None:
    """Refuse a key, or a type in it, that differs from that of the rows in the target.

    Raises:
        TapError: with the settings that restore the old key, where they can.
    """
    old, new = state.key_properties, schema.key_properties
    fixed = {*old, *new, *_parts_of_key(schema, state)}
    ways = (
        f"or empty the table, and remove bookmarks.{report.name} from the state; or give the "
        "report another name"
    )
    _check_listed(report, schema, state, fixed)
    for column, was, now in _changes(schema, state):
        if column in fixed:
            raise TapError(
                f"{column} of its key was {was} and now is {now}: days read again would be in the "
                f"target twice, under both. Set {_pin(column, was)}; {ways}"
            )
    for column, was, now in _unit_changes(schema, state):
        if column in {*old, *new, *schema.joined, *state.joined}:
            raise TapError(
                f"{column} of its key was {was} and now is {now}: days read again would be in the "
                "target twice, under both. If its values are what they were, set "
                f"`types: {{{column}: {was}}}`; {ways}"
            )
    if state.joined and schema.joined and {*state.joined} != {*schema.joined}:
        was, now = ", ".join(state.joined), ", ".join(schema.joined)
        raise TapError(
            f"{DIMENSIONS} of its key joined {was} and now joins {now}: days read again would be "
            f"in the target twice, under both. Set `fields` as they were; {ways}"
        )
    if old and {*old} != {*new}:
        is_there = {*old} <= {*schema.json_schema["properties"]}
        is_enough = is_there and not _added_dimensions(schema, state)
        back = f"`key_properties: [{', '.join(old)}]`" if is_enough else "`fields` as they were"
        set_back, because = f"Set {back}; {ways}", ""
        if not is_there and (fields := reclassified(schema, state)):
            because = f", because {_class_change(fields)}"
            set_back = f"E{ways.removeprefix('or e')}"
        raise TapError(
            f"its key was {', '.join(old)} and now is {', '.join(new)}{because}: days read again "
            f"would be in the target twice, under both. {set_back}"
        )


def _check_listed(
    report: Report, schema: RecordSchema, state: ReportState, fixed: Collection[str]
) -> None:
    """Refuse a field that changes the key only because the API does not list it any more."""
    unlisted = {each.name for each in schema.fields if not each.is_listed}
    for column, was, _ in _changes(schema, state):
        if column in unlisted and column in fixed:
            raise TapError(
                f"{column} was loaded as {was}, and {report.ds_id} does not list it any more. If "
                "the API renamed it, name in `fields` what it is now; if it only fails to list "
                f"it, set {_pin(column, was)}"
            )


def _added_dimensions(schema: RecordSchema, state: ReportState) -> set[str]:
    """Return dimensions that were not loaded before: rows that differ only there share the old key.

    A state of version 0.1 does not know what was loaded.
    """
    dimensions = {each.name for each in schema.fields if each.is_dimension}
    return dimensions - {*state.types} if state.types else set()


def reclassified(schema: RecordSchema, state: ReportState) -> tuple[str, ...]:
    """Return metrics that `_sm_dimensions` joined, and dimensions that were loaded outside the key.

    The API classified them the other way when they were loaded.
    """
    metrics = {each.name for each in schema.fields if not each.is_dimension}
    outside = {*state.types} - {*state.joined, *state.key_properties}
    fields = [each for each in state.joined if each in metrics]
    fields += [each for each in schema.joinable if state.joined and each in outside]
    return tuple(fields)


def class_changes(report: Report, schema: RecordSchema, state: ReportState) -> Iterator[str]:
    """Yield a warning of fields that stay in or out of the key, whatever they are now."""
    if schema.joined and (fields := reclassified(schema, state)):
        yield (
            f"{report.name}: {_class_change(fields)}; {DIMENSIONS} of its key joins "
            f"{', '.join(schema.joined)} as before. To have it joined as the API says now, empty "
            f"the table, and remove bookmarks.{report.name} from the state; or give the report "
            "another name"
        )


def _class_change(fields: Iterable[str]) -> str:
    named = ", ".join(fields)
    return f"the API changed {named} from metric to dimension, or from dimension to metric"


def joined_before(
    state: ReportState, schema: RecordSchema, listed: Iterable[FieldInfo]
) -> tuple[str, ...]:
    """Return the fields that `_sm_dimensions` joined, in its order.

    The state of an older version has them only in the order of their types.

    Args:
        state: what was loaded.
        schema: what is to be loaded.
        listed: all fields of the data source.
    """
    if state.joined or DIMENSIONS not in state.key_properties:
        return state.joined
    dimensions = {each.field_id.casefold() for each in listed if each.is_dimension}
    dimensions |= {each.name.casefold() for each in schema.fields if each.is_dimension}
    return tuple(
        column
        for column, word in state.types.items()
        if word != _word(ValueKind.TEXT)
        and column != schema.day
        and column.casefold() in dimensions
    )


def check_day(report: Report, schema: RecordSchema, state: ReportState) -> None:
    """Refuse a report that was loaded day by day, and has no day any more.

    Raises:
        TapError: with the setting that restores the day.
    """
    was_by_day = any(each.covered for each in state.coverage.values())
    is_by_day = schema.replication_key or report.date_range_type or not was_by_day
    changes = () if is_by_day else _changes(schema, state)
    for column, was, now in changes:
        if was == _word(ValueKind.DATE):
            raise TapError(
                f"{column} was its day, and now is {now}: it would be read whole, and its rows be "
                f"of no day. Set {_pin(column, was)}; or give the report another name"
            )


def _parts_of_key(schema: RecordSchema, state: ReportState) -> Iterator[str]:
    """Return the columns that `_sm_dimensions` joins and whose text changes."""
    numbers = {_word(ValueKind.INTEGER), _word(ValueKind.NUMBER)}
    for column, was, now in _changes(schema, state):
        # Integer or not, a number has the same spelling there.
        if column in {*schema.joined, *state.joined} and not {was, now} <= numbers:
            yield column


def type_changes(report: Report, schema: RecordSchema, state: ReportState) -> Iterator[str]:
    """Yield a warning of each column whose type or unit differs from the target's."""
    for column, was, now in _changes(schema, state):
        if column not in report.types:
            yield (
                f"{report.name}.{column}: its values were of type {was} and now are {now}; the "
                "table of the target may cut or refuse them. Set "
                f"{_pin(column, was)} to have it as it was, or change the table and set "
                f"{_pin(column, now)}"
            )

    for column, was, now in _unit_changes(schema, state):
        if column not in report.types:
            yield (
                f"{report.name}.{column}: its values were {was} and now are {now}, and the table "
                f"of the target holds both. Remove bookmarks.{report.name} from the state to load "
                f"all days again, or set `types: {{{column}: {now}}}` once it is in order"
            )


def learn_types(report: Report, schema: RecordSchema, state: ReportState) -> None:
    """Store types and units of columns: those that are new, and those that the user set.

    A state of an older version has no units, and learns them in silence.
    """
    for column, kind in _kinds(schema).items():
        if column not in state.types or column in report.types:
            state.types[column] = kind
    for each in schema.fields:
        if each.unit and (each.name not in state.units or each.name in report.types):
            state.units[each.name] = each.unit


def _changes(schema: RecordSchema, state: ReportState) -> Iterator[tuple[str, str, str]]:
    for column, now in _kinds(schema).items():
        was = state.types.get(column, now)
        # Every integer is a number.
        if was != now and (was, now) != (_word(ValueKind.NUMBER), _word(ValueKind.INTEGER)):
            yield column, was, now


def _unit_changes(schema: RecordSchema, state: ReportState) -> Iterator[tuple[str, str, str]]:
    """Yield columns whose unit changed, with the data types of the old and the new unit."""
    for each in schema.fields:
        was, now = state.units.get(each.name, each.unit), each.unit
        # Where a number became a text, the change of its type is enough.
        if now and was != now and _is_period(was) is _is_period(now):
            yield each.name, each.data_type_in(was), each.data_type_in(now)


def _is_period(unit: str) -> bool:
    return unit.startswith("time.")


def _kinds(schema: RecordSchema) -> dict[str, str]:
    return {each.name: _word(each.kind) for each in schema.fields}


def _word(kind: ValueKind) -> str:
    return kind.name.lower()


def _pin(column: str, word: str) -> str:
    return f"`types: {{{column}: {data_type_of(ValueKind[word.upper()])}}}`"


def check_groups(report: Report, scope: Scope, state: ReportState) -> None:
    """Warn of accounts that are not listed any more, and refuse those that are grouped anew."""
    requested = {account_id_of(group): group for group in scope.groups}
    there = [each for each, known in state.coverage.items() if known.is_loaded]
    old = [each for each in there if each not in requested]
    owners = [(part, each) for each in old for part in each.split(",")]
    of_lists = [each for part, each in owners if is_list(part)]
    alike: dict[str, list[tuple[str, str]]] = {}
    for part, each in owners:
        alike.setdefault(core_of(part), []).append((part, each))
    for account_id, accounts in requested.items():
        near = ((one, *was) for one in accounts for was in alike.get(core_of(one), ()))
        twins = [owner for one, part, owner in near if are_one(one, part)]
        twins += [each for each in old[:1] if any(map(is_list, accounts))]
        twins += of_lists
        if twins and account_id not in there:
            raise TapError(
                f"account {account_id} would be loaded twice: its rows are in the target as "
                f"those of account {twins[0]}, because `ds_accounts` or "
                "`split_accounts_policy` was another, or the API listed others. Set both as they "
                f"were; or empty the table, and remove bookmarks.{report.name} from the state; or "
                "give the report another name"
            )
    # The state may contain accounts of other shards, from before there were any.
    mine = [each for each in old if report.shard.owns_together(tuple(each.split(",")))]
    if mine and not report.accounts.ids:
        listed = ", ".join(mine)
        logger.warning("%s: not listed by the API any more: %s", report.name, listed)


def range_gap(
    report: Report, schema: RecordSchema, scope: Scope, state: ReportState
) -> Iterator[str]:
    """Yield a warning of days that a range of the API has left behind since it was read last."""
    has_days = any(each.is_dimension and each.kind is ValueKind.DATE for each in schema.fields)
    if not (report.date_range_type and has_days and scope.last_complete):
        return
    now = ranges_of(report.date_range_type, scope.last_complete + ONE_DAY)
    known = (state.coverage_of(account_id_of(group)).read_at for group in scope.groups)
    days = {each.astimezone(report.timezone).date() for each in known if each}
    before = ranges_of(report.date_range_type, min(days)) if days else ()
    if not (now and before):
        return
    first, last = max(each.last for each in before) + ONE_DAY, min(each.first for each in now)
    if first < last:
        yield (
            f"{report.name}: days from {first} to {last - ONE_DAY} are in no run: it was read last "
            f"on {min(days)}, and `date_range_type: {report.date_range_type}` does not reach back "
            "to it; read them once by another `date_range_type`, or have `start_date` instead, "
            "which leaves no day out"
        )


def query_change(report: Report, state: ReportState) -> str:
    """Return a warning of a report whose query has changed."""
    days = [each.bookmark for each in state.coverage.values() if each.bookmark]
    return (
        f"{report.name}: what it asks for has changed since the last run; days up to "
        f"{max(days, default='now')} were loaded as it was. To load them again, remove "
        f"bookmarks.{report.name} from the state, or give the report another name; if it was "
        "`blank_key_value`, rows of before with a blank in the key stay beside the new ones: "
        "delete them from the table"
    )
