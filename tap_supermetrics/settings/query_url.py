"""Reads a query given as an address, as the vendor's pages show it, into a report's settings."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS: Final = frozenset(
    {"api_key", "schedule_id", "sync_timeout", "sync", "offset_start", "offset_end", "pretty"}
)
"""Parameters of an address that the tap sets itself; the key above all."""
_KEYS: Final = {"api_key", "apikey"}
_ANY: Final = "https://api.supermetrics.com/enterprise/v2/query/data/json"
_COMPARISON: Final = (
    "comparisons are not supported, because they add columns that the API does not announce; load "
    "both date ranges, and compare them where they are loaded"
)
_PIVOT: Final = (
    "fields split by column are not supported, because their columns are known with the data only"
)
NOT_SUPPORTED: Final = {
    "compare_type": _COMPARISON,
    "compare_show": _COMPARISON,
    "compare_start_date": _COMPARISON,
    "compare_end_date": _COMPARISON,
    "order_columns": _PIVOT,
    "max_columns": _PIVOT,
}
"""Parameters of the API that no report can have, and why."""


def report_from(url: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the query of an address; those beside it win.

    Source: Supermetrics docs, "Making requests": parameters are in the address one by one, or all
    in the one parameter `json`, which the pages print as it is, not encoded.

    Raises:
        ValueError: it is no address of a version 2 query. The message does not repeat it: it may
            contain a key.
    """
    try:
        parameters = _parameters(url)
        if "ds_id" not in parameters or "fields" not in parameters:
            raise ValueError  # noqa: TRY301 - one message for all
        settings: Any = parameters.get("settings")
        if isinstance(settings, str):
            settings = parameters["settings"] = json.loads(settings)
        if isinstance(settings, dict):
            settings.pop("no_headers", None)  # which the tap sets itself
        for name in ("start_date", "end_date"):
            if isinstance(parameters.get(name), str):
                parameters[name] = _day(parameters[name])
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ValueError(
            "expected the address of a version 2 query, with ds_id and fields"
        ) from None
    query = {**parameters, **beside}
    # A setting beside the address may leave a parameter of it without effect.
    named = {key: value for key, value in parameters.items() if not _is_idle(key, query)}
    merged = {key: value for key, value in named.items() if key not in _OURS} | {**beside}
    return {key: value for key, value in merged.items() if key != "url"}


def _parameters(url: str) -> dict[str, Any]:
    """Return the parameters of an address.

    Raises:
        ValueError: its JSON is malformed.
    """
    _, is_json, text = url.partition("json=")
    if is_json:
        # Printed JSON may contain `&` and `#`, which end a parameter; encoded JSON does not.
        is_raw = text.lstrip().startswith("{")
        text = text.lstrip() if is_raw else unquote_plus(re.split("[&#]", text)[0])
        parameters, _ = json.JSONDecoder().raw_decode(text.lstrip())
        return dict(parameters)
    named: dict[str, Any] = {}
    for key, value in parse_qsl(urlsplit(url).query):
        _put(named, key, value)
    return named


def _put(named: dict[str, Any], key: str, value: str) -> None:
    """Add a parameter: `settings[timezone]` is nested, `fields[]` is one more of a list."""
    found = re.fullmatch(r"(\w+)\[(\w*)\]", key)
    if not found:
        named[key] = value
    elif not found[2] or found[2].isdecimal():
        named.setdefault(found[1], []).append(value)
    else:
        named.setdefault(found[1], {})[found[2]] = value


def _day(text: str) -> str:
    """Return a day for settings: words as they are, seconds since 1970 as their day."""
    if re.fullmatch(r"@\d{1,11}", text.strip()):
        return datetime.fromtimestamp(int(text.strip()[1:]), timezone.utc).date().isoformat()
    return text


def must_be_converted(url: str) -> bool:
    """Return whether only the API can read an address: one of version 1, or a short one."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return False
    return bool(re.search(r"/api/v1/|/getData$|/query/s/", path))


def without_own(url: str) -> str:
    """Return an address without the key in it."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    others = [(key, _json_without(value)) for key, value in pairs if key.lower() not in _KEYS]
    return urlunsplit(parts._replace(query=urlencode(others)))


def without_keys(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON whose objects, at any depth, have no member with a name of the key."""
    if isinstance(value, list):
        return [without_keys(each) for each in value]
    if isinstance(value, dict):
        named = ((name, each) for name, each in value.items() if str(name).lower() not in _KEYS)
        return {name: without_keys(each) for name, each in named}
    return value


def _json_without(text: str) -> str:
    """Return a parameter without a key in its JSON; other texts are left as is."""
    if not any(f'"{each}"' in text.lower() for each in _KEYS):
        return text
    try:
        value = json.loads(text)
        return json.dumps(without_keys(value)) if isinstance(value, (dict, list)) else text
    except ValueError:
        return text


def address_of(parameters: Mapping[str, Any]) -> str:
    """Return a version 2 address for parameters, which `report_from` reads."""
    return f"{_ANY}?{urlencode({'json': json.dumps(parameters)})}"


def _is_idle(key: str, query: Mapping[str, Any]) -> bool:
    """Return whether a parameter of an address has no effect beside the others."""
    if key == "date_range_type":
        return query[key] == "custom" or "start_date" in query
    is_compared = (query.get("compare_type") or "none") != "none"
    return key in NOT_SUPPORTED and not is_compared
