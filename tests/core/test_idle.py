"""A setting that is given has an effect, or is told of."""

from __future__ import annotations

from typing import Any

import pytest

from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.records.schema import record_schema
from tap_supermetrics.sync.idle import idle_settings, repeated_reports
from tests.core.reports import entry, settings_of

LISTED = [
    FieldInfo(field_id="Date", field_type="dim", data_type="string.time.date"),
    FieldInfo(field_id="Campaign", field_type="dim", data_type="string.text.value"),
    FieldInfo(field_id="Clicks", field_type="met", data_type="int.number.value"),
]
RANGE = {"date_range_type": "last_30_days"}
WHOLE = {"fields": ["Campaign", "Clicks"]}
BY_COLUMN = {**WHOLE, "replication_key": "_sm_date"}


def told(*reports: dict[str, Any], **top: object) -> list[str]:
    settings = settings_of(*reports, **{"start_date": "2024-01-01", **top})
    schemas = {each.name: record_schema(each, LISTED) for each in settings.reports}
    return [*idle_settings(settings, schemas)]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({**RANGE, "start_date": "2024-02-01"}, "queries[0].start_date: has no effect"),
        ({**RANGE, "end_date": "today"}, "queries[0].end_date: has no effect"),
        ({**RANGE, "lookback_days": 5}, "queries[0].lookback_days: has no effect"),
        ({**WHOLE, "lookback_days": 5}, "add the day to `fields`"),
        ({**WHOLE, "backfill_order": "newest"}, "backfill_order: has no effect"),
        ({**WHOLE, "backfill_days_per_query": 31}, "backfill_days_per_query: has no effect"),
        ({**BY_COLUMN, "backfill_days_per_query": 31}, "rows do not tell their day"),
        ({"max_days_per_query": 7}, "`split_dates_policy: day`"),
        ({"refresh_after_hours": 5, "lookback_days": 0}, "`lookback_days` is 0"),
        (
            {"split_dates_policy": "none", "backfill_days_per_query": 7},
            "queries are of 31 days (`max_days_per_query`)",
        ),
    ],
)
def test_a_setting_of_a_report_that_has_no_effect_is_told(own: dict[str, Any], said: str) -> None:
    (line,) = [each for each in told(entry(**own)) if each.startswith("queries[0]")]
    assert said in line
    assert line.endswith("(report ads)")


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ({"query_log_name": "log"}, "set `query_log: true`"),
        ({"mode": "async", "max_running_batches": 1}, "queries are asked one by one"),
        ({"mode": "async", "query_concurrency": 9}, "queries are asked one by one"),
        ({"mode": "batch", "max_running_queries": 3}, "no query is asked by itself"),
        ({"max_days_per_query": 7}, "`split_dates_policy: day`"),
    ],
)
def test_a_setting_of_the_run_that_has_no_effect_is_told(top: dict[str, Any], said: str) -> None:
    (line,) = told(entry(), **top)
    assert line.startswith(f"{[*top][-1]}: has no effect: ")
    assert said in line


def test_what_has_one_reason_is_told_in_one_line() -> None:
    (line,) = told(entry(**RANGE), lookback_days=5)
    assert line.startswith("start_date, lookback_days: have no effect: `date_range_type` names")


def test_a_default_that_serves_another_report_is_not_told() -> None:
    assert told(entry(**RANGE), entry(name="other"), lookback_days=5) == []
    assert told(entry(**RANGE), entry(name="other", lookback_days=7), lookback_days=5) != []


@pytest.mark.parametrize("own", [{}, {"lookback_days": 3}, {"max_days_per_query": 31}, WHOLE])
def test_what_is_as_usual_is_not_told(own: dict[str, Any]) -> None:
    """Meltano gives every default as if a person had."""
    usual = {"query_log_name": "supermetrics_query_log", "mode": "auto", "lookback_days": 3}
    assert told(entry(**own), **usual) == []


@pytest.mark.parametrize(
    ("other", "is_told"),
    [
        ({}, True),
        ({"fields": ["Clicks", "Campaign", "Date"]}, True),
        ({"lookback_days": 7}, True),
        ({"ds_accounts": ["1", "9"]}, True),
        ({"ds_accounts": ["9"]}, False),
        ({"filter": "Clicks > 0"}, False),
        ({"start_date": "2024-02-01"}, False),
        ({"ds_user": "me"}, False),
    ],
)
def test_a_report_that_is_there_twice_is_told(other: dict[str, Any], *, is_told: bool) -> None:
    one = entry(fields=["Date", "Campaign", "Clicks"], ds_accounts=["1", "2"])
    settings = settings_of(one, one | {"name": "again"} | other, start_date="2024-01-01")
    lines = [*repeated_reports(settings.reports)]
    assert [line.startswith("queries[1]: asks what queries[0] does") for line in lines] == (
        [True] * is_told
    )
