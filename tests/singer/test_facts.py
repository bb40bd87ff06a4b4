"""What the API says of its own numbers is told, and used where it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.api import wire
from tap_supermetrics.emulator import Emulator, Options
from tests.attack.liar import FIELDS, RESULTS, Liar, changed
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = "2024-06-10T04:00:00+00:00"
REPORT: dict[str, Any] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Cost"],
}
DATES = {"start_date": "2024-06-05", "end_date": "2024-06-09"}


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_estimates_are_told_once_a_report(tmp_path: Path, mode: str) -> None:
    with Emulator(options=Options(clock_factor=200.0, now=NOW, data_sampled="true")) as emulator:
        ended = sync(config_for(emulator, [REPORT], **DATES, mode=mode), tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("data_sampled") == 1
    assert "google_ads: 5 results are estimates" in ended.stderr


def test_a_day_that_was_cached_before_it_was_over_is_read_again(tmp_path: Path) -> None:
    """The cache is six hours old at four in the morning: of yesterday it has two hours too few."""
    target = Target()
    with Emulator(options=Options(clock_factor=200.0, now=NOW, cache_age=360.0)) as emulator:
        config = config_for(emulator, [REPORT], **DATES, lookback_days=0)
        first = sync(config, tmp_path, target)
        days = len(emulator.queries)
        emulator.change_options(cache_age=0.0)
        second = sync(config, tmp_path, target)
        read_again = emulator.queries[days:]
        third = sync(config, tmp_path, target)
        left = emulator.queries[days + len(read_again) :]

    assert [first.code, second.code, third.code] == [0, 0, 0]
    assert "google_ads: 1 day came from the API's cache" in first.stderr
    assert "require_fresh_days" in first.stderr
    assert [(str(each.first), str(each.last)) for each in read_again] == [("2024-06-09",) * 2]
    assert not left


def test_days_read_again_from_the_cache_of_an_earlier_day_are_told(tmp_path: Path) -> None:
    """What the source has restated since is in no result."""
    target = Target()
    with Emulator(options=Options(clock_factor=200.0, now=NOW)) as emulator:
        config = config_for(emulator, [REPORT], **DATES, lookback_days=3)
        first = sync(config, tmp_path, target)
        emulator.change_options(cache_age=1_500.0)
        second = sync(config, tmp_path, target)

    assert "cache" not in first.stderr
    told = (
        "google_ads: 2 days read again came from the API's cache, as of 2024-06-09 or later: what"
    )
    assert told in second.stderr
    assert "`lookback_days`, or lower `cache_minutes`" in second.stderr


def test_days_asked_for_without_the_cache_are_covered_at_once(tmp_path: Path) -> None:
    with Emulator(options=Options(clock_factor=200.0, now=NOW, cache_age=360.0)) as emulator:
        config = config_for(emulator, [REPORT], **DATES, lookback_days=0, require_fresh_days=1)
        ended = sync(config, tmp_path, Target())

    assert "cache" not in ended.stderr


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ({"data_sampled": "yes"}, "1 result is an estimate"),
        ({"data_sampled": 0.53}, "1 result is an estimate"),
        ({"data_sampled": {"rate": "53 %"}}, "1 result is an estimate"),
        ({"cache_used": True, "cache_time": "a while ago"}, "1 result came from the API's cache"),
        ({"cache_used": "true"}, "1 result came from the API's cache"),
        ({"cache_time": "2024-06-09T22:00:00+0000"}, "1 day came from the API's cache of before"),
    ],
)
def test_facts_are_told_however_they_are_written(
    tmp_path: Path, fact: dict[str, object], text: str
) -> None:
    days = {**DATES, "start_date": "2024-06-09"}
    with Emulator(options=Options(clock_factor=200.0, now=NOW)) as emulator, Liar(emulator) as liar:
        facts = {"cache_used": None, **fact}
        liar.tell(RESULTS, changed(lambda answer: answer["meta"]["result"].update(facts)))
        config = config_for(emulator, [REPORT], **days)
        ended = sync({**config, "api_url": liar.url}, tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert ended.stderr.count(f"note: google_ads: {text}") == 1


@pytest.mark.parametrize("said", ["no", "false", 0, "", {}, None, "unknown", {"sampled": False}])
def test_a_fact_that_is_denied_or_left_open_is_not_told(said: object) -> None:
    facts = wire.ResultFacts(data_sampled=said, cache_used=said)
    assert not facts.is_sampled
    assert not facts.is_cached


def test_types_of_rows_that_were_written_are_remembered_though_their_day_failed(
    tmp_path: Path,
) -> None:
    """The target has a table of integers since the first block of rows."""
    target = Target()
    with Emulator(options=Options(clock_factor=200.0, now=NOW)) as emulator, Liar(emulator) as liar:

        def lengthened(answer: dict[str, Any]) -> None:
            row = answer["data"][0]
            answer["data"] = [[row[0], f"c{number}", 1] for number in range(300)]
            answer["data"].append([row[0], "d", "spoilt"])
            answer["meta"]["result"]["total_rows"] = len(answer["data"])

        def of_type(data_type: str) -> Callable[[dict[str, Any]], None]:
            def change(answer: dict[str, Any]) -> None:
                for each in answer["data"]:
                    if each["field_id"] == "Clicks":
                        each["data_type"] = data_type

            return change

        report = {**REPORT, "fields": ["Date", "Campaignname", "Clicks"]}
        config = config_for(emulator, [report], start_date="2024-06-09", end_date="2024-06-09")
        liar.tell(RESULTS, changed(lengthened))
        first = sync({**config, "api_url": liar.url}, tmp_path, target)
        written = dict(target.written)
        liar.forget()
        liar.tell(FIELDS, changed(of_type("float.number.value")))
        second = sync({**config, "api_url": liar.url}, tmp_path, target)

    assert (first.code, written) == (3, {"google_ads": 256})
    assert "google_ads.Clicks: its values were of type integer and now are number" in second.stderr
