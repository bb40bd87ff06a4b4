"""Shards: together they take every account once, in even shares, and none moves."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.model import Shard
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.plan import plan_report, plan_test
from tap_supermetrics.planning.scope import Scope, scope_of
from tests.core.reports import entry, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_supermetrics.model import Query, Report

SPLITS = (1, 2, 5, 16)
FORMS = ("{}", "act_{}", "properties/{}", "sc-domain:shop-{}.example.com")
NIGHT = datetime(2024, 3, 4, 4, tzinfo=timezone.utc)
NEXT_NIGHT = datetime(2024, 3, 5, 4, tzinfo=timezone.utc)


def shards(count: int) -> Iterator[Shard]:
    return (Shard(number=number + 1, count=count) for number in range(count))


def scope(shard: Shard, accounts: Sequence[str], now: datetime = NIGHT, **own: object) -> Scope:
    return scope_of(
        report(shard, **own), tuple(accounts), now, replication_key="Date", is_dated=True
    )


def report(shard: Shard, **own: object) -> Report:
    given = entry(start_date="2024-03-01", fields=["Date", "Clicks"], **own)
    (found,) = settings_of(given, shard=str(shard)).reports
    return found


def planned(
    shard: Shard, accounts: Sequence[str], now: datetime, coverage: Mapping[str, Coverage]
) -> list[Query]:
    plan = plan_report(report(shard), scope(shard, accounts, now), coverage)
    return [*plan.queries()]


def three_thousand(form: str = "{}") -> list[str]:
    return [form.format(1_000_000_007 + 37 * number) for number in range(3_000)]


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 20))
def test_every_account_of_any_list_is_in_one_shard(accounts: list[str], count: int) -> None:
    shares = [shard.share_of(accounts) for shard in shards(count)]

    assert sorted(each for share in shares for each in share) == sorted(accounts)
    assert all([*share] == [each for each in accounts if each in share] for share in shares)


@given(st.text(min_size=1), st.lists(st.text(min_size=1)), st.integers(1, 20))
def test_an_added_account_moves_no_other(added: str, accounts: list[str], count: int) -> None:
    for shard in shards(count):
        before = shard.share_of(accounts)
        after = shard.share_of([added, *accounts])
        assert after in {before, (added, *before)}


def test_an_account_stays_where_it_is_for_all_time() -> None:
    """Another hash would have every state of every user read anew."""
    found = {account: str(_home(account, 5)) for account in ("4713896205", "act_290471836", "ü/1")}
    assert found == {"4713896205": "3/5", "act_290471836": "3/5", "ü/1": "1/5"}
    assert _home("ACT_290471836", 5) == _home("act_290471836", 5)


def _home(account: str, count: int) -> Shard:
    (home,) = (shard for shard in shards(count) if shard.owns(account))
    return home


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", SPLITS)
def test_shares_of_3000_accounts_are_even(count: int, form: str) -> None:
    sizes = [len(shard.share_of(three_thousand(form))) for shard in shards(count)]

    assert sum(sizes) == 3_000
    assert max(sizes) <= 1.25 * 3_000 / count


@pytest.mark.parametrize("count", SPLITS)
def test_shards_plan_what_one_run_plans_on_two_nights(count: int) -> None:
    """On the second night there is one account more: its shard reads its history, no other does."""
    accounts = three_thousand()
    whole = planned(Shard(number=1, count=1), accounts, NIGHT, {})
    first = [planned(shard, accounts, NIGHT, {}) for shard in shards(count)]
    assert sorted(map(str, whole)) == sorted(str(query) for part in first for query in part)

    coverage: dict[str, Coverage] = {}
    for query in whole:
        assert query.dates
        before = coverage.get(query.account_id, Coverage())
        coverage[query.account_id] = before.with_done(query.dates, query.dates.first)
    more = [*accounts[:1_500], "999", *accounts[1_500:]]
    second = [planned(shard, more, NEXT_NIGHT, coverage) for shard in shards(count)]
    days_of_new = [sum(query.account_id == "999" for query in part) for part in second]
    assert sorted(days_of_new) == [*[0] * (count - 1), 4]
    assert sum(map(len, second)) == 4 + 3_000 * 4  # the new day, and three of lookback
    for part, after in zip(first, second, strict=True):
        old = {query.account_id for query in part}
        assert {query.account_id for query in after} - {"999"} == old


@pytest.mark.parametrize(
    ("accounts", "policy"),
    [((), "all"), (("1", "2", "3"), "none")],
    ids=["no accounts", "accounts together"],
)
def test_what_cannot_be_shared_is_the_first_shards(accounts: tuple[str, ...], policy: str) -> None:
    first, *others = [scope(shard, accounts, split_accounts_policy=policy) for shard in shards(3)]

    assert (first.groups, first.is_elsewhere) == ((accounts,), False)
    assert [each.groups for each in others] == [(), ()]
    assert all(each.is_elsewhere for each in others)


def test_a_shard_without_an_account_asks_nothing() -> None:
    home = _home("4713896205", 5)
    for shard in shards(5):
        found = scope(shard, ["4713896205"])
        assert found.is_elsewhere == (shard != home)
        plans = plan_report(report(shard), found, {}), plan_test(report(shard), found)
        assert [len(plan) > 0 for plan in plans] == [shard == home] * 2
