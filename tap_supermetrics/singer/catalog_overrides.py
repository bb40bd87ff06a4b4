"""Reports as a catalog changes them: columns, key, types; refused where rows would be lost."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.records.kinds import TEXT
from tap_supermetrics.singer.catalog_entries import (
    add_null,
    columns_of,
    fill_in_types,
    is_selected,
    mistakes_in_log,
    mistakes_in_reading,
    unused_entries,
    without_metrics,
    written_anyway,
)
from tap_supermetrics.singer.catalog_types import CatalogTypes, catalog_types, limits
from tap_supermetrics.sync.name_checks import MAX_NAMED
from tap_supermetrics.sync.query_log import KEY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import RecordSchema

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """Reports as a catalog changes them.

    Attributes:
        reports: all of the settings, in their order.
        refusals: why some cannot be read by this catalog, by name: rows would be lost, or not fit
            the target's table.
    """

    reports: tuple[Report, ...]
    refusals: Mapping[str, SettingsError]


def follow_catalog(
    catalog: Catalog | None,
    reports: Iterable[Report],
    schemas: Mapping[str, RecordSchema],
    logs: Iterable[str] = (),
) -> Followed:
    """Return the reports, with a catalog's types where that preserves all values.

    A catalog of yesterday may contradict what the API lists today: so a mistake is one report's.

    Args:
        catalog: the whole of it; None for none.
        reports: all of the settings, in their order.
        schemas: those of the reports that were discovered, by name.
        logs: names of the query log, if there is one.

    Raises:
        SettingsError: the query log would not fit its table, or no report can be read.
    """
    reports, logs = tuple(reports), tuple(logs)
    if catalog is None:
        return Followed(reports=reports, refusals={})
    unused = unused_entries(catalog, {*(each.name for each in reports), *logs})
    for warning in (*unused, *_lacking(catalog, schemas)):
        logger.warning("%s", warning)
    mistakes = [each for name in logs for each in mistakes_in_log(catalog, name, SCHEMA, KEY)]
    entries = {name: entry for name, entry in catalog.items() if is_selected(entry)}
    refusals: dict[str, SettingsError] = {}
    followed = {each.name: each for each in reports}
    for report in reports:
        schema, entry = schemas.get(report.name), entries.get(report.name)
        if schema and entry:
            followed[report.name], found = _by_entry(report, schema, entry)
            refusals |= {report.name: SettingsError(found)} if found else {}
    if mistakes or (refusals and refusals.keys() >= entries.keys() & schemas.keys()):
        raise SettingsError([*mistakes, *(x for each in refusals.values() for x in each.mistakes)])
    for name, error in refusals.items():
        # Whoever tells it begins with the name.
        short = [each.replace(f"--catalog: {name}: ", "--catalog: ", 1) for each in error.mistakes]
        refusals[name] = SettingsError(short)
        logger.error("%s: %s", name, refusals[name])
    return Followed(reports=tuple(followed.values()), refusals=refusals)


def _lacking(catalog: Catalog, names: Iterable[str]) -> Iterator[str]:
    """Yield reports that a catalog leaves out altogether."""
    for name in names:
        if name not in catalog:
            yield (
                f"--catalog: {name} is a report in the settings, but not in the catalog: it is not "
                "loaded; run --discover again (with Meltano, --refresh-catalog)"
            )


def _by_entry(
    report: Report, schema: RecordSchema, entry: CatalogEntry
) -> tuple[Report, list[str]]:
    """Return a report as its entry changes it, and the mistakes for which it cannot be read."""
    types = _types_of(entry, report.name, schema)
    mistakes = [*_mistakes_in(entry, report.name, schema), *types.mistakes]
    unlisted = [
        each.name for each in schema.fields if not each.is_listed and each.name not in report.types
    ]
    # What does not fit because of the API's list has one remedy.
    others = [each for each in mistakes if not any(name in each for name in unlisted)]
    if len(others) < len(mistakes):
        mistakes = [_no_more_listed(report, unlisted), *others]
    narrow = _without_deselected(report, entry, schema)
    return _pinned(narrow, schema, types.as_text), mistakes


def _no_more_listed(report: Report, names: Sequence[str]) -> str:
    """Return why a catalog that once fitted does not any more."""
    return (
        f"--catalog: {report.name}: {report.ds_id} does not list {_some(names)}; if the API "
        "renamed it, name in `fields` what it is now, and run --discover again (with Meltano, "
        "--refresh-catalog)"
    )


def _mistakes_in(entry: CatalogEntry, name: str, schema: RecordSchema) -> Iterator[str]:
    """Yield what of a stream's entry would drop rows or break the target's table."""
    where, mask = f"--catalog: {name}", entry.metadata.resolve_selection()
    if entry.stream not in {None, name}:
        yield (
            f"{where}: expected the same name as `stream`, got {entry.stream!r}; to rename a "
            "stream, set `name` in its entry of `queries`"
        )
    columns = columns_of(entry)
    selected = [each for each in schema.json_schema["properties"] if mask["properties", each]]
    if missing := [each for each in selected if each not in columns]:
        yield (
            f"{where}: the schema lacks columns of the report: {', '.join(missing)}; "
            "run --discover again"
        )
    # An empty list is a key too: a target would append what is read again.
    of_root = getattr(entry.metadata.get(()), "table_key_properties", None) or ()
    key = of_root if entry.key_properties is None else entry.key_properties
    given = sorted(map(str, key)) if isinstance(key, (list, tuple)) else [str(key)]
    if given != sorted(schema.key_properties):
        yield (
            f"{where}: expected key_properties {', '.join(schema.key_properties) or 'to be empty'},"
            f" got {', '.join(given) or 'none'}; set `key_properties` in the settings instead, "
            "then run --discover again"
        )
    yield from mistakes_in_reading(
        entry, where, schema.key_properties, schema.replication_key or None
    )
    if left_out := [each for each in schema.key_properties if each not in selected]:
        yield (
            f"{where}: columns of the key cannot be deselected: {', '.join(left_out)}; select "
            "them, or set `key_properties` in the settings"
        )


def _types_of(entry: CatalogEntry, name: str, schema: RecordSchema) -> CatalogTypes:
    """Compare the selected columns of an entry with a report's; warn of what is not followed."""
    mask, columns = entry.metadata.resolve_selection(), schema.json_schema["properties"]
    own = {each: of for each, of in columns.items() if mask["properties", each]}
    fill_in_types(entry, own)
    if without := add_null(entry, own):
        logger.warning(
            "--catalog: %s: null is added to the type of %s, as a value may be missing; write "
            'it there, as in `type: [integer, "null"]`',
            name,
            _some(without),
        )
    for line in written_anyway(entry, name, columns):
        logger.info("%s", line)
    given = columns_of(entry)
    for column, words in limits(given, own).items():
        logger.warning(
            "--catalog: %s: %s: values are written as they are, whatever %s says; a loader may "
            "refuse them",
            name,
            column,
            ", ".join(words),
        )
    if unknown := [each for each in given if each not in columns]:
        logger.warning(
            "--catalog: %s: the report has no field for %s: the column stays empty; add it to "
            "`fields`, or take it out of the catalog",
            name,
            _some(unknown),
        )
    fixed = frozenset(schema.joined)
    return catalog_types(given, own, fixed, f"--catalog: {name}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


def _without_deselected(report: Report, entry: CatalogEntry, schema: RecordSchema) -> Report:
    """Return a report without deselected metrics, unless all are: rows need at least one."""
    mask = entry.metadata.resolve_selection()
    metrics = [each.name for each in schema.fields if not each.is_dimension]
    out = [each for each in metrics if not mask["properties", each]]
    return without_metrics(report, out) if len(out) < len(metrics) else report


def _pinned(report: Report, schema: RecordSchema, as_text: Sequence[str]) -> Report:
    """Return a report with some columns as texts, and its key unchanged."""
    if not as_text:
        return report
    types = {**report.types, **dict.fromkeys(as_text, TEXT)}
    # The default key must not change with the types.
    return replace(report, types=types, key_properties=tuple(schema.key_properties))
