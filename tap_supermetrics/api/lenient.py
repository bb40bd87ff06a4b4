"""Reads answers that say what is documented in a slightly other way.

Nobody could look at the live service, and one odd value must not cost a night: a status that cannot
be read makes the tap ask all its queries again. So where the strict reading fails, these pass too:

- null, and the empty list that PHP writes for an empty object, for what may be left out;
- numbers, and true and false, as texts;
- half of a pair of surrogates, as cut texts end;
- errors in the form of RFC 9457 (an older crawl of the vendor's docs), or several of them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from tap_supermetrics.api import wire

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL
)
_NO_OBJECT: Final = (
    msgspec.DecodeError,
    UnicodeDecodeError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
)

# msgspec finds out about a type when it first meets it, which threads must not do together.
for _type in (wire.Envelope, wire.Batch):
    msgspec.json.Decoder(_type)


def mended(body: bytes | bytearray) -> bytes:
    """An answer whose texts are whole: halves of characters become U+FFFD."""
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)


def decoded(part: bytes | msgspec.Raw, to: type[T]) -> T:
    """A part of an answer, read strictly at first.

    Raises:
        msgspec.DecodeError: it means something else, however it is read.
    """
    try:
        return msgspec.json.decode(part, type=to, strict=False)
    except msgspec.ValidationError:
        said = msgspec.json.decode(part)
        for is_nothing in (_is_null, _is_null_or_empty_list):
            with suppress(msgspec.ValidationError):
                return msgspec.convert(_without(said, is_nothing), to, strict=False)
        raise


def error_of(body: bytes | bytearray) -> wire.Error | None:
    """The error of an answer that is wrong elsewhere: whatever else it says, its code counts."""
    try:
        error = msgspec.json.decode(body)["error"]
        code, message = error["code"], error.get("message")
    except _NO_OBJECT:
        return None
    return wire.Error(code=code, message=str(message)) if isinstance(code, str) else None


def problem_of(body: bytes | bytearray) -> wire.Error | None:
    """The error of an answer that tells it in another form: as a problem, or a list of them."""
    try:
        said = msgspec.json.decode(body)
        problem = said["errors"][0] if said.get("errors") else said
        if problem is said and "data" in said:
            return None
        if isinstance(problem, str):
            return wire.Error(message=problem)
        return _of_problem(problem)
    except _NO_OBJECT:
        return None


def _of_problem(problem: dict[str, Any]) -> wire.Error | None:
    code = problem.get("code")
    told = [problem.get(name) for name in ("title", "message", "detail", "description")]
    texts = [each for each in told if each and isinstance(each, str)]
    if not code and not texts:
        return None
    return wire.Error(code=code if isinstance(code, str) else "", message=": ".join(texts))


def _is_null(value: object) -> bool:
    return value is None


def _is_null_or_empty_list(value: object) -> bool:
    return value is None or value == []


def _without(value: Any, is_nothing: Callable[[object], bool]) -> Any:  # noqa: ANN401 - any JSON
    """JSON whose objects lack the values that say nothing."""
    if isinstance(value, list):
        return [_without(each, is_nothing) for each in value]
    if isinstance(value, dict):
        return {
            key: _without(each, is_nothing) for key, each in value.items() if not is_nothing(each)
        }
    return value
