"""Finds the schemas of reports by the fields that the API lists, and the reports it rules out."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.sources import source_meant
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.model.columns import DATE, DIMENSIONS
from tap_supermetrics.records.kinds import ValueKind, data_type_of
from tap_supermetrics.records.schema import record_schema
from tap_supermetrics.sync.continuity import joined_before, reclassified
from tap_supermetrics.sync.report_sync import KnownReport
from tap_supermetrics.sync.state import report_state
from tap_supermetrics.words import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.api.fields import FieldInfo
    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.state import ReportState

logger = logging.getLogger(__name__)

_BETWEEN_IDS: Final = re.compile(r"[\s;|]+")
MAX_COMPARED: Final = 200_000
"""How many pairs of names are compared to find the one that was meant."""


def discover(lookups: Lookups, reports: Sequence[Report]) -> dict[str, RecordSchema]:
    """Return the schema of every report that can be read, by name; log why others cannot.

    Raises:
        SettingsError: the fields of every report contradict the API.
        ApiError: the fields of a data source cannot be had, or the API serves none of them.
    """
    schemas, refusals = _discover(lookups, reports)
    for name, error in refusals.items():
        logger.error("%s: %s", name, error)
    for report in reports:
        schema = schemas.get(report.name)
        if schema and (unlisted := unlisted_fields(report, schema, lookups.fields_of(report))):
            logger.warning("%s", unlisted_in_words(report, unlisted))
    return schemas


def known_reports(
    lookups: Lookups, reports: Sequence[Report], bookmarks: Mapping[str, Any], now: datetime
) -> dict[str, KnownReport]:
    """Return the reports that can be read, with their schema and state, by name.

    Raises:
        SettingsError: a state cannot be understood, or no report can be read.
        ApiError: the fields of a data source cannot be had.
    """
    mistakes: list[str] = []
    known: dict[str, KnownReport] = {}
    schemas, _ = _discover(lookups, reports)
    for report in reports:
        schema = schemas.get(report.name)
        if schema is None:
            continue
        state = _state(report, schema, bookmarks.get(report.name), now, mistakes)
        state.joined = joined_before(state, schema, lookups.fields_of(report))
        schema = schema.joined_as(state.joined, reclassified(schema, state))
        known[report.name] = KnownReport(report=report, schema=schema, state=state)
    if mistakes:
        raise SettingsError(mistakes)
    return known


def _state(
    report: Report, schema: RecordSchema, raw: object, now: datetime, mistakes: list[str]
) -> ReportState:
    today = now.astimezone(report.timezone).date()
    start = report.start_date.as_first(today) if report.start_date else None
    state = report_state(raw, report.name, schema.replication_key, start, mistakes)
    state.forget_future(now)
    return state


def refusal_of(lookups: Lookups, report: Report) -> TapError | None:
    """Return why the API's description of its fields rules a report out; else None.

    Raises:
        ApiError: the API refuses everything.
    """
    described = _described(lookups, report)
    return described if isinstance(described, TapError) else None


def _with_meant(report: Report, error: ApiError) -> TapError:
    """Return the error of a data source, with the id that may be meant where its id is unknown."""
    meant = source_meant(report.ds_id) if error.reach is Reach.SOURCE else ""
    return (
        SettingsError([f"{report.path}.ds_id: {error} Did you mean {meant}?"]) if meant else error
    )


def _discover(
    lookups: Lookups, reports: Sequence[Report]
) -> tuple[dict[str, RecordSchema], dict[str, TapError]]:
    """Return the schemas of the reports that can be read, and why the others cannot, by name.

    Raises:
        TapError: no report can be read.
    """
    lookups.request_fields(report.ds_id for report in reports)
    schemas: dict[str, RecordSchema] = {}
    refusals: dict[str, TapError] = {}
    for report in reports:
        described = _described(lookups, report)
        if isinstance(described, TapError):
            refusals[report.name] = described
        else:
            schemas[report.name] = described
    if refusals and not schemas:
        raise _as_one(refusals)
    return schemas, refusals


def _as_one(refusals: Mapping[str, TapError]) -> TapError:
    """Return the error that ends a run without a report that can be read."""
    for error in refusals.values():
        if isinstance(error, ApiError) and error.refuses_everything:
            return error  # It belongs to no report: all would meet it.
    mistakes: list[str] = []
    for name, error in refusals.items():
        mistakes += error.mistakes if isinstance(error, SettingsError) else [f"{name}: {error}"]
    error = SettingsError(mistakes)
    error.exit_code = max(each.exit_code for each in refusals.values())
    return error


def _described(lookups: Lookups, report: Report) -> RecordSchema | TapError:
    """Return the schema of a report, or why nothing of it can be read.

    Raises:
        ApiError: the API refuses everything.
    """
    if refused := lookups.refusal_of(report):
        return _with_meant(report, refused)
    listed = lookups.fields_of(report)
    schema = record_schema(report, listed)
    try:
        _check_names(report, schema, listed)
        _check_schema(report, schema)
    except SettingsError as error:
        return error
    return schema


def unlisted_fields(
    report: Report, schema: RecordSchema, listed: Sequence[FieldInfo]
) -> dict[str, str]:
    """Return the fields that the API does not list, each with one that may be meant, or none."""
    names = [
        each.name for each in schema.fields if not each.is_listed and each.name not in report.types
    ]
    known = [each.field_id for each in listed] if names else []
    # Comparing a name with a field takes microseconds.
    compared = names[: MAX_COMPARED // max(len(known), 1)]
    return {name: nearest(name, known, cutoff=0.8) if name in compared else "" for name in names}


def unlisted_in_words(report: Report, unlisted: Mapping[str, str]) -> str:
    """Return a warning of fields that the API does not list."""
    named = (f"{name} (did you mean {each}?)" if each else name for name, each in unlisted.items())
    key = "" if report.key_properties else " and part of the key"
    return (
        f"{report.path}: {report.ds_id} does not list {', '.join(named)}; loaded as text{key}, "
        "unless `types` says otherwise"
    )


def _check_names(report: Report, schema: RecordSchema, listed: Sequence[FieldInfo]) -> None:
    """Refuse a name that is made of several listed ones: its queries would be paid in vain.

    Raises:
        SettingsError: there is one.
    """
    parts = {
        each.name: {*filter(None, _BETWEEN_IDS.split(each.name.casefold()))}
        for each in schema.fields
        if not each.is_listed and each.name not in report.types and _BETWEEN_IDS.search(each.name)
    }
    known = {each.field_id.casefold() for each in listed} if parts else set()
    for name, ids in parts.items():
        if len(ids) > 1 and ids <= known:
            advice = "is several fields in one text; part them by commas, or write a list"
            raise SettingsError([f"{report.path}.fields: {name!r} {advice}"])


def _check_schema(report: Report, schema: RecordSchema) -> None:
    _check_replication_key(report, schema)
    if DIMENSIONS in schema.key_properties and not schema.joined:
        advice = f"leave {DIMENSIONS} out: the report has no dimension but texts and the day"
        raise SettingsError([f"{report.path}.key_properties: {advice}"])
    day = {schema.replication_key, DATE}
    if schema.replication_key and not day & {*schema.key_properties}:
        # `_sm_date` may be the replication key itself.
        either = " or ".join(dict.fromkeys((schema.replication_key, DATE)))
        mistake = (
            f"{report.path}.key_properties: add {either}; without the day in the key, each day "
            "would replace the one before"
        )
        raise SettingsError([mistake])
    needs_start = schema.is_dated and not report.date_range_type
    if needs_start and report.start_date is None:
        raise SettingsError([f"{report.path}.start_date: required, {report.ds_id} has dates"])


def _check_replication_key(report: Report, schema: RecordSchema) -> None:
    path, key = f"{report.path}.replication_key", report.replication_key
    if key == DATE and not schema.is_dated:
        raise SettingsError([f"{path}: leave it out, {report.ds_id} has no dates"])
    kinds = {each.name: each.kind for each in schema.fields}
    if key in kinds and kinds[key] is not ValueKind.DATE:
        pin = f"`types: {{{key}: {data_type_of(ValueKind.DATE)}}}`"
        text = f"expected a field of dates, {key} is {kinds[key].name}; set {pin} if it holds days"
        raise SettingsError([f"{path}: {text}"])
