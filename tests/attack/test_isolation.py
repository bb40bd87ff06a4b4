"""A mistake in one report, or a data source that is not there, stays with its report."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import pytest

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit
from tap_supermetrics.emulator import Emulator
from tap_supermetrics.settings import Settings
from tap_supermetrics.sync.discovery import discover
from tap_supermetrics.sync.lookups import Lookups
from tests.attack.driver import (
    ADS,
    FACEBOOK,
    attempt,
    everything,
    keeps_its_promise,
    options,
    settings_for,
)
from tests.attack.liar import FIELDS, RESULTS, START, Liar, Said, always, changed, http
from tests.tap import Target, discovered, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.attack.liar import Lie


def refusal(status: int, code: str) -> bytes:
    return http(json.dumps({"error": {"code": code, "message": "no"}}).encode(), status)


def of_facebook(answer: bytes) -> Lie:
    """This answer to what is asked of Facebook, an honest one to all else."""

    def lie(said: Said) -> bytes:
        is_asked = '"FA"' in unquote(said.request.query)
        return answer if is_asked else http(said.body, said.status)

    return lie


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


def test_a_data_source_that_does_not_exist_costs_its_own_report_only(
    emulator: Emulator, tmp_path: Path
) -> None:
    bad = {**FACEBOOK, "name": "mistaken", "ds_id": "FACEBOOK"}
    target = Target()
    done = sync(settings_for(emulator, ADS, bad), tmp_path, target)

    assert done.code == 3, done.stderr
    assert "mistaken: " in done.stderr
    assert target.tables.keys() == {"google_ads"}
    assert target.written["google_ads"] > 0


@pytest.mark.parametrize(
    ("ds_id", "meant"), [("AWW", "AW"), ("google_ads", "AW"), ("GA4", "GAWA"), ("QQQQ", "")]
)
def test_a_data_source_that_is_nearly_one_is_named_with_it(
    emulator: Emulator, tmp_path: Path, ds_id: str, meant: str
) -> None:
    mistaken = {**ADS, "ds_id": ds_id}
    done = sync(settings_for(emulator, mistaken, {**mistaken, "name": "other"}), tmp_path)

    assert done.code == 1
    assert not emulator.queries
    told = [line for line in done.stderr.splitlines() if "DATA_SOURCE_INVALID" in line]
    assert len(told) == 2
    for number, line in enumerate(told):
        name = f"queries[{number}].ds_id" if meant else (ADS["name"], "other")[number]
        assert f"{name}: DATA_SOURCE_INVALID" in line
        assert line.endswith(f"Did you mean {meant}?" if meant else "list of data sources.")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "INTERNAL_SERVER_ERROR"),
        (403, "QUERY_AUTH_UNAVAILABLE"),
        (403, "FORBIDDEN"),
        (400, "SOMETHING_NEW"),
        (404, "NOT_FOUND"),
    ],
)
@pytest.mark.parametrize("path", ["query/fields", "query/accounts"])
def test_a_list_that_one_data_source_does_not_give_costs_its_own_reports_only(
    emulator: Emulator, path: str, status: int, code: str
) -> None:
    every = {**FACEBOOK, "ds_accounts": "list.all_accounts"}
    with Liar(emulator) as liar:
        liar.tell(f"GET .*{path}", of_facebook(refusal(status, code)))
        done = attempt(settings_for(emulator, ADS, every, api_url=liar.url))

    assert done.code == 3, done.message
    keeps_its_promise(done, emulator, ADS)
    assert len(done.rows["google_ads"]) > 0
    assert len(emulator.queries) == len(everything(ADS))
    assert any(line.startswith("  facebook_ads: ") and code in line for line in done.log)


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "BATCH_CREATE_FAILED", "SOMETHING_NEW"])
def test_a_start_that_one_item_makes_the_server_ill_of_is_halved(
    emulator: Emulator, code: str
) -> None:
    def ill(said: Said) -> bytes:
        # The honest answer is of a batch that was started; what is refused was not.
        is_ill = b'"FA"' in said.request.body
        return refusal(500, code) if is_ill else http(said.body, said.status)

    with Liar(emulator) as liar:
        liar.tell(START, ill)
        done = attempt(settings_for(emulator, ADS, FACEBOOK, api_url=liar.url, mode="batch"))

    assert done.code == 3, done.message
    keeps_its_promise(done, emulator, ADS)
    assert done.days("google_ads") == everything(ADS)
    assert not done.days("facebook_ads")


def test_a_page_of_a_firewall_is_not_taken_for_a_refused_key(emulator: Emulator) -> None:
    """It has no code; the key was taken for what else was asked."""
    blocked = http(b"<html>Sorry, you have been blocked</html>", 403)
    with Liar(emulator) as liar:
        liar.tell(FIELDS, of_facebook(blocked))
        done = attempt(settings_for(emulator, ADS, FACEBOOK, api_url=liar.url))

    assert done.code == 3, done.message
    keeps_its_promise(done, emulator, ADS)
    assert any("REQUEST_BLOCKED" in line and "firewall" in line for line in done.log)


def test_a_result_that_a_firewall_blocks_once_costs_nothing(emulator: Emulator) -> None:
    with Liar(emulator) as liar:
        liar.tell(RESULTS, always(http(b"<html>blocked</html>", 403)), times=2)
        done = attempt(settings_for(emulator, ADS, api_url=liar.url))

    assert done.code == 0, done.message
    keeps_its_promise(done, emulator, ADS)
    assert len(emulator.queries) == len(everything(ADS))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_every_list_is_refused_to_ends_the_run(emulator: Emulator, status: int) -> None:
    with Liar(emulator) as liar:
        liar.tell(FIELDS, always(http(b"no", status)))
        done = attempt(settings_for(emulator, ADS, FACEBOOK, api_url=liar.url))

    assert done.code == 4
    assert "check `api_key`" in done.message


def test_a_report_that_a_catalog_leaves_out_is_not_missed(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Its data source may be gone; nobody asks for it."""
    bad = {**FACEBOOK, "name": "mistaken"}
    catalog = discovered(settings_for(emulator, ADS, bad), tmp_path)
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = stream["tap_stream_id"] != "mistaken"
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    config = settings_for(emulator, ADS, {**bad, "ds_id": "FACEBOOK"})
    done = sync(config, tmp_path, None, "--catalog", str(tmp_path / "catalog.json"))

    assert done.code == 0, done.stderr


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


@pytest.mark.parametrize("text", ["Date Campaignname Cost", "Date|Campaignname|Cost"])
def test_fields_that_are_not_parted_by_commas_are_refused_before_anything_is_paid(
    emulator: Emulator, text: str
) -> None:
    done = attempt(settings_for(emulator, {**ADS, "fields": text}))

    assert done.code == 1
    assert f"queries[0].fields: {text!r} is several fields in one text" in done.message
    assert len(emulator.queries) == 0


@pytest.mark.parametrize("mode", ["batch", "async"])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"fields": [*ADS["fields"], "Impresions"]}, "FIELD_INVALID"),
        ({"filter": "Clickz > 1"}, "FILTER"),
        ({"settings": {"no_such_setting": 1}}, "SETTING_KEY_INVALID"),
    ],
)
def test_what_is_wrong_with_a_report_costs_one_query_each_night(
    emulator: Emulator, wrong: dict[str, Any], code: str, mode: str
) -> None:
    """Its days fill query batches, of which the first answer would come too late for the rest."""
    days = {"start_date": "2023-01-01", "end_date": "2024-01-31"}
    settings = settings_for(emulator, {**ADS, **wrong, **days}, mode=mode)
    done = attempt(settings)
    assert code in done.message + "".join(done.log)
    # One by one, it is refused before it is paid.
    assert len(emulator.queries) == (1 if mode == "batch" else 0)
    assert "on_failure" not in done.message
    attempt(settings, json.loads(done.saved) if done.saved else None)
    assert len(emulator.queries) == (2 if mode == "batch" else 0)


OF_DAYS: Final = {**ADS, "name": "by_day", "replication_key": "Date"}
NO_DATES: Final = {**OF_DAYS, "ds_id": "AW", "replication_key": "_sm_date", "fields": ["Cost"]}


def as_text(answer: Any) -> None:  # noqa: ANN401 - any JSON
    """Call every date a text, as a data source may from one night to the next."""
    for each in answer["data"]:
        if each["data_type"] == "string.time.date" and answer["data"][0]["field_id"] != "date":
            each["data_type"] = "string.text.value"


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (OF_DAYS, "set `types: {Date: string.time.date}` if it holds days"),
        (NO_DATES, "leave it out, AW has no dates"),
    ],
    ids=["a type that changed", "no dates any more"],
)
def test_what_the_api_says_otherwise_of_a_field_stops_its_report_only(
    emulator: Emulator, report: dict[str, Any], said: str
) -> None:
    with Liar(emulator) as liar:
        liar.tell(FIELDS, changed(as_text))
        other = {**FACEBOOK, "name": "other", "types": {"Date": "string.time.date"}}
        config = settings_for(emulator, report, other)
        done = attempt(config | {"api_url": liar.url})
        assert done.rows["other"]
        assert done.code == 3, done.message
        assert f"  {report['name']}: queries[0].replication_key: " in "\n".join(done.log)
        assert any(each.endswith(said) for each in done.log)
        alone = attempt({**config, "queries": [report], "api_url": liar.url})
        assert alone.code == 1
        assert alone.message.endswith(said)
        assert {each.ds_id for each in emulator.queries} == {"FA"}


def test_a_key_of_dimensions_that_are_not_there_is_told_before_anything_is_paid(
    emulator: Emulator,
) -> None:
    """Before, each query was paid, and the run ended in a traceback."""
    key = ["_sm_account_id", "Date", "Campaignname", "_sm_dimensions"]
    done = attempt(settings_for(emulator, {**ADS, "key_properties": key}))
    assert done.code == 1
    assert "queries[0].key_properties: leave _sm_dimensions out" in done.message
    assert not emulator.queries
