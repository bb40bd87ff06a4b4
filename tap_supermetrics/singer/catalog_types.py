"""Types that a catalog gives to columns, as Meltano's extra `schema` does.

One rule: values follow the catalog's type where that preserves them; else it is refused, because
SCHEMA would contradict the records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.model.columns import METADATA_PREFIX
from tap_supermetrics.records.kinds import ValueKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANY_OF: Final = ("anyOf", "oneOf")
_NOT_FOLLOWED: Final = ("allOf", "$ref")
_LIMITS: Final = (
    *("maxLength", "minLength", "pattern", "enum", "const"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
"""Words of JSON Schema by which loaders size columns or refuse records."""


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
    """Compare the columns of a catalog with those of a stream.

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
        # Any value can become a text: so a catalog that wants one is followed.
        if name not in fixed and _fits(schema | {"type": _as_text(schema), "format": None}, wanted):
            as_text.append(name)
        else:
            mistakes.append(
                f"{where}: {name}: the catalog says {_in_words(wanted)}, but records hold "
                f"{_in_words(schema)}; {_remedy(name, schema, wanted)}"
            )
    return CatalogTypes(as_text=tuple(as_text), mistakes=tuple(mistakes))


def _remedy(name: str, schema: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    nullable = "null" in _types(schema)
    can_be = any(_fits(kind.schema(nullable=nullable), wanted) for kind in ValueKind)
    if can_be and not name.startswith(METADATA_PREFIX):
        return "set its type in `types` of the report and run --discover again"
    return "leave that out of the catalog (with Meltano, of `schema`)"


def _as_text(schema: Mapping[str, Any]) -> list[str]:
    return ["string", *_types(schema) & {"null"}]


def _fits(schema: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether every value of `schema` fits `wanted`, which may have no type at all."""
    types = _types(wanted)
    if _beyond(wanted):
        return False
    # To JSON Schema, every integer is a number.
    if "number" in types:
        types |= {"integer"}
    same_format = wanted.get("format") in {None, schema.get("format")}
    return same_format and (not types or _types(schema) <= types)


def _types(schema: Mapping[str, Any]) -> set[str]:
    types = schema.get("type") or ()
    own = {*map(str, types)} if isinstance(types, (list, tuple)) else {str(types)}
    # Any of several schemas, as other taps write `null`; only their types are read.
    return own.union(*map(_types, _several(schema)), _beyond(schema))


def _several(schema: Mapping[str, Any]) -> list[Any]:
    found = (each for word in _ANY_OF for each in _as_list(schema.get(word)))
    return [each for each in found if isinstance(each, dict)]


def _beyond(schema: Mapping[str, Any]) -> list[str]:
    """Return words of a schema that cannot be followed, or are malformed."""
    schemas = {word: _as_list(schema.get(word)) for word in _ANY_OF}
    spoilt = [word for word, of in schemas.items() if not all(isinstance(x, dict) for x in of)]
    return [word for word in _NOT_FOLLOWED if word in schema] + spoilt


def _as_list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else [] if raw is None else [raw]


def limits(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a catalog demands of values beside their type, without effect, by column.

    Args:
        given: JSON Schema by column, as the catalog has it.
        own: columns of the stream.
    """
    found = {name: [*_limits(given.get(name, {}))] for name in own}
    return {name: words for name, words in found.items() if words}


def _limits(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(schema, dict):
        yield from filter(schema.__contains__, _LIMITS)
        for each in _several(schema):
            yield from _limits(each)


def untyped(given: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return columns without a type in a catalog: Meltano's `schema` replaces all they had."""
    return [name for name in own if name in given and not _types(given[name])]


def never_null(given: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return columns that may be null, and whose type in a catalog lacks null."""
    return [
        name
        for name, schema in own.items()
        if "null" in _types(schema)
        and (types := _types(given.get(name, {})))
        and "null" not in types
        and not _beyond(given[name])
    ]


def _in_words(schema: Mapping[str, Any]) -> str:
    types = " or ".join(sorted(_types(schema)))
    return f"{types} ({schema['format']})" if schema.get("format") else types
