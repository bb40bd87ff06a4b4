"""What STATE costs, by arithmetic: no run, only the sizes of states and the rule of checkpoints."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_supermetrics.extraction.results import BatchTaken
from tap_supermetrics.model import BatchItem, Query, SubmittedBatch
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.sync.checkpoints import Checkpoints
from tap_supermetrics.sync.notation import batch_to_json
from tap_supermetrics.sync.state import ReportState
from tests.core.reports import split
from tests.core.strategies import date_range, day, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERIES_PER_BATCH = 100
RUNNING = 10


def names(reports: int) -> list[str]:
    return [f"ads_{number}" for number in range(reports)]


def bookmark(accounts: int) -> dict[str, Any]:
    """A bookmark as it is at the end, which no earlier one of a first load outgrows."""
    ids = [str(1_000_000_000 + number) for number in range(accounts)]
    state = ReportState(
        replication_key="Date",
        start=day(0),
        query_hash="9f1c2a7e",
        request_hash="04d2e1f7",
        key_properties=("_sm_account_id", "Date", "Campaignname"),
        coverage=dict.fromkeys(ids, Coverage(covered=(date_range(0, 20),), bookmark=day(20))),
    )
    return state.to_json()


def batch_of(number: int, report: str, size: int, accounts: int) -> BatchTaken:
    named = tuple(str(1_000_000_000 + each) for each in range(min(size, accounts)))
    item = BatchItem(report=report, accounts=named, dates=date_range(0, 0))
    query = Query(report=report, accounts=named[:1], dates=item.dates)
    batch = SubmittedBatch(
        batch_id=f"qrb_{number:012x}",
        submitted_at=moment(0),
        split=split(),
        items={0: item},
        item_count=1,
    )
    return BatchTaken(batch=batch, queries=(query,) * size)


@dataclass(slots=True)
class Played:
    """The rule of the run: news and progress are written when due, and the end always."""

    bookmarks: dict[str, Any]
    queries: int = 0
    messages: int = 0
    total: int = 0
    _running: deque[BatchTaken] = field(default_factory=deque)
    _checkpoints: Checkpoints = field(default_factory=Checkpoints)

    def take(self, taken: BatchTaken) -> None:
        self._running.append(taken)
        self.queries += len(taken.queries)
        self._checkpoints.submitted(taken, is_unsaved=True)
        self._save_when_due()

    def emit(self, at_once: int) -> None:
        while len(self._running) > at_once:
            for _ in self._running.popleft().queries:
                self._checkpoints.progressed()
                self._save_when_due()

    def save(self) -> None:
        bookmarks = {name: {**raw, "query_batches": []} for name, raw in self.bookmarks.items()}
        for taken in self._running:
            report = taken.queries[0].report
            bookmarks[report]["query_batches"].append(batch_to_json(taken.batch))
        self._checkpoints.written(bookmarks)
        self.messages += 1
        self.total += len(msgspec.json.encode({"type": "STATE", "value": {"bookmarks": bookmarks}}))

    def _save_when_due(self) -> None:
        if self._checkpoints.is_due:
            self.save()


def play(reports: int, accounts: int, days: int) -> Played:
    played = Played({each: bookmark(accounts) for each in names(reports)})
    for taken in batches(reports, accounts, days):
        played.take(taken)
        played.emit(RUNNING)
    played.emit(0)
    played.save()
    return played


def batches(reports: int, accounts: int, days: int) -> Iterator[BatchTaken]:
    """As they are packed: full ones, and what is left of a report."""
    for report in names(reports):
        for first in range(0, accounts * days, QUERIES_PER_BATCH):
            size = min(accounts * days - first, QUERIES_PER_BATCH)
            yield batch_of(first, report, size, accounts)


@pytest.mark.parametrize("accounts", [100, 300, 3_000])
@pytest.mark.parametrize("days", [3, 30], ids=["nightly", "first load"])
def test_state_costs_at_most_2100_bytes_a_query(accounts: int, days: int) -> None:
    played = play(1, accounts, days)
    assert played.messages > 2
    assert played.total <= 2_100 * played.queries


def test_two_hundred_reports_of_one_account_cost_under_three_megabytes() -> None:
    played = play(200, 1, 1)
    assert played.messages > 2
    assert played.total < 3_000_000
