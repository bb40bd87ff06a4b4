"""A mistake in one report, or a data source that is not there, stays with its report."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit
from tap_supermetrics.emulator import Emulator
from tap_supermetrics.settings import Settings
from tap_supermetrics.sync.lookups import Lookups
from tap_supermetrics.sync.report_sync import discover
from tests.attack.driver import (
    ADS,
    FACEBOOK,
    attempt,
    keeps_its_promise,
    options,
    settings_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


def test_a_data_source_that_does_not_exist_costs_its_own_report_only(emulator: Emulator) -> None:
    bad = {**FACEBOOK, "name": "mistaken", "ds_id": "FACEBOOK"}
    done = attempt(settings_for(emulator, ADS, bad))

    assert done.code == 3
    assert any("mistaken" in line for line in done.log)
    keeps_its_promise(done, emulator, ADS)


def test_a_field_that_is_nearly_one_is_named_with_it_before_anything_is_paid(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    typo = {**ADS, "fields": [*ADS["fields"], "Impresions"]}
    settings = Settings.from_config(settings_for(emulator, typo))
    client = Client(
        api_url=settings.api_url, api_key=settings.api_key, rate_limit=RateLimit(1000.0)
    )
    with caplog.at_level(logging.WARNING):
        discover(Lookups(client, datetime.now(tz=timezone.utc)), settings.reports)

    assert "Impresions (did you mean Impressions?)" in caplog.text
    assert len(emulator.queries) == 0
