"""A whole run, message by message, as it was once read and found good.

Renew the stored messages with `RENEW_GOLDEN=1 ./dev test tests/singer/test_golden.py`, and read the
difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Ended, config_for, days_covered, sync

GOLDEN: Final = Path(__file__).with_name("golden") / "two_reports.jsonl"
RENEW: Final = "RENEW_GOLDEN"

EMPTY = ("2645570913", date(2024, 6, 8))
FAILED = ("act_1784203956017", date(2024, 6, 8))
DATES = {"start_date": "2024-06-07", "end_date": "2024-06-09"}
REPORTS: list[dict[str, Any]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", EMPTY[0]],
        "fields": ["Date", "Device", "Cost", "Clicks", "ROAS"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": [FAILED[0], "act_604418273950"],
        "fields": ["Date", "adcampaign_name", "spend", "impressions"],
    },
]

# What differs from run to run, and so is stored as `*`: times of the machine's clock.
VOLATILE: Final = re.compile(
    r'(?<="_sm_fetched_at":")[^"]+|(?<="time_extracted":")[^"]+|(?<="submitted_at":")[^"]+'
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Two reports of two accounts and three days, all in one batch; a day is empty, one fails."""
    options = Options(
        clock_factor=60.0, now="2024-06-10T04:00:00+00:00", min_seconds=1.0, max_seconds=3.0
    )
    account, day = FAILED
    fault = Fault(effect="fail_query", account=account, day=day, code="QUERY_ERROR", times=None)
    with Emulator(options=options) as emulator:
        emulator.inject(fault)
        ended = sync(
            config_for(emulator, REPORTS, max_running_batches=1, **DATES),
            tmp_path_factory.mktemp("golden"),
        )
        # More than one, and the messages about them could come between any two others.
        assert len(emulator.batches) == 1
    return ended


@pytest.fixture(scope="module")
def messages(run: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.stdout.splitlines()]


def of_type(messages: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == name]


def test_a_run_writes_the_stored_messages(run: Ended) -> None:
    written = VOLATILE.sub("*", run.stdout)
    if os.environ.get(RENEW):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(written, encoding="utf-8")
        pytest.skip(f"{GOLDEN.name} was written anew: read the difference, then unset {RENEW}")

    assert run.code == 3, run.stderr
    assert written.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines()


def test_every_line_ends_and_none_is_empty(run: Ended) -> None:
    assert run.stdout.endswith("}\n")
    assert "\n\n" not in run.stdout


def test_every_record_fits_the_schema_that_came_before_it(messages: list[dict[str, Any]]) -> None:
    validators: dict[str, Draft7Validator] = {}
    for message in messages:
        if message["type"] == "SCHEMA":
            Draft7Validator.check_schema(message["schema"])
            validators[message["stream"]] = Draft7Validator(
                message["schema"], format_checker=Draft7Validator.FORMAT_CHECKER
            )
        elif message["type"] == "RECORD":
            validators[message["stream"]].validate(message["record"])
    assert sorted(validators) == ["facebook_ads", "google_ads"]


def test_every_record_has_the_columns_of_its_schema_and_a_key_of_its_own(
    messages: list[dict[str, Any]],
) -> None:
    schemas = {message["stream"]: message for message in of_type(messages, "SCHEMA")}
    keys = []
    for message in of_type(messages, "RECORD"):
        schema, record = schemas[message["stream"]], message["record"]
        assert list(record) == list(schema["schema"]["properties"])
        keys.append((message["stream"], *(record[name] for name in schema["key_properties"])))

    assert len(set(keys)) == len(keys) > 20
    assert None not in {value for key in keys for value in key}


def test_the_last_message_is_the_state_and_holds_no_batch(messages: list[dict[str, Any]]) -> None:
    assert messages[-1]["type"] == "STATE"
    bookmarks = messages[-1]["value"]["bookmarks"]
    assert [each["query_batches"] for each in bookmarks.values()] == [[], []]


def test_an_empty_day_is_covered_and_a_failed_day_is_not(messages: list[dict[str, Any]]) -> None:
    records = [message["record"] for message in of_type(messages, "RECORD")]
    days = {(each["_sm_account_id"], date.fromisoformat(each["Date"])) for each in records}
    covered = {
        account: ranges
        for report in messages[-1]["value"]["bookmarks"].values()
        for account, ranges in days_covered(report).items()
    }
    assert not {EMPTY, FAILED} & days
    assert covered == {
        "4713896205": [["2024-06-07", "2024-06-09"]],
        EMPTY[0]: [["2024-06-07", "2024-06-09"]],
        FAILED[0]: [["2024-06-07", "2024-06-07"], ["2024-06-09", "2024-06-09"]],
        "act_604418273950": [["2024-06-07", "2024-06-09"]],
    }


def test_a_day_is_done_only_after_its_last_record(messages: list[dict[str, Any]]) -> None:
    """Whoever stops after any STATE loses nothing: no record of a covered day comes later."""
    covered: set[tuple[str, str, str]] = set()
    for message in messages:
        if message["type"] == "STATE":
            covered = set(covered_days(message["value"]))
        elif message["type"] == "RECORD":
            record = message["record"]
            assert (message["stream"], record["_sm_account_id"], record["Date"]) not in covered


def covered_days(state: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (stream, account, day)
        for stream, report in state["bookmarks"].items()
        for account, ranges in days_covered(report).items()
        for first, last in ranges
        for day in ("2024-06-07", "2024-06-08", "2024-06-09")
        if first <= day <= last
    ]
