"""Queries given by addresses that only the API can read."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.settings.query_url import without_keys
from tests.tap import Target, config_for, run, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = date(2024, 6, 5), date(2024, 6, 9)
ACCOUNTS = ("4713896205", "8820145937")
BASE = "https://supermetrics.com/api/v1/getData"


def version_1(**changes: str) -> str:
    """An address as version 1 had it, with a key in it."""
    asked = {
        "apiKey": "api_old_0123456789",
        "dataSource": "AW",
        "profiles": json.dumps([{"ID": each, "name": "any"} for each in ACCOUNTS]),
        "dimensions": "Date,Campaignname",
        "metrics": "Cost",
        "dateRangeType": "custom",
        "start-date": str(FIRST),
        "end-date": str(LAST),
        **changes,
    }
    return f"{BASE}?{urlencode(asked)}"


def report(name: str, url: str, **beside: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return {"name": name, "url": url, **beside}


def converted(emulator: Emulator) -> list[object]:
    return [each.params["urls"] for each in emulator.requests if "convert" in each.path]


def test_three_reports_of_version_1_are_loaded_by_one_request_more(
    emulator: Emulator, tmp_path: Path
) -> None:
    clicks = version_1(metrics="Clicks")
    queries = [
        report("cost", version_1()),
        report("clicks", clicks),
        report("newest", version_1(), start_date=str(LAST)),
    ]
    target = Target()
    ended = sync(config_for(emulator, queries), tmp_path, target)

    assert ended.code == 0, ended.stderr
    for name, metric, first in (
        ("cost", "Cost", FIRST),
        ("clicks", "Clicks", FIRST),
        ("newest", "Cost", LAST),
    ):
        asked = {"ds_id": "AW", "ds_accounts": ACCOUNTS, "fields": ["Date", "Campaignname", metric]}
        assert target.tables[name] == truth(emulator, asked, first, LAST)
    (urls,) = converted(emulator)
    assert isinstance(urls, list)
    assert len(urls) == 3
    assert "api_old" not in json.dumps(urls)


def test_discovery_tells_the_settings_that_an_address_stands_for(
    emulator: Emulator, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config_for(emulator, [report("cost", version_1())])))
    ended = run("--config", str(file), "--discover")

    assert ended.code == 0, ended.stderr
    said = 'queries[0].url: read by the API as {"ds_id": "AW", '
    assert said in ended.stderr
    assert '"fields": "Date,Campaignname,Cost"' in ended.stderr
    assert "api_old" not in ended.stderr
    (stream,) = json.loads(ended.stdout)["streams"]
    assert {"Date", "Campaignname", "Cost"} <= stream["schema"]["properties"].keys()


def test_addresses_that_the_api_cannot_read_are_all_named(
    emulator: Emulator, tmp_path: Path
) -> None:
    queries = [
        report("good", version_1()),
        report("bad", f"{BASE}?dataSource=AW"),
        report("short", f"{emulator.url}/query/s/abc/json"),
    ]
    ended = sync(config_for(emulator, queries), tmp_path)

    assert ended.code == 1, ended.stderr
    for place in (1, 2):
        assert f"queries[{place}].url: the API cannot read it (URL_INCOMPLETE" in ended.stderr
    assert "queries[0]" not in ended.stderr.partition("cannot read it")[2]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("code", ["ENDPOINT_NOT_FOUND", "ACCESS_DENIED_PERMISSIONS"])
def test_a_service_that_converts_nothing_is_told_in_one_line(
    code: str, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.inject(Fault(effect="error", path="convert", times=None, status=403, code=code))
    ended = sync(config_for(emulator, [report("cost", version_1())]), tmp_path)

    assert ended.code == 1, ended.stderr
    assert "queries[0].url" in ended.stderr
    assert code in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_wrong_beside_is_told_without_any_request(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [report("cost", version_1())])
    ended = sync({**config, "api_key": "a key"}, tmp_path)

    assert ended.code == 1
    assert "api_key" in ended.stderr
    assert emulator.requests == ()


def test_a_key_within_the_json_of_an_address_goes_nowhere(
    emulator: Emulator, tmp_path: Path
) -> None:
    inside = json.dumps({"apiKey": "api_old_in_json_0", "deep": [{"api_key": "api_old_in_json_1"}]})
    ended = sync(config_for(emulator, [report("cost", version_1(json=inside))]), tmp_path)

    assert "api_old" not in json.dumps(converted(emulator))
    assert "api_old" not in ended.stderr
    told = without_keys({"settings": {"apiKey": "x", "API_KEY": "x", "kept": [1, {"api_key": 2}]}})
    assert told == {"settings": {"kept": [1, {}]}}
