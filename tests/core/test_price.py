"""What gives nothing costs a bounded number of paid queries, whatever is said of why."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, timezone
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.breakers import Breakers
from tap_supermetrics.extraction.events import Emitted, QueryFailed
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.results import Result
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.plan import plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report
from tests.core.stories import FIRST_DAY, MAX_STEPS, Life, Seen, World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from tap_supermetrics.extraction.events import Event
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

CODES = [
    ("SOMETHING_NEW", 400),
    ("SOMETHING_NEW", 403),
    ("SOMETHING_NEW", 500),
    ("SOMETHING_NEW", 200),
    ("QUERY_ERROR", 500),
    ("INTERNAL_SERVER_ERROR", 500),
    ("QUERY_TIMEOUT", 504),
    ("RESULT_MISMATCH", 200),
    ("RESULT_INCOMPLETE", 200),
    ("STATUS_NOT_FOUND", 404),
]
DAY = timedelta(days=1)
IN_FLIGHT = 300
"""Two query batches run and one waits before the first failure is known."""


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@dataclass(kw_only=True)
class Broken(World):
    """An API that fails the queries of which `is_broken` says so."""

    is_broken: Callable[[Query], bool]
    code: tuple[str, int]
    fits: bool = True

    def answer(self, query: Query) -> ApiError | None:
        code, status = self.code
        is_broken = self.is_broken(query) and self.fits
        return ApiError(code, "no reason given", status=status) if is_broken else None


class UnfitLife(Life):
    """A life in which the results of what is broken fit no record."""

    def emit(self) -> Event:
        while self.outbox:
            self.take(self.outbox.pop(0))
        outcome = self.unemitted[0] if self.unemitted else None
        if isinstance(outcome, Result) and self.world.is_broken(outcome.query):  # type: ignore[attr-defined] # a Broken
            self.unemitted.pop(0)
            return Emitted(query=outcome.query, error=ApiError("TYPE_MISMATCH", "not a number"))
        return super().emit()


class UnfetchedLife(Life):
    """A life in which what is broken runs, but its results cannot be used."""

    def fetch(self) -> Event:
        code, status = self.world.code  # type: ignore[attr-defined] # a Broken
        for place, each in enumerate(self.fetches):
            if self.world.is_broken(each.of.query):  # type: ignore[attr-defined] # as above
                del self.fetches[place]
                error = ApiError(code, "no reason given", status=status)
                return QueryFailed(query=each.of.query, error=error, was_fetched=True)
        return super().fetch()


def plans_of(
    accounts: int, days: int, names: str, loaded: Collection[str] = ()
) -> dict[str, ReportPlan]:
    """Plans of reports; of accounts that were loaded before, only the newest day is new."""
    scope = Scope(
        accounts=tuple(str(each) for each in range(accounts)),
        wanted=DateRange(first=FIRST_DAY, last=FIRST_DAY + timedelta(days=days - 1)),
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(),
    )
    before = DateRange(first=FIRST_DAY, last=FIRST_DAY + timedelta(days=days - 2))
    coverage = dict.fromkeys(loaded, Coverage(covered=(before,), bookmark=before.last))
    return {
        name: plan_report(replace(report(lookback_days=3), name=name), scope, coverage)
        for name in names
    }


def paid(
    plans: dict[str, ReportPlan],
    is_broken: Callable[[Query], bool],
    code: tuple[str, int],
    *,
    by_batch: bool,
    life: type[Life] = Life,
) -> tuple[int, Seen]:
    """Return how many submissions of what is broken were paid for."""
    limits = Limits(
        by_batch=by_batch,
        one_by_one=not by_batch,
        max_running_batches=2,
        max_running_queries=4,
        max_rows=10**9,
        max_queries=10**9,
        requests_per_second=15.0,
    )
    rng = random.Random(1)  # noqa: S311 - no secret
    world = Broken(rng=rng, is_calm=False, is_broken=is_broken, code=code, fits=life is Life)
    seen = Seen()
    assert life(world, plans, limits, seen, []).run(MAX_STEPS)
    return sum(count for query, count in seen.submitted.items() if is_broken(query)), seen


BOTH = pytest.mark.parametrize("by_batch", [True, False])


@BOTH
@pytest.mark.parametrize("code", CODES)
def test_an_account_that_gives_nothing_has_a_price(code: tuple[str, int], by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    count, seen = paid(
        plans_of(3, 400, "a"), lambda q: q.account_id == "1", code, by_batch=by_batch
    )
    assert count <= 20 * 3 + 3 + (IN_FLIGHT if by_batch else 4)
    assert {query.account_id for query in seen.results} == {"0", "2"}
    assert len(seen.results) == 800


@BOTH
@pytest.mark.parametrize("code", CODES)
def test_a_report_that_gives_nothing_has_a_price(code: tuple[str, int], by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    count, seen = paid(plans_of(80, 15, "ab"), lambda q: q.report == "a", code, by_batch=by_batch)
    assert count <= 60 * 3 + 15 + (IN_FLIGHT if by_batch else 4)
    assert len(seen.results) == 80 * 15


@BOTH
def test_a_data_source_that_gives_nothing_has_a_price(by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    plans = plans_of(20, 15, "abcdefgh")
    count, seen = paid(plans, lambda _: True, ("SOMETHING_NEW", 500), by_batch=by_batch)
    assert count <= 120 * 3 + 4 * 15 + (IN_FLIGHT if by_batch else 4)
    assert not seen.results


@BOTH
def test_a_report_whose_results_fit_no_record_has_a_price(by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    count, _ = paid(
        plans_of(80, 15, "ab"),
        lambda q: q.report == "a",
        ("", 200),
        by_batch=by_batch,
        life=UnfitLife,
    )
    assert count <= 60 + (600 if by_batch else 300)


LAST_DAY = FIRST_DAY + timedelta(days=399)
PARTS: dict[str, tuple[int, int]] = {
    "all but the newest days": (0, 396),
    "all but the oldest days": (4, 399),
}
"""Days of an account that give nothing, from and to, of 400."""


@BOTH
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("part", PARTS)
def test_most_of_an_account_that_gives_nothing_has_a_price(
    part: str,
    code: tuple[str, int],
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A few answers of it are no reason to pay for all of its history in vain."""
    first, last = (FIRST_DAY + timedelta(days=each) for each in PARTS[part])

    def is_broken(query: Query) -> bool:
        day = query.dates.last if query.dates else LAST_DAY
        return query.account_id == "1" and first <= day <= last

    count, seen = paid(plans_of(3, 400, "a"), is_broken, code, by_batch=by_batch)
    assert count <= 5 * 23 + (IN_FLIGHT if by_batch else 4)
    assert len(seen.results) == 1200 - (PARTS[part][1] - PARTS[part][0] + 1)


@BOTH
@pytest.mark.parametrize("length", [19, 40, 90])
def test_what_lies_after_a_hole_arrives(length: int, by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    def is_broken(query: Query) -> bool:
        first = FIRST_DAY + timedelta(days=100)
        return bool(query.dates and first <= query.dates.last < first + timedelta(days=length))

    code = ("SOMETHING_NEW", 400)
    _, seen = paid(plans_of(3, 400, "a"), is_broken, code, by_batch=by_batch)
    assert len(seen.results) == 3 * (400 - length)


@BOTH
def test_an_account_whose_results_fit_no_record_has_a_price(by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    """Those of all others fit."""
    count, _ = paid(
        plans_of(3, 400, "a"),
        lambda q: q.account_id == "1",
        ("", 200),
        by_batch=by_batch,
        life=UnfitLife,
    )
    assert count <= 60 + (IN_FLIGHT if by_batch else 4)


@settings(max_examples=25)
@given(st.sampled_from(CODES), st.booleans(), st.sets(st.integers(0, 39), max_size=36), st.data())
def test_what_is_not_broken_arrives_whatever_else_is(
    code: tuple[str, int],
    by_batch: bool,  # noqa: FBT001 - of hypothesis
    dead: set[int],
    data: Any,  # noqa: ANN401 - of hypothesis
) -> None:
    """Dead accounts, even most of a report's, do not hold back those that live."""
    spread = data.draw(st.booleans())
    broken = (
        {str(each) for each in dead}
        if spread
        else {str(each) for each in range(min(len(dead), 30))}
    )
    count, seen = paid(
        plans_of(40, 30, "a"), lambda q: q.account_id in broken, code, by_batch=by_batch
    )
    assert len(seen.results) == (40 - len(broken)) * 30
    assert count <= len(broken) * 63 + IN_FLIGHT


@settings(max_examples=20)
@given(
    st.sampled_from(CODES),
    st.booleans(),
    st.integers(2, 60),
    st.floats(0.0, 0.95),
    st.randoms(use_true_random=False),
)
def test_what_was_loaded_before_arrives_whatever_gives_nothing(
    code: tuple[str, int],
    by_batch: bool,  # noqa: FBT001 - of hypothesis
    size: int,
    share: float,
    rng: random.Random,
) -> None:
    """Dead accounts were never loaded: all of their history is asked for before the new day."""
    everyone = [str(each) for each in range(size)]
    dead = {*rng.sample(everyone, int(share * size))}
    good = {*everyone} - dead
    plans = plans_of(size, 20, "ab", good)
    _, seen = paid(plans, lambda q: q.account_id in dead, code, by_batch=by_batch)
    new = {(query.report, query.account_id) for query in seen.results if query.dates}
    assert new == {(name, each) for name in "ab" for each in good}
    # The lookback and the new day.
    assert len(seen.results) == len(good) * 2 * 4


@BOTH
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("good", ["c", "f"])
def test_reports_that_give_nothing_do_not_end_another_of_their_source(
    good: str,
    code: tuple[str, int],
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    plans = plans_of(30, 10, "abcdef")
    _, seen = paid(plans, lambda q: q.report != good, code, by_batch=by_batch)
    assert len(seen.results) == 30 * 10


@BOTH
@pytest.mark.parametrize("code", ["QUERY_ACCOUNT_UNAVAILABLE", "QUERY_ERROR"])
def test_hundreds_of_queries_that_are_spared_do_not_stop_a_run(code: str, by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    """The first one that is not is submitted, though nobody can be told of the others before."""
    good = {str(each) for each in range(0, 200, 10)}
    plans = plans_of(200, 5, "a")
    count, seen = paid(plans, lambda q: q.account_id not in good, (code, 403), by_batch=by_batch)
    assert len(seen.results) == len(good) * 5
    assert count <= 180 * 21 if code == "QUERY_ERROR" else 2 * 180


def test_an_answer_takes_up_what_was_given_up() -> None:
    plans = plans_of(50, 2, "a")
    error = ApiError("SOMETHING_NEW", "no reason given", status=500)
    breakers = Breakers(plans)
    *dead, probe, other = plans["a"].queries()
    for query in dead:
        breakers.paid_for_nothing(query, error)
        breakers.failed(query, error, was_paid=True)
    assert breakers.doubts.unprobed(probe)
    breakers.doubts.probing(probe)
    assert breakers.must_wait(other)
    breakers.failed(probe, error, was_paid=True)
    assert breakers.error_for(other)
    # It was on its way already.
    assert breakers.answered(dead[0])
    assert not breakers.error_for(other)


@BOTH
@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("code", CODES)
def test_old_days_that_a_source_never_gives_cost_a_few_queries_each_night(
    code: tuple[str, int],
    order: str,
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    """What it gives was loaded; each night, a day is new, and the lookback is read again."""
    scope = plans_of(10, 700, "a")["a"].scope
    there = DateRange(first=FIRST_DAY + 600 * DAY, last=FIRST_DAY + 698 * DAY)
    known = Coverage(covered=(there,), bookmark=there.last)
    asked = replace(report(lookback_days=3, backfill_order=order), name="a")
    plans = {"a": plan_report(asked, scope, dict.fromkeys(scope.accounts, known))}
    count, seen = paid(plans, lambda q: days_late(q) < 600, code, by_batch=by_batch)
    assert count <= 10 * 3 * 3  # Some codes are worth three tries.
    assert len(seen.results) == 10 * 4
    assert {days_late(query) for query in seen.failed} == {*range(600)}


@BOTH
@pytest.mark.parametrize("code", ["RESULT_MISMATCH", "RESULT_INCOMPLETE", "RESULT_CUT_OFF"])
def test_old_days_whose_results_cannot_be_used_cost_a_few_queries_too(
    code: str,
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The API runs them, which alone says nothing of the others."""
    scope = plans_of(10, 700, "a")["a"].scope
    there = DateRange(first=FIRST_DAY + 600 * DAY, last=FIRST_DAY + 698 * DAY)
    known = Coverage(covered=(there,), bookmark=there.last)
    plans = {
        "a": plan_report(
            replace(report(lookback_days=3), name="a"), scope, dict.fromkeys(scope.accounts, known)
        )
    }
    count, seen = paid(
        plans, lambda q: days_late(q) < 600, (code, 200), by_batch=by_batch, life=UnfetchedLife
    )
    assert count <= 10 * 3 * 3
    assert {days_late(query) for query in seen.failed} == {*range(600)}


def with_a_hole(last: int, *, accounts: int = 10, **changes: str) -> dict[str, ReportPlan]:
    """Plans of accounts that lack the days 100 to 299, and have all others but the last."""
    scope = plans_of(accounts, last + 1, "a")["a"].scope
    before = DateRange(first=FIRST_DAY, last=FIRST_DAY + 99 * DAY)
    after = DateRange(first=FIRST_DAY + 300 * DAY, last=FIRST_DAY + (last - 1) * DAY)
    known = dict.fromkeys(scope.accounts, Coverage(covered=(before, after), bookmark=before.last))
    asked = replace(report(lookback_days=3, **changes), name="a")
    return {"a": plan_report(asked, scope, known)}


@BOTH
@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("code", CODES)
def test_a_hole_that_a_source_never_fills_costs_a_few_queries_each_night(
    code: tuple[str, int],
    order: str,
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    plans = with_a_hole(400, backfill_order=order)
    count, seen = paid(plans, lambda q: 100 <= days_late(q) < 300, code, by_batch=by_batch)
    assert count <= 10 * 3 * 3  # Some codes are worth three tries.
    assert {days_late(each) for each in seen.results} == {397, 398, 399, 400}


def test_good_days_of_a_hole_are_found_some_night() -> None:
    """Neither its first nor its last day is one of them."""
    found = 0
    for night in range(400, 430):
        plans = with_a_hole(night, accounts=1)
        _, seen = paid(
            plans,
            lambda q: 100 <= days_late(q) < 150 or 170 <= days_late(q) < 300,
            ("QUERY_ERROR", 500),
            by_batch=True,
        )
        days = {days_late(each) for each in seen.results}
        found += days >= {*range(150, 170)}
    assert found


@BOTH
@pytest.mark.parametrize("was_loaded", [False, True])
@pytest.mark.parametrize("code", CODES)
def test_an_account_that_gave_nothing_costs_a_few_queries_each_night(
    code: tuple[str, int],
    was_loaded: bool,  # noqa: FBT001 - a parameter
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    scope = plans_of(10, 700, "a")["a"].scope
    there = (DateRange(first=FIRST_DAY, last=FIRST_DAY + 300 * DAY),) if was_loaded else ()
    dead = Coverage(
        covered=there, tried_at=datetime.combine(FIRST_DAY + 699 * DAY, time(4), timezone.utc)
    )
    there = (DateRange(first=FIRST_DAY, last=FIRST_DAY + 698 * DAY),)
    alive = Coverage(covered=there, bookmark=there[0].last)
    known = {each: dead if int(each) < 3 else alive for each in scope.accounts}
    plans = {"a": plan_report(replace(report(lookback_days=3), name="a"), scope, known)}
    count, seen = paid(plans, lambda q: int(q.account_id) < 3, code, by_batch=by_batch)
    assert count <= 3 * 3 * 3
    assert len(seen.results) == 7 * 4
    # One that is well again is loaded whole.
    _, seen = paid(plans, lambda q: int(q.account_id) < 2, code, by_batch=by_batch)
    assert {days_late(each) for each in seen.results if each.account_id == "2"} == {
        *range(298 if was_loaded else 0, 700)
    }


@BOTH
@pytest.mark.parametrize("bad", [(0, 18), (50, 51), (300, 600), (668, 668), (0, 667)])
def test_old_days_that_a_source_gives_arrive_though_some_fail(
    bad: tuple[int, int],
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    plans = plans_of(3, 700, "a")
    there = DateRange(first=FIRST_DAY + 669 * DAY, last=FIRST_DAY + 698 * DAY)
    known = Coverage(covered=(there,), bookmark=there.last)
    scope = plans["a"].scope
    plans = {"a": plan_report(plans["a"].report, scope, dict.fromkeys(scope.accounts, known))}
    code = ("SOMETHING_NEW", 400)
    _, seen = paid(plans, lambda q: bad[0] <= days_late(q) <= bad[1], code, by_batch=by_batch)
    assert len(seen.results) == 3 * (669 - (bad[1] - bad[0] + 1) + 4)


def tried_first(plans: dict[str, ReportPlan]) -> dict[str, ReportPlan]:
    return {name: replace(plan, is_tried_first=True) for name, plan in plans.items()}


@BOTH
@pytest.mark.parametrize("code", ["FIELD_INVALID", "FILTER_INVALID", "SETTING_KEY_INVALID"])
def test_what_is_wrong_with_a_whole_report_costs_one_query(code: str, by_batch: bool) -> None:  # noqa: FBT001 - a parameter
    plans = tried_first(plans_of(50, 10, "ab"))
    count, seen = paid(plans, lambda q: q.report == "a", (code, 400), by_batch=by_batch)
    assert count == 1
    assert len(seen.results) == 50 * 10


@BOTH
@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("QUERY_ACCOUNT_UNAVAILABLE", "account"),
        *product(("QUERY_ERROR", "INTERNAL_SERVER_ERROR", "RESULT_MISMATCH"), ("account", "day")),
    ],
)
def test_a_report_whose_first_try_fails_by_itself_goes_on(
    code: str,
    broken: str,
    by_batch: bool,  # noqa: FBT001 - a parameter
) -> None:
    plans = tried_first(plans_of(6, 10, "a"))
    newest = FIRST_DAY + timedelta(days=9)

    def is_broken(query: Query) -> bool:
        assert query.dates
        return query.account_id == "0" if broken == "account" else query.dates.last == newest

    _, seen = paid(plans, is_broken, (code, 400), by_batch=by_batch)
    assert len(seen.results) == (5 * 10 if broken == "account" else 6 * 9)


def days_late(query: Query) -> int:
    assert query.dates
    return (query.dates.first - FIRST_DAY).days


@pytest.mark.parametrize(
    ("code", "is_broken"),
    [
        ("QUERY_ACCOUNT_UNAVAILABLE", lambda query: int(query.account_id) % 50),
        ("START_DATE_HISTORICAL", lambda query: days_late(query) < 7),
        ("START_DATE_HISTORICAL", lambda query: days_late(query) < int(query.account_id) % 10),
    ],
    ids=["gone", "history", "history of each"],
)
def test_the_work_of_failures_grows_with_accounts_not_with_their_square(
    code: str, is_broken: Callable[[Query], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    error_for = Breakers.error_for

    def counted(self: Breakers, query: Query) -> ApiError | None:
        nonlocal looks
        looks += 1
        return error_for(self, query)

    monkeypatch.setattr(Breakers, "error_for", counted)
    for accounts in (50, 200):
        looks = 0
        paid(plans_of(accounts, 12, "a"), is_broken, (code, 400), by_batch=True)
        assert looks < 60 * accounts
