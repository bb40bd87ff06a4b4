"""Settings and API, as the commands need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The API, and what the user wants of it.

    Attributes:
        settings: the configuration.
        client: the API.
        lookups: what it lists.
    """

    settings: Settings
    client: Client
    lookups: Lookups
