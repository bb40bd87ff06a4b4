"""What the API says against its own numbers: loaded, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tap_supermetrics.api.wire import ResultFacts
    from tap_supermetrics.model import Query

SAMPLED: Final = "are estimates from a sample of the data, says the API"
EARLY_CACHE: Final = (
    "came from a cache that was filled before their last day was over; set `require_fresh_days`"
)


def remarks_on(query: Query, facts: ResultFacts) -> tuple[str, ...]:
    """Return what a person should know of a result.

    Source: Supermetrics docs, "Get data": `data_sampled`, `cache_used` and `cache_time`.
    """
    cached_on = (facts.cache_time or "")[:10] if facts.cache_used else ""
    is_early = bool(cached_on and query.dates and cached_on <= query.dates.last.isoformat())
    told = ((SAMPLED, facts.data_sampled is True), (EARLY_CACHE, is_early))
    return tuple(remark for remark, holds in told if holds)
