from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from tap_supermetrics.extraction.registry import Registry, joined
from tap_supermetrics.model import BatchRequest, Query
from tap_supermetrics.planning.packing import batch_of
from tests.core.reports import policy, split
from tests.core.strategies import date_range

NOW = datetime(2024, 3, 1, 4, tzinfo=timezone.utc)


def queries(report: str, *accounts: str) -> list[Query]:
    return [
        Query(report=report, accounts=(account,), dates=date_range(0, 0)) for account in accounts
    ]


ADS, SHOP = queries("ads", "1", "2"), queries("shop", "1")


def request(*asked: Query) -> BatchRequest:
    return batch_of(asked, policy(split_accounts=False))


def started() -> Registry:
    registry = Registry()
    registry.started("qrb_1", NOW, request(*ADS, *SHOP))
    return registry


def test_a_batch_is_held_for_each_report_with_the_items_of_that_report() -> None:
    (held,) = started().held_for("shop")
    assert (held.batch_id, held.submitted_at) == ("qrb_1", NOW)
    assert held.split == split(accounts=False)
    assert {place: item.report for place, item in held.items.items()} == {2: "shop"}
    assert set(started().held_for("ads")[0].items) == {0, 1}


def test_nothing_is_held_for_a_report_that_was_not_asked() -> None:
    assert started().held_for("other") == ()


def test_a_batch_is_held_for_a_report_until_its_last_query_was_emitted() -> None:
    registry = started()
    registry.emitted(ADS[0])
    assert registry.held_for("ads")
    registry.emitted(ADS[1])
    assert registry.held_for("ads") == ()
    assert registry.held_for("shop")
    registry.emitted(SHOP[0])
    assert registry.held_for("shop") == ()


def test_emitting_twice_or_what_is_unknown_does_no_harm() -> None:
    registry = started()
    registry.emitted(SHOP[0])
    registry.emitted(SHOP[0])
    registry.emitted(queries("other", "9")[0])
    assert registry.held_for("ads")


def test_a_query_that_is_sent_again_belongs_to_its_new_batch() -> None:
    registry = started()
    registry.started("qrb_2", NOW, request(SHOP[0]))
    assert [held.batch_id for held in registry.held_for("shop")] == ["qrb_2"]
    assert [held.batch_id for held in registry.held_for("ads")] == ["qrb_1"]


def test_a_batch_whose_queries_were_all_sent_again_is_not_held() -> None:
    registry = Registry()
    registry.started("qrb_1", NOW, request(*SHOP))
    registry.started("qrb_2", NOW, request(*SHOP))
    registry.emitted(SHOP[0])
    assert registry.held_for("shop") == ()


def test_a_batch_of_an_earlier_run_serves_only_the_queries_adopted() -> None:
    registry = Registry()
    (held,) = started().held_for("ads")
    registry.adopted(held, ADS[:1])
    assert registry.held_for("ads") == (held,)
    registry.emitted(ADS[0])
    assert registry.held_for("ads") == ()


def test_a_query_asked_by_itself_is_known_of_its_report_until_it_was_emitted() -> None:
    registry = Registry()
    registry.asked_async(ADS[0])
    assert registry.has_async("ads")
    assert not registry.has_async("shop")
    registry.emitted(ADS[0])
    assert not registry.has_async("ads")


def test_a_query_that_is_asked_the_other_way_is_forgotten_the_first_way() -> None:
    registry = started()
    registry.asked_async(SHOP[0])
    assert registry.held_for("shop") == ()
    registry.started("qrb_2", NOW, request(*SHOP))
    assert not registry.has_async("shop")


def test_a_batch_that_several_reports_know_is_joined_with_all_its_items() -> None:
    registry = started()
    registry.started("qrb_2", NOW, request(*queries("ads", "3")))
    known = [*registry.held_for("ads"), *registry.held_for("shop")]
    first, second = joined(known)
    assert (first.batch_id, second.batch_id) == ("qrb_1", "qrb_2")
    assert sorted(first.items) == [0, 1, 2]
    assert first == replace(known[0], items={**known[0].items, **known[-1].items})


def test_joining_nothing_gives_nothing() -> None:
    assert joined([]) == ()
