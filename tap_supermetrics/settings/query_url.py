"""A query given as an address, as the vendor's pages show it, read into a report's settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OURS: Final = frozenset(
    {"api_key", "schedule_id", "sync_timeout", "sync", "offset_start", "offset_end", "pretty"}
)
"""Parameters of an address that are the tap's own business; the key above all."""
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
"""Parameters of the API's that no report can have, and why."""


def report_from(url: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a report that asks what an address asks; those given beside it win.

    Source: Supermetrics docs, "Making requests": parameters stand in the address one by one, or
    all in the one parameter `json`.

    Raises:
        ValueError: it is no address of a version 2 query. The message does not repeat it: it may
            hold a key.
    """
    given = {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}
    try:
        parameters = json.loads(given["json"]) if "json" in given else given
        if "ds_id" not in parameters or "fields" not in parameters:
            raise ValueError  # noqa: TRY301 - one message for all
        settings: Any = parameters.get("settings")
        if isinstance(settings, str):
            settings = parameters["settings"] = json.loads(settings)
        if isinstance(settings, dict):
            settings.pop("no_headers", None)  # which the tap sets itself
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            "expected the address of a version 2 query, with ds_id and fields"
        ) from None
    asked = {**parameters, **beside}
    named = {key: value for key, value in parameters.items() if not _is_idle(key, asked)}
    merged = {key: value for key, value in named.items() if key not in _OURS} | {**beside}
    return {key: value for key, value in merged.items() if key != "url"}


def _is_idle(key: str, asked: Mapping[str, Any]) -> bool:
    """Return whether a parameter of an address says nothing beside the others."""
    if key == "date_range_type":
        return asked[key] == "custom" or "start_date" in asked
    is_compared = (asked.get("compare_type") or "none") != "none"
    return key in NOT_SUPPORTED and not is_compared
