"""The tables that loaders make of streams: their names, and the columns that are changed.

Stream maps and a catalog change columns; a catalog alone decides what is not written at all.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_supermetrics.singer.maps import written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Stream
    from singer_sdk.mapper import PluginMapper, StreamMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A stream as it arrives.

    Attributes:
        stream: its name: of a report, or of the query log.
        names: of the tables that get its records, the main one first; empty where stream maps drop
            them all.
        is_selected: whether it is written at all.
        deselected: columns that a catalog leaves out.
        changed: columns that stream maps remove, rename or change in the main table.
        is_filtered: whether stream maps leave out rows of the main table.
    """

    stream: str
    names: tuple[str, ...]
    is_selected: bool = True
    deselected: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    is_filtered: bool = False


def table_of(stream: Stream, mapper: PluginMapper) -> Table:
    """Return the tables of a stream.

    Args:
        stream: with its catalog.
        mapper: with the stream maps.
    """
    columns = frozenset(stream.schema["properties"])
    deselected = frozenset(each for each in columns if not stream.mask["properties", each])
    # The mapper knows no stream that a catalog lacks.
    maps = mapper.stream_maps.get(stream.name, [])
    used = written(maps)
    changed, is_filtered = frozenset[str](), False
    if used:
        definition = _definitions_for(stream.name, mapper.stream_maps_dict)[maps.index(used[0])]
        is_filtered = bool(definition.get("__filter__"))
        changed = frozenset(filter(lambda each: _is_changed(each, used[0], definition), columns))
    return Table(
        stream=stream.name,
        names=tuple(each.stream_alias for each in used),
        is_selected=bool(maps) and stream.selected,
        deselected=deselected,
        changed=changed - deselected,
        is_filtered=is_filtered,
    )


def _definitions_for(name: str, definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the definition of each of a stream's maps, in the SDK's order.

    The last one of the stream's own counts; those with a `__source__` come after it.
    """
    own: Mapping[str, Any] = {}
    beside = []
    for key, definition in definitions.items():
        of_one = definition if isinstance(definition, dict) else {}
        source = of_one.get("__source__", key)
        if name != source and not fnmatch.fnmatch(name, source):
            continue
        if "__source__" in of_one:
            beside.append(of_one)
        else:
            own = of_one
    return [own, *beside]


def _is_changed(column: str, stream_map: StreamMap, definition: Mapping[str, Any]) -> bool:
    is_written = column in stream_map.transformed_schema["properties"]
    return not is_written or definition.get(column, column) not in {column, "self"}
