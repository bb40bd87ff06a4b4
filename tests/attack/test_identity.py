"""What an answer says of itself is held against the question, and a belief against what follows."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import pytest

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.wire import Meta, QueryEcho
from tap_supermetrics.dates import DateRange
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.extraction.deviations import deviations_of
from tap_supermetrics.extraction.engine import Engine
from tap_supermetrics.extraction.questions import Question
from tap_supermetrics.extraction.results import Failed, Result, Suspect
from tap_supermetrics.model import Query
from tap_supermetrics.model.echoed_accounts import KnownAccounts
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    FIRST,
    attempt,
    everything,
    keeps_its_promise,
    options,
    settings_for,
)
from tests.core.reports import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.extraction.results import Note, Outcome

NIGHT: Final = datetime(2024, 3, 1, 4, tzinfo=timezone.utc)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


def lie(monkeypatch: pytest.MonkeyPatch, **says: Any) -> None:  # noqa: ANN401 - of each attribute's type
    """Have every page of a result say something else of itself; `query` changes what is there."""
    results = Client.results

    def lying(client: Client, address: str, page: dict[str, int] | None) -> Any:  # noqa: ANN401 - as it is
        answer = results(client, address, page)
        meta: Meta = msgspec.structs.replace(answer.meta)
        for name, value in says.items():
            if name == "query":
                value = msgspec.structs.replace(meta.query or QueryEcho(), **value)  # noqa: PLW2901 - what is sent
            setattr(meta, name, value)
        return replace(answer, meta=meta)

    monkeypatch.setattr(Client, "results", lying)


@pytest.mark.parametrize(
    "says",
    [
        {"schedule_id": "qrb_0a1b2c3d4e5f_query_9_acc_1"},
        {"query": {"ds_accounts": ["55555"]}},
        {"query": {"ds_accounts": "act_55555"}},
        {"query": {"start_date": "2020-01-01"}},
    ],
)
def test_the_result_of_another_query_is_submitted_once_more_and_then_failed(
    says: dict[str, Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie(monkeypatch, **says)
    done = attempt(settings_for(emulator, ADS))

    assert done.code == 3
    assert "RESULT_MISMATCH" in "\n".join(done.log)
    assert done.days("google_ads") == set()
    assert len(emulator.queries) == 2 * len(everything(ADS))


@pytest.mark.parametrize(
    "says",
    [
        {"schedule_id": "5f" * 32},
        {"schedule_id": None},
        {"query": {"ds_accounts": None}},
    ],
)
def test_what_says_nothing_of_the_question_is_no_reason_to_refuse(
    says: dict[str, Any], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API makes ids of 64 hex digits itself (observed)."""
    lie(monkeypatch, **says)
    done = attempt(settings_for(emulator, ADS))

    assert done.code == 0
    keeps_its_promise(done, emulator, ADS)


def test_an_account_may_be_named_with_or_without_its_prefix(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {**ADS, "ds_accounts": [ACCOUNTS[0]]}
    lie(monkeypatch, query={"ds_accounts": [f"act_{ACCOUNTS[0]}"]})
    done = attempt(settings_for(emulator, one))

    assert done.code == 0
    assert done.days("google_ads")


@pytest.mark.parametrize(
    ("asked", "told", "is_one"),
    [
        ("act_123", "123", True),
        ("123", "ACT-123", True),
        ("customers/123", "123", True),
        ("abc123", "abc-123 (Shop)", True),
        ("abc123", "xyz123", False),
        ("act_123", "ig_123", False),
        ("abc123", "abc124", False),
    ],
)
def test_what_stands_before_a_number_tells_accounts_apart(
    asked: str, told: str, *, is_one: bool
) -> None:
    question = Question(
        query=Query(report="ads", accounts=(asked,), dates=None),
        report=report(),
        schedule_id="tap_1",
    )
    echo = QueryEcho(ds_accounts=[told])
    with nullcontext() if is_one else pytest.raises(ApiError, match="RESULT_MISMATCH"):
        question.check(Meta(query=echo))
    with nullcontext() if is_one else pytest.raises(ApiError, match="ACCOUNT_LEFT_OUT"):
        question.check_excluded(echo)


def asking(dates: DateRange | None = None, *accounts: str, **own: object) -> Question:
    """A question of a report in Helsinki, two hours before UTC in winter."""
    return Question(
        query=Query(report="ads", accounts=accounts or ("123",), dates=dates),
        report=report(timezone="Europe/Helsinki", **own),
        schedule_id="tap_1",
    )


MARCH_1: Final = DateRange(first=date(2024, 3, 1), last=date(2024, 3, 1))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-03-01", "2024-03-01"),
        (1709251200, 1709251200),
        ("1709251200", "@1709337599"),
        ("@1709251200", "@1709251200"),
        (1709251200000, 1709337599999),
        # Midnight in Helsinki.
        ("@1709244000", "@1709330399"),
        ("2024-02-29T22:00:00+00:00", "2024-03-01T21:59:59+00:00"),
        ("2024-02-29 22:00:00Z", "2024-02-29 22:00:00Z"),
        ("2024-03-01T00:00:00+02:00", "2024-03-01T23:59:59.999+02:00"),
        ("2024-03-01T00:00:00-0500", "2024-03-01T23:59:59-0500"),
        # Midnight in UTC, told in another zone.
        ("2024-02-29T19:00:00-05:00", "2024-03-01T18:59:59-05:00"),
        # Some moment of the day.
        ("2024-03-01T10:20:30+00:00", "2024-03-01T10:20:30+00:00"),
        ("2024-03-01 10:20", "2024-03-01"),
    ],
)
def test_days_are_read_in_whatever_form_an_answer_tells_them(
    start: str | int, end: str | int
) -> None:
    echo = QueryEcho(start_date=start, end_date=end)
    assert asking(MARCH_1).answered_dates(echo) == MARCH_1
    told = asking(date_range_type="yesterday", start_date=None).echoed_dates(echo)
    assert told == MARCH_1


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("@1709164800", "@1709164800"),
        ("2024-02-28T22:00:00+00:00", "2024-02-29T21:59:59+00:00"),
        (17092512, 17092512),
    ],
)
def test_other_days_in_whatever_form_are_refused(start: str | int, end: str | int) -> None:
    with pytest.raises(ApiError, match="RESULT_MISMATCH"):
        asking(MARCH_1).answered_dates(QueryEcho(start_date=start, end_date=end))


@pytest.mark.parametrize(
    ("told", "is_right"),
    [
        (("2024-02-23", "2024-02-29"), True),
        (("2024-02-22", "2024-02-28"), True),
        (("2024-02-23", "2024-02-28"), True),
        (("2024-01-01", "2024-01-07"), False),
        (("2024-02-29", "2024-02-29"), False),
        ((None, None), True),
    ],
)
def test_a_range_of_the_api_that_was_answered_for_other_days_is_told(
    told: tuple[str | None, str | None], *, is_right: bool
) -> None:
    question = asking(date_range_type="last_7_days", start_date=None)
    echo = QueryEcho(start_date=told[0], end_date=told[1])
    found = [*deviations_of(question, echo, now=NIGHT, has_rows=True)]
    text = f"`date_range_type` last_7_days was {told[0]}..{told[1]}, not 2024-02-23..2024-02-29"
    assert len(found) == (not is_right)
    assert is_right or found[0] == text.replace("2024-02-29..2024-02-29,", "2024-02-29,")


@pytest.mark.parametrize(
    ("accounts", "told", "has_rows", "is_told"),
    [
        (("123",), [], False, True),
        (("123", "456"), [], False, True),
        (("123",), [], True, False),
        (("123",), None, False, False),
        (("123",), ["123"], False, False),
        (("list.all_accounts",), [], False, False),
    ],
)
def test_an_answer_about_no_account_is_told(
    accounts: tuple[str, ...], told: list[str] | None, *, has_rows: bool, is_told: bool
) -> None:
    echo = QueryEcho(ds_accounts=told)
    found = deviations_of(asking(None, *accounts), echo, now=NIGHT, has_rows=has_rows)
    assert ["about no account" in each for each in found] == [True] * is_told


SITES: Final = ("https://www.example.com/", "sc-domain:example.org", "https://example.net/en/")


@pytest.mark.parametrize(
    ("asked", "told", "others", "is_one"),
    [
        ("0012345678", "12345678", (), True),
        ("12345678", "0012345678", ("22345678",), True),
        ("0012345678", "12345678", ("12345678",), False),
        ("0012345678", "act_12345678", (), True),
        ("act_0012345678", "ig_12345678", (), False),
        ("https://www.example.com/", "www.example.com", SITES, True),
        ("https://www.example.com/", "example.com", SITES, False),
        ("sc-domain:example.org", "example.org", SITES, True),
        ("sc-domain:example.org", "example.org", ("https://example.org/",), False),
        ("sc-domain:example.org", "https://example.org/", (), False),
        ("example.org", "https://example.org/", SITES, True),
        ("https://example.net/en/", "example.net/en", SITES, True),
        ("https://example.net/en/", "example.net", SITES, False),
        ("my-shop", "my-shop.myshopify.com", ("my-shop-2",), True),
        ("my-shop", "my-shop-2.myshopify.com", ("my-shop-2",), False),
        ("my-shop", "https://my-shop.myshopify.com/", (), True),
        ("my-shop.myshopify.com", "My-Shop", (), True),
        ("my-shop.myshopify.com", "my-shop.example.com", (), False),
        ("my-shop", "my-shop.com", (), False),
        ("123456", "Shop  EU", ("777777",), True),
        ("123456", "shop eu (active)", (), True),
        ("123456", "Twins", (), False),
        ("123456", "Shop US", (), False),
        ("123456", "777777", (), False),
        ("123456", "Nobody", (), False),
    ],
)
def test_an_account_that_is_told_in_other_words_is_understood_where_no_other_fits(
    asked: str, told: str, others: tuple[str, ...], *, is_one: bool
) -> None:
    names = {"123456": "Shop EU", "777777": "Shop US", "1": "Twins", "2": "Twins"}
    known = KnownAccounts((asked, *others), names)
    question = replace(asking(None, asked), known=known)
    echo = QueryEcho(ds_accounts=[told])
    with nullcontext() if is_one else pytest.raises(ApiError, match="RESULT_MISMATCH") as raised:
        question.check(Meta(query=echo))
        question.check_excluded(echo)
    if raised:
        assert "What to do: in `ds_accounts`, use the spelling that" in str(raised.value)


def test_of_several_accounts_none_is_told_in_other_words() -> None:
    """Nobody would know which of them was left out."""
    question = replace(asking(None, "0012", "0034"), known=KnownAccounts(("0012", "0034")))
    with pytest.raises(ApiError, match="RESULT_MISMATCH"):
        question.check(Meta(query=QueryEcho(ds_accounts=["12", "34"])))


@pytest.mark.parametrize("is_emitted", [False, True])
def test_a_result_that_is_doubted_is_read_again_and_logged_once(
    is_emitted: bool,  # noqa: FBT001 - a parameter of the test
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The note comes first in the queue, while the result waits for its turn; or after it."""
    deliveries = Engine.deliveries

    def doubting(engine: Engine, report: str) -> Iterator[Outcome | Note]:
        for delivery in deliveries(engine, report):
            query = delivery.query if isinstance(delivery, Result) else None
            if not query or query.day != FIRST or query.accounts != (ACCOUNTS[0],):
                yield delivery
                continue
            result = replace(cast("Result", delivery), missing=1)
            suspect = Suspect(query=query)
            yield from (result, suspect) if is_emitted else (suspect, result)

    monkeypatch.setattr(Engine, "deliveries", doubting)
    done = attempt(settings_for(emulator, ADS))
    monkeypatch.undo()

    assert done.code == 3
    partitions = done.bookmarks["google_ads"]["partitions"]
    (stale,) = [each["stale"] for each in partitions if "stale" in each]
    assert stale == [[str(FIRST), str(FIRST)]]
    (failed,) = [each for each in done.queries.values() if each["status"] == "failed"]
    assert (failed["first_day"], failed["error_code"]) == (str(FIRST), "RESULT_INCOMPLETE")
    assert failed["tries"] == (None if is_emitted else 1)
    assert bool(failed["batch_id"]) != is_emitted
    assert len(done.queries) == len(everything(ADS))
    assert sum(", 1 failed" in line for line in done.summary) == 1
    days = len(everything(ADS)) // len(ADS["ds_accounts"])
    assert any(f"{days - 1} days done" in line for line in done.summary)
    before = len(emulator.queries)
    again = attempt(settings_for(emulator, ADS, lookback_days=0), done.bookmarks)
    assert again.code == 0
    assert len(emulator.queries) == before + 1


def test_every_outcome_is_posted_back_once_it_was_dealt_with(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else failures would count as waiting for ever, and hold the run back."""
    told: list[object] = []
    emitted = Engine.emitted

    def noting(engine: Engine, outcome: Result | Failed, became: Result | Failed) -> None:
        told.append(outcome.query)
        emitted(engine, outcome, became)

    monkeypatch.setattr(Engine, "emitted", noting)
    emulator.inject(
        Fault(effect="fail_query", account=ACCOUNTS[0], code="BAD_REQUEST", status=400, times=None)
    )
    done = attempt(settings_for(emulator, ADS))

    keeps_its_promise(done, emulator, ADS)
    assert len(told) == len({*told}) == len(everything(ADS))
