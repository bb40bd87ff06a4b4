"""Stream maps as a user writes them: their form, what they can never do, and what they change.

The SDK takes some of it for columns, and raises Python's own exceptions for the rest.
"""

from __future__ import annotations

import fnmatch
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.exceptions import MapExpressionError
from singer_sdk.mapper import RemoveRecordTransform

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.records.names import warnings_of_columns, warnings_of_name
from tap_supermetrics.settings.entries import one_table
from tap_supermetrics.settings.reading import hint
from tap_supermetrics.singer.inputs import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from singer_sdk import Stream
    from singer_sdk.mapper import PluginMapper, StreamMap

_NEVER_RIGHT: Final = {"NameNotDefined", "FunctionNotDefined", "FeatureNotAvailable"}
"""Why an expression fails whatever the record contains."""
_SAMPLES: Final = {"integer": 1, "number": 1.0, "boolean": True}
_NOTHING: Final = (None, "__NULL__")
_EXPECTED: Final = "an object of columns and expressions, or null to drop the stream"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_key(value: object) -> bool:
    is_list = isinstance(value, list) and all(map(_is_text, value))
    return is_list or value in _NOTHING


_WORDS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "__alias__": ("a name", _is_text),
    "__source__": ("the name of a report", _is_text),
    "__filter__": ("an expression", _is_text),
    "__key_properties__": ("a list of columns, or null", _is_key),
    "__else__": ("null, to leave out all other columns", _NOTHING.__contains__),
}
"""The SDK's own words among the columns of a map, each with what it expects."""


def warnings_of_mapper(mapper: PluginMapper, streams: Mapping[str, Stream]) -> Iterator[str]:
    """Yield warnings of maps that do harm, or nothing.

    Args:
        mapper: the SDK's, with the maps.
        streams: all streams, by name.

    Raises:
        SettingsError: a map can never be applied, or puts two streams into one table.
    """
    maps = {name: mapper.stream_maps.get(name, []) for name in streams}
    schemas = {name: each.schema for name, each in streams.items()}
    used = {name: written(of) for name, of in maps.items() if streams[name].selected}
    aliases = mistakes_in_aliases(chain.from_iterable(used.values()))
    if mistakes := [*mistakes_in_maps(maps, schemas), *aliases]:
        raise SettingsError(mistakes)
    keys = {name: each.primary_keys or () for name, each in streams.items()}
    yield from (f"stream_maps: {each}" for each in warnings_of_maps(mapper.stream_maps_dict, keys))
    for name, of_one in used.items():
        yield from (f"{name}: {doubt}" for each in of_one for doubt in warnings_of_written(each))


def check_form(definitions: object) -> None:
    """Refuse what the SDK would misread.

    Raises:
        SettingsError: with a line each, by its place.
    """
    if not isinstance(definitions, dict):
        return  # refused by its type
    mistakes = [each for name, of_one in definitions.items() for each in _in_one(name, of_one)]
    if mistakes:
        raise SettingsError(mistakes)


def _in_one(name: str, definition: object) -> Iterator[str]:
    path = f"stream_maps.{name}"
    if name == "__else__" or not isinstance(definition, dict):
        if definition not in _NOTHING:
            expected = "null, to drop all other streams" if name == "__else__" else _EXPECTED
            yield f"{path}: expected {expected}, got {definition!r}"
        return
    for column, value in definition.items():
        if column in _WORDS:
            expected, is_right = _WORDS[column]
            if not is_right(value):
                yield f"{path}.{column}: expected {expected}, got {value!r}"
        elif column.startswith("__") and column.endswith("__"):
            yield f"{path}.{column}: unknown word{hint(column, [*_WORDS])}"
        elif not _is_text(value) and value is not None:
            yield f"{path}.{column}: expected an expression in a text, or null, got {value!r}"


def mistakes_in_maps(
    stream_maps: Mapping[str, Iterable[StreamMap]], schemas: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return expressions that fail whatever a record contains; found before anything is requested.

    Those that fail for some values only are reported when such a record comes.

    Args:
        stream_maps: by the name of their stream.
        schemas: of records before they are mapped, by stream; a map's own lacks the columns that
            it removes.
    """
    return [
        f"stream_maps: {each.stream_alias}: {mistake}"
        for name, of_one in stream_maps.items()
        for each in of_one
        if (mistake := _mistake_in(each, schemas[name]))
    ]


def mistakes_in_aliases(stream_maps: Iterable[StreamMap]) -> list[str]:
    """Return names of mapped streams that loaders put into one table."""
    return [
        f"stream_maps: loaders put {first} and {other} into one table; give each stream another "
        "`__alias__`"
        for first, other in one_table([each.stream_alias for each in stream_maps])
    ]


def written(stream_maps: Iterable[StreamMap]) -> list[StreamMap]:
    """Return the maps that write something."""
    return [each for each in stream_maps if not isinstance(each, RemoveRecordTransform)]


def _mistake_in(stream_map: StreamMap, schema: Mapping[str, Any]) -> str:
    try:
        stream_map.transform(_sample(schema))
    except MapExpressionError as error:
        return in_one_line(error) if type(error.__cause__).__name__ in _NEVER_RIGHT else ""
    except (KeyError, TypeError) as error:
        # Every record has all columns, each of its type.
        return in_one_line(error)
    except Exception:  # noqa: BLE001 - it may fit the values of real records
        return ""
    return ""


def warnings_of_written(stream_map: StreamMap) -> Iterator[str]:
    """Yield warnings of names in a stream that loaders may change or refuse."""
    alias = stream_map.stream_alias
    if doubt := warnings_of_name(alias):
        yield f"the name {alias} {doubt}; choose another `name`, `query_log_name` or `__alias__`"
    yield from warnings_of_columns(stream_map.transformed_schema["properties"])


def warnings_of_maps(
    definitions: Mapping[str, object], keys: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield warnings of stream maps that map nothing, or change a key.

    Args:
        definitions: of stream maps, by the name or the pattern of a stream.
        keys: key of each stream, by its name.
    """
    for name, definition in definitions.items():
        source = definition.get("__source__", name) if isinstance(definition, dict) else name
        mapped = [each for each in keys if fnmatch.fnmatch(each, source)]
        if not mapped and name != "__else__":
            yield f"{source} is the name of no report; nothing is mapped{hint(source, [*keys])}"
        for stream in mapped:
            if isinstance(definition, dict):
                yield from _warnings_of_key(stream, definition, keys[stream])


def _warnings_of_key(
    stream: str, definition: Mapping[str, Any], key: Sequence[str]
) -> Iterator[str]:
    new = definition.get("__key_properties__", key)
    if key and new in ([], *_NOTHING):
        yield (
            f"{stream}: it has no key any more: targets append, and days that are read again are "
            "there twice; leave `__key_properties__` out"
        )
        return
    sources = {each if (of := definition.get(each, each)) == "self" else of for each in new}
    if changed := [name for name in key if name not in sources]:
        yield (
            f"{stream}: the key is changed ({', '.join(changed)}): rows that then share a "
            "key are dropped by targets; leave it as it is, or set `key_properties`"
        )


def failure_of(definitions: Mapping[str, object], stream: str, error: Exception) -> ApiError:
    """Return the error of a map that failed at a record, with the columns that it makes."""
    definition = definitions.get(stream)
    made = (
        [each for each in definition if each not in _WORDS] if isinstance(definition, dict) else []
    )
    columns = f" ({', '.join(made)})" if made else ""
    return ApiError("STREAM_MAP_FAILED", f"stream_maps.{stream}{columns}: {in_one_line(error)}")


def _sample(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that fits a schema."""
    types = {name: each.get("type") or () for name, each in schema["properties"].items()}
    return {
        name: next((sample for kind, sample in _SAMPLES.items() if kind in type_), "2024-01-01")
        for name, type_ in types.items()
    }
