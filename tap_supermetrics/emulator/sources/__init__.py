"""The data sources of the emulated world.

fields            ways to declare fields: time, counts, money, ratios
google_ads        AW: campaigns x devices, and search terms, its largest report
facebook_ads      FA: campaigns > ad sets x platforms, reach, ids with dots
google_analytics  GAWA: places x channels x devices, durations, languages
merchant_center   GMC: products, which have no dates
odd               ODD: the oddest names and values, to try a loader with; rows that vanish
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.sources import (
    facebook_ads,
    google_ads,
    google_analytics,
    merchant_center,
    odd,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.emulator.catalogue import Source


@lru_cache(maxsize=8)
def sources(terms_per_campaign: int) -> Mapping[str, Source]:
    """Return all data sources by their `ds_id`."""
    return MappingProxyType(
        {
            source.id: source
            for source in (
                google_ads.source(terms_per_campaign),
                facebook_ads.source(),
                google_analytics.source(),
                merchant_center.source(),
                odd.source(),
            )
        }
    )
