"""Queries given by an address that only the API can read: version 1, or a saved query."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings.query_url import (
    address_of,
    must_be_converted,
    without_keys,
    without_own,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.listings import Converted

logger = logging.getLogger(__name__)


def with_converted(
    config: Mapping[str, Any], client: Callable[[], Client | None]
) -> dict[str, Any]:
    """Return a configuration whose addresses the tap can read itself, by one request at most.

    What the API makes of an address is logged, for the user to write it as settings.

    Args:
        config: what the user wrote.
        client: makes the API's client; None where the settings for it are wrong.

    Raises:
        SettingsError: the API cannot read an address, or cannot be reached.
    """
    entries = _entries(config.get("queries"))
    old = [place for place, each in enumerate(entries) if must_be_converted(_url(each))]
    if not old or (api := client()) is None:
        return {**config}
    try:
        answers = api.convert([without_own(_url(entries[place])) for place in old])
    except ApiError as error:
        paths = ", ".join(f"queries[{place}].url" for place in old)
        text = (
            f"{paths}: only the API can read such an address, write its settings instead. {error}"
        )
        raise SettingsError([text]) from None
    mistakes = []
    # Fewer answers than addresses are possible, and reported below.
    for place, answer in zip(old, answers, strict=False):
        path = f"queries[{place}].url"
        if answer.result is None:
            mistakes.append(f"{path}: the API cannot read it ({answer.reason})")
        else:
            entries[place] = {**entries[place], "url": _address(path, answer)}
    if mistakes or len(answers) < len(old):
        missing = [f"queries[{place}].url: not converted" for place in old[len(answers) :]]
        raise SettingsError([*mistakes, *missing])
    return {**config, "queries": entries}


def _address(path: str, answer: Converted) -> str:
    """Return the version 2 address of a query, and log its parameters."""
    result = answer.result
    parameters = without_keys(result.params if result else {})
    text = json.dumps(parameters, ensure_ascii=False)
    logger.info("%s: read by the API as %s; write this instead of `url`", path, text)
    return address_of(parameters)


def _entries(given: object) -> list[Any]:
    """Return the entries of `queries`, which the environment gives as a text."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return []
    return list(given) if isinstance(given, list) else []


def _url(entry: object) -> str:
    url = entry.get("url") if isinstance(entry, dict) else None
    return url if isinstance(url, str) else ""
