"""Checks the form of a catalog as it is written; mistakes are named by their place."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHOWN: Final = 80


def mistakes_in_form(catalog: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each part of a catalog that is malformed, by its place.

    Args:
        catalog: the object in the file.
    """
    streams = catalog.get("streams", [])
    if not isinstance(streams, list):
        yield _mistake("streams", "a list of streams", streams)
        return
    for place, stream in enumerate(streams):
        yield from _in_stream(stream, f"streams[{place}]")
    named = (each.get("tap_stream_id") for each in streams if isinstance(each, dict))
    for name, count in Counter(each for each in named if isinstance(each, str)).items():
        if count > 1:
            yield f"--catalog: {name} is there {count:,} times; keep one of them"


def _in_stream(stream: object, path: str) -> Iterator[str]:
    if not isinstance(stream, dict):
        yield _mistake(path, "an object with tap_stream_id, schema and metadata", stream)
        return
    name = stream.get("tap_stream_id")
    if not isinstance(name, str) or not name:
        yield _mistake(f"{path}.tap_stream_id", "the name of a report", name)
    schema = stream.get("schema", {})
    if not isinstance(schema, dict):
        yield _mistake(f"{path}.schema", "an object with properties", schema)
    else:
        yield from _in_schema(schema, f"{path}.schema")
    metadata = stream.get("metadata", [])
    if not isinstance(metadata, list):
        yield _mistake(
            f"{path}.metadata", "a list of objects with breadcrumb and metadata", metadata
        )
        return
    for place, each in enumerate(metadata):
        yield from _in_metadata(each, f"{path}.metadata[{place}]")


def _in_schema(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if schema.get("type", "object") not in ("object", ["object"]):
        yield _mistake(f"{path}.type", "object", schema["type"])
    columns = schema.get("properties", {})
    if not isinstance(columns, dict):
        yield _mistake(f"{path}.properties", "an object of columns", columns)
        return
    for name, column in columns.items():
        if not isinstance(column, dict):
            yield _mistake(f"{path}.properties.{name}", "an object with a type", column)


def _in_metadata(each: object, path: str) -> Iterator[str]:
    if not isinstance(each, dict) or not isinstance(each.get("metadata"), dict):
        yield _mistake(path, "an object with breadcrumb and metadata", each)
        return
    if not _is_breadcrumb(each.get("breadcrumb")):
        expected = '[] or ["properties", column]'
        yield _mistake(f"{path}.breadcrumb", expected, each.get("breadcrumb"))


def _is_breadcrumb(found: object) -> bool:
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        return False
    return len(found) % 2 == 0 and {*found[::2]} <= {"properties"}


def _mistake(path: str, expected: str, found: object) -> str:
    got = json.dumps(found, default=str)
    return f"--catalog: {path}: expected {expected}, got {got[:_SHOWN]}"
