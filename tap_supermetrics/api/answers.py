"""Reads the body of an answer: its data, its error, or its damage.

It is read strictly at first, which is fast, and leniently where that fails. What is made of a body
is bounded before it is made: a few bytes of JSON can be a hundred as values of Python.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.meta import read_meta

T = TypeVar("T")

MAX_VALUES: Final = 1_000_000
"""Most values of an answer, or most rows of a page: about 100 MiB of Python objects."""
MAX_META_BYTES: Final = 1024 * 1024
"""Most that a large page may have beside its rows."""
MAX_ROW_BYTES: Final = 1024 * 1024
"""Longest row of a large page."""

_MAKING_DECODER: Final = threading.Lock()
_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}
_PARTS: Final = msgspec.json.Decoder(wire.Parts)
_NOTHING: Final = (b"null", b"{}", b"[]", b"false", b'""')
_MAX_NOTHING: Final = max(map(len, _NOTHING))
_NO_ROWS: Final = frozenset({b"null", b"{}"})
"""Values that may stand for an empty list, where the answer states that it has no rows."""
_NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _AnyRow(msgspec.Struct, array_like=True, gc=False):
    """Any row: an array, nothing in it decoded."""


_ROWS: Final = msgspec.json.Decoder(list[_AnyRow])
_RAW_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """A good answer: what it states about itself, and its data.

    Attributes:
        latency_s: how long the API took to begin it, in seconds.
        size: bytes of it, unpacked.
    """

    meta: wire.Meta
    data: T
    latency_s: float = 0.0
    size: int = 0


class RefusedAnswer(Exception):  # noqa: N818 - an answer, which the transport makes an error of
    """An answer that reports an error."""

    def __init__(self, error: wire.Error, request_id: str) -> None:
        super().__init__(error.code)
        self.error = error
        self.request_id = request_id


class DamagedAnswer(Exception):  # noqa: N818 - same
    """An answer that means nothing documented, however it is read.

    Attributes:
        cause: what is wrong with it.
        request_id: empty where that cannot be read either.
    """

    def __init__(self, cause: object, request_id: str = "") -> None:
        super().__init__(str(cause))
        self.cause = str(cause)
        self.request_id = request_id


def read_answer(body: bytes | bytearray, to: type[T], *, is_error: bool) -> Answer[T]:
    """Return the answer in a body.

    Args:
        body: the answer, unpacked.
        to: the type of its data.
        is_error: whether its status says that it is an error, whatever the body says.

    Raises:
        RefusedAnswer: it reports an error.
        DamagedAnswer: it cannot be read.
    """
    try:
        _check_measure(body, to)
        if not is_error and lenient.is_whole(body):
            with suppress(*_NO_JSON):
                return _strictly(body, to)
        return _leniently(lenient.mended(body), to, is_error=is_error)
    except _NO_JSON as error:
        raise DamagedAnswer(error) from None


def _check_measure(body: bytes | bytearray, to: type[T]) -> None:
    """Refuse a body that would take too much memory; it has nearly as many commas as values."""
    # A value and its comma take two bytes, so most answers need not be searched.
    if len(body) <= 2 * MAX_VALUES or body.count(b",") <= MAX_VALUES:
        return
    if to != list[msgspec.Raw]:
        raise DamagedAnswer(f"it has more than {MAX_VALUES} values")
    if not _is_page_of_rows(body):
        raise DamagedAnswer(
            f"it has more than {MAX_VALUES} values or rows, or an endless row; lower `page_size`"
        )


def _is_page_of_rows(body: bytes | bytearray) -> bool:
    """Return whether a body is a page of rows that can be held, whatever values they have."""
    # Rows stay JSON: of a page, only rows count, where all of them are rows.
    if body.count(b"[") > MAX_VALUES:
        return False
    rows = _PARTS.decode(body).data
    if len(body) - _size(rows) > MAX_META_BYTES:
        return False
    _ROWS.decode(rows)
    return all(_size(row) <= MAX_ROW_BYTES for row in _RAW_ROWS.decode(rows))


def _size(part: msgspec.Raw) -> int:
    return memoryview(part).nbytes


def _strictly(body: bytes | bytearray, to: type[T]) -> Answer[T]:
    good = _decoder(to).decode(body)
    return Answer(meta=good.meta, data=good.data)


def _leniently(body: bytes | bytearray, to: type[T], *, is_error: bool) -> Answer[T]:
    """Read an answer part by part; raise the error that it reports."""
    parts = _PARTS.decode(body)
    meta, error = _meta_and_error(parts, body, to)
    error = error or lenient.problem_of(body)
    if error is not None or is_error:
        raise RefusedAnswer(error or wire.Error(), meta.request_id)
    data = parts.data
    if to == list[msgspec.Raw] and bytes(data) in _NO_ROWS and _has_no_rows(meta):
        data = msgspec.Raw(b"[]")
    try:
        answer = Answer(meta=meta, data=lenient.decoded(data, to))
    except _NO_JSON as cause:
        raise DamagedAnswer(cause, meta.request_id) from None
    # Beside rows, `meta` may be left out; else nothing shows that it is an answer.
    if answer.data == [] and bytes(parts.meta) != b"{}" and _is_empty(parts.meta):
        raise DamagedAnswer("it says nothing of itself, and has no data")
    return answer


def _has_no_rows(meta: wire.Meta) -> bool:
    return meta.result is not None and meta.result.total_rows == 0


def _meta_and_error(
    parts: wire.Parts, body: bytes | bytearray, to: type[T]
) -> tuple[wire.Meta, wire.Error | None]:
    try:
        # Where it is all that an answer gives, nothing of it is left out.
        is_all = to is msgspec.Raw
        meta = lenient.decoded(parts.meta, wire.Meta) if is_all else read_meta(parts.meta)
        if _is_empty(parts.error):
            return meta, None
        return meta, lenient.decoded(parts.error, wire.Error)
    except _NO_JSON:
        # Whatever else is wrong with it, its error counts.
        if salvaged := lenient.error_of(body):
            return wire.Meta(), salvaged
        raise


def _is_empty(part: msgspec.Raw) -> bool:
    """Return whether a part says nothing, as PHP and others write that."""
    return bytes(part) in _NOTHING if _size(part) <= _MAX_NOTHING else False


def _decoder(to: type[T]) -> msgspec.json.Decoder[wire.GoodEnvelope[T]]:
    """Return the decoder of good answers with data of a type.

    msgspec inspects a type when it first meets it, and a second thread that meets it
    meanwhile crashes the process. So one thread at a time makes a decoder.
    """
    with _MAKING_DECODER:
        if to not in _DECODERS:
            _DECODERS[to] = msgspec.json.Decoder(wire.GoodEnvelope[to])  # type: ignore[valid-type] # made at run time
        return _DECODERS[to]
