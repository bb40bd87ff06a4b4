"""A query given as an address, as the vendor's pages show it, read into a report's settings."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

_OURS: Final = frozenset({"api_key", "schedule_id", "sync_timeout", "offset_start", "offset_end"})
"""Parameters of an address that are the tap's own business; the key above all."""


def report_from(url: str) -> dict[str, Any]:
    """The settings of a report that asks what an address asks.

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
        if isinstance(settings := parameters.get("settings"), str):
            parameters["settings"] = json.loads(settings)
    except (ValueError, TypeError):
        raise ValueError(
            "expected the address of a version 2 query, with ds_id and fields"
        ) from None
    return {key: value for key, value in parameters.items() if key not in _OURS}
