"""Reads a configuration into settings, and makes the client by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.redaction import OneLine
from tap_supermetrics.settings import Settings
from tap_supermetrics.settings.contradictions import far_ahead
from tap_supermetrics.singer.inputs import (
    mistakes_in_characters,
    mistakes_in_folders,
    mistakes_in_sdk_settings,
    unmatched_bookmarks,
)
from tap_supermetrics.sync.addresses import with_converted
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.sync.state_checks import check_state_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk import Tap


def settings_of_sdk(tap: type[Tap]) -> dict[str, Any]:
    """Return the schemas of the settings that the SDK adds, by name."""
    of_sdk: dict[str, Any] = {}
    tap.append_builtin_config(of_sdk)
    return dict(of_sdk.get("properties", {}))


def warnings_of_state(state: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """Yield warnings of the state of a run.

    Raises:
        SettingsError: it cannot be understood.
    """
    check_state_of(state, settings)
    yield from unmatched_bookmarks(
        state, [each.name for each in settings.reports], settings.log_names
    )


def read_settings(
    config: Mapping[str, Any], of_sdk: Mapping[str, Any], first_place: int = 0
) -> tuple[dict[str, Any], Settings]:
    """Return a configuration as settings.

    Args:
        config: as it is given; the API converts query addresses that only it can read.
        of_sdk: schemas of the settings that are the SDK's, by name.
        first_place: of the first of `queries`, where they are to be added to others.

    Returns:
        The configuration that was read, and its settings.

    Raises:
        SettingsError: with every mistake.
    """
    given = {k: v for k, v in config.items() if v is not None or k not in of_sdk}
    mistakes = (
        mistakes_in_sdk_settings(given, of_sdk)
        + mistakes_in_characters(given, of_sdk)
        + mistakes_in_folders(given)
    )
    given = with_converted(given, lambda: _client_before(given))
    try:
        settings = Settings.from_config(given, tuple(of_sdk), first_place)
    except SettingsError as error:
        raise SettingsError([*error.mistakes, *mistakes]) from None
    if mistakes := mistakes + far_ahead(settings.reports, utc_now().date()):
        raise SettingsError(mistakes)
    return given, settings


def _client_before(config: Mapping[str, Any]) -> Client | None:
    """Return a client before there are settings; None where they are wrong."""
    connection = Settings.connection_of(config)
    if connection is None:
        return None
    api_url, api_key = connection
    return Client(api_url=api_url, api_key=api_key, rate_limit=RateLimit(1))


def client_of(settings: Settings) -> Client:
    """Return a client of the API, as fast as the settings allow.

    From here on, the log removes the key from its lines.
    """
    OneLine.secrets.add(settings.api_key)
    return Client(
        api_url=settings.api_url,
        api_key=settings.api_key,
        rate_limit=RateLimit(settings.requests_per_second),
    )
