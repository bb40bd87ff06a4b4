"""Reads answers that differ slightly from the documented form.

The live service could not be tested, and one odd value must not cost a night: a status that cannot
be read makes the tap submit all its queries again. So where the strict reading fails, these pass:

- null, false, and the empty list that PHP writes for an empty object, for what may be left out;
- objects with the keys 0, 1, 2, as PHP writes lists of which it left something out;
- numbers, and true and false, as texts;
- half of a pair of surrogates, as cut texts end; a byte that is no UTF-8; control characters;
- a byte order mark before the answer; blanks and NULs around it;
- NaN and Infinity: as the texts "NaN" and "Infinity", which fit no number;
- numbers that fit no double, such as 1e999: as texts, which fit no number either;
- facts of a result that the tap only reports, in an unreadable form: they are left out (`meta` does
  so with others that an answer states about itself);
- entries of the lists that the API stores, such as accounts, without an id: they are left out;
- errors in the form of RFC 9457 (an older crawl of the vendor's docs), or several of them.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.entries import FOR_PEOPLE, Entry, read_each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

MAX_MENDED_BYTES: Final = 16 * 1024 * 1024
"""Largest answer that is mended, which takes about a second for each 10 MiB."""
MAX_VALUE_BYTES: Final = 1024 * 1024
"""Largest value that is read as whatever it is: as Python objects, it may take 30 times that."""

UNNEEDED_FACTS: Final = frozenset(
    {"progress", "run_seconds", "settings", "total_columns", "total_rows", "workflow"}
)
"""Used where they can be read, and no reason to refuse a result where they cannot; without the
number of rows, pages are requested until one is empty."""
MAX_PLACES: Final = 6
"""Digits of the greatest place in a list that is written as an object; a longer one is an id."""

_STEP: Final = 1024 * 1024
_BLANKS: Final = b"\0 \t\r\n"
_PIECES: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)"
    rb'|"|(?P<control>[\x00-\x1f])|(?<![\w.])(?P<word>[-+]?(?:nan|inf(?:inity)?))(?!\w)',
    re.DOTALL | re.IGNORECASE,
)
"""Pieces of JSON that open or close a text, or may need mending."""
_NO_OBJECT: Final = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
)

# msgspec inspects a type when it first meets it, which threads must not do together.
for _type in (wire.Meta, wire.Error | None, wire.Batch, wire.BatchInformation):
    msgspec.json.Decoder(_type)


def is_whole(body: bytes | bytearray) -> bool:
    """Return whether all of an answer is UTF-8; msgspec does not check what it leaves raw."""
    if body.isascii():
        return True
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(body)
    try:
        # By steps, as a text takes up to four times the memory of its bytes.
        for first in range(0, len(body), _STEP):
            decoder.decode(view[first : first + _STEP])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def mended(body: bytes | bytearray) -> bytes | bytearray:
    """Return an answer without the damage that does not change its meaning.

    Raises:
        msgspec.DecodeError: it has a bad byte, and is too large to be mended.
    """
    if len(body) > MAX_MENDED_BYTES:
        if not is_whole(body):
            raise msgspec.DecodeError("a byte is no UTF-8, which is mended in smaller answers only")
        return body
    text = body if is_whole(body) else body.decode(errors="replace").encode()
    text = text.strip(_BLANKS).removeprefix(codecs.BOM_UTF8).strip(_BLANKS)
    out, end, is_inside = bytearray(), 0, False
    for found in _PIECES.finditer(text):
        if found[0] == b'"':
            is_inside = not is_inside
        elif (piece := _mended(found, is_inside=is_inside)) is not None:
            out += text[end : found.start()] + piece
            end = found.end()
    return out + text[end:]


def _mended(found: re.Match[bytes], *, is_inside: bool) -> bytes | None:
    """Return the replacement of a piece; None to leave it."""
    if found["half"]:
        return rb"\ufffd"
    if found["control"] and is_inside:
        return b"\\u%04x" % found[0][0]
    return b'"%b"' % found[0] if found["word"] and not is_inside else None


def decoded(part: bytes | msgspec.Raw, to: type[T]) -> T:
    """Return a part of an answer, read strictly at first.

    Raises:
        msgspec.DecodeError: it means something else, however it is read.
    """
    try:
        return msgspec.json.decode(part, type=to, strict=False)
    except msgspec.ValidationError:
        if get_origin(to) is list:  # One by one, as all at once may take much memory.
            (item,) = get_args(to)
            rows, read = _items(part), partial(decoded, to=item)
            return read_each(rows, read) if _is_entry(item) else [*map(read, rows)]  # type: ignore[return-value] # as `to` says
        if _is_entry(to):
            part = _cleaned(part, to)
            with suppress(msgspec.ValidationError):
                return msgspec.json.decode(part, type=to, strict=False)
        if len(bytes(part)) > MAX_VALUE_BYTES:
            raise
        value = msgspec.json.decode(part)
        for is_nothing in (_is_null, _is_null_or_empty_list, _is_null_or_false):
            with suppress(msgspec.ValidationError):
                return msgspec.convert(_without(value, is_nothing), to, strict=False)
        return msgspec.convert(
            _without(value, _is_null_or_empty_list, UNNEEDED_FACTS), to, strict=False
        )


def _is_entry(to: Any) -> bool:  # noqa: ANN401 - any type
    return isinstance(to, type) and issubclass(to, Entry)


def _cleaned(part: bytes | msgspec.Raw, to: Any) -> bytes:  # noqa: ANN401 - a type of entries
    """Return an entry without unreadable members that are not needed; numbers as texts."""
    parts = msgspec.json.decode(part, type=dict[str, msgspec.Raw])
    for name, kind in get_type_hints(to, include_extras=True).items():
        if name not in parts:
            continue
        if get_origin(kind) is list:
            read = partial(decoded, to=get_args(kind)[0])
            with suppress(msgspec.ValidationError):
                parts[name] = msgspec.Raw(msgspec.json.encode(read_each(_items(parts[name]), read)))
        elif FOR_PEOPLE in get_args(kind)[1:] and not _fits(parts[name], kind):
            del parts[name]
        elif kind in {str, str | None} and _fits(parts[name], int | float):
            parts[name] = msgspec.Raw(b'"%b"' % bytes(parts[name]).strip(b'" '))
    return msgspec.json.encode(parts)


def _fits(part: msgspec.Raw, kind: Any) -> bool:  # noqa: ANN401 - a type
    try:
        msgspec.json.decode(part, type=kind)
    except msgspec.ValidationError:
        return False
    return True


def _items(part: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(part, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        members = msgspec.json.decode(part, type=dict[str, msgspec.Raw])
        if not is_list(members):
            raise
        return [*members.values()]


def is_list(members: Mapping[str, Any]) -> bool:
    """Return whether an object is a list by its keys: places, each greater than the one before.

    An object with the first place only is rather a wrapped value.
    """
    if not all(key.isdecimal() and key.isascii() and len(key) <= MAX_PLACES for key in members):
        return False
    places = [*map(int, members)]
    return places not in ([], [0]) and all(some < other for some, other in pairwise(places))


def values_of(rows: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - any JSON
    """Return values of JSON; a number that fits no double becomes a text.

    Raises:
        msgspec.DecodeError: it is no JSON.
    """
    try:
        return msgspec.json.decode(rows)
    except msgspec.ValidationError:
        return json.loads(bytes(rows), parse_float=_number, parse_int=_number)


def _number(number: str) -> int | float | str:
    if not math.isfinite(float(number)):
        return number
    return float(number) if set(number) & set(".eE") else int(number)


def error_of(body: bytes | bytearray) -> wire.Error | None:
    """Return the error of an answer that is wrong elsewhere: it counts all the same."""
    try:
        error = _members(body)["error"]
        code, message = error["code"], error.get("message")
    except _NO_OBJECT:
        return None
    return wire.Error(code=code, message=str(message)) if isinstance(code, str) else None


def problem_of(body: bytes | bytearray) -> wire.Error | None:
    """Return the error of an answer that reports it as a problem, or as a list of them."""
    try:
        members = _members(body)
        errors = members.get("errors")
        problem = errors[0] if isinstance(errors, list) and errors else errors or members
        # An answer with data is no problem, whatever its other members are called.
        if problem is members and "data" in members:
            return None
        if isinstance(problem, str):
            return wire.Error(message=problem)
        return _of_problem(problem)
    except _NO_OBJECT:
        return None


def _members(body: bytes | bytearray) -> dict[str, Any]:
    """Return the members of an answer, but for its data; a large one is replaced by a word."""
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return {
        name: "too long to be shown"
        if name == "data" or len(bytes(value)) > MAX_VALUE_BYTES
        else msgspec.json.decode(value)
        for name, value in raw.items()
    }


def _of_problem(problem: dict[str, Any]) -> wire.Error | None:
    code = problem.get("code")
    given = [problem.get(name) for name in ("title", "message", "detail", "description")]
    texts = [each for each in given if each and isinstance(each, str)]
    if not code and not texts:
        return None
    return wire.Error(code=code if isinstance(code, str) else "", message=": ".join(texts))


def _is_null(value: object) -> bool:
    return value is None


def _is_null_or_empty_list(value: object) -> bool:
    return value is None or value == []


def _is_null_or_false(value: object) -> bool:
    return value is False or _is_null_or_empty_list(value)


def _without(
    value: Any,  # noqa: ANN401 - any JSON
    is_nothing: Callable[[object], bool],
    left_out: frozenset[str] = frozenset(),
) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON whose objects lack the values that say nothing, and members by name."""
    if isinstance(value, dict) and is_list(value):
        value = [*value.values()]
    if isinstance(value, list):
        return [_without(each, is_nothing, left_out) for each in value]
    if isinstance(value, dict):
        return {
            key: _without(each, is_nothing, left_out)
            for key, each in value.items()
            if not is_nothing(each) and key not in left_out
        }
    return value
