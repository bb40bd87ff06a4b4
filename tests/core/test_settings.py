from __future__ import annotations

import json
import re
from datetime import date
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.dates import Day, parse_date
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import (
    Accounts,
    Report,
    Shard,
    SplitAccounts,
    SplitDates,
    compile_filter,
)
from tap_supermetrics.settings import Mode, Settings
from tap_supermetrics.settings.config import TOP_LEVEL
from tap_supermetrics.settings.contradictions import far_ahead
from tap_supermetrics.settings.entries import ONLY_IN_REPORT, OVERRIDABLE
from tests.core.reports import API_KEY, entry, policy, report, settings_of

BASE = "https://api.supermetrics.com/enterprise/v2/query/data/json"


def mistakes_of(*queries: object, **top: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        settings_of(*queries, **top)
    return caught.value.mistakes


def test_a_small_configuration_has_the_defaults() -> None:
    settings = settings_of({"name": "ads", "ds_id": "AW", "fields": "Date,Clicks"})
    assert settings == Settings(
        api_key=API_KEY,
        api_url="https://api.supermetrics.com/enterprise/v2",
        reports=settings.reports,
        mode=Mode.AUTO,
        max_running_batches=2,
        max_running_queries=10,
        max_queries_per_run=None,
        max_rows_per_run=None,
        requests_per_second=15.0,
        on_failure="fail_at_end",
    )
    assert settings.reports == (
        Report(
            path="queries[0]",
            name="ads",
            ds_id="AW",
            fields=("Date", "Clicks"),
            accounts=Accounts(),
            date_range_type=None,
            key_properties=(),
            replication_key=None,
            types={},
            start_date=None,
            end_date=Day.parse("yesterday"),
            timezone=ZoneInfo("UTC"),
            lookback_days=3,
            max_days_per_query=31,
            backfill_days_per_query=1,
            newest_first=False,
            require_fresh_days=0,
            refresh_after_hours=0,
            max_rows=1_000_000,
            page_size=10_000,
            on_type_mismatch="fail",
            metadata_columns=True,
            blank_key_value="",
        ),
    )
    assert (settings.reports[0].parameters, settings.reports[0].policy) == ({}, policy())


# Values that differ from the defaults: what is written, where it ends up, what it becomes there.
_OVERRIDES: dict[str, tuple[object, str, object]] = {
    "start_date": ("2024-01-01", "start_date", Day(fixed=parse_date("2024-01-01"))),
    "end_date": ("3 days ago", "end_date", Day.parse("3 days ago")),
    "timezone": ("Europe/Helsinki", "timezone", ZoneInfo("Europe/Helsinki")),
    "lookback_days": (0, "lookback_days", 0),
    "split_dates_policy": ("none", "policy.split.dates", SplitDates.NONE),
    "split_accounts_policy": ("none", "policy.split.accounts", SplitAccounts.NONE),
    "max_days_per_query": (7, "max_days_per_query", 7),
    "backfill_days_per_query": (30, "backfill_days_per_query", 30),
    "backfill_order": ("newest", "newest_first", True),
    "require_fresh_days": (2, "require_fresh_days", 2),
    "refresh_after_hours": (12, "refresh_after_hours", 12),
    "query_concurrency": (50, "policy.query_concurrency", 50),
    "timeout_minutes": (60, "policy.timeout_minutes", 60),
    "add_clean_data_types": (False, "policy.add_clean_data_types", False),
    "add_exclude_account_errors": (True, "policy.add_exclude_account_errors", True),
    "max_rows": (5_000, "max_rows", 5_000),
    "page_size": (100, "page_size", 100),
    "on_type_mismatch": ("null", "on_type_mismatch", "null"),
    "blank_key_value": ("(none)", "blank_key_value", "(none)"),
    "metadata_columns": (False, "metadata_columns", False),
}
_OWN: dict[str, tuple[object, str, object]] = {
    "name": ("other", "name", "other"),
    "ds_id": ("FA", "ds_id", "FA"),
    "fields": (["Date", "cost"], "fields", ("Date", "cost")),
    "ds_accounts": ("1, 2", "accounts", Accounts(ids=("1", "2"))),
    "ds_user": ("me", "parameters.ds_user", "me"),
    "ds_users": (["me", "you"], "parameters.ds_users", ("me", "you")),
    "ds_segments": ("-1", "parameters.ds_segments", ("-1",)),
    "filter": ("Clicks > 0", "parameters.filter", "Clicks > 0"),
    "settings": ({"round": 2}, "parameters.settings", {"round": 2}),
    "order_rows": ("Clicks desc", "parameters.order_rows", ("Clicks desc",)),
    "cache_minutes": (60, "parameters.cache_minutes", 60),
    "date_range_type": ("last_30_days", "date_range_type", "last_30_days"),
    "key_properties": (["Date", "_sm_account_id"], "key_properties", ("Date", "_sm_account_id")),
    "replication_key": ("_sm_date", "replication_key", "_sm_date"),
    "url": (f"{BASE}?ds_id=FA&fields=x", "ds_id", "AW"),
    "types": ({"Clicks": "int.number.value"}, "types", {"Clicks": "int.number.value"}),
}
_TOP: dict[str, tuple[object, str, object]] = {
    "api_key": ("another_key", "api_key", "another_key"),
    "api_url": ("https://aws1.example.com/v2/", "api_url", "https://aws1.example.com/v2"),
    "batch_description": ("nightly", "reports.0.policy.description", "nightly"),
    "mode": ("async", "mode", Mode.ASYNC),
    "max_running_batches": (1, "max_running_batches", 1),
    "max_running_queries": (50, "max_running_queries", 50),
    "max_queries_per_run": (1_000, "max_queries_per_run", 1_000),
    "max_rows_per_run": (1_000_000, "max_rows_per_run", 1_000_000),
    "requests_per_second": (0.5, "requests_per_second", 0.5),
    "on_failure": ("stop", "on_failure", "stop"),
    "journal_dir": ("~/journal", "journal_dir", "~/journal"),
    "shard": ("2/5", "reports.0.shard", Shard(number=2, count=5)),
    "report_dir": ("~/report", "report_dir", "~/report"),
    "query_log": (True, "query_log", True),
    "query_log_name": ("tap_log", "query_log_name", "tap_log"),
}


def found_at(value: Any, path: str) -> Any:  # noqa: ANN401 - whatever is there
    for part in path.split("."):
        if isinstance(value, tuple):
            value = value[int(part)]
        else:
            value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


def test_every_declared_setting_is_tried_here() -> None:
    assert set(_OVERRIDES) == {each.name for each in OVERRIDABLE}
    assert set(_OWN) == {each.name for each in ONLY_IN_REPORT}
    assert {*_TOP, *_OVERRIDES, "queries"} == {each.name for each in TOP_LEVEL}


@pytest.mark.parametrize(("name", "given"), _OVERRIDES.items())
def test_a_setting_of_all_reports_reaches_a_report(
    name: str, given: tuple[object, str, object]
) -> None:
    written, path, meant = given
    (found,) = settings_of(entry(), **{name: written}).reports
    assert found_at(found, path) == meant


@pytest.mark.parametrize(("name", "given"), _OVERRIDES.items())
def test_a_report_overrides_a_setting_of_all_reports(
    name: str, given: tuple[object, str, object]
) -> None:
    written, path, meant = given
    first, second = settings_of(entry(**{name: written}), entry(name="other")).reports
    assert found_at(first, path) == meant
    assert found_at(second, path) != meant


@pytest.mark.parametrize(("name", "given"), _OWN.items())
def test_a_setting_of_a_report_reaches_it(name: str, given: tuple[object, str, object]) -> None:
    written, path, meant = given
    assert found_at(report(**{name: written}), path) == meant


@pytest.mark.parametrize(("name", "given"), _TOP.items())
def test_a_setting_of_the_tap_reaches_it(name: str, given: tuple[object, str, object]) -> None:
    written, path, meant = given
    assert found_at(settings_of(entry(), **{name: written}), path) == meant


def test_a_null_in_a_report_means_the_setting_of_all_reports() -> None:
    (found,) = settings_of(entry(max_rows=None, filter=None), max_rows=7).reports
    assert (found.max_rows, found.parameters) == (7, {})


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("lookback_days", "5", 5),
        ("max_rows", "1000", 1_000),
        ("metadata_columns", "false", False),
        ("metadata_columns", "False", False),
        ("metadata_columns", "0", False),
        ("metadata_columns", "true", True),
        ("metadata_columns", "yes", True),
        ("metadata_columns", " off ", False),
        ("on_type_mismatch", "NULL", "null"),
        ("end_date", "2024-03-01T00:00:00Z", Day(fixed=date(2024, 3, 1))),
        ("end_date", "2024-03-01 00:00", Day(fixed=date(2024, 3, 1))),
        ("end_date", date(2024, 3, 1), Day(fixed=date(2024, 3, 1))),
    ],
)
def test_a_value_from_the_environment_is_understood(name: str, written: str, meant: object) -> None:
    assert found_at(settings_of(entry(), **{name: written}).reports[0], name) == meant


def test_a_rate_from_the_environment_is_understood() -> None:
    assert settings_of(entry(), requests_per_second="2.5").requests_per_second == 2.5


def test_queries_from_the_environment_are_understood() -> None:
    settings = Settings.from_config(
        {"api_key": API_KEY, "queries": '[{"name": "a", "ds_id": "AW", "fields": ["x"]}]'}
    )
    assert [each.fields for each in settings.reports] == [("x",)]


@pytest.mark.parametrize(
    "written",
    [
        "Date,Clicks",
        " Date , Clicks ",
        "Date;Clicks",
        "Date\nClicks\n",
        '["Date", "Clicks"]',
        ["Date", "Clicks"],
        [{"id": "Date"}, "Clicks"],
    ],
)
def test_fields_are_a_text_or_a_list_of_ids(written: object) -> None:
    assert report(fields=written).fields == ("Date", "Clicks")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("123", Accounts(ids=("123",))),
        ("123, 456,123", Accounts(ids=("123", "456"))),
        (["123", 456], Accounts(ids=("123", "456"))),
        (["act_1"], Accounts(ids=("act_1",))),
        ("list.all_accounts", Accounts(list_name="all_accounts")),
        (["list.shops"], Accounts(list_name="shops")),
        ("1001;1002", Accounts(ids=("1001", "1002"))),
        ("1001 1002\t1003", Accounts(ids=("1001", "1002", "1003"))),
        ("1001,\n1002\r\n 1003 \n", Accounts(ids=("1001", "1002", "1003"))),
        ('["1001", 1002]', Accounts(ids=("1001", "1002"))),
        (["1001; 1002", "1003"], Accounts(ids=("1001", "1002", "1003"))),
        (["'1001'", "\ufeff1001\u200b"], Accounts(ids=("1001",))),
        ("123\u2011456\u20117890", Accounts(ids=("123-456-7890",))),
        ("My Shop, Shop 2", Accounts(ids=("My Shop", "Shop 2"))),
        (["act_1\xa0act_2"], Accounts(ids=("act_1", "act_2"))),
        ('{"filter_id": "^act_45$"}', Accounts(filter_id="^act_45$")),
        ({"filter_id": "^act_45.*"}, Accounts(filter_id="^act_45.*")),
        ({"filter_name": "/shop$/i"}, Accounts(filter_name="/shop$/i")),
    ],
)
def test_accounts_are_ids_a_list_or_a_filter(written: object, meant: Accounts) -> None:
    assert report(ds_accounts=written).accounts == meant


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^act_45", "act_4567", True),
        ("^act_45", "act_123", False),
        ("/shop$/i", "My SHOP", True),
        ("/shop$/", "My SHOP", False),
        ("#a/b#", "xa/by", True),
        ("~^shop eu$~ix", "ShopEU", True),
    ],
)
def test_a_filter_of_accounts_is_read_as_the_vendor_reads_it(
    pattern: str,
    text: str,
    matches: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert bool(compile_filter(pattern).search(text)) is matches


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1:1/enterprise/v2", "http://[::1]:80/v2"]
)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    assert settings_of(entry(), api_url=url).api_url == url


def test_the_key_is_not_in_the_text_of_the_settings() -> None:
    assert API_KEY not in repr(settings_of(entry()))


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": ["Date", "Campaign"]},
        {"filter": "Clicks > 0"},
        {"settings": {"report_type": "x"}},
        {"ds_segments": ["-1"]},
        {"ds_id": "FA"},
        {"replication_key": "_sm_date"},
        {"blank_key_value": "(none)"},
    ],
)
def test_the_hash_changes_with_what_is_asked(changes: dict[str, object]) -> None:
    assert report(**changes).query_hash != report().query_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": ["Clicks", "Date", "Campaign"]},
        {"start_date": "2020-01-01"},
        {"ds_accounts": ["1"]},
        {"name": "other"},
        {"max_rows": 7},
        {"query_concurrency": 7},
    ],
)
def test_the_hash_does_not_change_with_how_it_is_asked(changes: dict[str, object]) -> None:
    assert report(**changes).query_hash == report().query_hash


def test_the_hash_is_the_same_in_every_run() -> None:
    assert report().query_hash == "fd3a78ff"


# Configurations with one mistake: settings of all, settings of the report, path, part of the text.
MALFORMED: dict[str, tuple[dict[str, object], dict[str, object], str, str]] = {
    "key missing": ({"api_key": None}, {}, "api_key", "required"),
    "key empty": ({"api_key": ""}, {}, "api_key", "got nothing"),
    "key blank": ({"api_key": "   "}, {}, "api_key", "expected a key"),
    "key of two words": ({"api_key": f"{API_KEY} x"}, {}, "api_key", "without blanks"),
    "key of two lines": ({"api_key": f"{API_KEY}\nx"}, {}, "api_key", "without blanks"),
    "key with umlaut": ({"api_key": f"{API_KEY}ä"}, {}, "api_key", "expected a key"),
    "key number": ({"api_key": 5}, {}, "api_key", "expected a key"),
    "key list": ({"api_key": [API_KEY]}, {}, "api_key", "expected a key"),
    "key unexpanded": ({"api_key": "$SM_KEY"}, {}, "api_key", "$SM_KEY was not replaced"),
    "key in braces": ({"api_key": "${SM_KEY}"}, {}, "api_key", "${SM_KEY} was not replaced"),
    "url without scheme": ({"api_url": "api.example.com"}, {}, "api_url", "expected an https"),
    "url ftp": ({"api_url": "ftp://x"}, {}, "api_url", "expected an https"),
    "url http": ({"api_url": "http://api.example.com"}, {}, "api_url", "unencrypted"),
    "url like localhost": ({"api_url": "http://localhost.example.com"}, {}, "api_url", "unencr"),
    "url with query": ({"api_url": "https://x.example.com/?a=b"}, {}, "api_url", "expected an"),
    "url with key": ({"api_url": f"https://x/?api_key={API_KEY}"}, {}, "api_url", "expected an"),
    "url with user": ({"api_url": f"https://{API_KEY}@x.example.com"}, {}, "api_url", "without a"),
    "url with password": ({"api_url": f"https://u:{API_KEY}@x"}, {}, "api_url", "without a"),
    "url without host": ({"api_url": "https:///v2"}, {}, "api_url", "expected an https"),
    "url with half an address": ({"api_url": "https://[::1"}, {}, "api_url", "expected an https"),
    "url with bad port": ({"api_url": "https://x:99999/"}, {}, "api_url", "expected an https"),
    "url number": ({"api_url": 5}, {}, "api_url", "expected an https"),
    "queries null": ({"queries": None}, {}, "queries", "required"),
    "queries empty": ({"queries": []}, {}, "queries", "at least one"),
    "queries object": ({"queries": {"name": "a"}}, {}, "queries", "expected a list"),
    "queries text": ({"queries": "ads"}, {}, "queries", "expected a list"),
    "queries number": ({"queries": 1}, {}, "queries", "expected a list"),
    "entry text": ({"queries": ["ads"]}, {}, "queries[0]", "expected an object"),
    "entry null": ({"queries": [None]}, {}, "queries[0]", "expected an object"),
    "entry list": ({"queries": [[]]}, {}, "queries[0]", "expected an object"),
    "unknown": ({"strat_date": "today"}, {}, "strat_date", "did you mean start_date?"),
    "unknown strange": ({"zzz": 1}, {}, "zzz", "unknown setting"),
    "batches": ({"max_running_batches": 3}, {}, "max_running_batches", "from 1 to 2"),
    "no batches": ({"max_running_batches": 0}, {}, "max_running_batches", "from 1 to 2"),
    "queries at once": ({"max_running_queries": 51}, {}, "max_running_queries", "from 1 to 50"),
    "mode": ({"mode": "sync"}, {}, "mode", "one of auto, batch, async"),
    "rate zero": ({"requests_per_second": 0}, {}, "requests_per_second", "over 0"),
    "rate of a century": ({"requests_per_second": 1e-9}, {}, "requests_per_second", "over 0.01"),
    "rate below": ({"requests_per_second": -1}, {}, "requests_per_second", "over 0"),
    "rate nan": ({"requests_per_second": float("nan")}, {}, "requests_per_second", "over 0"),
    "rate word": ({"requests_per_second": "fast"}, {}, "requests_per_second", "a number"),
    "rate true": ({"requests_per_second": True}, {}, "requests_per_second", "a number"),
    "rate list": ({"requests_per_second": []}, {}, "requests_per_second", "a number"),
    "on_failure": ({"on_failure": "ignore"}, {}, "on_failure", "one of fail_at_end"),
    "on_failure list": ({"on_failure": []}, {}, "on_failure", "one of"),
    "name that ends": ({}, {"name": "ads-"}, "queries[0].name", "no `-` last"),
    "shard nought": ({"shard": "0/5"}, {}, "shard", 'such as 2/5, got "0/5"'),
    "shard beyond": ({"shard": "6/5"}, {}, "shard", "such as 2/5"),
    "shard of one part": ({"shard": "2"}, {}, "shard", "such as 2/5"),
    "shard of three parts": ({"shard": "1/2/3"}, {}, "shard", "such as 2/5"),
    "shard number": ({"shard": 2}, {}, "shard", "such as 2/5"),
    "shards too many": ({"shard": "1/1001"}, {}, "shard", "at most 1000"),
    "shard for one": ({}, {"shard": "1/2"}, "queries[0].shard", "unknown setting"),
    "description": ({"batch_description": 5}, {}, "batch_description", "expected a text"),
    "top start": ({"start_date": "soon"}, {}, "start_date", "YYYY-MM-DD"),
    "top end null day": ({"end_date": "2024-02-30"}, {}, "end_date", "YYYY-MM-DD"),
    "key in quotes": ({"api_key": f'"{API_KEY}"'}, {}, "api_key", "begins and ends with a quot"),
    "key in typed quotes": ({"api_key": f"\u201c{API_KEY}\u201d"}, {}, "api_key", "a quotation m"),
    "key in half quotes": ({"api_key": f"{API_KEY}'"}, {}, "api_key", "begins or ends with a quot"),
    "key of a header": ({"api_key": f"Bearer {API_KEY}"}, {}, "api_key", "the word Bearer"),
    "key of a line": ({"api_key": f"API_KEY={API_KEY}"}, {}, "api_key", "the name of the setting"),
    "key of a command": (
        {"api_key": f"export K_API_KEY={API_KEY}"},
        {},
        "api_key",
        "the name of t",
    ),
    "key of a whole header": (
        {"api_key": f"Authorization: Bearer {API_KEY}"},
        {},
        "api_key",
        "Bear",
    ),
    "key in JSON": ({"api_key": f'{{"key": "{API_KEY}"}}'}, {}, "api_key", "a list or an object"),
    "key of a vault": ({"api_key": "op://vault/item/key"}, {}, "api_key", "is an address"),
    "key of a file": ({"api_key": "k" * 4_097}, {}, "api_key", "4,096 letters, as no key has"),
    "key of a page": ({"api_key": f"{API_KEY[:4]}****"}, {}, "api_key", "is masked or an example"),
    "key cut short": ({"api_key": f"{API_KEY[:4]}...{API_KEY[-3:]}"}, {}, "api_key", "is masked"),
    "key of a guide": ({"api_key": "YOUR_API_KEY"}, {}, "api_key", "is masked or an example"),
    "key of an example": ({"api_key": "<your key>"}, {}, "api_key", "angle brackets"),
    "key unexpanded elsewhere": ({"api_key": "%SM_KEY%"}, {}, "api_key", "%SM_KEY% was not repl"),
    "key of a template": ({"api_key": "{{ KEY }}"}, {}, "api_key", "{{ KEY }} was not replaced"),
    "address with a variable": (
        {"api_url": "https://${HOST}/v2"},
        {},
        "api_url",
        "the environment variable ${HOST} was not replaced",
    ),
    "end with an hour": ({"end_date": "2024-03-01T05:00:00Z"}, {}, "end_date", "YYYY-MM-DD"),
    "own in top": ({"ds_id": "AW"}, {}, "ds_id", "belongs in an entry of `queries`"),
    "unknown in other letters": ({"Start_Date": "today"}, {}, "Start_Date", "mean start_date?"),
    "unknown with a line": ({"x\ny": 1}, {}, r"'x\ny'", "unknown setting"),
    "null of all": ({"on_type_mismatch": None}, {}, "on_type_mismatch", "null in quotes"),
    "null": ({}, {"on_type_mismatch": None}, "queries[0].on_type_mismatch", "null in quotes"),
    "account unexpanded": ({}, {"ds_accounts": ["$ME"]}, "queries[0].ds_accounts", "$ME was not"),
    "setting unexpanded": (
        {},
        {"settings": {"a": [{"b": "${B}"}]}},
        "queries[0].settings",
        "${B} was not replaced",
    ),
    "account in two ways": (
        {},
        {"ds_accounts": ["123-456-7890", "1234567890"]},
        "queries[0].ds_accounts",
        "123-456-7890 and 1234567890 are one account",
    ),
    "account left out": (
        {},
        {"settings": {"exclude_invalid_accounts": 1}, "split_accounts_policy": "none"},
        "queries[0].settings",
        "exclude_invalid_accounts needs split_accounts_policy: all",
    ),
    "account with prefix": (
        {},
        {"ds_accounts": "1,act_1"},
        "queries[0].ds_accounts",
        "1 and act_1 are one account",
    ),
    "key in other letters": (
        {},
        {"replication_key": "date"},
        "queries[0].replication_key",
        "did you mean Date?",
    ),
    "types misspelt": ({}, {"types": {"Click": "int"}}, "queries[0].types", "did you mean Clicks?"),
    "settings no json": ({}, {"settings": "{"}, "queries[0].settings", "a text that is no JSON"),
    "start unexpanded": ({"start_date": "$START"}, {}, "start_date", "$START was not replaced"),
    "name missing": ({}, {"name": None}, "queries[0].name", "required"),
    "name of the log": (
        {"query_log": True, "query_log_name": "query log"},
        {},
        "query_log_name",
        'a name for a stream, got "query log"',
    ),
    "no name of the log": (
        {"query_log": True, "query_log_name": ""},
        {},
        "query_log_name",
        "a name for a stream, got nothing",
    ),
    "name with blank": ({}, {"name": "my ads"}, "queries[0].name", "letters, digits"),
    "name with digit first": ({}, {"name": "1ads"}, "queries[0].name", "a letter first"),
    "name with dot": ({}, {"name": "a.b"}, "queries[0].name", "letters, digits"),
    "source missing": ({}, {"ds_id": None}, "queries[0].ds_id", "required"),
    "source with slash": ({}, {"ds_id": "A/W"}, "queries[0].ds_id", "an id of a data source"),
    "fields missing": ({}, {"fields": None}, "queries[0].fields", "required"),
    "fields empty": ({}, {"fields": []}, "queries[0].fields", "a list of field ids"),
    "fields empty text": ({}, {"fields": ""}, "queries[0].fields", "got nothing"),
    "fields with gap": ({}, {"fields": "Date,,Clicks"}, "queries[0].fields", "a list of field"),
    "fields split": (
        {},
        {"fields": [{"id": "Date", "split": "column"}]},
        "queries[0].fields",
        "a list of field",
    ),
    "fields null": ({}, {"fields": [None]}, "queries[0].fields", "a list of field ids"),
    "fields twice": ({}, {"fields": ["Date", "date"]}, "queries[0].fields", "listed twice"),
    "fields reserved": ({}, {"fields": ["_sm_date"]}, "queries[0].fields", "reserved"),
    "accounts empty": ({}, {"ds_accounts": []}, "queries[0].ds_accounts", "account ids"),
    "accounts number": ({}, {"ds_accounts": 5.5}, "queries[0].ds_accounts", "account ids"),
    "accounts true": ({}, {"ds_accounts": [True]}, "queries[0].ds_accounts", "account ids"),
    "accounts no list": ({}, {"ds_accounts": "list."}, "queries[0].ds_accounts", "list.<slug>"),
    "accounts mixed": ({}, {"ds_accounts": "1,list.a"}, "queries[0].ds_accounts", "list.<slug>"),
    "filter empty": ({}, {"ds_accounts": {}}, "queries[0].ds_accounts", "filter_id"),
    "filter unknown": ({}, {"ds_accounts": {"filter": "x"}}, "queries[0].ds_accounts", "filter_"),
    "filter both": (
        {},
        {"ds_accounts": {"filter_id": "a", "filter_name": "b"}},
        "queries[0].ds_accounts",
        "filter_id",
    ),
    "filter broken": ({}, {"ds_accounts": {"filter_id": "("}}, "queries[0].ds_accounts", "filter"),
    "filter null": ({}, {"ds_accounts": {"filter_id": None}}, "queries[0].ds_accounts", "filter"),
    "filter blank": ({}, {"ds_accounts": {"filter_id": ""}}, "queries[0].ds_accounts", "filter"),
    "settings text": ({}, {"settings": "a=b"}, "queries[0].settings", "an object"),
    "settings list": ({}, {"settings": []}, "queries[0].settings", "an object"),
    "settings header": ({}, {"settings": {"no_headers": 0}}, "queries[0].settings", "no_headers"),
    "filter number": ({}, {"filter": 5}, "queries[0].filter", "expected a text"),
    "cache": ({}, {"cache_minutes": -1}, "queries[0].cache_minutes", "from 0 to 10080"),
    "range": ({}, {"date_range_type": "Last month"}, "queries[0].date_range_type", "last_30_days"),
    "range and key": (
        {},
        {"date_range_type": "last_30_days", "replication_key": "Date"},
        "queries[0].replication_key",
        "leave it out",
    ),
    "key unknown": ({}, {"key_properties": ["Ad"]}, "queries[0].key_properties", "Ad is not"),
    "key no column": ({}, {"key_properties": ["_sm_x"]}, "queries[0].key_properties", "_sm_x"),
    "replication": ({}, {"replication_key": "Week"}, "queries[0].replication_key", "neither"),
    "replication undated": (
        {},
        {"replication_key": "_sm_date", "split_dates_policy": "none"},
        "queries[0].replication_key",
        "split_dates_policy",
    ),
    "types list": ({}, {"types": []}, "queries[0].types", "an object"),
    "types unknown": ({}, {"types": {"Ad": "int"}}, "queries[0].types", "no field"),
    "types word": ({}, {"types": {"Clicks": "integer"}}, "queries[0].types", "int.number.value"),
    "types null": ({}, {"types": {"Clicks": None}}, "queries[0].types", "data type"),
    "start after end": (
        {},
        {"start_date": "2024-03-02", "end_date": "2024-03-01"},
        "queries[0].start_date",
        "after end_date",
    ),
    "start ago after end": (
        {},
        {"start_date": "yesterday", "end_date": "3 days ago"},
        "queries[0].start_date",
        "after end_date",
    ),
    "timezone": ({}, {"timezone": "Helsinki"}, "queries[0].timezone", "IANA"),
    "timezone path": ({}, {"timezone": "../UTC"}, "queries[0].timezone", "IANA"),
    "timezone folder": ({}, {"timezone": "Europe"}, "queries[0].timezone", "IANA"),
    "timezone empty": ({}, {"timezone": ""}, "queries[0].timezone", "IANA"),
    "timezone endless": ({}, {"timezone": "x" * 5_000}, "queries[0].timezone", "IANA"),
    "timezone offset": ({}, {"timezone": 2}, "queries[0].timezone", "IANA"),
    "lookback": ({}, {"lookback_days": -1}, "queries[0].lookback_days", "from 0 to 366"),
    "lookback part": ({}, {"lookback_days": 1.5}, "queries[0].lookback_days", "a whole number"),
    "lookback true": ({}, {"lookback_days": True}, "queries[0].lookback_days", "a whole number"),
    "policy": ({}, {"split_dates_policy": "week"}, "queries[0].split_dates_policy", "day, none"),
    "policy true": ({}, {"split_accounts_policy": True}, "queries[0].split_accounts_policy", "one"),
    "days": ({}, {"max_days_per_query": 0}, "queries[0].max_days_per_query", "from 1"),
    "concurrency": ({}, {"query_concurrency": 51}, "queries[0].query_concurrency", "from 1 to 50"),
    "timeout": ({}, {"timeout_minutes": 61}, "queries[0].timeout_minutes", "from 5 to 60"),
    "clean": ({}, {"add_clean_data_types": "maybe"}, "queries[0].add_clean_data_types", "true or"),
    "clean number": ({}, {"add_clean_data_types": 2}, "queries[0].add_clean_data_types", "true or"),
    "columns list": ({}, {"metadata_columns": []}, "queries[0].metadata_columns", "true or false"),
    "rows": ({}, {"max_rows": 1_000_001}, "queries[0].max_rows", "to 1000000"),
    "rows text": ({}, {"max_rows": "many"}, "queries[0].max_rows", "a whole number"),
    "page": ({}, {"page_size": 0}, "queries[0].page_size", "from 1"),
    "mismatch": ({}, {"on_type_mismatch": "skip"}, "queries[0].on_type_mismatch", "fail, null"),
    "unknown own": ({}, {"field": ["Date"]}, "queries[0].field", "did you mean fields?"),
    "top in report": ({}, {"api_key": API_KEY}, "queries[0].api_key", "unknown setting"),
}


@pytest.mark.parametrize(("top", "own", "path", "part"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_mistake_is_told_by_its_path_with_what_was_expected(
    top: dict[str, object], own: dict[str, object], path: str, part: str
) -> None:
    mistakes = mistakes_of(**{"queries": [entry(**own)], **top})
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"{path}: ")
    assert part in mistakes[0]
    assert API_KEY not in mistakes[0]
    assert "\n" not in mistakes[0]


def test_two_reports_of_one_name_are_a_mistake() -> None:
    (mistake,) = mistakes_of(entry(), entry(name="other"), entry(name="ADS"))
    assert mistake.startswith("queries[2].name: ADS is the name of queries[0] already")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("eu-ads", "us-ads"),
        ("ads", "my-ads"),
        ("eu-ads", "eu_ads"),
        ("b\u00e4r", "br"),
        ("AdsEu", "ads_eu"),
        ("a" * 63 + "b", "a" * 63 + "c"),
    ],
)
def test_names_that_loaders_cannot_keep_apart_are_a_mistake(first: str, second: str) -> None:
    (mistake,) = mistakes_of(entry(name=first), entry(name=second))
    assert mistake.startswith(f"queries[1].name: loaders put {second} and {first} (queries[0])")


@pytest.mark.parametrize(
    ("first", "second"),
    [("AdsEu", "adseuro"), ("eu-ads", "us-shops"), ("eu_ads", "us_ads"), ("a" * 62, "a" * 63)],
)
def test_names_that_loaders_keep_apart_are_none(first: str, second: str) -> None:
    assert len(settings_of(entry(name=first), entry(name=second)).reports) == 2


def test_a_name_is_told_by_the_place_that_the_report_has() -> None:
    assert mistakes_of(None, entry(), entry())[1].startswith("queries[2].name: ads is the name of")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (json.dumps(json.dumps([{"name": "ads"}])), "JSON that is encoded twice, as a text within"),
        ('[{"max_rows": ' + "1" * 5_000 + "}]", "cannot be read as JSON (Exceeds the limit"),
    ],
)
def test_json_that_is_no_list_says_why(value: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_config({"api_key": API_KEY, "queries": value})
    (mistake,) = caught.value.mistakes
    assert mistake.startswith("queries: expected a list with at least one entry, got ")
    assert told in mistake


def test_an_object_that_is_encoded_twice_says_so() -> None:
    (mistake,) = mistakes_of(entry(settings=json.dumps(json.dumps({"a": 1}))))
    assert "got JSON that is encoded twice" in mistake


@pytest.mark.parametrize("name", ["journal_dir", "report_dir"])
@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("false", "false is a word; leave the text empty, or write ./false"),
        ("null", "null is a word"),
        ("None", "None is a word"),
        ("$HOME/j", "the environment variable $HOME was not replaced"),
        ("/var/$USER/j", "the environment variable $USER was not replaced"),
        ("${HOME}/j", "the environment variable ${HOME} was not replaced"),
        ("%TEMP%/j", "the environment variable %TEMP% was not replaced"),
    ],
)
def test_what_stands_for_a_folder_is_no_folder(name: str, folder: str, told: str) -> None:
    (mistake,) = mistakes_of(entry(), **{name: folder})
    assert mistake.startswith(f"{name}: ")
    assert told in mistake


@pytest.mark.parametrize("folder", ["", "./false", "/var/a$b", "/var/100%", "~/null/j"])
def test_a_folder_may_have_signs_in_its_name(folder: str) -> None:
    assert settings_of(entry(), journal_dir=folder).journal_dir == folder


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("filter", "a = x\ud800"),
        ("settings", {"a": ["x", {"\ud800": 1}]}),
        ("settings", '{"a": "\\ud800"}'),
        ("ds_accounts", ["1", "2\ud800"]),
        ("ds_accounts", '{"filter_name": "\\ud800"}'),
    ],
)
def test_half_a_character_is_told_by_its_setting(setting: str, value: object) -> None:
    told = f"queries[0].{setting}: a text has half a character ('\\ud800') (report ads)"
    given = entry(**{setting: value})
    assert mistakes_of(given) == (told,)
    # As the environment has it.
    with pytest.raises(SettingsError) as caught:
        Settings.from_config({"api_key": API_KEY, "queries": json.dumps([given])})
    assert told in caught.value.mistakes


def test_half_a_character_in_a_setting_of_all_is_told_by_its_name() -> None:
    told = "batch_description: a text has half a character ('\\ud800')"
    assert mistakes_of(entry(), batch_description="x\ud800") == (told,)
    # There it may stand for a byte that is no UTF-8.
    assert settings_of(entry(), journal_dir="/var/\udcff").journal_dir == "/var/\udcff"
    (mistake,) = mistakes_of(entry(), journal_dir="/var/\ud800")
    assert mistake == "journal_dir: a text has half a character ('\\ud800')"


@pytest.mark.parametrize("start", ["today", "30 days", "+1 year"])
def test_words_after_yesterday_are_told_without_an_end_that_nobody_wrote(start: str) -> None:
    usual = "start_date: it is after yesterday, the last day to load unless end_date names another"
    assert mistakes_of(entry(), start_date=start) == (usual,)


def test_a_date_that_runs_do_not_reach_in_a_year_is_a_mistake() -> None:
    today = date(2024, 6, 10)
    written = settings_of(entry(start_date="2062-01-01"), entry(name="b"), start_date="2025-06-12")
    told = "start_date: expected a day up to 2025-06-11, a year ahead, got"
    assert far_ahead(written.reports, today) == [
        f"queries[0].{told} 2062-01-01 (report ads)",
        f"{told} 2025-06-12",
    ]
    both = settings_of(entry(), entry(name="b"), start_date="2062-01-01")
    assert len(far_ahead(both.reports, today)) == 1


@pytest.mark.parametrize("start", ["2024-01-01", "2024-06-11", "2025-06-11", "last_month"])
def test_a_report_may_begin_within_a_year(start: str) -> None:
    given = {"date_range_type": start} if start == "last_month" else {"start_date": start}
    assert not far_ahead(settings_of(entry(**given)).reports, date(2024, 6, 10))


def test_a_contradiction_is_told_by_the_path_of_what_can_be_changed() -> None:
    days = {"start_date": "2024-03-02", "end_date": "2024-03-01"}
    assert mistakes_of(entry(), entry(name="b"), **days) == ("start_date: it is after end_date",)
    (mistake,) = mistakes_of(entry(end_date="2024-03-01"), start_date="2024-03-02")
    assert mistake == "queries[0].end_date: it is before start_date (report ads)"


@pytest.mark.parametrize("value", [False, 0, "0", "No", "", None])
def test_a_setting_that_leaves_no_account_out_needs_no_split(value: object) -> None:
    settings = {"exclude_invalid_accounts": value}
    read = report(settings=settings, split_accounts_policy="none")
    assert read.parameters["settings"] == settings


def test_accounts_of_one_number_are_two_by_their_prefixes() -> None:
    assert report(ds_accounts="act_1,ig_1").accounts.ids == ("act_1", "ig_1")


@given(
    ids=st.lists(st.from_regex(r"[a-z]{0,3}[0-9]{4,10}", fullmatch=True), min_size=1, unique=True),
    between=st.sampled_from([",", ";", " ", "\n", "\r\n", "\t", " , ", ";\n", ",\n"]),
    around=st.sampled_from(["", " ", "\n", "\ufeff", "\u200b"]),
    as_list=st.booleans(),
)
def test_ids_are_parted_however_they_are_written(
    ids: list[str],
    between: str,
    around: str,
    as_list: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    written = f"{around}{between.join(ids)}{around}"
    found = report(ds_accounts=[written] if as_list else written).accounts.ids
    assert found == tuple(ids)


def test_many_mistakes_are_told_at_once_each_by_its_path() -> None:
    mistakes = mistakes_of(
        "ads",
        entry(name="1", fields=[], lookback_days="x"),
        entry(name="good", filtr="x"),
        api_url="ftp://x",
        on_failure="never",
        colour="red",
    )
    assert [each.partition(":")[0] for each in mistakes] == [
        "colour",
        "api_url",
        "on_failure",
        "queries[0]",
        "queries[1].name",
        "queries[1].fields",
        "queries[1].lookback_days",
        "queries[2].filtr",
    ]
    assert mistakes[-1].endswith("(report good)")


def test_the_message_of_many_mistakes_holds_them_all() -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(entry(fields=[], ds_id=""))
    assert str(caught.value) == "; ".join(caught.value.mistakes)


def test_keys_of_somebody_else_are_no_mistakes() -> None:
    config = {"api_key": API_KEY, "queries": [entry()], "stream_maps": {}}
    assert Settings.from_config(config, also_allowed=["stream_maps"]).reports


def test_a_whole_number_is_read_as_a_flag_of_the_environment_is() -> None:
    assert report(metadata_columns=1).metadata_columns is True
    assert report(metadata_columns=0).metadata_columns is False


def test_one_mistake_of_all_reports_is_told_once() -> None:
    (mistake,) = mistakes_of(entry(), entry(name="b"), lookback_days=-1)
    assert mistake.startswith("lookback_days: ")


ODD_VALUES: list[object] = [None, 5, "x", [], {}, True, 1.5, [[]], {"a": {}}]


def told(**config: object) -> tuple[str, ...]:
    """The mistakes of a configuration; none for a good one."""
    try:
        Settings.from_config({"api_key": API_KEY, "queries": [entry()], **config})
    except SettingsError as error:
        return error.mistakes
    return ()


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize("name", [each.name for each in (*ONLY_IN_REPORT, *OVERRIDABLE)])
def test_no_value_in_a_report_raises_anything_but_mistakes(name: str, value: object) -> None:
    mistakes = told(queries=[entry(**{name: value})])
    assert all(each.startswith("queries[0].") for each in mistakes)


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize("name", [each.name for each in TOP_LEVEL])
def test_no_value_of_a_setting_raises_anything_but_mistakes(name: str, value: object) -> None:
    assert all(each.startswith((name, "queries[")) for each in told(**{name: value}))


URL_PARAMETERS = {
    "api_key": "api_key_of_somebody_else",
    "ds_id": "AW",
    "ds_accounts": "1,2",
    "fields": "Date,Cost",
    "start_date": "2024-01-01",
    "end_date": "2024-01-31",
    "settings": {"report_type": "x"},
    "sync_timeout": 0,
}


@pytest.mark.parametrize(
    "query",
    [
        {"json": json.dumps(URL_PARAMETERS)},
        {**URL_PARAMETERS, "settings": json.dumps(URL_PARAMETERS["settings"])},
    ],
)
def test_a_report_may_be_given_by_the_address_of_its_query(query: dict[str, str]) -> None:
    entry = {"name": "ads", "url": f"{BASE}?{urlencode(query)}", "end_date": "2024-02-29"}
    (report,) = Settings.from_config({"api_key": "api_0123456789", "queries": [entry]}).reports
    assert (report.ds_id, report.fields, report.accounts.ids) == (
        "AW",
        ("Date", "Cost"),
        ("1", "2"),
    )
    assert report.parameters == {"settings": {"report_type": "x"}}
    assert report.end_date.fixed == date(2024, 2, 29)


def test_what_says_nothing_in_an_address_is_left_out() -> None:
    """As the vendor's pages write it: every parameter, whether it is used or not."""
    written = URL_PARAMETERS | {
        "date_range_type": "custom",
        "compare_type": "none",
        "compare_show": "perc_change",
        "order_columns": "alphabetic",
        "max_columns": 10,
        "settings": {"report_type": "x", "no_headers": False},
        "pretty": True,
    }
    entry = {"name": "ads", "url": f"{BASE}?{urlencode({'json': json.dumps(written)})}"}
    (report,) = Settings.from_config({"api_key": "api_0123456789", "queries": [entry]}).reports
    assert report.parameters == {"settings": {"report_type": "x"}}
    assert report.date_range_type is None
    assert report.start_date


def test_days_given_beside_an_address_win_over_a_range_in_it() -> None:
    written = {"ds_id": "AW", "fields": "Date,Cost", "date_range_type": "last_30_days"}
    entry = {"name": "ads", "url": f"{BASE}?{urlencode(written)}"}
    for days in ({}, {"start_date": "2024-01-01"}):
        given = {"api_key": "api_0123456789", "queries": [{**entry, **days}]}
        (report,) = Settings.from_config(given).reports
        assert report.date_range_type == (None if days else "last_30_days")


@pytest.mark.parametrize("name", ["compare_type", "compare_start_date", "max_columns"])
def test_what_no_report_can_have_is_told_with_the_reason(name: str) -> None:
    entry = {"name": "ads", "ds_id": "AW", "fields": "Date", name: "x"}
    with pytest.raises(SettingsError, match="are not supported, because"):
        Settings.from_config({"api_key": "api_0123456789", "queries": [entry]})


def test_an_address_is_read_as_the_vendors_pages_print_it() -> None:
    printed = """json={
        "api_key": "<api key>",
        "ds_id": "AW",
        "fields": "Date,Cost",
        "filter": "Campaign == 50% & more #1",
        "start_date": "2024-02-01"
    }"""
    (report,) = settings_of({"name": "ads", "url": f"{BASE}?{printed}"}).reports
    assert (report.ds_id, report.fields) == ("AW", ("Date", "Cost"))
    assert report.parameters["filter"] == "Campaign == 50% & more #1"


def test_nested_parameters_of_an_address_are_understood() -> None:
    query = "ds_id=AW&fields[]=Date&fields[]=Cost&start_date=2024-02-01&settings[timezone]=UTC"
    (report,) = settings_of(
        {"name": "ads", "url": f"{BASE}?{query}&settings[no_headers]=1"}
    ).reports
    assert report.fields == ("Date", "Cost")
    assert report.parameters["settings"] == {"timezone": "UTC"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-2 weeks", "14 days ago"),
        ("- 1 day", "1 days ago"),
        ("previous Monday", "last monday"),
        ("first day of January", "first day of january"),
        ("3 days ago", "3 days ago"),
        ("yesterday", "yesterday"),
        ("@1706745600", "2024-02-01"),
    ],
)
def test_relative_days_of_an_address_are_those_of_the_settings(written: str, meant: str) -> None:
    query = {"ds_id": "AW", "fields": "Date", "start_date": written}
    by_url = settings_of({"name": "ads", "url": f"{BASE}?{urlencode(query)}"}).reports[0]
    by_hand = settings_of(entry(fields="Date", start_date=meant)).reports[0]
    assert by_url.start_date == by_hand.start_date


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (BASE, "queries[0].url: expected the address of a version 2 query"),
        (f"{BASE}?json=%7B", "queries[0].url: expected the address of a version 2 query"),
        ("not an address", "queries[0].url: expected the address of a version 2 query"),
        (f"{BASE}?ds_id=AW&fields=x&start_date=month", "queries[0].start_date: expected YYYY"),
        (f"{BASE}?ds_id=AW&fields=x&settings=1&settings[a]=2", "queries[0].url: expected the"),
        (f"{BASE}?json=%5B%22ds_id%22%2C%22fields%22%5D", "queries[0].url: expected the address"),
        (
            f"{BASE}?json=%7B%22ds_id%22%3A1%2C%22fields%22%3A2%2C%22compare_type%22%3A%5B3%5D%7D",
            "queries[0].url.compare_type: comparisons are not supported",
        ),
        (f"{BASE}?json=3&api_key=api_k3y", "queries[0].url: expected the address"),
        (f"{BASE}?ds_id=AW&fields=Date&bogus=1", "queries[0].url.bogus: unknown setting"),
        (
            f"{BASE}?ds_id=AW&fields=Date&compare_type=prev_year",
            "queries[0].url.compare_type: comparisons are not supported",
        ),
    ],
)
def test_an_address_that_is_no_query_is_a_mistake_that_does_not_show_it(
    url: str, said: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_config({"api_key": "api_0", "queries": [{"name": "ads", "url": url}]})
    assert any(mistake.startswith(said) for mistake in raised.value.mistakes)
    assert "api_k" not in " ".join(raised.value.mistakes).replace("api_key:", "")


@pytest.mark.parametrize("written", [" Europe/Helsinki ", "europe/helsinki", "EUROPE/HELSINKI"])
def test_a_time_zone_is_understood_as_people_write_it(written: str) -> None:
    assert settings_of(entry(timezone=written)).reports[0].timezone == ZoneInfo("Europe/Helsinki")
    (new_york,) = settings_of(entry(timezone="America/New York")).reports
    assert new_york.timezone == ZoneInfo("America/New_York")


@pytest.mark.parametrize("written", ["localtime", "posixrules", "Factory"])
def test_a_time_zone_that_only_this_machine_knows_is_refused(written: str) -> None:
    with pytest.raises(SettingsError, match="IANA"):
        settings_of(entry(timezone=written))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("number", "float.number.value"),
        ("Integer", "int.number.value"),
        ("date", "string.time.date"),
        ("timestamp", "string.time.datetime"),
        ("boolean", "bool"),
        ("string.time.dat", "string.time.date"),
        ("string.time.date_time", "string.time.datetime"),
    ],
)
def test_the_type_that_was_meant_is_told(written: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"did you mean {re.escape(meant)}\?"):
        settings_of(entry(types={"Clicks": written}))


@pytest.mark.parametrize("written", ["string.time.yearweek", "string.time.hms", " Float.Number "])
def test_a_type_of_the_api_is_understood_as_people_write_it(written: str) -> None:
    assert settings_of(entry(types={"Clicks": written})).reports[0].types == {"Clicks": written}


@pytest.mark.parametrize("written", ["2024\u201102\u201101", "\u200b2024-02-01", " 2024-02-01 "])
def test_a_day_is_understood_as_it_is_copied_from_a_page(written: str) -> None:
    assert report(start_date=written).start_date == Day(fixed=date(2024, 2, 1))
