"""Metadata of a catalog, as Meltano's extra `metadata` writes it: followed, refused, warned of.

The SDK takes what it knows and drops the rest in silence, so some checks read the catalog as it is
written.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.singer.catalog_types import catalog_types, never_null, untyped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

_NULL: Final = "null"
METHODS: Final = ("INCREMENTAL", "FULL_TABLE")
_METHOD_WORDS: Final = ("replication-method", "forced-replication-method")
_FLAGS: Final = ("selected", "selected-by-default")
_INCLUSIONS: Final = ("available", "automatic", "unsupported")
_OF_AN_ENTRY: Final = {
    *("tap-stream-id", "stream", "schema", "metadata", "key-properties", "selected"),
    *("replication-key", "replication-method"),
}
_KNOWN: Final = {
    *(*_METHOD_WORDS, *_FLAGS, "inclusion"),
    *("table-key-properties", "replication-key", "valid-replication-keys"),
}


def normalized(stream: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a catalog with flags and methods as the SDK has them.

    From the environment they come as texts. `mistakes_in_metadata` finds what is neither.
    """
    metadata = [
        {**each, "metadata": {word: _normal(word, x) for word, x in each["metadata"].items()}}
        for each in stream.get("metadata", ())
    ]
    method = _normal(_METHOD_WORDS[0], stream.get("replication_method"))
    return {**stream, "metadata": metadata, "replication_method": method}


def _normal(word: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(value, str):
        return value
    if word in _METHOD_WORDS and value.upper() in METHODS:
        return value.upper()
    flags = {"true": True, "1": True, "false": False, "0": False}
    return flags.get(value.strip().casefold(), value) if word in _FLAGS else value


def method_of(stream: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the replication method that a catalog gives a stream.

    The SDK does not read it from metadata, where the specification of Singer has it.
    """
    given = (_root(stream).get(word) for word in _METHOD_WORDS)
    return next(filter(None, given), stream.get("replication_method"))


def mistakes_in_metadata(stream: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value of metadata that the SDK would misread."""
    for column, metadata in _metadata(stream):
        where = f"--catalog: {stream['tap_stream_id']}{column}"
        for word in _FLAGS:
            if not isinstance(value := metadata.get(word), (bool, type(None))):
                yield f"{where}: {word}: expected true or false, got {value!r}"
        if (value := metadata.get("inclusion")) not in (None, *_INCLUSIONS):
            yield f"{where}: inclusion: expected one of {', '.join(_INCLUSIONS)}, got {value!r}"
    for value in (*map(_root(stream).get, _METHOD_WORDS), stream.get("replication_method")):
        if value not in (None, *METHODS):
            yield (
                f"--catalog: {stream['tap_stream_id']}: replication-method: expected "
                f"{' or '.join(METHODS)}, got {value!r}"
            )


def ignored_words(stream: Mapping[str, Any], words: Collection[str]) -> Iterator[str]:
    """Yield what of a catalog has no effect, a line for each column.

    Args:
        stream: an entry of the catalog.
        words: known words of JSON Schema.
    """
    found: dict[str, list[str]] = {}
    for column, metadata in _metadata(stream):
        unknown = [f"metadata {word}" for word in metadata if word not in _KNOWN]
        found.setdefault(column, []).extend(unknown)
    root = _root(stream)
    # Meltano writes the metadata of a stream both there and into `metadata`.
    unknown = [word for word in stream if word.replace("_", "-") not in {*_OF_AN_ENTRY, *root}]
    if (value := stream.get("selected", ...)) not in (..., root.get("selected", True)):
        unknown.append(f"selected {value!r} beside the metadata")
    found.setdefault("", []).extend(dict.fromkeys(unknown))
    columns = stream.get("schema", {}).get("properties") or {}
    for name, schema in columns.items():
        unknown = [word for word in schema if word not in words] if isinstance(schema, dict) else []
        found.setdefault(f".{name}", []).extend(unknown)
    for column, unknown in found.items():
        name = f"--catalog: {stream['tap_stream_id']}{column}"
        if unknown:
            yield f"{name}: {', '.join(unknown)}: not known, and without effect"
        if column and column[1:] not in columns:
            yield f"{name}: there is no such column, so that its metadata have no effect"


def passed_on_words(stream: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a catalog demands of whole records; it is passed on to the target."""
    words = [each for each in stream.get("schema", {}) if each not in {"type", "properties"}]
    if words:
        yield (
            f"--catalog: {stream['tap_stream_id']}: records are written as they are, whatever "
            f"{', '.join(words)} of the schema says; a loader may refuse them"
        )


def is_selected(entry: CatalogEntry) -> bool:
    """Return whether a stream is to be written."""
    return entry.metadata.resolve_selection()[()]


def columns_of(entry: CatalogEntry) -> dict[str, Any]:
    """Return the JSON Schema of each column, by its name."""
    return entry.schema.to_dict().get("properties") or {}


def unused_entries(catalog: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Yield entries of a catalog that are selected, but belong to no stream.

    Args:
        catalog: as the SDK has it.
        names: of the streams.
    """
    for name, entry in catalog.items():
        if name not in names and is_selected(entry):
            yield (
                f"--catalog: {name} is no report in the settings: nothing is loaded for it; add it "
                "to `queries`, or run --discover again"
            )


def mistakes_in_reading(
    entry: CatalogEntry, where: str, key: Sequence[str], replication_key: str | None
) -> Iterator[str]:
    """Yield where metadata contradict a report's key or its replication key.

    Args:
        entry: of a report that is selected.
        where: begins each mistake.
        key: of the report.
        replication_key: of the report; None where it is read whole.
    """
    root = entry.metadata.get(())
    if not _is_key(getattr(root, "table_key_properties", None), key):
        yield (
            f"{where}: table-key-properties: expected {', '.join(key)}; set `key_properties` in "
            "the settings instead"
        )
    given = [entry.replication_key, getattr(root, "replication_key", None)]
    for name in dict.fromkeys(str(each) for each in given if each is not None):
        if name != replication_key:
            yield (
                f"{where}: replication-key: expected {replication_key or 'none'}, got {name}; set "
                "`replication_key` in its entry of `queries` instead"
            )
    if entry.replication_method == "INCREMENTAL" and not replication_key:
        logger.warning(
            "%s: replication-method INCREMENTAL has no effect: the report has no day, and is read "
            "whole; set `replication_key` in its entry of `queries`",
            where,
        )


def mistakes_in_log(
    catalog: Catalog, name: str, schema: Mapping[str, Any], key: Sequence[str]
) -> list[str]:
    """Return where a catalog contradicts the query log, which it cannot change.

    Args:
        catalog: all of it.
        name: of the query log.
        schema: of its records.
        key: of its records.
    """
    where, entry = f"--catalog: {name}", catalog.get_stream(name)
    if entry is None:
        text = "%s is not in it, so the query log is not written; run --discover again"
        logger.warning(text, where)
        return []
    if not is_selected(entry):
        return []
    own, root = schema["properties"], entry.metadata.get(())
    given = columns_of(entry)
    keys = [entry.key_properties, getattr(root, "table_key_properties", None)]
    changes = {
        "its key": not all(_is_key(each, key) for each in keys),
        "a replication key": entry.replication_key or getattr(root, "replication_key", None),
        "replication-method": entry.replication_method == "INCREMENTAL",
        "types": catalog_types(given, own, frozenset(own), where).mistakes or untyped(given, own),
        "columns": {*given} - {*own},
    }
    return [
        f"{where}: {word} cannot be changed: leave that out of the catalog (with Meltano, of "
        "`schema` and `metadata`)"
        for word, is_changed in changes.items()
        if is_changed
    ]


def _is_key(given: object, key: Sequence[str]) -> bool:
    """Return whether a given key is the right one, or none is given."""
    return given is None or (
        isinstance(given, (list, tuple)) and sorted(map(str, given)) == sorted(key)
    )


def written_anyway(entry: CatalogEntry, name: str, columns: Iterable[str]) -> Iterator[str]:
    """Yield a line on columns that are deselected and written all the same."""
    mask = entry.metadata.resolve_selection()
    written = [
        each
        for each in columns
        if mask["properties", each]
        and (found := entry.metadata.get(("properties", each)))
        and found.selected is False
    ]
    if written:
        yield f"{name}: deselected, but part of the key, and so written: {', '.join(written)}"


def fill_in_types(entry: CatalogEntry, own: Mapping[str, Any]) -> None:
    """Give columns their own type where a catalog has none for them."""
    columns = entry.schema.properties or {}
    for name in untyped(columns_of(entry), own):
        columns[name].type = own[name]["type"]
        columns[name].format = columns[name].format or own[name].get("format")


def add_null(entry: CatalogEntry, own: Mapping[str, Any]) -> list[str]:
    """Add null to the catalog's types of columns that may be null.

    Returns:
        The columns whose type lacked it, as people write `type: integer` in Meltano's `schema`.
    """
    columns = entry.schema.properties or {}
    names = never_null(columns_of(entry), own)
    for name in names:
        column = columns[name]
        types: Any = [column.type] if isinstance(column.type, str) else column.type
        # A malformed type is reported later, by its place.
        if isinstance(types, list):
            column.type = [*types, _NULL]
        for several in (column.anyOf, column.oneOf):
            if isinstance(several, list):
                several.append({"type": _NULL})
    return names


def without_metrics(report: Report, names: Sequence[str]) -> Report:
    """Return a report that does not request metrics that are deselected.

    Dimensions make the rows, so they are requested; so is a metric that a filter or an order names.

    Args:
        report: the report.
        names: its metrics that are deselected.
    """
    named = f"{report.parameters.get('filter')} {report.parameters.get('order_rows')}".casefold()
    out = [each for each in names if each.casefold() not in named]
    if not out:
        return report
    fields = tuple(each for each in report.fields if each not in out)
    logger.info("%s: deselected, and not asked for: %s", report.name, ", ".join(out))
    return replace(report, fields=fields, configured_fields=report.fields)


def _root(stream: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((each for column, each in _metadata(stream) if not column), {})


def _metadata(stream: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield metadata with their column, as `.Cost`; empty for the stream's own."""
    for each in stream.get("metadata", ()):
        yield "".join(f".{name}" for name in each["breadcrumb"][1::2]), each["metadata"]
