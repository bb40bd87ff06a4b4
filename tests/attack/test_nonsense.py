"""Nonsense from the server ends in a clear error or in the right data, soon, in little memory."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import re
import time
import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api import connection as connection_module
from tap_supermetrics.api import fields, listings, wire
from tap_supermetrics.api.answers import DamagedAnswer, RefusedAnswer, read_answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.extraction import page_requests, polling, running
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.records.schema import record_schema
from tap_supermetrics.sync import run as run_module
from tests.attack import liar as lies
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    FACEBOOK,
    WHOLE,
    Attempt,
    attempt,
    everything,
    keeps_its_promise,
    options,
    posts,
    settings_for,
    some,
)
from tests.attack.liar import RESULTS, STATUS, Liar, always, at, changed, head, http
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.attack.liar import Lie, Said

pytestmark = pytest.mark.timeout(120)
SOON_S: Final = 30.0
SOME: Final = {"filter_id": f"^({'|'.join(ACCOUNTS)})$"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options()) as emulator, Liar(emulator) as running:
        yield running


@pytest.fixture
def liar(shared: Liar) -> Liar:
    shared.emulator.reset()
    shared.forget()
    return shared


def survive(liar: Liar, **top: Any) -> Attempt:  # noqa: ANN401 - any setting
    """A run against the liar: soon over, told in lines, and true to its promise."""
    reports = [{**ADS, "ds_accounts": SOME}, FACEBOOK]
    config = settings_for(liar.emulator, *reports, mode="batch", api_url=liar.url, **top)
    begun = time.monotonic()
    done = attempt(config)

    assert time.monotonic() - begun < SOON_S
    assert "Traceback" not in "\n".join([*done.log, done.message])
    assert done.code in {0, 1, 3, 4}
    said = "\n".join([*done.log, done.message])
    assert done.code == 0 or re.search("What to do: |matches none", said), said
    keeps_its_promise(done, liar.emulator, ADS, FACEBOOK)
    assert len(liar.requests) < 400
    return done


BODIES: Final[dict[str, bytes]] = {
    "nothing": http(b""),
    "no content": head(204),
    "half of a JSON": http(b'{"meta":{"request_id":"1"},"data":[{"fie'),
    "a page of a proxy": http(b"<html><body>Bad Gateway</body></html>", 502),
    "a page of a login": http(b"<!doctype html><title>Sign in</title>"),
    "a list": http(b"[]"),
    "a number": http(b"17"),
    "null": http(b"null"),
    "an empty object": http(b"{}"),
    "data of another type": http(b'{"meta":{},"data":17}'),
    "data that is a text": http(b'{"meta":{},"data":"soon"}'),
    "a list of numbers": http(b'{"meta":{},"data":[1,2,3]}'),
    "a list of lists": http(b'{"meta":{},"data":[[[["x"]]]]}'),
    "meta as a list, as PHP writes it": http(b'{"meta":[],"data":[]}'),
    "meta that is null": http(b'{"meta":null,"data":null}'),
    "an error that is a text": http(b'{"error":"invalid_token"}'),
    "an error without code": http(b'{"meta":{},"error":{}}', 500),
    "an error whose code is a number": http(b'{"meta":{},"error":{"code":17}}', 400),
    "deep nesting": http(b'{"meta":{},"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "UTF-16": http('{"meta":{},"data":[]}'.encode("utf-16")),
    "Latin-1": http('{"meta":{"request_id":"é"},"data":["é"]}'.encode("latin-1")),
    "a byte order mark": http(b"\xef\xbb\xbf" + b'{"meta":{},"data":17}'),
    "gzip that is none": http(b'{"meta":{},"data":[]}', content_encoding="gzip"),
    "half a gzip": http(gzip.compress(b'{"meta":{},"data":[]}')[:20], content_encoding="gzip"),
    "a longer length than body": head(200, content_length="1000") + b'{"meta":{}}',
    "a length that is no number": head(200, content_length="many") + b"{}",
    "a broken chunk": head(200, transfer_encoding="chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\n",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n{}",
    "a redirect elsewhere": head(302, location="http://evil.example/"),
    "a redirect to itself": head(307, location="/enterprise/v2/query/fields"),
    "not modified": head(304),
    "status 100000": b"HTTP/1.1 100000 Odd\r\n\r\n{}",
}


def every_answer() -> list[tuple[str, str]]:
    """Each body at a place, in turn."""
    count = len(lies.ALL)
    return [
        (body, lies.ALL[place % count])
        for number, body in enumerate(BODIES)
        for place in (range(count) if WHOLE else [number])
    ]


@pytest.mark.parametrize(("body", "where"), every_answer())
def test_an_answer_that_makes_no_sense_ends_in_a_line(body: str, where: str, liar: Liar) -> None:
    liar.tell(where, always(BODIES[body]))
    survive(liar)


SMALL_LIES: Final[dict[str, tuple[str, Lie]]] = {
    "no batch id": (lies.START, at("data.batch_id", ...)),
    "an empty batch id": (lies.START, at("data.batch_id", "")),
    "a batch id that is a path": (lies.START, at("data.batch_id", "../../x?y=#")),
    "the same batch id for all": (lies.START, at("data.batch_id", "qrb_000000000000")),
    "an unknown state of a batch": (lies.STATUS, at("meta.status_code", "ON_HOLIDAY")),
    "no state of a batch": (lies.STATUS, at("meta.status_code", ...)),
    "an unknown state of a query": (lies.STATUS, at("data.0.status_code", "ON_HOLIDAY")),
    "a state that is a number": (lies.STATUS, at("data.0.status_code", 3)),
    "no schedule id": (lies.STATUS, at("data.0.schedule_id", ...)),
    "another schedule id": (lies.STATUS, at("data.0.schedule_id", "qrb_1_query_77")),
    "another account": (lies.STATUS, at("data.0.split_info.ds_accounts", ["999"])),
    "another day": (lies.STATUS, at("data.0.split_info.start_date", "1999-01-01")),
    "a day that is none": (lies.STATUS, at("data.0.split_info.start_date", "2024-02-31")),
    "an empty status": (lies.STATUS, at("data", [])),
    "a status without end": (lies.STATUS, at("meta.paginate.total", 1_000_000_000)),
    "a status of minus one": (lies.STATUS, at("meta.paginate.total", -1)),
    "no results address": (lies.STATUS, at("data.0.result_info.results_url", ...)),
    "no result": (lies.STATUS, at("data.0.result_info", None)),
    "results at another host": (
        lies.STATUS,
        at("data.0.result_info.results_url", "http://evil.example/results"),
    ),
    "results by another scheme": (
        lies.STATUS,
        at("data.0.result_info.results_url", "file:///etc/passwd"),
    ),
    "results at a broken address": (lies.STATUS, at("data.0.result_info.results_url", "http://[")),
    "results at a port": (
        lies.STATUS,
        at("data.0.result_info.results_url", "http://127.0.0.1:1/results"),
    ),
    "results of a user": (
        lies.STATUS,
        at("data.0.result_info.results_url", "http://x@127.0.0.1/results"),
    ),
    "a total that is a text": (lies.STATUS, at("data.0.result_info.total_rows", "many")),
    "a total below": (lies.STATUS, at("data.0.result_info.total_rows", 1)),
    "a total above": (lies.STATUS, at("data.0.result_info.total_rows", 100)),
    "a failure without a reason": (lies.STATUS, at("data.0.status_code", "FAILURE")),
    "a query that was stopped": (lies.STATUS, at("data.0.status_code", "STOPPED")),
    "results of another day": (lies.RESULTS, at("meta.query.start_date", "2020-01-01")),
    "results of no day": (lies.RESULTS, at("meta.query.start_date", "tomorrow")),
    "results without fields": (lies.RESULTS, at("meta.query.fields", [])),
    "results without meta": (lies.RESULTS, at("meta", {})),
    "a column beyond the row": (lies.RESULTS, at("meta.query.fields.1.data_column", 17)),
    "a column before the row": (lies.RESULTS, at("meta.query.fields.1.data_column", -1)),
    "rows that are objects": (lies.RESULTS, at("data", [{"Date": "2024-06-09"}])),
    "rows that are texts": (lies.RESULTS, at("data", ["2024-06-09,1"])),
    "cells that are lists": (lies.RESULTS, at("data.0", [["2024-06-09"], {}, []])),
    "a short row": (lies.RESULTS, at("data.0", ["2024-06-09"])),
    "a date that is none": (lies.RESULTS, at("data.0.0", "9.6.2024")),
    "a date that is null": (lies.RESULTS, at("data.0.0", None)),
    "a number that is a text": (lies.RESULTS, at("data.0.2", "n/a")),
    "a number beyond all": (lies.RESULTS, at("data.0.2", "1e999")),
    "an infinite number": (lies.RESULTS, at("data.0.2", float("inf"))),
    "a page after the last, for ever": (
        lies.RESULTS,
        at("meta.paginate.next", "/enterprise/v2/query/results?again"),
    ),
    "a next page elsewhere": (lies.RESULTS, at("meta.paginate.next", "https://evil.example/")),
    "a next page that is a number": (lies.RESULTS, at("meta.paginate.next", 2)),
    "fields without ids": (lies.FIELDS, at("data.0.field_id", ...)),
    "no fields": (lies.FIELDS, at("data", [])),
    "fields of other types": (lies.FIELDS, at("data.0.data_type", 3)),
    "accounts without ids": (lies.ACCOUNTS, at("data.0.accounts.0.account_id", ...)),
    "no accounts": (lies.ACCOUNTS, at("data", [])),
    "account ids that are numbers": (lies.ACCOUNTS, at("data.0.accounts.0.account_id", 3)),
}


@pytest.mark.parametrize("lie", some(list(SMALL_LIES), 26))
def test_a_small_lie_costs_what_it_is_about_and_no_more(
    lie: str, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "GRACE_S", -5 * 60 + 0.5)
    where, told = SMALL_LIES[lie]
    liar.tell(where, told)
    survive(liar, timeout_minutes=5, page_size=2)


def stream(pieces: Iterator[bytes], **headers: str) -> Lie:
    """An answer that comes in pieces and may never end."""
    return lambda _: itertools.chain([head(200, **headers)], pieces)


def peak_mib(work: Callable[[], object]) -> float:
    """The most memory that Python objects took while this was done, in MiB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


ENDLESS: Final[dict[str, Callable[[], Lie]]] = {
    "endless": lambda: stream(itertools.repeat(b"[" * 65_536)),
    "endless chunks": lambda: stream(
        itertools.repeat(b"10000\r\n" + b" " * 65_536 + b"\r\n"), transfer_encoding="chunked"
    ),
    "a bomb": lambda: always(
        http(gzip.compress(b" " * (64 * 2**20), mtime=0), content_encoding="gzip")
    ),
    "a bomb in a bomb": lambda: always(
        http(gzip.compress(gzip.compress(b" " * (64 * 2**20))), content_encoding="gzip, gzip")
    ),
}


@pytest.mark.parametrize("where", some([lies.START, lies.STATUS, lies.RESULTS], 1))
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_body_without_end_takes_little_memory_and_time(
    kind: str, where: str, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 8 * 2**20
    monkeypatch.setattr(connection_module, "MAX_ANSWER_BYTES", limit)
    liar.tell(where, ENDLESS[kind](), times=2)
    assert peak_mib(lambda: survive(liar)) < 6 * limit / 2**20


def test_a_body_that_trickles_is_given_up(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes before the socket's time is over, the last one would come next year."""
    monkeypatch.setattr(connection_module, "ANSWER_TIMEOUT_S", 0.5)

    def slowly() -> Iterator[bytes]:
        for _ in range(200):
            yield b" "
            time.sleep(0.05)

    liar.tell(
        lies.RESULTS, lambda _: itertools.chain([head(200, content_length="9999")], slowly()), 1
    )
    done = survive(liar)
    assert "did not end" in "\n".join(done.log)


# Pages


def paged(change: Callable[[list[Any], dict[str, list[str]]], list[Any]]) -> Lie:
    """Results whose rows are changed, given the parameters of the page."""

    def lie(said: Said) -> bytes:
        answer = json.loads(said.body)
        answer["data"] = change(answer["data"], parse_qs(said.request.query))
        return http(json.dumps(answer).encode(), said.status)

    return lie


def offset_of(parameters: dict[str, list[str]]) -> int:
    return int(parameters.get("offset", ["0"])[0])


def _repeating() -> Lie:
    """Whatever page is asked for, the first one of that result comes."""
    first: dict[str, Any] = {}

    def lie(said: Said) -> bytes:
        answer = json.loads(said.body)
        schedule_id = parse_qs(said.request.query)["schedule_id"][0]
        answer["data"] = first.setdefault(schedule_id, answer["data"])
        return http(json.dumps(answer).encode(), said.status)

    return lie


LYING_PAGES: Final[dict[str, Callable[[], Lie]]] = {
    "the last row is missing": lambda: paged(
        lambda rows, page: rows[:-2] if offset_of(page) == 0 else rows
    ),
    "the first page comes again and again": _repeating,
    "a page is left out": lambda: paged(lambda rows, page: [] if offset_of(page) == 2 else rows),
    "a row comes twice": lambda: paged(
        lambda rows, page: [rows[0], *rows] if rows and offset_of(page) == 2 else rows
    ),
    "a row beyond the total": lambda: paged(
        lambda rows, page: [*rows, ["2024-06-09", "x", 1]] if offset_of(page) == 4 else rows
    ),
}


@pytest.mark.parametrize("total", [None, 1_000_000])
def test_pages_of_a_row_each_that_never_end_are_given_up(
    liar: Liar, monkeypatch: pytest.MonkeyPatch, total: int | None
) -> None:
    """Each names another next one; the status tells how many rows there are, or far too many."""
    monkeypatch.setattr(page_requests, "MAX_SHORT_PAGES", 20)
    asked: set[int] = set()

    def one_more(said: Said) -> bytes:
        answer, number = json.loads(said.body), len(asked)
        asked.add(number)
        schedule_id = parse_qs(said.request.query)["schedule_id"][0]
        answer["data"] = [["2024-06-09", f"row {number}", 1]]
        answer["meta"]["paginate"] = {
            "next": f"{liar.url}/query/results?schedule_id={schedule_id}&page={number}"
        }
        return http(json.dumps(answer).encode(), said.status)

    def many(answer: Any) -> None:  # noqa: ANN401 - any JSON
        for each in filter(None, (entry["result_info"] for entry in answer["data"])):
            each["total_rows"] = total

    liar.tell(RESULTS, one_more)
    if total:
        liar.tell(STATUS, changed(many))
    done = attempt(settings_for(liar.emulator, ADS, api_url=liar.url))

    assert done.code == 3
    assert "RESULT_INCOMPLETE" in "\n".join(done.log)
    assert len(asked) < 40 * 6 * 2


@pytest.mark.parametrize("kind", LYING_PAGES)
def test_pages_that_repeat_or_skip_never_pass_for_whole(kind: str, liar: Liar) -> None:
    liar.tell(lies.RESULTS, LYING_PAGES[kind]())
    done = survive(liar, page_size=2)

    assert done.code == 3
    assert "RESULT_INCOMPLETE" in "\n".join(done.log)
    assert not done.days("google_ads")


@pytest.mark.parametrize("total_too", [False, True])
def test_a_row_that_is_lost_between_two_pages_once_is_read(
    liar: Liar,
    total_too: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """There is one result only, of which no other tells whether a header is counted."""
    pages_before: list[int] = []

    def lie(said: Said) -> bytes:
        answer = json.loads(said.body)
        pages_before.append(len(answer["data"]))
        if len(pages_before) == 2:
            del answer["data"][0]
            answer["meta"]["result"]["total_rows"] -= total_too
        if len(pages_before) == 3 and not total_too:
            answer["data"] = []
        return http(json.dumps(answer).encode(), said.status)

    one = {**ADS, "ds_accounts": [ACCOUNTS[0]], "split_dates_policy": "none"}
    liar.tell(RESULTS, lie)
    done = attempt(settings_for(liar.emulator, one, api_url=liar.url, page_size=10))

    assert (done.code, len(liar.emulator.queries)) == (0, 1), "\n".join(done.log)
    assert pages_before[:2] == [10, 8]
    keeps_its_promise(done, liar.emulator, one)


def test_pages_that_are_shorter_than_asked_for_are_followed_by_others(liar: Liar) -> None:
    """As where the API gives fewer rows at a time than `page_size`, without a word."""
    liar.tell(lies.RESULTS, paged(lambda rows, _: rows[:2]))
    done = survive(liar)

    assert done.code == 0
    assert posts(liar.emulator) == 1


# Time


@pytest.mark.parametrize("hours", [-5, 5, 24 * 365])
def test_a_clock_that_jumps_changes_nothing(
    hours: int, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wall clock jumps; only the days that a run asks for are decided by it, at its start."""
    jumped = itertools.chain([0], itertools.repeat(hours))
    now = run_module.utc_now
    monkeypatch.setattr(run_module, "utc_now", lambda: now() + timedelta(hours=next(jumped)))
    done = survive(liar)
    assert done.code == 0


def test_progress_that_goes_back_neither_spins_nor_doubles(liar: Liar) -> None:
    seen = itertools.count()

    def back(answer: Any) -> None:  # noqa: ANN401 - any JSON
        if next(seen) % 2 and answer["meta"]["status_code"] != "STOPPED":
            answer["meta"]["progress"] = {"queued": 99, "running": 0, "success": 0, "failure": 0}
            for entry in answer["data"]:
                entry |= {"status_code": "QUEUED", "result_info": None}

    liar.tell(lies.STATUS, changed(back))
    done = survive(liar)
    assert done.code == 0
    assert len(liar.emulator.queries) == len(everything(ADS)) + len(everything(FACEBOOK))


def test_a_status_that_never_changes_is_polled_at_the_pace_of_the_policy(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "SHORTEST_WAIT_S", 0.1)
    monkeypatch.setattr(polling, "LONGEST_WAIT_S", 0.2)
    monkeypatch.setattr(running, "QUEUE_S", 2.0)

    def waits(answer: Any) -> None:  # noqa: ANN401 - any JSON
        answer["meta"] |= {"status_code": "QUEUED", "progress": {"queued": 9}}
        answer["data"] = []

    liar.tell(lies.STATUS, changed(waits))
    done = survive(liar)

    assert done.code == 3
    assert "BATCH_STUCK" in "\n".join(done.log)
    assert liar.count(lies.STATUS) < 30


def test_a_batch_that_queues_is_not_given_up_where_the_status_counts_nothing(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "GRACE_S", -5 * 60 + 0.5)
    liar.emulator.change_options(batch_start_seconds=240.0)
    liar.tell(lies.STATUS, at("meta.progress", ...))
    try:
        done = survive(liar, timeout_minutes=5)
    finally:
        liar.emulator.change_options(batch_start_seconds=options().batch_start_seconds)

    assert done.code == 0


def test_a_start_whose_answer_tells_no_id_is_found_where_the_history_may_be_read(
    liar: Liar,
) -> None:
    liar.tell(lies.START, changed(lambda answer: answer | {"data": [answer["data"]]}))
    done = attempt(settings_for(liar.emulator, ADS, FACEBOOK, api_url=liar.url))

    assert (done.code, posts(liar.emulator)) == (0, 1)
    keeps_its_promise(done, liar.emulator, ADS, FACEBOOK)


@pytest.mark.parametrize("written", ["the key", "\x1b[2Kqrb_1", "qrb_1\nall is well", "q" * 9_999])
def test_an_id_that_cannot_be_shown_is_none(liar: Liar, written: str) -> None:
    batch_id = written.replace("the key", liar.emulator.api_key)
    liar.tell(lies.START, at("data.batch_id", batch_id))
    done = attempt(settings_for(liar.emulator, ADS, api_url=liar.url, mode="batch"))

    said = json.dumps([done.log, done.message, done.bookmarks])
    assert batch_id not in said
    assert done.code == 0 or "START_UNREADABLE" in said


@pytest.mark.parametrize(("mode", "code"), [("batch", 4), ("auto", 0)])
def test_a_start_whose_answer_tells_no_id_is_paid_for_once(
    mode: str, code: int, liar: Liar
) -> None:
    liar.emulator.inject(
        Fault(effect="error", path="history", times=None, status=404, code="NOT_FOUND")
    )
    liar.tell(lies.START, changed(lambda answer: answer | {"data": [answer["data"]]}))
    config = settings_for(liar.emulator, ADS, FACEBOOK, mode=mode, api_url=liar.url)
    done = attempt(config)

    assert done.code == code
    assert posts(liar.emulator) == 1
    assert "START_UNREADABLE" in "\n".join([*done.log, done.message])
    keeps_its_promise(done, liar.emulator, ADS, FACEBOOK)


@pytest.mark.parametrize(("mode", "code", "times"), [("batch", 3, 1), ("auto", 0, 2)])
def test_a_status_that_fits_no_query_is_paid_for_once(
    mode: str, code: int, times: int, liar: Liar
) -> None:
    def unsplit(answer: Any) -> None:  # noqa: ANN401 - any JSON
        for entry in answer["data"]:
            days = dict.fromkeys(("start_date", "end_date"), "1999-01-01")
            entry["split_info"] = {"ds_accounts": ["nobody"], **days}

    liar.tell(lies.STATUS, changed(unsplit))
    config = settings_for(liar.emulator, ADS, FACEBOOK, mode=mode, api_url=liar.url)
    done = attempt(config)

    assert done.code == code
    assert "STATUS_UNREADABLE" in "\n".join(done.log)
    assert len(liar.emulator.queries) == times * len(everything(ADS) | everything(FACEBOOK))
    keeps_its_promise(done, liar.emulator, ADS, FACEBOOK)


@pytest.mark.parametrize("accounts", [ADS["ds_accounts"], ADS["ds_accounts"][:1]])
def test_what_a_status_lists_of_another_batch_is_left_out_and_told(
    accounts: list[str], liar: Liar
) -> None:
    """A proxy may give the status of yesterday's batch, whose results are held still."""
    report = {**ADS, "ds_accounts": accounts}
    one_day = {"start_date": "2024-06-09"} if len(accounts) == 1 else {}
    config = settings_for(liar.emulator, report, mode="batch", api_url=liar.url, **one_day)
    assert attempt(config).code == 0
    paid = len(liar.emulator.queries)
    (old,) = liar.emulator.batches

    def of_before(answer: Any) -> Any:  # noqa: ANN401 - any JSON
        new = liar.emulator.batches[-1].batch_id
        return json.loads(json.dumps(answer).replace(new, old.batch_id))

    liar.tell(lies.STATUS, changed(of_before))
    done = attempt(config)

    assert (done.code, done.written, done.days("google_ads")) == (3, 0, set())
    assert len(liar.emulator.queries) == 2 * paid
    (told,) = [line for line in done.log if "of another batch, such as" in line]
    assert f"of another batch, such as {old.batch_id}: left out" in told
    assert "STATUS_UNREADABLE" in "\n".join(done.log)


# The decoder, by Hypothesis


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["meta", "data", "error", "code", "message", "status", "paginate", "next", "total"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES: Final = (
    wire.Batch,
    list[wire.BatchQuery],
    list[fields.FieldInfo],
    list[listings.LoginAccounts],
    list[list[object]],
)


def decoded(body: bytes, status: int, to: Any) -> None:  # noqa: ANN401 - any type
    """Decode as the client does; only what it makes an ApiError of may come out."""
    with contextlib.suppress(DamagedAnswer, RefusedAnswer):
        read_answer(bytearray(body), to, is_error=status >= 400)


@given(JSON, st.sampled_from([200, 202, 404, 429, 500]), st.sampled_from(TYPES))
def test_any_json_is_an_answer_or_an_error(value: Any, status: int, to: Any) -> None:  # noqa: ANN401
    decoded(json.dumps(value).encode(), status, to)


@given(st.binary(max_size=200), st.sampled_from([200, 500]), st.sampled_from(TYPES))
def test_any_bytes_are_an_answer_or_an_error(body: bytes, status: int, to: Any) -> None:  # noqa: ANN401
    decoded(body, status, to)


@given(
    st.dictionaries(
        st.sampled_from(["request_id", "status_code", "progress", "query", "result", "paginate"]),
        JSON,
    ),
    JSON,
    st.sampled_from(TYPES),
)
def test_any_meta_is_an_answer_or_an_error(meta: Any, data: Any, to: Any) -> None:  # noqa: ANN401
    decoded(json.dumps({"meta": meta, "data": data}).encode(), 200, to)


CELL = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
DATA_TYPES: Final = (
    "string.time.date",
    "string.time.datetime",
    "string.time.hms",
    "string.text.value",
    "int.number.value",
    "float.number.value",
    "bool.value",
)


@given(
    st.lists(st.lists(CELL, max_size=4), max_size=3),
    st.lists(st.sampled_from(DATA_TYPES), min_size=3, max_size=3),
    st.lists(st.none() | st.integers(-3, 4), min_size=3, max_size=3),
    st.booleans(),
)
def test_any_row_becomes_a_record_that_json_can_carry_or_an_error(
    rows: list[list[Any]],
    data_types: list[str],
    places: list[int | None],
    nulls: bool,  # noqa: FBT001 - drawn
) -> None:
    asked = report()
    infos = [
        fields.FieldInfo(field_id=name, field_type="dim", data_type=data_type)
        for name, data_type in zip(asked.fields, data_types, strict=True)
    ]
    echo = [
        fields.FieldEcho(id=name, field_id=name, data_column=place)
        for name, place in zip(asked.fields, places, strict=True)
    ]
    metadata = {
        "_sm_account_id": "1",
        "_sm_date": None,
        "_sm_fetched_at": "2024-01-01T00:00:00Z",
        "_sm_schedule_id": "s",
    }
    mismatches = Mismatches(are_refused=not nulls)
    with contextlib.suppress(ApiError):
        schema = record_schema(asked, infos)
        reader = RecordReader(schema, echo, metadata, mismatches)
        for record in reader.records(rows):
            assert set(record) == set(schema.json_schema["properties"])
            assert json.loads(msgspec.json.encode(record)) == record
