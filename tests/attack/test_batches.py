"""Query batches that stop early, expire, vanish, lie or come from another time."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from tap_supermetrics.api.client import BatchStatus, Client
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.emulator.clock import instant
from tap_supermetrics.extraction.engine import Engine
from tap_supermetrics.extraction.results import BatchTaken, Result
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    DAY,
    FACEBOOK,
    FIRST,
    LAST,
    Attempt,
    Killed,
    attempt,
    everything,
    keeps_its_promise,
    options,
    posts,
    settings_for,
)
from tests.tap import truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.emulator.faults import Effect
    from tap_supermetrics.extraction.results import Note
    from tests.tap import Key, Values

pytestmark = pytest.mark.timeout(120)
MONTH = LAST - 29 * DAY


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


@pytest.fixture
def emulator(shared: Emulator) -> Iterator[Emulator]:
    before = shared.options
    shared.reset()
    yield shared
    shared.change_options(
        batch_max_queries=before.batch_max_queries,
        max_days_per_query=before.max_days_per_query,
        license_history_days=before.license_history_days,
        total_rows_counts_header=before.total_rows_counts_header,
    )


def succeeds(
    done: Attempt, emulator: Emulator, *reports: dict[str, Any], first: date = FIRST
) -> None:
    assert done.code == 0, "\n".join(done.log)
    keeps_its_promise(done, emulator, *reports, first=first)


# Stopped, expired, cancelled


@pytest.fixture
def hurry(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute passes with each look at a batch."""
    ask = Client.batch_status

    def status(client: Client, batch_id: str) -> BatchStatus:
        emulator.clock.advance(seconds=30)
        return ask(client, batch_id)

    monkeypatch.setattr(Client, "batch_status", status)


@pytest.mark.usefixtures("hurry")
def test_queries_that_a_stopped_batch_never_finished_have_failed_and_are_asked_again(
    emulator: Emulator,
) -> None:
    """The batch's five minutes run out while one query hangs; it is not taken for empty."""
    emulator.inject(Fault(effect="hang_query", account=ACCOUNTS[1], day=LAST))
    done = attempt(settings_for(emulator, ADS, timeout_minutes=5, mode="batch"))

    succeeds(done, emulator, ADS)
    assert "QUERY_UNFINISHED" in "\n".join(done.log)
    assert len(emulator.queries) == len(everything(ADS)) + 1


@pytest.mark.usefixtures("hurry")
def test_a_query_that_never_finishes_is_lost_after_three_batches_and_named(
    emulator: Emulator,
) -> None:
    emulator.inject(Fault(effect="hang_query", account=ACCOUNTS[1], day=LAST, times=None))
    done = attempt(settings_for(emulator, ADS, timeout_minutes=5, mode="batch"))

    assert done.code == 3
    assert done.days("google_ads") == everything(ADS) - {(ACCOUNTS[1], LAST)}
    assert f"account {ACCOUNTS[1]}, {LAST}: QUERY_UNFINISHED" in "\n".join(done.log)
    assert posts(emulator) == 3
    keeps_its_promise(done, emulator, ADS)


def test_an_expired_result_is_asked_for_again_and_nothing_else_is(emulator: Emulator) -> None:
    emulator.inject(Fault(effect="expire_query", account=ACCOUNTS[0], day=LAST))
    done = attempt(settings_for(emulator, ADS))

    succeeds(done, emulator, ADS)
    again = [each for each in emulator.queries if each.batch_id != emulator.queries[0].batch_id]
    assert [(*each.accounts, each.first) for each in again] == [(ACCOUNTS[0], LAST)]


def test_results_that_come_a_moment_after_the_status_are_waited_for(emulator: Emulator) -> None:
    code = "QUERY_RESULTS_UNAVAILABLE"
    emulator.inject(Fault(effect="error", path="query/results", code=code, status=404))
    done = attempt(settings_for(emulator, ADS))

    succeeds(done, emulator, ADS)
    assert len(emulator.queries) == len(everything(ADS))


@pytest.mark.parametrize("choice", ["left", "failed"])
def test_what_a_batch_cannot_finish_in_time_is_asked_alone(choice: str) -> None:
    quick = options(clock_factor=600.0, unfinished_in_stopped_batch=choice)
    with Emulator(options=quick) as emulator:
        slow: Effect = "slow_query"
        emulator.inject(Fault(effect=slow, ds_id="AW", day=LAST, seconds=500.0, times=None))
        done = attempt(settings_for(emulator, ADS, FACEBOOK, mode="auto", timeout_minutes=5))

        succeeds(done, emulator, ADS, FACEBOOK)
        assert posts(emulator) == 1


def test_a_batch_whose_status_expired_is_asked_again(emulator: Emulator) -> None:
    emulator.inject(Fault(effect="expire", path="query/batch/.*/status", method="GET"))
    done = attempt(settings_for(emulator, ADS))

    succeeds(done, emulator, ADS)
    assert posts(emulator) == 2


def test_a_batch_that_somebody_cancels_is_not_paid_for_again_before_the_next_run(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody presses the button at the vendor's page while the tap waits."""
    ask, cancelled = Client.batch_status, list[str]()
    # It must still run when somebody comes.
    emulator.inject(Fault(effect="hang_query", account=ACCOUNTS[1], day=LAST))

    def status(client: Client, batch_id: str) -> BatchStatus:
        if not cancelled:
            cancelled.append(batch_id)
            client.cancel_batch(batch_id)
        return ask(client, batch_id)

    monkeypatch.setattr(Client, "batch_status", status)
    settings = settings_for(emulator, ADS, mode="batch")
    done = attempt(settings)

    assert done.code == 3
    assert "QUERY_CANCELLED" in "\n".join(done.log)
    assert len(emulator.queries) == len(everything(ADS))
    keeps_its_promise(done, emulator, ADS)
    loaded = done.days("google_ads")

    again = attempt(settings, done.bookmarks)
    assert again.code == 0, "\n".join(again.log)
    assert again.days("google_ads") == everything(ADS)
    assert len(emulator.queries) == 2 * len(everything(ADS)) - len(loaded)


# Refused


def test_a_batch_that_the_api_finds_too_large_is_halved(emulator: Emulator) -> None:
    emulator.change_options(batch_max_queries=40)
    done = attempt(settings_for(emulator, ADS, start_date=str(MONTH)))

    succeeds(done, emulator, ADS, first=MONTH)
    assert [each.amount for each in emulator.batches] == [30, 30]


def test_one_bad_report_does_not_hold_back_the_others_of_its_batch(emulator: Emulator) -> None:
    bad = {**FACEBOOK, "settings": {"no_such_setting": True}}
    done = attempt(settings_for(emulator, ADS, bad))

    assert done.code == 3
    assert done.days("google_ads") == everything(ADS)
    assert done.days("facebook_ads") == set()
    assert "SETTING_KEY_INVALID" in "\n".join(done.log)
    keeps_its_promise(done, emulator, ADS)


@pytest.mark.parametrize(("mode", "asked"), [("batch", 6), ("async", 1)])
def test_what_the_api_refuses_for_a_whole_report_is_not_asked_day_by_day(
    mode: str, asked: int, emulator: Emulator
) -> None:
    bad = {**ADS, "settings": {"no_such_setting": True}}
    done = attempt({**settings_for(emulator, bad, start_date=str(MONTH)), "mode": mode})

    assert done.code == 3
    assert "SETTING_KEY_INVALID" in "\n".join(done.log)
    path = "query/batch" if mode == "batch" else "query/data/json"
    assert posts(emulator, path) <= asked


def test_an_account_that_begins_later_does_not_hide_the_history_of_another(
    emulator: Emulator,
) -> None:
    """The refusal of one is that of all only until another is given an earlier day."""
    first, begins = LAST - 299 * DAY, LAST - 19 * DAY
    for number in range((begins - first).days):
        emulator.inject(
            Fault(
                effect="fail_query",
                account=ACCOUNTS[1],
                day=first + number * DAY,
                code="START_DATE_HISTORICAL",
                description=f"The account has data since {begins}.",
                times=None,
            )
        )
    done = attempt(settings_for(emulator, ADS, start_date=str(first)))
    days = {day for account, day in done.days("google_ads") if account == ACCOUNTS[0]}

    assert done.code == 3
    assert days == {day for _, day in everything(ADS, first)}
    assert date.fromisoformat(done.bookmarks["google_ads"]["not_before"]) <= first
    assert len(emulator.queries) < 300 + 20 + 100


@pytest.mark.parametrize("effect", ["reset_after", "truncate"])
def test_a_start_whose_answer_is_lost_is_repeated_a_few_times_and_counted(
    effect: Effect, emulator: Emulator
) -> None:
    path = "query/batch$"
    no_history = Fault(
        effect="error", path="history", times=None, status=404, code="ENDPOINT_NOT_FOUND"
    )
    emulator.inject(no_history)
    emulator.inject(Fault(effect=effect, path=path, method="POST", times=1, size=20))
    done = attempt(settings_for(emulator, ADS))
    succeeds(done, emulator, ADS)
    assert "1 start of a query batch got no answer" in "\n".join(done.log)

    emulator.reset()
    emulator.inject(no_history)
    emulator.inject(Fault(effect=effect, path=path, method="POST", times=None, size=20))
    done = attempt(settings_for(emulator, ADS))
    assert done.code == 3
    assert posts(emulator) == 3
    assert "3 starts of query batches got no answer" in "\n".join(done.log)


# Cut off


def test_a_result_that_was_cut_off_is_split_by_date_until_it_is_whole(emulator: Emulator) -> None:
    ranges = {**ADS, "split_dates_policy": "none"}
    rows = max(
        len(emulator.world.rows("AW", [each], MONTH, LAST, ADS["fields"], emulator.today))
        for each in ACCOUNTS
    )
    done = attempt(settings_for(emulator, ranges, start_date=str(MONTH), max_rows=rows // 3))

    succeeds(done, emulator, ADS, first=MONTH)
    assert "split into halves" in "\n".join(done.log)


@pytest.mark.parametrize("mode", ["batch", "async"])
@pytest.mark.parametrize(
    "asked", [{"split_dates_policy": "none"}, {"backfill_days_per_query": 30}], ids=str
)
def test_a_range_that_the_source_cannot_handle_is_asked_in_parts(
    asked: dict[str, Any], mode: str, emulator: Emulator
) -> None:
    """It is told by a plain 500, as an account that can never be read is."""
    emulator.change_options(max_days_per_query=10)
    done = attempt(settings_for(emulator, ADS, start_date=str(MONTH), mode=mode, **asked))

    succeeds(done, emulator, ADS, first=MONTH)
    assert len(emulator.queries) <= len(ACCOUNTS) * (1 + 2 + 4 + 1)


@pytest.mark.parametrize("code", ["QUERY_ERROR", "INTERNAL_SERVER_ERROR"])
def test_one_bad_day_does_not_hold_back_the_others_of_its_query(
    code: str, emulator: Emulator
) -> None:
    ranges = {**ADS, "split_dates_policy": "none"}
    bad = (ACCOUNTS[0], MONTH + 11 * DAY)
    emulator.inject(Fault(effect="fail_query", account=bad[0], day=bad[1], code=code, times=None))
    config = settings_for(emulator, ranges, start_date=str(MONTH))
    done = attempt(config)

    assert done.code == 3
    assert done.days("google_ads") == everything(ADS, MONTH) - {bad}
    keeps_its_promise(done, emulator, ADS, first=MONTH)

    before = len(emulator.queries)
    attempt(config, done.bookmarks)
    assert {(*each.accounts, each.first) for each in emulator.queries[before:]} == {bad}


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_an_account_that_fails_whatever_is_asked_is_not_asked_day_by_day(
    mode: str, emulator: Emulator
) -> None:
    ranges, first = {**ADS, "split_dates_policy": "none"}, LAST - 364 * DAY
    emulator.inject(Fault(effect="fail_query", account=ACCOUNTS[0], code="QUERY_ERROR", times=None))
    config = settings_for(emulator, ranges, start_date=str(first), mode=mode)
    done = attempt(config)

    assert done.code == 3
    assert done.days("google_ads") == {(ACCOUNTS[1], first + n * DAY) for n in range(365)}
    assert len(emulator.queries) <= 2 * 12 + 4 * 6
    assert f"account {ACCOUNTS[0]}, {first}..{LAST}: QUERY_ERROR" in "\n".join(done.log)


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_days_before_those_that_the_license_gives_are_few_and_once(
    mode: str, order: str, emulator: Emulator
) -> None:
    """The refusal names no date."""
    first, given = LAST - 399 * DAY, LAST - 29 * DAY
    for n in range(370):
        fault = Fault(
            effect="fail_query",
            day=first + n * DAY,
            code="LICENSE_HISTORICAL_RANGE_EXCEEDED",
            status=403,
            times=None,
        )
        emulator.inject(fault)
    config = settings_for(emulator, ADS, start_date=str(first), mode=mode, backfill_order=order)
    done = attempt(config)

    assert done.code == 3
    assert done.days("google_ads") == everything(ADS, given)
    keeps_its_promise(done, emulator, ADS, first=given)
    assert done.bookmarks["google_ads"]["not_before"] == str(given)
    # One or two batches are on their way when the first refusal comes.
    assert sum(each.status == "FAILURE" for each in emulator.queries) <= 225

    before = len(emulator.queries)
    assert attempt(config, done.bookmarks).code == 0
    assert len(emulator.queries) == before


def test_days_that_a_batch_cannot_be_split_into_for_the_license_are_learned_once(
    emulator: Emulator,
) -> None:
    emulator.change_options(license_history_days=30)
    config = settings_for(emulator, ADS, start_date=str(LAST - 399 * DAY))
    done = attempt(config)

    assert done.code == 3
    assert len(done.days("google_ads")) == len(ACCOUNTS) * 30
    assert posts(emulator) <= 60
    before = len(emulator.requests)
    assert attempt(config, done.bookmarks).code == 0
    assert len(emulator.requests) == before + 1


def test_a_day_that_is_cut_off_fails_and_says_what_to_do(emulator: Emulator) -> None:
    done = attempt(settings_for(emulator, ADS, max_rows=2))

    assert done.code == 3
    assert done.written == 0
    assert "RESULT_CUT_OFF" in "\n".join(done.log)
    assert "raise `max_rows`" in "\n".join(done.log)


# Counted


@pytest.mark.parametrize("counts_header", [True, False])
@pytest.mark.parametrize("page_size", [1, 2, 3, 1000])
def test_a_counted_header_is_not_taken_for_a_missing_row(
    counts_header: bool,  # noqa: FBT001 - a parameter of the test
    page_size: int,
    emulator: Emulator,
) -> None:
    emulator.change_options(total_rows_counts_header=counts_header)
    done = attempt(settings_for(emulator, ADS, page_size=page_size))
    succeeds(done, emulator, ADS)
    assert len(emulator.queries) == len(everything(ADS))


# From another time


def held_state(emulator: Emulator, *reports: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    """The state of a run that was killed with its batch done and nothing emitted."""
    deliveries = Engine.deliveries

    def die(engine: Engine, report: str) -> Iterator[Note]:
        for delivery in deliveries(engine, report):
            if isinstance(delivery, Result):
                delivery.spool.close()
                raise Killed
            assert isinstance(delivery, BatchTaken)
            yield delivery

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "deliveries", die)
        patch.setattr("tap_supermetrics.extraction.ways.cancel_batches", lambda *_: None)
        killed = attempt(settings_for(emulator, *reports, **top))
    assert all(state["query_batches"] for state in killed.bookmarks.values())
    while any(batch.status != "STOPPED" for batch in emulator.batches):
        emulator.clock.advance(seconds=10)
    return killed.bookmarks


def test_a_batch_of_a_killed_run_serves_every_report_that_it_holds(emulator: Emulator) -> None:
    state = held_state(emulator, ADS, FACEBOOK)
    before = len(emulator.queries)
    done = attempt(settings_for(emulator, ADS, FACEBOOK), state)

    succeeds(done, emulator, ADS, FACEBOOK)
    assert len(emulator.queries) == before
    assert all(each["query_batches"] == [] for each in done.bookmarks.values())


def test_a_batch_that_waited_behind_others_for_hours_still_serves(emulator: Emulator) -> None:
    state = held_state(emulator, ADS)
    held = state["google_ads"]["query_batches"][0]
    submitted_at = datetime.fromisoformat(held["submitted_at"])
    held["submitted_at"] = (submitted_at - timedelta(hours=5)).isoformat()
    before = len(emulator.queries)
    done = attempt(settings_for(emulator, ADS), state)

    succeeds(done, emulator, ADS)
    assert len(emulator.queries) == before


@pytest.mark.parametrize("listed", [0, 2])
def test_a_batch_that_does_not_list_its_queries_yet_is_waited_for(
    listed: int, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed early is started again while the API still splits its batch."""
    state, ask, looks = held_state(emulator, ADS), Client.batch_status, [listed, listed]

    def status(client: Client, batch_id: str) -> BatchStatus:
        whole = ask(client, batch_id)
        if not looks:
            return whole
        return replace(whole, is_stopped=False, queries=whole.queries[: looks.pop()])

    monkeypatch.setattr(Client, "batch_status", status)
    before = len(emulator.queries)
    done = attempt(settings_for(emulator, ADS), state)

    succeeds(done, emulator, ADS)
    assert len(emulator.queries) == before


def test_a_batch_that_runs_on_for_nobody_is_cancelled(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose query is whose cannot be told of it, so all are asked again."""
    state, ask = held_state(emulator, ADS), Client.batch_status
    (held,) = state["google_ads"]["query_batches"]

    def status(client: Client, batch_id: str) -> BatchStatus:
        whole = ask(client, batch_id)
        if batch_id != held["batch_id"]:
            return whole
        strange = tuple(msgspec.structs.replace(q, schedule_id="odd") for q in whole.queries * 2)
        return replace(whole, is_stopped=False, queries=strange)

    monkeypatch.setattr(Client, "batch_status", status)
    done = attempt(settings_for(emulator, ADS), state)

    succeeds(done, emulator, ADS)
    cancelled = [each.path for each in emulator.requests if each.method == "DELETE"]
    assert [path.rpartition("/")[2] for path in cancelled] == [held["batch_id"]]


@pytest.mark.parametrize("gone", ["expired", "unknown", "strange", "an hour older"])
def test_a_batch_that_is_gone_is_paid_for_again(gone: str, emulator: Emulator) -> None:
    state = held_state(emulator, ADS)
    held = state["google_ads"]["query_batches"][0]
    match gone:
        case "expired":
            emulator.clock.advance(seconds=2 * 3600)
        case "unknown":
            held["batch_id"] = "qrb_000000000000"
        case "strange":
            held["batch_id"] = "../../teams?x=#"
        case _:
            held["submitted_at"] = "2020-01-01T00:00:00+00:00"
    before = len(emulator.queries)
    done = attempt(settings_for(emulator, ADS), state)

    succeeds(done, emulator, ADS)
    assert len(emulator.queries) == before + len(everything(ADS))


@pytest.mark.parametrize(
    "change",
    [
        {"fields": ["Date", "Campaignname", "Clicks"]},
        {"filter": "Campaignname =@ nothing_has_this_name"},
        {"settings": {"timezone": "Asia/Tokyo"}},
    ],
    ids=str,
)
def test_a_batch_of_a_changed_report_is_not_used(
    change: dict[str, Any], emulator: Emulator
) -> None:
    state = held_state(emulator, ADS)
    before = len(emulator.queries)
    done = attempt(settings_for(emulator, {**ADS, **change}), state)

    assert done.code == 0, done.log
    assert len(emulator.queries) == before + len(everything(ADS))
    assert "filter" not in change or not done.written


def test_a_batch_is_never_taken_for_other_days_than_its_own(emulator: Emulator) -> None:
    """A hand that shifts the days of a held batch finds them refused, not misattributed."""
    state = held_state(emulator, ADS)
    for item in state["google_ads"]["query_batches"][0]["items"]:
        item["dates"] = [str(LAST - timedelta(days=9)), str(LAST - timedelta(days=7))]
    first = LAST - 9 * DAY
    done = attempt(settings_for(emulator, ADS, start_date=str(first)), state)

    succeeds(done, emulator, ADS, first=first)


@pytest.mark.parametrize("mode", ["batch", "async"])
@pytest.mark.parametrize("split", ["day", "none"])
def test_a_day_that_was_asked_before_it_was_over_is_asked_again_after_midnight(
    monkeypatch: pytest.MonkeyPatch, mode: str, split: str
) -> None:
    """What the API holds of it lacks its last hours."""
    rows: dict[Key, Values] = {}

    def kill(key: Key, values: Values) -> NoReturn:
        rows[key] = values
        while sum(query.last == LAST for query in night.queries) < len(ACCOUNTS):
            time.sleep(0.01)
        raise Killed

    with Emulator(options=options(now="2024-06-09T23:50:00+00:00")) as night:
        for module in ("tap_supermetrics.sync.run", "tests.attack.driver"):
            monkeypatch.setattr(f"{module}.utc_now", night.clock.now)
        report = {**ADS, "split_dates_policy": split}
        config = settings_for(night, report, end_date="today", mode=mode)
        with monkeypatch.context() as patch:
            patch.setattr("tap_supermetrics.extraction.ways.cancel_batches", lambda *_: None)
            killed = attempt(config, keep=kill)
        night.clock.set(instant("2024-06-10T00:30:00+00:00"))
        done = attempt({**config, "end_date": str(LAST)}, killed.bookmarks, keep=rows.__setitem__)

        assert done.code == 0
        true = truth(night, ADS, LAST, LAST)
        assert {key: row for key, row in rows.items() if row["Date"] == str(LAST)} == true
        assert sum(query.last == LAST for query in night.queries) == 2 * len(ACCOUNTS)


def test_accounts_swapped_by_hand_in_a_held_batch_do_not_swap_their_rows(
    emulator: Emulator,
) -> None:
    state = held_state(emulator, ADS, split_accounts_policy="all")
    text = json.dumps(state).replace(ACCOUNTS[0], "X")
    text = text.replace(ACCOUNTS[1], ACCOUNTS[0]).replace("X", ACCOUNTS[1])
    done = attempt(settings_for(emulator, ADS), json.loads(text))

    succeeds(done, emulator, ADS)


def test_a_batch_that_starts_within_a_result_is_in_the_state_before_its_next_record(
    emulator: Emulator,
) -> None:
    emulator.reset()
    read: list[Key] = []

    def keep(key: Key, _: Values) -> None:
        read.append(key)
        if len(read) > 1:
            raise Killed
        patience = time.monotonic() + 20
        while len(emulator.batches) == 1 and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(0.2)  # until the answer to the start has come

    done = attempt(settings_for(emulator, ADS, start_date=str(LAST - 59 * DAY)), keep=keep)

    assert done.code == -9
    held = done.bookmarks["google_ads"]["query_batches"]
    assert [each["batch_id"] for each in held] == [each.batch_id for each in emulator.batches]
    assert len(held) == 2


def test_queries_that_a_batch_does_not_tell_apart_are_asked_by_themselves(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last day is not listed, so the numbers of the others may count items or queries."""
    emulator.reset()
    status = Client.batch_status

    def without_the_last(client: Client, batch_id: str) -> BatchStatus:
        whole = status(client, batch_id)
        return replace(whole, queries=whole.queries[:-1])

    monkeypatch.setattr(Client, "batch_status", without_the_last)
    report = {**ADS, "ds_accounts": [ACCOUNTS[0]]}
    partition = {"context": {"account_id": ACCOUNTS[0]}, "covered": [[str(FIRST), str(FIRST)]]}
    settings = settings_for(emulator, report, start_date=str(FIRST - DAY), mode="auto")
    done = attempt(settings, {"google_ads": {"partitions": [partition]}})

    assert done.code == 0, done.log
    assert done.days("google_ads") == everything(report, FIRST - DAY)
    assert [query.batch_id is None for query in emulator.queries] == [False] * 3 + [True] * 3
