"""The client against the emulator, over a real socket."""

from __future__ import annotations

import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest
import requests

from tap_supermetrics.api import listings, wire
from tap_supermetrics.api import retry as retry_module
from tap_supermetrics.api import starts as starts_module
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import RateLimit, RetryPolicy
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.emulator import Emulator, Fault
from tests.api.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_supermetrics.api.client import Client

ACCOUNT = "8820145937"


def body(first: str = "2024-05-01", last: str = "2024-05-02") -> dict[str, Any]:
    query = {
        "ds_id": "AW",
        "ds_accounts": [ACCOUNT],
        "fields": ["Date", "Clicks"],
        "start_date": first,
        "end_date": last,
        "max_rows": 1000,
        "settings": {"no_headers": True},
    }
    return {"queries": [query], "split_dates_policy": "day", "split_accounts_policy": "all"}


def failure_of(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


# What the API gives


def test_fields_come_with_their_types(client: Client) -> None:
    types = {each.field_id: each.data_type for each in client.fields("AW")}
    assert types["Date"] == "string.time.date"


def test_accounts_come_once_though_several_logins_have_them(
    client: Client, emulator: Emulator
) -> None:
    ids = [each.account_id for each in client.accounts("AW")]
    assert "4713896205" in ids
    assert len(ids) == len(set(ids))
    assert emulator.requests[0].params == {"ds_id": "AW", "cache_minutes": listings.MAX_AGE_MINUTES}


def test_an_account_without_an_id_is_no_account(make_client: Callable[..., Client]) -> None:
    accounts = [{"account_id": each, "account_name": "x"} for each in ("", " ", "1")]
    body = json.dumps({"data": [{"ds_user": "me", "accounts": accounts}]})
    with serving(lambda handler: handler.reply(body)) as server:
        assert [each.id for each in make_client(server.url).accounts("AW")] == ["1"]


def test_a_team_list_is_read_however_its_ids_are_parted(make_client: Callable[..., Client]) -> None:
    told = "1\r\n\r\n 2 ,3;1\0\n"
    with serving(lambda handler: handler.reply(json.dumps({"data": told}))) as server:
        client = make_client(server.url)
        assert client.team_list_accounts("tml_1") == ("1", "2", "3")
        told = "1\n" * listings.MAX_LIST_LENGTH
        error = failure_of(lambda: client.team_list_accounts("tml_1"))
    assert "a list has 2,000,000 characters" in str(error)


def test_accounts_can_be_asked_of_some_logins(client: Client, emulator: Emulator) -> None:
    client.accounts("AW", ["nobody@example.com"])
    assert emulator.requests[0].params["ds_users"] == ["nobody@example.com"]


def test_a_new_account_is_listed_as_soon_as_a_young_list_is_asked_for(
    client: Client, emulator: Emulator
) -> None:
    emulator.change_options(accounts_age=3000.0)
    emulator.changes.drop_account("AW", ACCOUNT)
    emulator.changes.restore_account("AW", ACCOUNT)
    assert ACCOUNT in {each.id for each in client.accounts("AW")}
    emulator.change_options(accounts_age=600.0)
    assert ACCOUNT not in {each.id for each in client.accounts("AW")}
    assert ACCOUNT in {each.id for each in client.accounts("AW", None, listings.MIN_AGE_MINUTES)}


def test_requests_tell_the_vendor_who_sends_them(client: Client, emulator: Emulator) -> None:
    client.fields("AW")
    client.start_batch(body())
    told = {each.headers["user-agent"] for each in emulator.requests}
    assert told == {f"tap-supermetrics/{version('tap-supermetrics')} (+singer)"}


@pytest.mark.parametrize("headers", [True, False])
def test_rate_headers_are_honoured_before_the_api_refuses(
    client: Client, emulator: Emulator, *, headers: bool
) -> None:
    emulator.change_options(requests_per_second=20, rate_headers=headers)
    for _ in range(45):
        client.segments("AW")
    refused = [each for each in emulator.requests if each.status == 429]
    assert bool(refused) is not headers


def test_the_last_requests_of_an_hour_are_spread_over_it() -> None:
    rate = RateLimit(1000)
    rate.allow(36_000, 3_601)
    started = time.monotonic()
    rate.wait()
    assert time.monotonic() - started < 0.1
    rate.allow(36_000, 3_600)
    rate.wait()
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(
    "told",
    [
        {"X-RateLimit-Limit": "5"},
        {"X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Limit": "a lot", "X-RateLimit-Remaining": "0"},
        {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "-1"},
    ],
)
def test_rate_headers_that_say_nothing_are_ignored(
    told: dict[str, str], make_client: Callable[..., Client]
) -> None:
    answer = '{"meta": {"request_id": "r"}, "data": []}'
    with serving(lambda handler: handler.reply(answer, headers=told)) as server:
        client, started = make_client(server.url), time.monotonic()
        for _ in range(3):
            client.fields("AW")
    assert time.monotonic() - started < 1.0


def test_a_batch_is_started_watched_read_and_cancelled(client: Client, emulator: Emulator) -> None:
    batch = client.start_batch(body())
    assert not client.batch_status(batch.batch_id).is_stopped
    emulator.clock.advance(300)
    status = client.batch_status(batch.batch_id)
    assert status.is_stopped
    assert [each.status_code for each in status.queries] == ["SUCCESS"] * 2
    assert status.progress.queued == 0
    facts = status.queries[0].result_info
    assert facts
    answer = client.results(facts.results_url, {"offset": 0, "limit": 10})
    assert answer.data
    assert answer.meta.query
    assert [each.data_column for each in answer.meta.query.fields] == [0, 1]
    running = client.start_batch(body())
    client.cancel_batch(running.batch_id)
    emulator.clock.advance(300)
    assert client.batch_status(running.batch_id).is_stopped


def test_a_batch_is_known_before_its_status_and_after_it(
    client: Client, emulator: Emulator
) -> None:
    batch_id = client.start_batch(body()).batch_id
    young = client.batch_information(batch_id)
    assert (young.batch_id, young.is_stopped) == (batch_id, False)
    emulator.clock.advance(wire.MAX_TIMEOUT_S + wire.RETENTION_S + 60)
    error = failure_of(lambda: client.batch_status(batch_id))
    assert (error.code, error.verdict.is_missing) == ("BATCH_STATUS_NOT_FOUND", True)
    assert client.batch_information(batch_id).is_stopped
    unknown = failure_of(lambda: client.batch_information("qrb_000000000000"))
    assert (unknown.code, unknown.verdict.is_missing) == ("BATCH_NOT_FOUND", True)


@pytest.mark.parametrize("missing", [None, [], "", {"@type": "split_info"}])
def test_a_query_that_was_not_split_has_no_accounts(missing: object) -> None:
    entry = {"schedule_id": "a", "status_code": "RUNNING"}
    info = missing if isinstance(missing, dict) else {"ds_accounts": missing}
    query = msgspec.convert({**entry, "split_info": info}, wire.BatchQuery)
    assert query.accounts == ()


@pytest.mark.parametrize("told", [["1", 2], ["1", " 2 "], "1,2", "1, 2"])
def test_the_accounts_of_a_split_are_read_however_they_are_spelt(told: object) -> None:
    entry = {"schedule_id": "a", "status_code": "RUNNING", "split_info": {"ds_accounts": told}}
    assert msgspec.convert(entry, wire.BatchQuery).accounts == ("1", "2")


@pytest.mark.parametrize(
    ("last", "count", "pages"), [("2024-04-09", 100, 1), ("2024-05-29", 150, 2)]
)
def test_the_status_of_a_batch_is_read_to_its_end(
    client: Client, emulator: Emulator, last: str, count: int, pages: int
) -> None:
    emulator.change_options(batch_max_queries=200)
    batch = client.start_batch(body("2024-01-01", last))
    emulator.clear_requests()
    status = client.batch_status(batch.batch_id)
    assert len({each.schedule_id for each in status.queries}) == count
    assert len(emulator.requests) == pages


def test_several_threads_can_use_one_client(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.fields, ["AW", "FA", "GAWA"] * 8))
    assert answers[:3] * 8 == answers


# Repeating


def test_a_busy_server_is_asked_again(client: Client, emulator: Emulator) -> None:
    emulator.inject(Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", times=2))
    assert client.fields("AW")
    assert [each.status for each in emulator.requests] == [429, 429, 200]


def test_the_wait_that_the_server_asks_for_is_kept(client: Client, emulator: Emulator) -> None:
    headers = {"Retry-After": "1"}
    emulator.inject(Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", headers=headers))
    assert client.fields("AW")
    first, second = emulator.requests
    assert second.at - first.at >= 1.0


def test_a_wait_that_is_longer_than_patience_is_not_begun(
    client: Client, emulator: Emulator
) -> None:
    headers = {"Retry-After": "3600"}
    emulator.inject(Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", headers=headers))
    error = failure_of(lambda: client.fields("AW"))
    assert (error.code, error.retry_after_s) == ("TOO_MANY_REQUESTS", 3600.0)
    assert len(emulator.requests) == 1


def test_a_wait_may_be_told_as_the_date_of_its_end(client: Client, emulator: Emulator) -> None:
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    emulator.inject(Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", headers=headers))
    error = failure_of(lambda: client.fields("AW"))
    assert error.retry_after_s == pytest.approx(3600.0, abs=60.0)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-1", "Wed, 21 Oct 2020 07:28:00 GMT", "1.5x", "٣"])
def test_a_wait_that_makes_no_sense_is_left_to_the_policy(
    client: Client, emulator: Emulator, value: str
) -> None:
    headers = {"Retry-After": value}
    emulator.inject(Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", headers=headers))
    assert client.fields("AW")
    assert len(emulator.requests) == 2


def test_waits_double_to_a_bound_and_the_server_stands_above_it() -> None:
    waits = RetryPolicy(first_wait_s=1.0, longest_wait_s=4.0).waits()
    next(waits)
    calm, strict = ApiError("", "x"), ApiError("", "x", retry_after_s=99.0)
    drawn = [waits.send(calm) for _ in range(200)]
    assert drawn[0] <= 1.0
    assert drawn[1] <= 2.0
    assert all(0.0 <= each <= 4.0 for each in drawn)
    assert max(drawn[2:]) > 2.0
    assert waits.send(strict) == 99.0


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_ill_server_is_asked_a_few_times_then_given_up(
    client: Client, emulator: Emulator, status: int
) -> None:
    emulator.inject(Fault(effect="error", status=status, code="SOMETHING_NEW", times=None))
    error = failure_of(lambda: client.fields("AW"))
    assert (error.code, error.status, error.fate) == ("SOMETHING_NEW", status, Fate.RETRY)
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncate"])
def test_a_broken_connection_is_tried_again(
    client: Client,
    emulator: Emulator,
    effect: Any,  # noqa: ANN401 - a word of the emulator's
) -> None:
    emulator.inject(Fault(effect=effect, times=2, size=20))
    assert client.fields("AW")
    assert len(emulator.requests) == 3


@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncate"])
def test_a_connection_that_always_breaks_is_given_up(
    client: Client,
    emulator: Emulator,
    effect: Any,  # noqa: ANN401 - a word of the emulator's
) -> None:
    emulator.inject(Fault(effect=effect, times=None, size=20))
    error = failure_of(lambda: client.fields("AW"))
    assert (error.code, error.status) == ("CONNECTION_FAILED", 0)
    assert "check the network, the proxy and `api_url`" in str(error)
    assert len(emulator.requests) == 3


OUTAGES: list[dict[str, Any]] = [
    {"effect": "reset_before"},
    {"effect": "error", "status": 503, "code": "SERVICE_UNAVAILABLE"},
    {"effect": "error", "status": 429, "code": "TOO_MANY_REQUESTS"},
    {"effect": "html", "status": 502},
]


def waiting(client: Client, outage_s: float) -> Client:
    return replace(client, retry=replace(client.retry, outage_s=outage_s))


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.get("code", outage["effect"]))
def test_a_service_that_was_there_before_is_waited_for(
    client: Client, emulator: Emulator, outage: dict[str, Any]
) -> None:
    client = waiting(client, 60.0)
    client.fields("AW")
    emulator.inject(Fault(**outage, times=50))
    assert client.fields("FA")
    assert len(emulator.requests) == 1 + 50 + 1


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.get("code", outage["effect"]))
def test_a_service_that_never_answered_is_not_waited_for(
    client: Client, emulator: Emulator, outage: dict[str, Any]
) -> None:
    client = waiting(client, 60.0)
    emulator.inject(Fault(**outage, times=None))
    assert failure_of(lambda: client.fields("AW")).fate is Fate.RETRY
    assert len(emulator.requests) == 3


def test_a_service_that_is_silent_from_the_beginning_is_given_up_after_one_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try may take two minutes, and nothing else is done in that time."""
    policy = replace(client.retry, max_tries=6, max_time_s=600.0)
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    silent = ApiError("CONNECTION_FAILED", "no answer", may_have_run=True)
    for is_there, tries in ((False, 1), (True, 6)):
        state = retry_module.RetryState(policy, retry_module.Service(is_there=is_there), "fields")
        for number in range(1, tries + 1):
            clock[0] += 90.0
            assert state.count_failure(silent) == (number == tries)


def test_an_error_of_one_request_is_no_outage(client: Client, emulator: Emulator) -> None:
    client = waiting(client, 60.0)
    client.fields("AW")
    emulator.inject(Fault(effect="error", status=500, code="INTERNAL_SERVER_ERROR", times=None))
    assert failure_of(lambda: client.fields("FA")).code == "INTERNAL_SERVER_ERROR"
    assert len(emulator.requests) == 1 + 3


def test_an_outage_that_outlasts_patience_is_waited_for_once(
    client: Client, emulator: Emulator
) -> None:
    client = waiting(client, 2.0)
    client.fields("AW")
    emulator.inject(Fault(effect="reset_before", times=None))
    assert failure_of(lambda: client.fields("FA")).code == "CONNECTION_FAILED"
    waited = len(emulator.requests)
    assert waited > 1 + 3
    assert failure_of(lambda: client.fields("FA")).code == "CONNECTION_FAILED"
    assert len(emulator.requests) == waited + 3


@pytest.mark.parametrize(("status", "lost"), [(502, 2), (503, 0), (504, 2), (521, 0), (524, 2)])
def test_a_start_that_a_proxy_never_passed_on_is_no_lost_start(
    client: Client, emulator: Emulator, status: int, lost: int
) -> None:
    keep_history_from(emulator)
    emulator.inject(Fault(effect="html", method="POST", status=status, times=2))
    assert client.start_batch(body()).batch_id
    assert client.service.unanswered_starts == lost


def test_a_start_of_a_batch_is_not_repeated_for_long_when_its_answers_are_lost(
    client: Client, emulator: Emulator
) -> None:
    client = waiting(client, 2.0)
    client.fields("AW")
    emulator.inject(Fault(effect="reset_after", times=None))
    assert failure_of(lambda: client.start_batch(body())).code == "CONNECTION_FAILED"
    assert client.service.unanswered_starts == 3


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def refuse(_: requests.Session, method: str, url: str, **__: Any) -> NoReturn:  # noqa: ANN401 - whatever is passed
        tries.append(f"{method} {url}")
        reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"
        raise requests.exceptions.SSLError(reason)

    monkeypatch.setattr(requests.Session, "request", refuse)
    error = failure_of(lambda: make_client("https://api.example/v2").fields("AW"))
    assert (error.code, error.fate, len(tries)) == ("CERTIFICATE_INVALID", Fate.STOP, 1)
    assert "REQUESTS_CA_BUNDLE" in str(error)


def test_a_large_packed_answer_that_is_cut_off_is_tried_again(
    client: Client, emulator: Emulator
) -> None:
    emulator.inject(Fault(effect="truncate"))
    assert client.fields("AW")
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("status", [502, 504, 200])
def test_a_page_of_a_proxy_is_no_answer_and_tried_again(
    client: Client, emulator: Emulator, status: int
) -> None:
    emulator.inject(Fault(effect="html", status=status, times=2))
    assert client.fields("AW")
    assert len(emulator.requests) == 3


def test_a_page_of_a_proxy_is_shown_by_its_start(client: Client, emulator: Emulator) -> None:
    emulator.inject(Fault(effect="html", status=502, times=None))
    error = failure_of(lambda: client.fields("AW"))
    assert "HTTP 502" in str(error)
    assert "expected JSON as documented, got '<" in str(error)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("API_KEY_INVALID", 401),
        ("API_KEY_INVALID", 200),
        ("API_ROW_QUOTA_EXCEEDED", 429),
        ("LICENSE_DAILY_QUERY_LIMIT_EXCEEDED", 429),
        ("LICENSE_ACCESS_DATA_SOURCE", 500),
        ("QUERY_ACCOUNT_UNAVAILABLE", 500),
        ("QUERY_RESULTS_UNAVAILABLE", 404),
        ("BATCH_QUERIES_LIMIT_EXCEEDED", 400),
        ("SOMETHING_NEW", 400),
        ("SOMETHING_NEW", 200),
    ],
)
def test_what_repeating_does_not_heal_is_asked_once(
    client: Client, emulator: Emulator, code: str, status: int
) -> None:
    emulator.inject(Fault(effect="error", status=status, code=code, times=None))
    error = failure_of(lambda: client.fields("AW"))
    assert (error.code, error.status) == (code, status)
    assert len(emulator.requests) == 1


def test_an_error_inside_a_good_status_is_an_error(client: Client, emulator: Emulator) -> None:
    emulator.inject(
        Fault(effect="error", status=200, code="INTERNAL_SERVER_ERROR", description="Try\nlater.")
    )
    assert client.fields("AW")
    assert [each.status for each in emulator.requests] == [200, 200]


def test_an_error_says_what_the_api_says(client: Client, emulator: Emulator) -> None:
    emulator.inject(
        Fault(
            effect="error",
            status=400,
            code="SETTING_KEY_INVALID",
            message="Setting key is not valid",
            description='Setting "x" is\nnot supported.',
        )
    )
    text = str(failure_of(lambda: client.fields("AW")))
    assert text.startswith(
        'SETTING_KEY_INVALID: Setting key is not valid: Setting "x" is not supported (HTTP 400, req'
    )


def test_each_retry_is_logged_with_its_number_and_wait(
    client: Client, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.inject(Fault(effect="error", status=500, times=None))
    with caplog.at_level(logging.WARNING):
        failure_of(lambda: client.fields("AW"))
    tries = [record.getMessage() for record in caplog.records]
    assert len(tries) == 2
    assert "try 2 follows in 0.0 s" in tries[0]
    assert "try 3 follows in 0.0 s" in tries[1]


@pytest.mark.parametrize(("code", "status"), [("SOMETHING_NEW", 401), ("", 401), ("", 403)])
def test_the_status_of_one_query_says_nothing_of_the_key(
    client: Client, emulator: Emulator, code: str, status: int
) -> None:
    assert client.query_error(wire.Error(code=code, status=status)).fate is Fate.FAIL
    emulator.inject(Fault(effect="error", status=status, code=code))
    assert failure_of(lambda: client.fields("AW")).fate is Fate.STOP


def test_a_word_of_a_status_does_not_show_the_key(make_client: Callable[..., Client]) -> None:
    key = "a_long_and_secret_key"
    answer = f'{{"meta": {{"status_code": "{key}"}}, "data": []}}'
    with serving(lambda handler: handler.reply(answer)) as server:
        client = make_client(server.url, api_key=key)
        error = failure_of(lambda: client.results("query/results"))
    assert error.code == "QUERY_RESULTS_UNAVAILABLE"
    assert key not in str(error)


# Starting a query batch


def keep_history_from(emulator: Emulator) -> None:
    emulator.inject(
        Fault(effect="error", path="history", times=None, status=404, code="ENDPOINT_NOT_FOUND")
    )


def starts(emulator: Emulator) -> int:
    return sum(each.method == "POST" for each in emulator.requests)


@pytest.mark.parametrize("has_history", [True, False])
@pytest.mark.parametrize("effect", ["reset_before", "reset_after", "truncate"])
def test_a_start_without_answer_is_repeated_a_few_times_and_counted(
    client: Client,
    emulator: Emulator,
    effect: Any,  # noqa: ANN401 - a word of the emulator's
    caplog: pytest.LogCaptureFixture,
    *,
    has_history: bool,
) -> None:
    patient = replace(client, retry=replace(client.retry, max_tries=9))
    if not has_history:
        keep_history_from(emulator)
    emulator.inject(Fault(effect=effect, method="POST", times=None, size=20))
    if has_history and effect != "reset_before":
        assert patient.start_batch(body()).batch_id == emulator.batches[0].batch_id
        assert (starts(emulator), patient.service.unanswered_starts) == (1, 0)
        return
    failure_of(lambda: patient.start_batch(body()))
    sent = 1 + starts_module.MAX_STARTS_UNKNOWN
    assert starts(emulator) == sent
    assert patient.service.unanswered_starts == sent
    assert sum("may run unseen" in record.getMessage() for record in caplog.records) == sent


def test_a_start_whose_answer_was_lost_once_succeeds_and_is_counted(
    client: Client, emulator: Emulator
) -> None:
    keep_history_from(emulator)
    emulator.inject(Fault(effect="reset_after", method="POST"))
    batch = client.start_batch(body())
    assert client.service.unanswered_starts == 1
    assert [each.batch_id for each in emulator.batches][-1] == batch.batch_id
    assert len(emulator.batches) == 2


def test_a_start_whose_answer_was_lost_is_found_among_those_of_others(
    client: Client, emulator: Emulator, make_client: Callable[..., Client]
) -> None:
    emulator.change_options(batches_running=1)
    other = make_client(emulator.url, api_key=emulator.options.other_api_key)
    theirs = [other.start_batch(body()).batch_id for _ in range(2)]
    ours = client.start_batch({**body(), "description": "nightly"}).batch_id
    emulator.inject(Fault(effect="reset_after", method="POST"))
    found = client.start_batch({**body(), "description": "nightly"}).batch_id
    assert found not in {ours, *theirs}
    assert len(emulator.batches) == 4
    assert client.service.unanswered_starts == 0
    told = {each.batch_id: each.description for each in emulator.batches}
    assert str(told[found]).startswith("nightly [")
    assert told[found] != told[ours]


def test_a_start_that_was_made_twice_before_it_was_found_runs_once(
    client: Client, emulator: Emulator
) -> None:
    emulator.inject(Fault(effect="reset_after", method="POST", times=2))
    emulator.inject(Fault(effect="error", path="history", status=404, code="NOT_FOUND"))
    batch_id = client.start_batch(body()).batch_id
    assert len(emulator.batches) == 2
    emulator.clock.advance(60)
    assert [each.batch_id for each in emulator.batches if each.cancelled is None] == [batch_id]
    assert client.service.unanswered_starts == 0


def test_a_start_that_the_api_refused_is_not_counted_as_lost(
    client: Client, emulator: Emulator
) -> None:
    emulator.inject(Fault(effect="error", status=500, code="BATCH_CREATE_FAILED", times=2))
    assert client.start_batch(body()).batch_id
    assert client.service.unanswered_starts == 0


def test_a_start_whose_good_answer_cannot_be_read_is_counted_as_lost(
    client: Client, emulator: Emulator
) -> None:
    patient = replace(client, retry=replace(client.retry, max_tries=9))
    emulator.inject(Fault(effect="html", method="POST", status=200, times=None))
    failure_of(lambda: patient.start_batch(body()))
    assert starts(emulator) == 1 + starts_module.MAX_STARTS_UNKNOWN
    assert patient.service.unanswered_starts == starts(emulator)


def test_a_start_that_was_never_sent_is_not_counted_as_lost(
    make_client: Callable[..., Client],
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        client = make_client(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        error = failure_of(lambda: client.start_batch(body()))
    assert error.code == "CONNECTION_FAILED"
    assert client.service.unanswered_starts == 0


def test_other_requests_without_answer_are_not_counted(client: Client, emulator: Emulator) -> None:
    emulator.inject(Fault(effect="reset_after", times=2))
    client.fields("AW")
    assert client.service.unanswered_starts == 0


# The key


def test_the_key_travels_in_the_header_only(client: Client, emulator: Emulator) -> None:
    client.fields("AW")
    client.accounts("AW")
    batch = client.start_batch(body())
    client.batch_status(batch.batch_id)
    client.cancel_batch(batch.batch_id)
    assert {each.auth for each in emulator.requests} == {"header"}
    assert emulator.api_key not in repr([(each.path, each.params) for each in emulator.requests])


def test_a_netrc_file_does_not_replace_the_key(
    client: Client, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert client.fields("AW")
    assert [(each.auth, each.status) for each in emulator.requests] == [("header", 200)]


def test_a_wrong_key_is_named_as_the_trouble_and_not_shown(
    emulator: Emulator, make_client: Callable[..., Client]
) -> None:
    client = make_client(emulator.url, api_key="a_wrong_key_of_mine")
    error = failure_of(lambda: client.fields("AW"))
    assert (error.code, error.fate) == ("API_KEY_INVALID", Fate.STOP)
    assert "check `api_key`" in str(error)
    assert "a_wrong_key_of_mine" not in str(error) + repr(client)


# The pace


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_requests_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(retry_module, "time", clock)
    limit, starts = RateLimit(4), []
    for _ in range(9):
        limit.wait()
        starts.append(clock.now)
    assert starts == [100.0 + 0.25 * number for number in range(9)]


def test_a_pause_is_no_credit_for_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(retry_module, "time", clock)
    limit = RateLimit(2)
    limit.wait()
    clock.now += 60
    for _ in range(3):
        limit.wait()
    assert clock.slept == [0.5, 0.5]


def test_every_try_waits_for_its_turn(
    client: Client, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    monkeypatch.setattr(RateLimit, "wait", lambda _: turns.append(1))
    emulator.inject(Fault(effect="error", status=500, times=2))
    client.fields("AW")
    assert len(turns) == len(emulator.requests) == 3
