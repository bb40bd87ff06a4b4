"""Requests as they arrive, and answers as they leave."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl

from tap_supermetrics.emulator.failures import RefusalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Auth = Literal["header", "parameter", "none"]
_MAX_DEPTH = 100
"""Parameters may nest so deeply: more than a query has, less than Python can go through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request.

    Attributes:
        method: HTTP method.
        path: Path without the query string.
        query: Query string.
        headers: Headers by lower-case name.
        body: Body.
        damage: Why it cannot be read as a request; empty where it can.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    damage: str = ""


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """An answer.

    Attributes:
        status: HTTP status.
        body: The whole body, or its pieces when it is large.
        content_type: Media type.
        headers: Further headers.
        cut: Close the connection after so many bytes of the body.
        is_reset: Break the connection instead of answering.
    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    is_reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in the log.

    Attributes:
        method: HTTP method.
        path: Path without the query string, version prefix included.
        params: Decoded parameters, the key left out.
        auth: How it was authenticated: "header", "parameter" or "none".
        headers: Headers by lower-case name, `authorization` left out.
        status: HTTP status of the answer; 0 when the connection was broken.
        error_code: `error.code` of the answer, if any.
        fault: Effect of the fault that happened to it, if any.
        at: Emulated time, in seconds since 1970-01-01 UTC.
        real_seconds: How long it took.
    """

    method: str
    path: str
    params: Mapping[str, object]
    auth: Auth
    headers: Mapping[str, str]
    status: int
    error_code: str | None
    fault: str | None
    at: float
    real_seconds: float


def decoded(request: Incoming) -> dict[str, object]:
    """Return the parameters of a request: plain ones, those in `json`, and those of the body.

    Source: Supermetrics docs, "Making requests".

    Raises:
        RefusalError: `json` or a JSON body does not decode to an object, or nests too deeply.
    """
    params: dict[str, object] = _plain(request.query)
    if "json" in params:
        params |= _object(str(params.pop("json")))
    if request.body:
        params |= _of_body(request)
    return params


def _of_body(request: Incoming) -> dict[str, object]:
    if "text/plain" in request.headers.get("content-type", ""):
        # A page of another origin may send it unasked, and JSON only after a preflight.
        raise RefusalError("BAD_REQUEST", "Expected Content-Type: application/json.")
    if "form-urlencoded" not in request.headers.get("content-type", ""):
        return _object(request.body.decode(errors="replace"))
    params = _plain(request.body.decode(errors="replace"))
    return params | (_object(str(params.pop("json"))) if "json" in params else {})


def _plain(text: str) -> dict[str, object]:
    """Return plain parameters; `settings[no_headers]=1` is nested, as in PHP.

    A name that comes again makes a list: so the official Python client sends lists.
    """
    params: dict[str, object] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        nested = re.fullmatch(r"(\w+)\[(\w*)\]", name)
        if nested is None:
            params[name] = _again(params[name], value) if name in params else value
        elif nested[2]:
            inner = params.setdefault(nested[1], {})
            if isinstance(inner, dict):
                inner[nested[2]] = value
        else:
            items = params.setdefault(nested[1], [])
            if isinstance(items, list):
                items.append(value)
    return params


def _again(before: object, value: str) -> list[object]:
    return [*(before if isinstance(before, list) else [before]), value]


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RefusalError("BAD_REQUEST", "The parameters are not a JSON object.")
    if _is_deep(value):
        raise RefusalError("BAD_REQUEST", "The parameters nest too deeply.")
    return value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


def key_of(request: Incoming, params: Mapping[str, object]) -> tuple[Auth, str]:
    """Return how a request is authenticated, and the key.

    Source: Supermetrics docs, "Authentication".
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return "header", token.strip()
    key = str(params.get("api_key") or "")
    return ("parameter", key) if key else ("none", "")
