"""The main job at size: three reports of two data sources, five accounts, 150 days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

DAY: Final = timedelta(days=1)
FIRST: Final = date(2024, 1, 12)
LAST: Final = date(2024, 6, 9)
NOW: Final = f"{LAST + DAY}T04:00:00+00:00"
QUERIES: Final = 1200

CAMPAIGNS: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937", "5096627718"],
    "fields": ["Date", "Campaignname", "Cost", "Impressions", "Clicks"],
}
ACCOUNT_DAYS: Final[dict[str, Any]] = {
    "name": "google_ads_days",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937", "5096627718"],
    "fields": ["Date", "Cost", "Clicks"],
}
FACEBOOK: Final[dict[str, Any]] = {
    "name": "facebook_ads",
    "ds_id": "FA",
    "ds_accounts": ["act_1784203956017", "act_604418273950"],
    "fields": ["Date", "adcampaign_name", "spend", "impressions"],
}
REPORTS: Final = (CAMPAIGNS, ACCOUNT_DAYS, FACEBOOK)
