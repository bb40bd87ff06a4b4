"""Results that are swapped, shifted, shortened, doubled or relabelled never pass for right ones.

A thousand of them are tried by `./dev attack`; each is known by its seed.
"""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator
from tests.attack.driver import (
    ADS,
    WHOLE,
    attempt,
    everything,
    keeps_its_promise,
    options,
    settings_for,
)
from tests.attack.liar import RESULTS, Liar, Said, always, at, changed, head, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.attack.liar import Lie

COUNT = 1_000 if WHOLE else 60
DAYS = len(everything(ADS))
Answer = dict[str, Any]


def swapped(draw: random.Random, answer: Answer, others: list[Answer]) -> Answer:
    """The answer to another question."""
    own = answer["meta"].get("schedule_id")
    found = [each for each in others if each["meta"].get("schedule_id") != own]
    return draw.choice(found) if found else answer


def shifted(draw: random.Random, answer: Answer, _: list[Answer]) -> Answer:
    """A row too early or too late: one is there twice, or one is missing."""
    rows = answer["data"]
    if len(rows) > 1:
        answer["data"] = [rows[0], *rows[:-1]] if draw.random() < 0.5 else [*rows[1:], rows[-1]]
    return answer


def shortened(draw: random.Random, answer: Answer, _: list[Answer]) -> Answer:
    """Rows are missing at the end; the total is as it was."""
    rows = answer["data"]
    if len(rows) > 2:
        answer["data"] = rows[: draw.randrange(len(rows) - 1)]
    return answer


def doubled(draw: random.Random, answer: Answer, _: list[Answer]) -> Answer:
    """A row, or all of them, once more; the total may tell of it."""
    rows = answer["data"]
    answer["data"] = [*rows, *(rows if draw.random() < 0.5 else rows[-1:])]
    if draw.random() < 0.5 and "result" in answer["meta"]:
        answer["meta"]["result"]["total_rows"] = len(answer["data"])
    return answer


def redated(draw: random.Random, answer: Answer, _: list[Answer]) -> Answer:
    """A row of another day."""
    rows = answer["data"]
    if rows:
        row = draw.choice(rows)
        row[0] = draw.choice(["2024-01-01", "2024-06-07", "2024-06-08", "2024-06-09", "2025-01-01"])
    return answer


def relabelled(draw: random.Random, answer: Answer, _: list[Answer]) -> Answer:
    """Something else in `meta.query`, or the id of another query."""
    query = answer["meta"].get("query") or {}
    name = draw.choice(["start_date", "end_date", "ds_accounts", "schedule_id"])
    if name == "schedule_id":
        answer["meta"][name] = f"qrb_{draw.getrandbits(40):x}_query_1_acc_1_day_1"
    elif name == "ds_accounts":
        query[name] = draw.choice([["1"], ["4713896205", "1"], "55555"])
    else:
        query[name] = draw.choice(["2020-02-02", "2024-06-01", "2030-01-01"])
    answer["meta"]["query"] = query
    return answer


DAMAGES: list[Callable[[random.Random, Answer, list[Answer]], Answer]] = [
    swapped,
    shifted,
    shortened,
    doubled,
    redated,
    relabelled,
]


class Damage:
    """Damages answers about results: one of them, or each."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - reproducible, guards nothing
        self.seen: list[Answer] = []
        self.change = self.draw.choice(DAMAGES)
        self.place = self.draw.randrange(DAYS)
        self.stays = self.draw.random() < 0.5

    def __call__(self, said: Said) -> bytes:
        answer = json.loads(said.body)
        others, number = [*self.seen], len(self.seen)
        self.seen.append(json.loads(said.body))
        if said.status == 200 and (self.stays or number == self.place):
            answer = self.change(self.draw, answer, others)
        return http(json.dumps(answer).encode(), said.status)


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options()) as emulator, Liar(emulator) as liar:
        yield liar


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_damaged_result_is_never_loaded_as_a_right_one(shared: Liar, seed: int) -> None:
    shared.emulator.reset()
    shared.forget()
    damage = Damage(seed)
    shared.tell(RESULTS, damage)
    config = settings_for(shared.emulator, ADS, api_url=shared.url)
    done = attempt(config)

    keeps_its_promise(done, shared.emulator, ADS)
    most = 2 * DAYS if damage.stays else DAYS + 1
    assert len(shared.emulator.queries) <= most, damage.change.__name__


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"<html>busy</html>", gzip.compress(b"{}", mtime=0), b'{"meta": {}, "data": 1}'],
)
def test_damage_that_stays_is_paid_once(shared: Liar, body: bytes) -> None:
    shared.emulator.reset()
    shared.forget()
    shared.tell(RESULTS, always(http(body)))
    done = attempt(settings_for(shared.emulator, ADS, api_url=shared.url))

    assert done.code == 3
    assert not done.days("google_ads")
    assert len(shared.emulator.queries) == DAYS


@pytest.mark.parametrize(
    "answer",
    [
        head(200, content_length="99") + b"{}",
        http(b"", 600),
        http(b'{"error": {"code": "SOMETHING_NEW", "message": "no"}}', 500),
        http(b"busy", 503),
        b"",
    ],
)
@pytest.mark.parametrize("mode", ["batch", "async"])
def test_what_a_request_for_results_meets_is_paid_once(
    shared: Liar, answer: bytes, mode: str
) -> None:
    """The query was run, whatever its results are refused for."""
    shared.emulator.reset()
    shared.forget()
    shared.tell(RESULTS, always(answer))
    config = settings_for(shared.emulator, ADS, api_url=shared.url, mode=mode)
    done = attempt(config)
    assert (done.code, len(shared.emulator.queries)) == (3, DAYS)

    shared.forget()
    again = attempt(config, done.bookmarks)
    keeps_its_promise(again, shared.emulator, ADS)
    assert again.code == 0
    assert len(shared.emulator.queries) <= 2 * DAYS


def test_a_number_that_nothing_holds_spoils_its_own_cell_only(shared: Liar) -> None:
    shared.emulator.reset()
    shared.forget()

    def spoil(said: Said) -> bytes:
        answer = json.loads(said.body)
        answer["data"][0][2] = "(spoilt)"
        return http(json.dumps(answer).replace('"(spoilt)"', "1e999").encode(), said.status)

    shared.tell(RESULTS, spoil)
    report = {**ADS, "on_type_mismatch": "null"}
    done = attempt(settings_for(shared.emulator, report, api_url=shared.url))

    assert (done.code, len(shared.emulator.queries)) == (0, DAYS)
    assert [row["Cost"] for row in done.rows["google_ads"].values()].count(None) == DAYS


@pytest.mark.parametrize(
    "moment", ["2024-06-09T22:00:00Z", "2024-06-09 22:00:00", "2024-06-10T01:00+03:00", 1717970400]
)
def test_a_day_is_not_over_in_whatever_form_its_cache_says_so(shared: Liar, moment: object) -> None:
    shared.emulator.reset()
    shared.forget()
    shared.tell(
        RESULTS,
        changed(lambda answer: answer["meta"]["result"].update(cache_used=True, cache_time=moment)),
    )
    config = settings_for(shared.emulator, ADS, api_url=shared.url)
    done = attempt(config)
    shared.forget()
    again = attempt(config, done.bookmarks)

    assert (done.code, again.code) == (0, 0)
    accounts = len(ADS["ds_accounts"])
    assert len(shared.emulator.queries) == DAYS + accounts, "the last day of each account"


def by_id(answer: Answer) -> None:
    """Write the fields in another order than they were asked for, as an object by id."""
    fields = {each["id"]: each for each in reversed(answer["meta"]["query"]["fields"])}
    answer["meta"]["query"]["fields"] = fields


UNREADABLE: dict[str, Lie] = {
    "no meta": at("meta", None),
    "meta of PHP": at("meta", []),
    "a query": at("meta.query", "see above"),
    "a result": at("meta.result", "ok"),
    "results": changed(lambda answer: answer["meta"].update(result=[answer["meta"]["result"]])),
    "pages": at("meta.paginate", "none"),
    "a schedule id": at("meta.schedule_id", 42),
    "a request id": at("meta.request_id", ["r"]),
    "fields": at("meta.query.fields", "all"),
    "ids of fields": at("meta.query.fields", ADS["fields"]),
    "fields by id": changed(by_id),
    "the name of a field": at("meta.query.fields.0.field_name", {"en": "Day"}),
    "a day": at("meta.query.start_date", {"year": 2024}),
    "many": changed(lambda answer: answer["meta"].update(result=7, paginate=True, request_id={})),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_what_an_answer_says_of_itself_costs_no_day_where_nobody_can_read_it(
    shared: Liar, how: str
) -> None:
    shared.emulator.reset()
    shared.forget()
    shared.tell(RESULTS, UNREADABLE[how])
    done = attempt(settings_for(shared.emulator, ADS, api_url=shared.url))

    assert (done.code, len(shared.emulator.queries)) == (0, DAYS), "\n".join(done.log)
    keeps_its_promise(done, shared.emulator, ADS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start_date": {"date": "2020-01-01 00:00:00.000000"}}, "the result is for 2020-01-01"),
        ({"ds_accounts": ["55555"]}, "the result is of 55555"),
        ({"fields": {"0": "Date", "1": 5}}, "ANSWER_UNREADABLE"),
        ({"fields": [{"id": "Date", "data_column": "first"}]}, "ANSWER_UNREADABLE"),
    ],
)
def test_what_can_be_read_beside_what_cannot_is_held_against_the_question(
    shared: Liar, wrong: Answer, message: str
) -> None:
    shared.emulator.reset()
    shared.forget()

    def lie(answer: Answer) -> None:
        answer["meta"]["result"] = "ok"
        answer["meta"]["query"].update(wrong)

    shared.tell(RESULTS, changed(lie))
    done = attempt(settings_for(shared.emulator, ADS, api_url=shared.url))

    assert (done.code, done.written) == (3, 0)
    assert message in "\n".join(done.log)
    assert "page_size" not in "\n".join(done.log)


@pytest.mark.parametrize(
    ("fact", "said"),
    [("cache_time", {"at": 1}), ("cache_used", "no"), ("data_sampled", "?"), ("run_seconds", "-")],
)
def test_a_fact_that_nobody_can_read_costs_no_day(shared: Liar, fact: str, said: object) -> None:
    shared.emulator.reset()
    shared.forget()
    shared.tell(RESULTS, at(f"meta.result.{fact}", said))
    done = attempt(settings_for(shared.emulator, ADS, api_url=shared.url))

    assert (done.code, len(shared.emulator.queries)) == (0, DAYS)
    keeps_its_promise(done, shared.emulator, ADS)
