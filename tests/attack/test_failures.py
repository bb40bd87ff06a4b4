"""Every error code, at every place, under every HTTP status: one fate, told in one line."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.api.retry import RetryPolicy
from tap_supermetrics.api.verdicts import VERDICTS, Fate, Reach, Verdict, verdict_on
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.extraction import polling
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    DAY,
    FACEBOOK,
    LAST,
    QUICK,
    WHOLE,
    asked,
    attempt,
    everything,
    keeps_its_promise,
    options,
    posts,
    settings_for,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attack.driver import Attempt

pytestmark = pytest.mark.timeout(120)

STATUSES: Final = (200, 403, 500)
CODES: Final = (*(code for code in VERDICTS if code != "ACCOUNT_EXCLUDED"), "SOMETHING_NEW")
"""All but the tap's own word for an account left out, which is no failure."""
PLACES: Final = ("start", "status", "result", "fields", "accounts", "query")
SOME: Final = {"filter_id": f"^({'|'.join(ACCOUNTS)})$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An error code that comes for good, or once, somewhere."""

    code: str
    status: int
    place: str
    is_lasting: bool

    def __str__(self) -> str:
        times = "always" if self.is_lasting else "once"
        return f"{self.code}-{self.status}-{self.place}-{times}"

    @property
    def verdict(self) -> Verdict:
        return verdict_on(self.code_told, self.status, is_of_query=self.place == "query")

    @property
    def fate(self) -> Fate:
        return self.verdict.fate

    @property
    def stops(self) -> bool:
        """Say that it ends the run: what one list is refused for says nothing of others."""
        is_of_one = self.place in {"fields", "status"} and not self.is_lasting
        is_of_one = is_of_one or self.place == "accounts"
        return self.fate is Fate.STOP and not (is_of_one and self.verdict.reach is Reach.ENDPOINT)

    @property
    def fault(self) -> Fault:
        times = None if self.is_lasting else 1
        text = "Injected by the attack."
        match self.place:
            case "query":
                return Fault(
                    effect="fail_query",
                    account=ACCOUNTS[0],
                    day=LAST,
                    times=times,
                    code=self.code,
                    status=self.status,
                    description=text,
                )
            case "start":
                path, method = "query/batch$", "POST"
            case "status":
                path, method = "query/batch/.*/status", "GET"
            case "result":
                path, method = "query/results", "GET"
            case place:
                path, method = f"query/{place}", "GET"
        return Fault(
            effect="error",
            path=path,
            method=method,
            times=times,
            code=self.code,
            status=self.status,
            description=text,
        )

    @property
    def code_told(self) -> str:
        """The code that a person reads: a start without an id has one of its own."""
        is_unseen = self.place == "start" and self.code == "ANSWER_UNREADABLE"
        return "START_UNREADABLE" if is_unseen else self.code

    @property
    def code_expected(self) -> int:
        """The exit code that the fate of the error means at its place."""
        if self.stops:
            return 4 if self.verdict.is_of_api else 1
        heals = {Fate.RETRY}
        match self.place:
            case "fields" if not self.is_lasting:
                lost = 3  # One data source of two.
            case "fields":
                lost = 1
            case "query" if self.verdict.max_submissions == 1:
                heals, lost = set(), 3
            case "start":
                # What is refused once is sent again as halves; what is not there is lost.
                heals, lost = {Fate.RETRY, Fate.FAIL, Fate.SPLIT}, 3
            case "status":
                # Whatever a look is refused for once, the next one tells.
                heals, lost = {*Fate}, 3
            case "accounts":
                lost = 3
            case _:
                # What somebody cancelled is not paid again in this run.
                again = () if self.verdict.max_submissions == 1 else (Fate.RESUBMIT,)
                heals, lost = {Fate.RETRY, *again}, 3
        return 0 if not self.is_lasting and self.fate in heals else lost


def all_cases() -> Iterator[Case]:
    for code, status, place, lasting in product(CODES, STATUSES, PLACES, (True, False)):
        yield Case(code=code, status=status, place=place, is_lasting=lasting)


def sample() -> list[Case]:
    """Every code at every other place, statuses and lasting taken in turn."""
    turns = list(product(STATUSES, (True, False)))
    pairs = [
        (code, place) for number, code in enumerate(CODES) for place in PLACES[number % 2 :: 2]
    ]
    return [
        Case(code=code, place=place, status=turn[0], is_lasting=turn[1])
        for number, (code, place) in enumerate(pairs)
        for turn in [turns[(number + number // len(turns)) % len(turns)]]
    ]


def check(case: Case, emulator: Emulator) -> Attempt:
    """Run into the failure and check all that is promised."""
    emulator.reset()
    emulator.inject(case.fault)
    accounts = SOME if case.place == "accounts" else list(ACCOUNTS)
    reports = [{**ADS, "ds_accounts": accounts}, FACEBOOK]
    done = attempt(settings_for(emulator, *reports, mode="batch"))

    said = "\n".join([*done.log, done.message])
    assert done.code == case.code_expected, said
    assert "Traceback" not in said
    if done.code:
        assert case.code_told in said
        assert (case.verdict.advice or "What to do") in said
    keeps_its_promise(done, emulator, ADS, FACEBOOK)
    if case.stops:
        stops_at_once(case, emulator)
    return done


def stops_at_once(case: Case, emulator: Emulator) -> None:
    """A person has to act: nothing is repeated, and nothing started any more."""
    starts = {"start": 1, "fields": 0, "accounts": 0}.get(case.place, 1)
    assert posts(emulator) == starts
    part = {"status": "/status", "result": "query/results", "query": "query/nothing"}
    hits = asked(emulator, part.get(case.place, f"query/{case.place}"))
    # Four requests for results may be on their way, and as many follow before word is out.
    assert hits <= {"result": 8, "accounts": 1, "fields": 2}.get(case.place, 1_000_000)
    assert all(batch.status == "STOPPED" for batch in emulator.batches) or case.place == "status"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


@pytest.mark.parametrize("case", list(all_cases()) if WHOLE else some(sample(), 110), ids=str)
def test_every_code_has_one_fate_wherever_it_comes(case: Case, emulator: Emulator) -> None:
    check(case, emulator)


@pytest.mark.parametrize("code", ["QUERY_ERROR", "QUERY_ACCOUNT_UNAVAILABLE", "BAD_REQUEST"])
def test_a_permanent_failure_that_comes_as_500_is_asked_once(code: str, emulator: Emulator) -> None:
    emulator.reset()
    emulator.inject(
        Fault(effect="fail_query", account=ACCOUNTS[0], day=LAST, code=code, times=None)
    )
    done = attempt(settings_for(emulator, ADS))

    assert done.code == 3
    assert len(emulator.queries) == len(everything(ADS))
    assert done.days("google_ads") == everything(ADS) - {(ACCOUNTS[0], LAST)}
    keeps_its_promise(done, emulator, ADS)


def test_what_was_lost_is_asked_by_the_next_run_and_nothing_else(emulator: Emulator) -> None:
    emulator.reset()
    emulator.inject(Fault(effect="fail_query", day=LAST, code="QUERY_ERROR", times=None))
    lost = attempt(settings_for(emulator, ADS))
    assert lost.code == 3
    emulator.clear_faults()
    before = len(emulator.queries)
    healed = attempt(settings_for(emulator, ADS), lost.bookmarks)

    assert healed.code == 0
    assert {(*each.accounts, each.first) for each in emulator.queries[before:]} == {
        (account, LAST) for account in ACCOUNTS
    }
    assert healed.days("google_ads") == everything(ADS)


@pytest.mark.parametrize(
    ("code", "most"),
    [
        ("QUERY_ACCOUNT_UNAVAILABLE", 60),
        ("QUERY_AUTH_UNAVAILABLE", 60),
        ("LICENSE_ACCOUNT_LIMIT_EXCEEDED", 60),
        ("QUERY_ERROR", 60),
        ("SOMETHING_NEW", 600),
    ],
)
def test_an_account_that_is_gone_does_not_burn_a_query_a_day(
    code: str, most: int, emulator: Emulator
) -> None:
    """Of 400 days, few are asked; of an error that may pass, few are asked three times."""
    emulator.reset()
    first, gone, fine = LAST - 399 * DAY, *ACCOUNTS
    emulator.inject(Fault(effect="fail_query", account=gone, code=code, times=None))
    config = settings_for(emulator, ADS, start_date=str(first))
    done = attempt(config)

    assert done.code == 3
    assert sum(gone in query.accounts for query in emulator.queries) <= most
    assert sum(fine in query.accounts for query in emulator.queries) == 400
    assert done.days("google_ads") == {(fine, first + n * DAY) for n in range(400)}
    assert f"account {gone}, {first}..{LAST}: {code}" in "\n".join(done.log)

    emulator.clear_faults()
    healed = attempt(config, done.bookmarks)
    assert healed.code == 0
    assert healed.days("google_ads") == everything(ADS, first)


def test_a_quota_of_one_source_stops_no_other(emulator: Emulator) -> None:
    emulator.reset()
    code = "LICENSE_DAILY_QUERY_LIMIT_EXCEEDED"
    emulator.inject(Fault(effect="fail_query", ds_id="AW", code=code, after=5, times=None))
    first = LAST - 79 * DAY
    config = settings_for(emulator, ADS, FACEBOOK, start_date=str(first))
    done = attempt(config)

    assert done.code == 3
    assert done.days(FACEBOOK["name"]) == everything(FACEBOOK, first)
    assert len(done.days("google_ads")) == 5
    of_ads = [each for each in emulator.queries if each.ds_id == "AW"]
    assert len(of_ads) <= 110, "what was on its way, in a batch"

    emulator.clear_faults()
    assert attempt(config, done.bookmarks).code == 0
    keeps_its_promise(done, emulator, ADS, FACEBOOK, first=first)


@pytest.mark.parametrize("days", [1, 31])
def test_an_account_that_is_not_licensed_costs_what_is_on_its_way(
    days: int, emulator: Emulator
) -> None:
    """It is told by a plain QUERY_ERROR, and listed among all accounts."""
    emulator.reset()
    barred, fine = "3378451620", ACCOUNTS[0]
    report = {**ADS, "ds_accounts": [fine, barred], "backfill_days_per_query": days}
    first = LAST - 199 * DAY
    done = attempt(settings_for(emulator, report, start_date=str(first), mode="async"))

    assert done.code == 3
    assert "prioritised accounts" in "\n".join(done.log)
    assert sum(barred in query.accounts for query in emulator.queries) <= 10
    assert done.days("google_ads") == {(fine, first + n * DAY) for n in range(200)}


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_a_history_that_fails_does_not_hold_back_the_days_after_it(
    mode: str, order: str, emulator: Emulator
) -> None:
    emulator.reset()
    first, odd = LAST - 119 * DAY, ACCOUNTS[0]
    for n in range(70):
        day = first + n * DAY
        fault = Fault(effect="fail_query", account=odd, day=day, code="QUERY_ERROR", times=None)
        emulator.inject(fault)
    config = settings_for(emulator, ADS, start_date=str(first), backfill_order=order, mode=mode)
    done = attempt(config)

    assert done.code == 3
    failed = {(odd, first + n * DAY) for n in range(70)}
    assert done.days("google_ads") == everything(ADS, first) - failed
    assert len(emulator.queries) <= len(everything(ADS, first))


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        ({"types": {"Cost": "string.time.date"}}, "TYPE_MISMATCH"),
        ({"key_properties": ["_sm_account_id", "Date"]}, "KEY_NOT_UNIQUE"),
    ],
    ids=["types", "key"],
)
def test_a_mistake_by_which_no_result_fits_does_not_burn_a_query_a_day(
    mistake: dict[str, object], code: str, emulator: Emulator
) -> None:
    """Of 400 days, few are asked, but the newest are; else history that is odd would hide them."""
    emulator.reset()
    first = LAST - 399 * DAY
    wrong = {**ADS, **mistake}
    done = attempt(settings_for(emulator, wrong, start_date=str(first), mode="async"))

    assert done.code == 3
    assert done.days("google_ads") == set()
    assert len(emulator.queries) <= 100
    assert LAST in {query.first for query in emulator.queries}
    assert f"account {ACCOUNTS[0]}, {first}..{LAST}: {code}" in "\n".join(done.log)

    healed = attempt(settings_for(emulator, ADS, start_date=str(first)), done.bookmarks)
    assert healed.code == 0
    assert healed.days("google_ads") == everything(ADS, first)


@pytest.mark.parametrize("code", ["API_KEY_DISABLED", "API_ROW_QUOTA_EXCEEDED"])
def test_results_refused_for_now_are_collected_by_the_next_run_unpaid(
    code: str, emulator: Emulator
) -> None:
    emulator.reset()
    emulator.inject(Fault(effect="error", path="query/results", code=code, times=None))
    refused = attempt(settings_for(emulator, ADS))
    assert refused.code == 4
    assert asked(emulator, "query/results") <= 4
    paid = sum(query.status == "SUCCESS" for query in emulator.queries)
    emulator.clear_faults()
    done = attempt(settings_for(emulator, ADS), refused.bookmarks)

    assert done.code == 0
    assert len(emulator.queries) <= 2 * len(everything(ADS)) - paid
    keeps_its_promise(done, emulator, ADS)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_results_that_cannot_be_fetched_are_collected_by_the_next_run_unpaid(
    status: int, emulator: Emulator
) -> None:
    """An hourly limit, or an outage that outlasts patience: the API still has all results."""
    emulator.reset()
    wait = {"Retry-After": "1500"} if status != 500 else {}
    code = {429: "TOO_MANY_REQUESTS", 500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNAVAILABLE"}
    refusal = Fault(
        effect="error", path="query/(results|data)", method="GET", status=status, code=code[status],
        headers=wait, after=3, times=None,
    )  # fmt: skip
    emulator.inject(refusal)
    config = settings_for(emulator, ADS)
    refused = attempt(config, retry=replace(QUICK, outage_s=0.3))
    assert refused.code == 3
    emulator.clear_faults()
    done = attempt(config, refused.bookmarks)

    assert done.code == 0, done.message
    assert len(emulator.queries) == len(everything(ADS))
    done.rows["google_ads"] = refused.rows.get("google_ads", {}) | done.rows["google_ads"]
    keeps_its_promise(done, emulator, ADS)
    # What was left is collected once: the next night reads its lookback anew.
    again = attempt({**config, "lookback_days": 1}, done.bookmarks)
    assert len(emulator.queries) == len(everything(ADS)) + len(ADS["ds_accounts"])
    assert again.code == 0


def test_a_budget_does_not_forget_results_that_could_not_be_fetched(emulator: Emulator) -> None:
    emulator.reset()
    path = "query/(results|data)"
    code = "INTERNAL_SERVER_ERROR"
    fault = Fault(effect="error", path=path, method="GET", status=500, code=code, times=None)
    emulator.inject(fault)
    config = settings_for(emulator, ADS, max_queries_per_run=6)
    refused = attempt(config)
    emulator.clear_faults()
    done = attempt(config, refused.bookmarks)
    assert len(emulator.queries) <= 12
    assert len(done.days("google_ads")) == len(emulator.queries)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(effect="reset_before", path="query/(batch|data)", times=None),
        Fault(effect="html", path="query/(batch|data)", status=503, times=None),
        Fault(effect="error", path="query/(batch|data)", code="SERVICE_UNAVAILABLE", times=None),
    ],
    ids=lambda fault: fault.effect,
)
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_a_service_that_takes_nothing_ends_the_run_instead_of_being_hammered(
    mode: str, fault: Fault, emulator: Emulator
) -> None:
    emulator.reset()
    emulator.inject(fault)
    first = LAST - 999 * DAY
    done = attempt(settings_for(emulator, ADS, start_date=str(first), mode=mode))

    assert done.code == 3
    assert posts(emulator) + posts(emulator, "query/data/json") <= 3 * 6
    assert done.days("google_ads") == set()
    lost = "300 queries failed and 1,700" if mode == "batch" else "3 queries failed and 1,997"
    assert done.message.startswith(f"{lost} days were not asked, nothing arrived")


@pytest.mark.parametrize("code", ["ENDPOINT_NOT_FOUND", "ACCESS_DENIED_PERMISSIONS", "FORBIDDEN"])
@pytest.mark.parametrize("path", ["query/batch$", "query/batch/.*/status"])
def test_without_query_batches_the_same_rows_come_query_by_query(
    code: str, path: str, emulator: Emulator
) -> None:
    emulator.reset()
    emulator.inject(Fault(effect="error", path=path, code=code, status=403, times=None))
    done = attempt(settings_for(emulator, ADS, FACEBOOK))

    assert done.code == 0, done.log
    keeps_its_promise(done, emulator, ADS, FACEBOOK)


OUTAGES: Final = {
    "nothing answers": "",
    "no batch can be started": "query/batch$",
    "no status can be read": "query/batch/.*/status",
    "no results can be read": "query/results",
}


@pytest.mark.parametrize("mode", ["batch", "async"])
@pytest.mark.parametrize("path", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_costs_time_but_no_query_twice(
    path: str, mode: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.reset()
    monkeypatch.setattr(polling, "POLL_FAILURES_S", 60.0)
    monkeypatch.setattr(polling, "OWN_FAILURES_S", 60.0)
    calls_before = 1 if path == "query/batch$" else 12
    emulator.inject(Fault(effect="html", path=path, status=503, after=calls_before, times=30))
    if path != "query/batch$":  # where a start may have been carried out, patience ends earlier
        emulator.inject(Fault(effect="reset_before", path=path, after=calls_before, times=30))
    waiting = replace(QUICK, outage_s=60.0)
    first = LAST - 79 * DAY
    done = attempt(settings_for(emulator, ADS, start_date=str(first), mode=mode), retry=waiting)

    assert (done.code, done.message) == (0, "")
    assert len(emulator.queries) == 160
    keeps_its_promise(done, emulator, ADS, first=first)


def test_a_part_of_the_service_that_stays_away_is_waited_for_once(emulator: Emulator) -> None:
    emulator.reset()
    emulator.inject(Fault(effect="html", path="query/results", status=502, times=None))
    waiting = replace(QUICK, outage_s=1.0)
    begun = time.monotonic()
    done = attempt(settings_for(emulator, ADS, FACEBOOK), retry=waiting)

    assert done.code == 3
    assert time.monotonic() - begun < 10.0
    assert done.days("google_ads") == set()


@pytest.mark.parametrize(
    "choice",
    [
        {"total_rows_counts_header": False},
        {"results_total": "page"},
        {"results_total": "page", "results_paging": False},
        {"results_paging": False},
        {"header_on_every_page": True},
        {"empty_result": "no_data_found"},
        {"errors_in_200": True},
        {"unfinished_status": 200, "status_unfinished_status": 202},
        {"same_schedule_id": "return"},
        {"schedule_id_conflict": "refuse"},
        {"status_not_found_status": 400},
        {"max_rows_counts_header": True},
        {"paginate_next_after_post": True},
        {"end_date_clamped": False},
        {"eleventh_duplicate": "wait"},
    ],
    ids=str,
)
def test_whatever_the_api_does_where_nobody_knows_single_queries_are_asked_once(
    choice: dict[str, Any],
) -> None:
    with Emulator(options=options(**choice)) as emulator:
        done = attempt(settings_for(emulator, ADS, FACEBOOK, mode="async", page_size=3))

        assert done.code == 0, done.log
        keeps_its_promise(done, emulator, ADS, FACEBOOK)
        assert len(emulator.queries) == len(everything(ADS) | everything(FACEBOOK))


def test_a_query_whose_status_fails_does_not_keep_the_others_waiting(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that fails with the error of an ill server answers so whenever it is asked for."""
    emulator.reset()
    monkeypatch.setattr(polling, "POLL_FAILURES_S", 900.0)
    monkeypatch.setattr(polling, "LONGEST_FAILURE_WAIT_S", 60.0)
    monkeypatch.setattr(polling, "OWN_FAILURES_S", 3.0)
    first, bad = LAST - 59 * DAY, (ACCOUNTS[0], LAST - 59 * DAY)
    code = "INTERNAL_SERVER_ERROR"
    fault = Fault(effect="fail_query", account=bad[0], day=bad[1], code=code, times=None)
    emulator.inject(fault)
    begin = time.monotonic()
    # With the waits of a real run.
    config = settings_for(emulator, ADS, start_date=str(first), mode="async")
    done = attempt(config, retry=RetryPolicy())

    assert done.code == 3
    assert done.days("google_ads") == everything(ADS, first) - {bad}
    assert time.monotonic() - begin < 240  # and not the 900 s that an ill server is waited for
    others = [each.ended or 0 for each in emulator.queries if each.first != bad[1]]
    assert max(others) - emulator.queries[0].arrived < 20 * emulator.clock.factor
    # By its id: where a query ends while its start is answered, that request is repeated.
    asked = {e.schedule_id for e in emulator.queries if (*e.accounts, e.first) == bad}
    assert len(asked) == 3


def test_a_busy_service_does_not_have_a_query_asked_twice(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the status of others can be read: it is not the query's own error."""
    emulator.reset()
    monkeypatch.setattr(polling, "POLL_FAILURES_S", 60.0)
    busy = Fault(effect="error", path="query/status", account=ACCOUNTS[0], status=429, times=20)
    emulator.inject(replace(busy, code="TOO_MANY_REQUESTS"))
    done = attempt(settings_for(emulator, ADS, mode="async"))

    assert done.code == 0, done.log
    assert len(emulator.queries) == len(everything(ADS))
