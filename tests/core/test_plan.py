from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.dates import DateRange
from tap_supermetrics.model import Query, SplitDates, account_id_of
from tap_supermetrics.planning import plan
from tap_supermetrics.planning.account import AccountPlan, Rank
from tap_supermetrics.planning.coverage import Coverage, Lookback
from tap_supermetrics.planning.plan import TEST_ACCOUNTS, plan_report, plan_test
from tap_supermetrics.planning.scope import Scope, scope_of
from tap_supermetrics.sync.state import ReportState, report_state
from tests.core.reports import policy, report
from tests.core.strategies import coverages, date_range, date_ranges, day, days_of, moments

if TYPE_CHECKING:
    import random

    from tap_supermetrics.model import Report

ACCOUNTS = ("300", "100", "200")
REPORT = report()


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    return Scope(
        accounts=ACCOUNTS[: draw(st.integers(0, 3))],
        wanted=draw(date_ranges()),
        is_incremental=True,
        is_dated_by_rows=draw(st.booleans()),
        policy=policy(split_dates=draw(st.booleans()), split_accounts=draw(st.booleans())),
        fresh_since=draw(st.none() | moments),
    )


def ids_of(scope: Scope) -> list[str]:
    return [account_id_of(group) for group in scope.groups]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a report finds as it is planned."""

    report: Report
    scope: Scope
    coverage: dict[str, Coverage]
    held: tuple[Query, ...]

    @property
    def needed(self) -> set[tuple[str, date]]:
        assert self.scope.wanted
        return {
            (account_id, each)
            for account_id in ids_of(self.scope)
            for each in days_of(
                *self.coverage.get(account_id, Coverage()).needed(
                    self.scope.wanted, self.report.lookback_days, self.scope.fresh_since
                )
            )
        }

    def plan(self) -> tuple[Query, ...]:
        return tuple(plan_report(self.report, self.scope, self.coverage, self.held).queries())


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    scope = draw(scopes())
    held = st.builds(
        Query,
        report=st.just("ads"),
        accounts=st.sampled_from([*scope.groups, ACCOUNTS, ("400",)]),
        dates=st.none() | date_ranges(),
    )
    return Situation(
        report=replace(
            REPORT,
            lookback_days=draw(st.integers(0, 6)),
            max_days_per_query=draw(st.integers(1, 9)),
            backfill_days_per_query=draw(st.integers(1, 9)),
            newest_first=draw(st.booleans()),
            require_fresh_days=draw(st.integers(0, 4)),
        ),
        scope=scope,
        coverage=draw(st.dictionaries(st.sampled_from(ids_of(scope)), coverages())),
        held=tuple(draw(st.lists(held, max_size=4))),
    )


def planned_days(queries: tuple[Query, ...]) -> Counter[tuple[str, date]]:
    return Counter(
        (query.account_id, each)
        for query in queries
        for each in (query.dates.each_day() if query.dates else ())
    )


@given(situations())
def test_every_needed_day_of_every_account_is_planned_once_and_no_other(
    situation: Situation,
) -> None:
    planned = planned_days(situation.plan())
    assert set(planned) == situation.needed
    assert set(planned.values()) <= {1}


@given(situations())
def test_the_same_situation_gives_the_same_plan(situation: Situation) -> None:
    reordered = dict(reversed(situation.coverage.items()))
    assert replace(situation, coverage=reordered).plan() == situation.plan()


def recent_first(situation: Situation) -> date:
    assert situation.scope.wanted
    last = situation.scope.wanted.last
    return last - timedelta(days=situation.report.lookback_days)


@given(situations())
def test_the_oldest_days_come_first_then_the_order_of_accounts(situation: Situation) -> None:
    oldest = replace(situation, report=replace(situation.report, newest_first=False), held=())
    groups, plan = situation.scope.groups, oldest.plan()
    order = [(each.dates.first, groups.index(each.accounts)) for each in plan if each.dates]
    assert len(order) == len(plan)
    assert order == sorted(order)


@given(situations())
def test_with_newest_first_history_follows_backwards(situation: Situation) -> None:
    newest = replace(situation, report=replace(situation.report, newest_first=True), held=())
    ranges = [each.dates for each in newest.plan() if each.dates]
    recent = [each for each in ranges if each.last >= recent_first(situation)]
    history = ranges[len(recent) :]
    assert all(each.last < recent_first(situation) for each in history)
    assert [each.first for each in recent] == sorted(each.first for each in recent)
    firsts = [each.first for each in history]
    assert firsts == sorted(firsts, reverse=True)


@given(situations())
def test_no_new_query_is_longer_than_it_may_be(situation: Situation) -> None:
    usual = (
        1
        if situation.scope.policy.split.dates is SplitDates.DAY
        else situation.report.max_days_per_query
    )
    long = situation.report.backfill_days_per_query if situation.scope.is_dated_by_rows else 1
    for query in replace(situation, held=()).plan():
        assert query.dates
        is_history = query.dates.last < recent_first(situation)
        assert query.dates.days <= (max(usual, long) if is_history else usual)


@given(situations())
def test_the_newest_days_are_asked_without_cache(situation: Situation) -> None:
    wanted, fresh_days = situation.scope.wanted, situation.report.require_fresh_days
    assert wanted
    for query in replace(situation, held=()).plan():
        assert query.dates
        assert query.is_fresh == ((wanted.last - query.dates.last).days < fresh_days)


@given(situations())
def test_a_held_query_is_planned_only_where_all_of_it_is_needed(situation: Situation) -> None:
    for query in set(situation.plan()) & set(situation.held):
        assert query.accounts in situation.scope.groups
        days = {(query.account_id, each) for each in days_of(query.dates)}
        assert days <= situation.needed


def scope_over(wanted: DateRange, **changes: object) -> Scope:
    return Scope(
        accounts=("1",),
        wanted=wanted,
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(**changes),
    )


def test_a_held_query_that_is_needed_is_planned_as_it_is() -> None:
    scope = scope_over(date_range(0, 9), split_dates=False)
    held = Query(report="ads", accounts=("1",), dates=date_range(3, 5))
    plan = tuple(plan_report(replace(REPORT, max_days_per_query=31), scope, {}, [held]).queries())
    assert [query.dates for query in plan] == [
        date_range(0, 2),
        date_range(3, 5),
        date_range(6, 9),
    ]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 9), (9, 9)])
def test_a_held_query_at_an_end_of_what_is_needed_is_planned_as_it_is(
    first: int, last: int
) -> None:
    scope = scope_over(date_range(0, 9), split_dates=False)
    held = Query(report="ads", accounts=("1",), dates=date_range(first, last))
    assert held in tuple(
        plan_report(replace(REPORT, max_days_per_query=4), scope, {}, [held]).queries()
    )


def test_a_day_that_still_goes_on_is_not_complete() -> None:
    scope = replace(scope_over(date_range(0, 9)), last_complete=day(8))
    assert scope.complete(date_range(7, 9)) == date_range(7, 8)
    assert scope.complete(date_range(7, 8)) == date_range(7, 8)
    assert scope.complete(date_range(9, 9)) is None
    assert scope.complete(None) is None


def test_of_held_queries_that_overlap_one_is_planned() -> None:
    scope = scope_over(date_range(0, 9), split_dates=False)
    held = [
        Query(report="ads", accounts=("1",), dates=dates)
        for dates in (date_range(0, 5), date_range(3, 8))
    ]
    assert set(planned_days(tuple(plan_report(REPORT, scope, {}, held).queries())).values()) == {1}


def test_a_query_of_several_days_is_not_split_into_days_by_its_batch() -> None:
    scope = scope_over(date_range(0, 9))
    held = Query(report="ads", accounts=("1",), dates=date_range(3, 5))
    single = replace(held, dates=date_range(3, 3))
    assert held in tuple(plan_report(REPORT, scope, {}, [held]).queries())
    assert scope.policy_of(held) == policy(split_dates=False)
    assert scope.policy_of(single) == policy()


@given(count=st.integers(0, 3), split_accounts=st.booleans(), wanted=st.none() | date_ranges())
def test_a_report_that_is_read_whole_has_one_query_for_each_group_of_accounts(
    *,
    count: int,
    split_accounts: bool,
    wanted: DateRange | None,
) -> None:
    scope = Scope(
        accounts=ACCOUNTS[:count],
        wanted=wanted,
        is_incremental=False,
        is_dated_by_rows=False,
        policy=policy(split_accounts=split_accounts),
    )
    covered = {each: Coverage(covered=(date_range(0, 20),)) for each in ids_of(scope)}
    plan = tuple(plan_report(REPORT, scope, covered).queries())
    assert [query.accounts for query in plan] == list(scope.groups)
    assert {query.dates for query in plan} == {wanted}


@given(scopes())
def test_a_connection_test_asks_the_newest_day_of_a_few_accounts(scope: Scope) -> None:
    plan = tuple(plan_test(REPORT, scope).queries())
    assert scope.wanted
    assert 1 <= len(plan) <= TEST_ACCOUNTS
    newest = DateRange(first=scope.wanted.last, last=scope.wanted.last)
    assert {query.dates for query in plan} == {newest}


def test_a_connection_test_of_a_report_without_dates_asks_a_few_accounts() -> None:
    accounts = tuple(str(number) for number in range(9))
    scope = replace(
        scope_over(date_range(0, 0)), accounts=accounts, wanted=None, is_incremental=False
    )
    assert len(tuple(plan_test(REPORT, scope).queries())) == TEST_ACCOUNTS


@given(date_ranges(), st.sampled_from([(), ("1",), ("2", "1")]))
def test_the_parts_of_a_split_query_cover_it_once(
    dates: DateRange, accounts: tuple[str, ...]
) -> None:
    query = Query(report="ads", accounts=accounts, dates=dates)
    parts = query.split()
    if dates.days == 1:
        assert parts is None
    else:
        assert parts is not None
        assert planned_days(parts) == planned_days((query,))
        assert {part.accounts for part in parts} == {accounts}


def test_a_query_without_days_cannot_be_split() -> None:
    assert Query(report="ads", accounts=("1",), dates=None).split() is None


@pytest.mark.parametrize(
    ("accounts", "dates", "shown"),
    [
        (("123",), date_range(0, 0), "ads, account 123, 2024-02-20"),
        (("456", "123"), date_range(0, 1), "ads, account 123,456, 2024-02-20..2024-02-21"),
        ((), None, "ads"),
    ],
)
def test_a_query_reads_as_people_say_it(
    accounts: tuple[str, ...], dates: DateRange | None, shown: str
) -> None:
    assert str(Query(report="ads", accounts=accounts, dates=dates)) == shown


NOW = datetime(2024, 3, 1, 23, 30, tzinfo=timezone.utc)
"""Day 10 of the strategies, and in Helsinki day 11 already."""


def wanted_by(*, key: str = "Date", is_dated: bool = True, **own: object) -> Scope:
    return scope_of(
        report(**own),
        ("1", "2"),
        NOW,
        replication_key=key,
        is_dated=is_dated,
    )


def test_a_report_wants_its_first_day_to_yesterday() -> None:
    assert wanted_by(start_date="2024-02-21").wanted == date_range(1, 9)


@pytest.mark.parametrize(
    ("words", "first"),
    [("first day of last month", "2024-01-01"), ("-2 weeks", "2024-02-16")],
)
def test_a_first_day_in_words_is_that_of_today(words: str, first: str) -> None:
    wanted = wanted_by(start_date=words).wanted
    assert wanted == DateRange(first=date.fromisoformat(first), last=date(2024, 2, 29))


def test_on_the_first_of_a_month_the_one_before_is_read_to_its_end() -> None:
    wanted = wanted_by(start_date="first day of this month").wanted
    assert wanted == DateRange(first=date(2024, 2, 1), last=date(2024, 2, 29))


def test_yesterday_is_that_of_the_reports_time_zone() -> None:
    assert wanted_by(timezone="Europe/Helsinki").wanted == date_range(0, 10)


@given(
    st.lists(st.tuples(st.integers(1, 40), st.lists(st.booleans(), min_size=2, max_size=2))),
    st.sampled_from(["3 days ago", "yesterday", "first day of this month", "-2 weeks"]),
    st.randoms(),
)
def test_a_first_day_that_moves_leaves_no_day_behind(
    nights: list[tuple[int, list[bool]]], words: str, dice: random.Random
) -> None:
    """Nights after pauses of some days; in each, the queries of some accounts fail, or some do."""
    now, firsts = NOW, dict[str, date]()
    mine = report(start_date=words, ds_accounts=["1", "2"])
    state = ReportState(replication_key="Date", start=None)
    for pause, failing in nights:
        now += timedelta(days=pause)
        scope = scope_of(mine, ("1", "2"), now, replication_key="Date", is_dated=True)
        assert scope.wanted
        mistakes: list[str] = []
        state = report_state(state.to_json(), "ads", "Date", scope.wanted.first, mistakes)
        assert not mistakes
        state.want_from(scope.wanted.first, ids_of(scope))
        known = {each: state.coverage_of(each) for each in state.coverage}
        lookback = Lookback(days=3, last_wanted=scope.last_wanted, last_known=scope.last_wanted)
        failed = set()
        for query in plan_report(mine, scope, known).queries():
            account_id = query.account_id
            assert query.dates
            if failing[int(account_id) - 1] and dice.random() < 0.7:
                failed.add(account_id)
                state.mark_stale(account_id, query.dates)
                continue
            firsts.setdefault(account_id, scope.wanted.first)
            state.mark_done(account_id, query.dates, now, lookback)
        for account_id in ids_of(scope):
            if account_id not in failed:
                whole = DateRange(first=firsts[account_id], last=scope.wanted.last)
                assert state.coverage[account_id].covered == (whole,)
                assert not state.coverage[account_id].stale


def test_a_first_day_that_was_moved_by_hand_leaves_days_behind() -> None:
    known = {"1": Coverage(covered=(date_range(-9, -5),)), "2": Coverage()}
    for words in ("2024-02-21", "10 days ago"):
        asked = plan_report(report(start_date=words), wanted_by(start_date=words), known)
        scope = wanted_by(start_date=words)
        assert scope.wanted
        firsts = {query.dates.first for query in asked.queries() if query.dates}
        assert min(firsts) == scope.wanted.first


def test_a_first_day_that_moves_asks_no_account_for_days_before_it_was_wanted() -> None:
    loaded = (date_range(-30, -25),)
    state = ReportState(replication_key="Date", start=None, wanted_from=day(-28))
    state.coverage = {
        "1": Coverage(covered=loaded),
        "2": Coverage(not_before=day(-27)),
        "3": Coverage(covered=(date_range(-20, -18),)),
        "4": Coverage(covered=loaded, wanted_from=day(-33)),
    }
    mine = report(start_date="5 days ago", lookback_days=2)
    scope = replace(
        wanted_by(start_date="5 days ago", lookback_days=2), accounts=("1", "2", "3", "4")
    )

    def firsts() -> list[date]:
        known = {each: state.coverage_of(each) for each in state.coverage}
        days = planned_days(tuple(plan_report(mine, scope, known).queries()))
        return [min(each for one, each in days if one == account) for account in state.coverage]

    # After a pause, the lookback reaches back from the last covered day, as ever.
    assert firsts() == [day(-26), day(5), day(-19), day(-33)]
    # Days that the API gives no account any more are asked for no more.
    state.not_before = day(-10)
    assert firsts() == [day(-10), day(5), day(-10), day(-10)]


@pytest.mark.parametrize("is_all", [False, True])
@pytest.mark.parametrize(("first", "asked"), [(4, 4), (0, 0), (21, None)])
def test_days_that_the_api_does_not_give_of_an_account_are_not_asked(
    first: int,
    asked: int | None,
    is_all: bool,  # noqa: FBT001 - a parameter
) -> None:
    known = {"100": Coverage(not_before=day(first))}
    made = plan_report(REPORT, days_until(20), known, ignores_coverage=is_all)
    days = planned_days(tuple(made.queries()))
    wanted = days_of(date_range(asked, 20)) if asked is not None else set()
    assert days == Counter({("100", each): 1 for each in wanted})


def test_a_source_without_dates_wants_no_days() -> None:
    assert wanted_by(is_dated=False).wanted is None


def test_a_range_of_the_apis_is_left_to_the_api() -> None:
    assert wanted_by(date_range_type="last_30_days", key="").wanted is None


def test_a_report_that_is_read_whole_is_not_split_by_day() -> None:
    scope = wanted_by(key="")
    assert not scope.is_incremental
    assert scope.policy.split.dates is SplitDates.NONE


def test_rows_tell_their_day_where_the_replication_key_is_a_field() -> None:
    assert wanted_by(key="Date").is_dated_by_rows
    assert not wanted_by(key="_sm_date").is_dated_by_rows
    assert not wanted_by(key="").is_dated_by_rows


def test_days_read_some_hours_ago_are_fresh() -> None:
    assert wanted_by().fresh_since is None
    assert wanted_by(refresh_after_hours=6).fresh_since == NOW - timedelta(hours=6)


@pytest.mark.parametrize("key", ["Date", ""])
def test_a_report_whose_first_day_is_still_to_come_asks_nothing(key: str) -> None:
    scope = wanted_by(start_date="2024-03-02", key=key)
    assert tuple(plan_report(REPORT, scope, {}).queries()) == ()


def days_until(last: int, **changes: bool) -> Scope:
    return Scope(
        accounts=("100",),
        wanted=date_range(0, last),
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(**changes),
        last_complete=day(last),
    )


def test_a_query_of_several_days_is_new_if_one_of_them_is() -> None:
    asked = replace(REPORT, lookback_days=3, max_days_per_query=7, newest_first=True)
    known = {"100": Coverage(covered=(date_range(10, 19),))}
    made = plan_report(asked, days_until(20, split_dates=False), known)
    first, *others = made.accounts[0].queries(by_rank=True)
    assert first.dates
    assert first.dates.last == day(20)
    assert all(query.dates and query.dates.last < day(10) for query in others)


def test_what_is_loaded_is_kept_up_to_date_before_a_history_is_begun() -> None:
    days = days_until(60)
    loaded = Coverage(covered=(date_range(0, 30), date_range(32, 58)))
    begun = Coverage(covered=(date_range(0, 20),))
    for known, ranks in (
        (loaded, {31: Rank.NEW, 59: Rank.NEXT, 60: Rank.NEXT}),
        (begun, {60: Rank.NEW}),
    ):
        (account,) = plan_report(REPORT, days, {"100": known}).accounts
        found = {each.day: account.rank(each) for each in account.queries()}
        assert {each: found[day(each)] for each in ranks} == ranks


@pytest.mark.parametrize("tried", [False, True])
def test_the_first_query_by_rank_is_found_without_a_walk_through_the_history(
    monkeypatch: pytest.MonkeyPatch,
    tried: bool,  # noqa: FBT001 - a parameter
) -> None:
    at = datetime.combine(day(3_650), time(12), timezone.utc) if tried else None
    (account,) = plan_report(REPORT, days_until(3_650), {"100": Coverage(tried_at=at)}).accounts
    ranked, rank = list[Query](), AccountPlan.rank

    def counting(self: AccountPlan, query: Query) -> Rank:
        ranked.append(query)
        return rank(self, query)

    monkeypatch.setattr(AccountPlan, "rank", counting)
    assert next(account.queries(by_rank=True)).day == day(0)
    assert len(ranked) == 1


@pytest.mark.parametrize(("days", "rank"), [(0, Rank.FAILED), (2, Rank.FAILED), (3, Rank.NEW)])
def test_an_account_that_gave_nothing_comes_last_for_some_days(days: int, rank: Rank) -> None:
    at = datetime.combine(day(20 - days), time(12), timezone.utc)
    (account,) = plan_report(REPORT, days_until(20), {"100": Coverage(tried_at=at)}).accounts
    assert {account.rank(query) for query in account.queries()} == {rank}


def test_gaps_that_accounts_share_are_covered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history with a gap every other day, of hundreds of accounts."""
    first = date(2024, 1, 1)
    wanted = DateRange(first=first, last=first + timedelta(days=199))
    covered = tuple(date_range(2 * number + 1, 2 * number + 1) for number in range(99))
    scope = Scope(
        accounts=ACCOUNTS,
        wanted=wanted,
        is_incremental=True,
        is_dated_by_rows=True,
        policy=policy(),
    )
    covering, stretches = list[DateRange](), plan._stretches  # noqa: SLF001 - how often it is called

    def counting(gap: DateRange, *others: Any) -> Any:  # noqa: ANN401 - as it is
        covering.append(gap)
        return stretches(gap, *others)

    monkeypatch.setattr(plan, "_stretches", counting)
    known = dict.fromkeys(ACCOUNTS, Coverage(covered=covered))
    made = plan_report(REPORT, scope, known)
    assert len(made) > 3 * 90
    assert len(covering) == len({*covering}) <= 101
    assert [*made.counts().values()] == [len(made)]
