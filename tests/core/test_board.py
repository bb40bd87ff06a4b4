from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.extraction import board as board_module
from tap_supermetrics.extraction.board import Board
from tap_supermetrics.extraction.results import Lost, Result, Split, Spool
from tap_supermetrics.model import Query
from tests.core.strategies import date_range

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 10


def query(number: int, last: int | None = None) -> Query:
    return Query(report="ads", accounts=("1",), dates=date_range(number, last or number))


def result(asked: Query, spool: Spool, content: bytes = b"[]") -> Result:
    spool.add(content)
    return Result(
        query=asked,
        dates=asked.dates,
        schedule_id="s",
        fetched_at=datetime(2024, 3, 1, tzinfo=timezone.utc),
        fields=(),
        row_count=0,
        spool=spool,
    )


@pytest.fixture
def spools() -> Iterator[tuple[Spool, Spool]]:
    with closing(Spool()) as first, closing(Spool()) as second:
        yield first, second


def lost(asked: Query) -> Lost:
    return Lost(query=asked, error=ApiError("QUERY_ERROR", "no"))


def nothing() -> None:
    pass


def is_closed(found: Result) -> bool:
    try:
        return not list(found.spool.blocks())
    except ValueError:
        return True


def test_outcomes_put_in_any_order_are_taken_in_the_order_asked() -> None:
    queries = [query(number) for number in range(3)]
    board = Board(queries)
    outcomes = {each: lost(each) for each in queries}
    for each in reversed(queries):
        board.put(outcomes[each])
    assert [board.take(each, nothing) for each in queries] == list(outcomes.values())
    assert board.is_complete


def test_taking_waits_for_the_outcome() -> None:
    board, asked = Board([query(0)]), query(0)
    waits = threading.Event()
    board.on_room = waits.set
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(board.take, asked, nothing)
        assert waits.wait(TIMEOUT_S)
        assert not taken.done()
        outcome = lost(asked)
        board.put(outcome)
        assert taken.result(TIMEOUT_S) is outcome


def test_a_board_is_complete_when_every_query_has_an_outcome() -> None:
    board = Board([query(0), query(1)])
    board.put(lost(query(0)))
    assert not board.is_complete
    board.put(lost(query(1)))
    assert board.is_complete


def test_a_second_outcome_is_dropped_and_given_back(spools: tuple[Spool, Spool]) -> None:
    board = Board([query(0)])
    first, second = (result(query(0), spool) for spool in spools)
    board.put(first)
    board.put(second)
    assert is_closed(second)
    assert board.take(query(0), nothing) is first
    assert not is_closed(first)


def test_the_outcome_of_a_query_not_planned_is_given_back(
    spools: tuple[Spool, Spool],
) -> None:
    board, strange = Board([query(0)]), result(query(5), spools[0])
    board.put(strange)
    assert is_closed(strange)
    assert not board.is_complete


def test_the_parts_of_a_split_query_are_open_in_its_place() -> None:
    whole = query(0, 3)
    parts = whole.split()
    assert parts
    board = Board([whole])
    board.put(Split(query=whole, parts=parts))
    for part in parts:
        assert not board.is_complete
        board.put(lost(part))
    assert board.is_complete
    taken = board.take(whole, nothing)
    assert isinstance(taken, Split)
    assert [board.take(part, nothing).query for part in taken.parts] == list(parts)


def test_news_wakes_the_one_who_waits_without_an_outcome() -> None:
    board = Board([query(0)])
    waits = threading.Event()
    board.on_room = waits.set
    told: list[str] = []

    def on_news() -> None:
        told.append("news")
        board.put(lost(query(0)))

    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(board.take, query(0), on_news)
        assert waits.wait(TIMEOUT_S)
        board.news()
        try:
            assert taken.result(TIMEOUT_S).query == query(0)
        finally:
            board.crash(RuntimeError("nobody woke it"))  # else the pool waits for ever
    assert told == ["news"]


def test_a_bug_of_another_thread_is_raised_where_outcomes_are_taken() -> None:
    board = Board([query(0)])
    waits = threading.Event()
    board.on_room = waits.set
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(board.take, query(0), nothing)
        assert waits.wait(TIMEOUT_S)
        board.crash(ZeroDivisionError("a bug"))
        with pytest.raises(ZeroDivisionError, match="a bug"):
            taken.result(TIMEOUT_S)


def test_many_results_that_wait_leave_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_WAITING_RESULTS", 2)
    board = Board([query(0), query(1)])
    board.put(lost(query(0)))
    assert board.has_room()
    board.put(lost(query(1)))
    assert not board.has_room()
    board.take(query(0), nothing)
    assert board.has_room()


def test_many_bytes_that_wait_leave_no_room(
    monkeypatch: pytest.MonkeyPatch, spools: tuple[Spool, Spool]
) -> None:
    monkeypatch.setattr(board_module, "MAX_WAITING_BYTES", 1_000)
    board = Board([query(0), query(1)])
    board.put(result(query(0), spools[0], b"x" * 999))
    assert board.has_room()
    board.put(result(query(1), spools[1], b"x"))
    assert not board.has_room()
    board.take(query(0), nothing)
    assert board.has_room()


def test_there_is_room_when_emission_has_run_dry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "MAX_WAITING_RESULTS", 1)
    board = Board([query(0), query(1)])
    board.put(lost(query(1)))
    assert not board.has_room()
    room: list[bool] = []
    waits = threading.Event()

    def on_room() -> None:
        room.append(board.has_room())
        waits.set()

    board.on_room = on_room
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(board.take, query(0), nothing)
        assert waits.wait(TIMEOUT_S)
        assert board.has_room()
        board.put(lost(query(0)))
        taken.result(TIMEOUT_S)
    assert room[0]
    assert not board.has_room()


def test_what_was_never_taken_is_given_back_at_the_end(spools: tuple[Spool, Spool]) -> None:
    board = Board([query(0), query(1)])
    kept = [result(query(number), spool) for number, spool in enumerate(spools)]
    for each in kept:
        board.put(each)
    board.close()
    assert all(is_closed(each) for each in kept)


def test_many_threads_put_and_one_takes_everything_in_order() -> None:
    queries = [query(number) for number in range(20)]
    board = Board(queries)
    with ThreadPoolExecutor(8) as pool:
        for each in reversed(queries):
            pool.submit(board.put, lost(each))
        taken = [board.take(each, nothing).query for each in queries]
    assert taken == queries


def test_how_far_it_is_is_told_once_in_a_while(
    spools: tuple[Spool, Spool], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "TELL_EVERY_S", 0)
    caplog.set_level("INFO")
    whole, other = query(1, 2), query(3)
    board = Board([whole, other])
    board.put(result(other, spools[0]))
    board.tell()
    board.put(Split(query=whole, parts=(query(1), query(2))))
    board.put(result(query(1), spools[1]))
    monkeypatch.setattr(board_module, "TELL_EVERY_S", 60)
    board.tell()
    board.tell()

    assert [record.getMessage() for record in caplog.records] == [
        "Progress: 1 of 2 queries ended, 0 rows",
        "Progress: 2 of 3 queries ended, 0 rows",
    ]
