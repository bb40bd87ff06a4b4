"""Reports and settings as a person would write them, with little to say in each test."""

from __future__ import annotations

from typing import Any

from tap_supermetrics.model import BatchPolicy, Report, SplitAccounts, SplitDates, SplitPolicy
from tap_supermetrics.settings import Settings

API_KEY = "api_k3y_of_the_tests_0123456789"


def settings_of(*queries: object, **top: object) -> Settings:
    config: dict[str, Any] = {"api_key": API_KEY, "queries": list(queries), **top}
    return Settings.from_config(config)


def entry(**own: object) -> dict[str, Any]:
    return {"name": "ads", "ds_id": "AW", "fields": ["Date", "Campaign", "Clicks"], **own}


def report(**own: object) -> Report:
    return settings_of(entry(**{"start_date": "2024-02-20", **own})).reports[0]


def policy(**changes: Any) -> BatchPolicy:  # noqa: ANN401 - of each attribute's type
    values: dict[str, Any] = {
        "query_concurrency": 5,
        "timeout_minutes": 30,
        "add_clean_data_types": True,
        "add_exclude_account_errors": False,
        "description": None,
    }
    by_day, by_account = changes.pop("split_dates", True), changes.pop("split_accounts", True)
    return BatchPolicy(split=split(dates=by_day, accounts=by_account), **values | changes)


def split(*, dates: bool = True, accounts: bool = True) -> SplitPolicy:
    return SplitPolicy(
        dates=SplitDates.DAY if dates else SplitDates.NONE,
        accounts=SplitAccounts.ALL if accounts else SplitAccounts.NONE,
    )
