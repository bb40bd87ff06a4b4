"""Follows or refuses what a catalog changes of reports: columns, key, types.

One rule: values follow the catalog's type where that loses nothing; else it is refused, because
SCHEMA would say something else than the records hold. What would lose rows is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import RecordSchema

logger = logging.getLogger(__name__)

TEXT: Final = "string.text.value"
"""The API's data type whose values are texts, whatever the API sends."""


_ANY_OF: Final = ("anyOf", "oneOf")
_LIMITS: Final = (
    *("maxLength", "minLength", "pattern", "enum", "const"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
"""Words of JSON Schema by which loaders size columns or refuse records."""


def following(
    catalog: Catalog, reports: Iterable[Report], schemas: Mapping[str, RecordSchema]
) -> tuple[Report, ...]:
    """Return the reports, with the types that a catalog gives where that loses nothing.

    Args:
        catalog: the whole of it.
        reports: all of the settings, in their order.
        schemas: those of the reports that were discovered, by name.

    Raises:
        SettingsError: rows would be lost, or not fit the target's table.
    """
    mistakes: list[str] = []
    followed: list[Report] = []
    for report in reports:
        schema, entry = schemas.get(report.name), catalog.get_stream(report.name)
        if schema and entry and entry.metadata.resolve_selection().get((), True):
            types = _types_of(entry, report.name, schema)
            mistakes += [*_mistakes_in(entry, report.name, schema), *types.mistakes]
            followed.append(_pinned(report, schema, types.as_text))
            continue
        followed.append(report)
        if schema and not entry:
            logger.warning(
                "--catalog: %s is a report in the settings, but not in the catalog: it is not "
                "loaded; run --discover again",
                report.name,
            )
    if mistakes:
        raise SettingsError(mistakes)
    return tuple(followed)


def _mistakes_in(entry: CatalogEntry, name: str, schema: RecordSchema) -> Iterator[str]:
    """Find what of a stream's entry would lose rows or break the target's table."""
    where, mask = f"--catalog: {name}", entry.metadata.resolve_selection()
    if entry.stream not in {None, name}:
        yield (
            f"{where}: expected the same name as `stream`, got {entry.stream!r}; to rename a "
            "stream, set `name` in its entry of `queries`"
        )
    columns = _columns_of(entry)
    selected = [each for each in schema.json_schema["properties"] if mask["properties", each]]
    if missing := [each for each in selected if each not in columns]:
        yield (
            f"{where}: the schema lacks columns of the report: {', '.join(missing)}; "
            "run --discover again"
        )
    key = entry.key_properties or entry.metadata.root.table_key_properties or ()
    given = sorted(map(str, key)) if isinstance(key, (list, tuple)) else [str(key)]
    if given != sorted(schema.key_properties):
        yield (
            f"{where}: expected key_properties {', '.join(schema.key_properties) or 'to be empty'},"
            f" got {', '.join(given) or 'none'}; set `key_properties` in the settings instead, "
            "then run --discover again"
        )
    if left_out := [each for each in schema.key_properties if each not in selected]:
        yield (
            f"{where}: columns of the key cannot be deselected: {', '.join(left_out)}; select "
            "them, or set `key_properties` in the settings"
        )


def _types_of(entry: CatalogEntry, name: str, schema: RecordSchema) -> CatalogTypes:
    """Hold the selected columns of an entry against a report's, and warn of what is not kept."""
    mask, given = entry.metadata.resolve_selection(), _columns_of(entry)
    columns = schema.json_schema["properties"]
    own = {each: of for each, of in columns.items() if mask["properties", each]}
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
            ", ".join(unknown),
        )
    fixed = frozenset(each.name for each in schema.other_dimensions)
    return catalog_types(given, own, fixed, f"--catalog: {name}")


def _pinned(report: Report, schema: RecordSchema, as_text: Sequence[str]) -> Report:
    """Return a report of which some columns are texts, under the key that it has anyway."""
    if not as_text:
        return report
    types = {**report.types, **dict.fromkeys(as_text, TEXT)}
    # A default key must stay what it is, whatever becomes a text.
    return replace(report, types=types, key_properties=tuple(schema.key_properties))


def _columns_of(entry: CatalogEntry) -> Mapping[str, Any]:
    return entry.schema.to_dict().get("properties") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTypes:
    """Types that a catalog gives to the columns of one stream.

    Attributes:
        as_text: columns whose values become texts.
        mistakes: a line for each type that values cannot follow.
    """

    as_text: tuple[str, ...] = field(default=())
    mistakes: tuple[str, ...] = field(default=())


def catalog_types(
    given: Mapping[str, Any], own: Mapping[str, Any], fixed: frozenset[str], where: str
) -> CatalogTypes:
    """Hold the columns of a catalog against those of a stream.

    Args:
        given: JSON Schema by column, as the catalog has it.
        own: JSON Schema by column, as records are made.
        fixed: columns whose values cannot be made texts, as the key depends on them.
        where: begins each mistake.
    """
    as_text, mistakes = [], []
    for name, schema in own.items():
        wanted = given.get(name)
        if wanted is None or _fits(schema, wanted):
            continue
        if name not in fixed and _fits(schema | {"type": _as_text(schema), "format": None}, wanted):
            as_text.append(name)
        else:
            mistakes.append(
                f"{where}: {name}: the catalog says {_told(wanted)}, but records hold "
                f"{_told(schema)}; set its type in `types` of the report and run --discover again"
            )
    return CatalogTypes(as_text=tuple(as_text), mistakes=tuple(mistakes))


def _as_text(schema: Mapping[str, Any]) -> list[str]:
    return ["string", *_types(schema) & {"null"}]


def _fits(schema: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell that every value of `schema` is one of `wanted`, which may have no type at all."""
    types = _types(wanted)
    if "number" in types:
        types |= {"integer"}
    same_format = wanted.get("format") in {None, schema.get("format")}
    return not types or (_types(schema) <= types and same_format)


def _types(schema: Mapping[str, Any]) -> set[str]:
    types = schema.get("type") or ()
    own = {types} if isinstance(types, str) else {*types}
    # Any of several schemas, as other taps write `null`; what else they say is not looked at.
    return own.union(*(_types(each) for word in _ANY_OF for each in schema.get(word) or ()))


def limits(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a catalog demands of values beside their type, which is not kept, by column.

    Args:
        given: JSON Schema by column, as the catalog has it.
        own: columns of the stream.
    """
    found = {name: [*filter(given.get(name, {}).__contains__, _LIMITS)] for name in own}
    return {name: words for name, words in found.items() if words}


def _told(schema: Mapping[str, Any]) -> str:
    told = " or ".join(sorted(_types(schema)))
    return f"{told} ({schema['format']})" if schema.get("format") else told
