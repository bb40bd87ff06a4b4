"""The SDK's standard suite of tests for taps; a start, not a proof."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_supermetrics.emulator import Emulator, Options
from tap_supermetrics.tap import TapSupermetrics
from tests.tap import config_for

if TYPE_CHECKING:
    from typing import Any

_EMULATOR = Emulator(options=Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00"))
_EMULATOR.start()
atexit.register(_EMULATOR.stop)


def _queries() -> list[dict[str, Any]]:
    return [
        {
            "name": "google_ads",
            "ds_id": "AW",
            "ds_accounts": "4713896205,8820145937",
            "fields": "Date,Campaignname,Cost,Clicks",
        },
        {
            "name": "products",
            "ds_id": "GMC",
            "ds_accounts": "118264033",
            "fields": "product_id,product_title,in_stock,price",
        },
    ]


TestStandard = get_tap_test_class(
    TapSupermetrics,
    config=config_for(_EMULATOR, _queries(), start_date="2024-06-05", end_date="2024-06-09"),
    # Its records have no day, and the SDK takes a column of nulls for no records.
    suite_config=SuiteConfig(max_records_limit=20, ignore_no_records_for_streams=["products"]),
)
