"""An API that is far away is waited for by more threads, which nothing is lost by."""

from __future__ import annotations

from datetime import date, timedelta

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.extraction.fetch_places import FEWEST_PLACES, MOST_PLACES
from tests.attack.driver import ADS, LAST, attempt, options, settings_for
from tests.tap import truth

FIRST: date = LAST - timedelta(days=39)
LATENCY_S = 0.3


def test_more_results_are_fetched_at_the_same_time_where_answers_are_late() -> None:
    with Emulator(options=options(latency_seconds=LATENCY_S)) as emulator:
        ended = attempt(settings_for(emulator, ADS, start_date=str(FIRST)))
        factor = options().clock_factor
        spans = [
            (each.at / factor, each.at / factor + each.real_seconds)
            for each in emulator.requests
            if each.path.endswith("query/results")
        ]
        expected = truth(emulator, ADS, FIRST, LAST)
    assert ended.code == 0
    assert ended.rows["google_ads"] == expected
    together = max(sum(begun <= at < over for begun, over in spans) for at, _ in spans)
    assert FEWEST_PLACES < together <= MOST_PLACES
