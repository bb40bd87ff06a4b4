"""Reads what an answer states about itself, fact by fact where some of it cannot be read.

Facts for information are then left out, as if they were missing. A fact that says where numbers
stand, or whether a query has ended, is refused: to guess there would be wrong in silence.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.fields import FieldEcho

S = TypeVar("S", bound=msgspec.Struct)

_NEEDED: Final = frozenset({"data_column", "status_code"})
"""Facts that are refused in an unreadable form."""


def read_meta(part: msgspec.Raw) -> wire.Meta:
    """Return what an answer states about itself, without what cannot be read and is not needed.

    Raises:
        msgspec.DecodeError: it means something else, however it is read.
    """
    try:
        return lenient.decoded(part, wire.Meta)
    except msgspec.ValidationError:
        if len(bytes(part)) > lenient.MAX_VALUE_BYTES:
            raise
        raw = msgspec.json.decode(part)
        if not isinstance(raw, dict) and not _is_nothing(raw):
            raise
        return _read(raw or {}, wire.Meta)


def _read(raw: dict[str, Any], to: type[S]) -> S:
    """Return an object with the facts that can be read."""
    kinds = get_type_hints(to)
    given = {name: raw[name] for name in kinds if raw.get(name) is not None}
    facts = {name: _fact(name, value, kinds[name]) for name, value in given.items()}
    return to(**{name: fact for name, fact in facts.items() if fact is not None})


def _fact(name: str, value: Any, kind: Any) -> Any:  # noqa: ANN401 - any JSON, any type
    """Return a fact by its type; None where it cannot be read."""
    if name == "fields":
        return [_read(each, FieldEcho) for each in _fields(value)]
    kinds = get_args(kind) or (kind,)
    for each in kinds:
        if isinstance(each, type) and issubclass(each, msgspec.Struct):
            return _read(value, each) if isinstance(value, dict) else None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and str in kinds and int not in kinds:
        return str(value)
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        if name in _NEEDED and not _is_nothing(value):
            raise
        return None


def _is_nothing(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a value says nothing, as PHP and others write that; zero says something."""
    return value is None or value is False or value in ("", [], {})


def _fields(raw: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return the fields of a query as objects: a list of them or of ids, or objects by id.

    Raises:
        msgspec.ValidationError: it is a list of something else, which may name columns.
    """
    if isinstance(raw, dict):
        by_id = not lenient.is_list(raw)
        # A text by an id may be anything. An id within an object is the requested one.
        raw = [
            ({"id": key, **each} if isinstance(each, dict) else None) if by_id else each
            for key, each in raw.items()
        ]
    if not isinstance(raw, list):
        return []
    fields = [{"id": each} if isinstance(each, str) else each for each in raw]
    if not all(isinstance(each, dict) for each in fields):
        raise msgspec.ValidationError("the fields of its query are in an unknown form")
    return fields
