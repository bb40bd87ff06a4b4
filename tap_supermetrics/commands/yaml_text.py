"""Adds to a YAML text, and leaves the rest as is, comments too."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH: Final = 88
_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Item:
    """An object in a list, found by its `name`, with its content when it has to be added."""

    name: str
    properties: Mapping[str, Any]


Path: TypeAlias = "Sequence[str | Item]"


class _Dumper(yaml.SafeDumper):
    """Writes lists of texts on one line, as people do."""


def with_added(text: str, path: Path, value: object = None) -> str:
    """Return the text with the missing part of a path added, and a value at its end.

    Args:
        text: YAML, a mapping or nothing.
        path: keys, and items of lists.
        value: what to add below the last key.

    Raises:
        ValueError: it is no such YAML, or written in a way that cannot be added to.
    """
    try:
        data = yaml.safe_load(text) or {}
        new = _added(text, path, value)
        # Read back, as a line put into YAML may come to mean something else.
        is_as_meant = yaml.safe_load(new) == _merged(data, path, value)
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise ValueError("it cannot be read as YAML that can be added to") from error
    if not is_as_meant:
        raise ValueError("it is written in a way that cannot be added to")
    return new


def _added(text: str, path: Path, value: object) -> str:
    """Walk down the path as far as it exists, and add the rest below."""
    node, rest = yaml.compose(text, yaml.SafeLoader), [*path]
    if node is None:
        return text + _ended_as(text, _dumped(_nested(rest, value), 0))
    while rest and (found := _child(node, rest[0])):
        key, node = found
        del rest[0]
        # `queries:` without a value, or with `[]`, makes room for the block.
        if _is_blank(node):
            text = text[: node.start_mark.index].rstrip(" ") + text[node.end_mark.index :]
            return _below(text, key, _dumped(_nested(rest, value), key.start_mark.column + _STEP))
    return _below(text, node, _dumped(_nested(rest, value), node.start_mark.column))


def _merged(data: Any, path: Path, value: object) -> Any:  # noqa: ANN401 - any YAML
    """Return the data that the new text has to contain."""
    if not path or not data:
        return _nested(path, value)
    step, *rest = path
    if isinstance(step, Item):
        names = [each.get("name") for each in data]
        if step.name not in names:
            return [*data, *_nested(path, value)]
        place = names.index(step.name)
        return [*data[:place], _merged(data[place], rest, value), *data[place + 1 :]]
    return {**data, step: _merged(data.get(step), rest, value)}


def _nested(path: Path, value: object) -> Any:  # noqa: ANN401 - any YAML
    """Return a value at the end of a path."""
    if not path:
        return value
    step, *rest = path
    if isinstance(step, Item):
        return [{"name": step.name, **step.properties, **(_nested(rest, value) or {})}]
    return {step: _nested(rest, value)}


def _child(node: yaml.Node, step: str | Item) -> tuple[yaml.Node, yaml.Node] | None:
    """Return key and value of one step down; an item is both."""
    if isinstance(step, str):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    for each in node.value:
        name = _child(each, "name")
        if name and name[1].value == step.name:
            return each, each
    return None


def _is_blank(node: yaml.Node) -> bool:
    is_null = node.tag == "tag:yaml.org,2002:null"
    return is_null or (isinstance(node, yaml.CollectionNode) and not node.value)


def _below(text: str, node: yaml.Node, block: str) -> str:
    """Return the text with a block below the last line of a node."""
    end = len(text[: _end(node)].rstrip())
    line_end = text.find("\n", end)
    if line_end < 0:
        return text + _ended_as(text, f"\n{block}")
    block = _ended_as(text, block)
    return text[: line_end + 1] + block + text[line_end + 1 :]


def _ended_as(text: str, block: str) -> str:
    """Return a block with the line ends of a text."""
    return block.replace("\n", "\r\n") if "\r\n" in text else block


def _end(node: yaml.Node) -> int:
    """Return where the last value ends; the mark of a block is where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _dumped(value: object, column: int) -> str:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return textwrap.indent(text, " " * column)


def _as_list(dumper: _Dumper, value: list[Any]) -> yaml.Node:
    is_short = all(isinstance(each, str) for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_short)


_Dumper.add_representer(list, _as_list)
