"""Random stories of an extraction, played without threads, clock or network.

A story is known by its seed: the reports and accounts, what the API refuses, the order in which
things happen, how often the run is killed. `play(seed)` plays it and checks the promises; a seed
that fails is played again with `python -m tests.core.stories --seed N`, and a night's worth with
`python -m tests.core.stories --count 1000000`.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Final
from unittest import mock

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Fate
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction import doubts, trials
from tap_supermetrics.extraction.events import (
    Awaited,
    BatchEnded,
    BatchEnding,
    BatchNotSubmitted,
    CancelBatches,
    Deliver,
    Emitted,
    Fetch,
    Fetched,
    QueryFailed,
    QueryNotSubmitted,
    SubmitBatch,
    SubmitQuery,
    Succeeded,
)
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.results import (
    BatchTaken,
    Failed,
    NotReached,
    QueryTaken,
    ReportDone,
    Result,
    Spool,
)
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.extraction.sequence import MAX_WAITING
from tap_supermetrics.model import SubmittedBatch
from tap_supermetrics.planning.budget import within_budget
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.planning.plan import plan_report
from tap_supermetrics.planning.scope import Scope
from tests.core.reports import policy, report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.api.verdicts import Reach
    from tap_supermetrics.extraction.events import Action, Event
    from tap_supermetrics.model import BatchRequest, Query, Report
    from tap_supermetrics.planning.plan import ReportPlan

FIRST_DAY: Final = date(2024, 1, 1)
NOW: Final = datetime(2024, 6, 1, 4, tzinfo=timezone.utc)
MAX_STEPS: Final = 20_000
OF_QUERIES: Final = (
    "QUERY_ERROR",
    "INTERNAL_SERVER_ERROR",
    "QUERY_MISSING",
    "QUERY_UNFINISHED",
    "RESULT_INCOMPLETE",
    "RESULT_CUT_OFF",
    "RESULT_MISMATCH",
    "TYPE_MISMATCH",
    "BAD_REQUEST",
    "STATUS_NOT_FOUND",
)
OF_ACCOUNTS: Final = ("QUERY_ACCOUNT_UNAVAILABLE", "QUERY_AUTH_UNAVAILABLE", "QUERY_ERROR")
OF_REPORTS: Final = ("SETTING_KEY_INVALID", "FIELD_INVALID", "LICENSE_DAILY_QUERY_LIMIT_EXCEEDED")
OF_BATCHES: Final = (
    "SERVICE_UNAVAILABLE",
    "CONNECTION_FAILED",
    "BATCH_QUERY_ITEM_VALUE_INVALID",
    "BATCH_QUERIES_LIMIT_EXCEEDED",
    "ENDPOINT_NOT_FOUND",
)
OF_ALL: Final = ("API_KEY_INVALID", "LICENSE_EXPIRED")

Cell = tuple[str, str, date]
"""A report, an account and a day."""


def cells_of(query: Query) -> set[Cell]:
    assert query.dates
    return {(query.report, query.account_id, day) for day in query.dates.each_day()}


class NoFile(Spool):
    """The rows of a result, of which there are none."""

    def __init__(self) -> None:
        self._file = BytesIO()
        self._sizes = []


@dataclass(kw_only=True)
class World:
    """What the API does in one story: the same to the same query, but for `mishaps`.

    Attributes:
        rng: where all chance comes from.
        is_calm: whether nothing is ever refused.
        mishaps: how many more requests or results fail by chance.
    """

    rng: random.Random
    is_calm: bool
    mishaps: int = 0
    accounts: dict[tuple[str, str], str] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    first_days: dict[str, tuple[date, bool]] = field(default_factory=dict)
    days: dict[Cell, str] = field(default_factory=dict)
    max_days: int = 1_000

    @classmethod
    def of(cls, rng: random.Random, plans: Mapping[str, ReportPlan], *, is_calm: bool) -> World:
        world = cls(rng=rng, is_calm=is_calm)
        if is_calm:
            return world
        world.mishaps = rng.choice((0, 0, 2, 10))
        world.max_days = rng.choice((1, 3, 1_000, 1_000))
        for name, plan in plans.items():
            if rng.random() < 0.1:
                world.reports[name] = rng.choice(OF_REPORTS)
            if rng.random() < 0.3:
                day = FIRST_DAY + timedelta(days=rng.randrange(40))
                world.first_days[name] = day, rng.random() < 0.5
            for account in plan.accounts:
                if rng.random() < 0.15:
                    key = name, account.whole.account_id
                    world.accounts[key] = rng.choice(OF_ACCOUNTS)
        return world

    def answer(self, query: Query) -> ApiError | None:
        """Say why a query fails; None when it succeeds."""
        assert query.dates
        code = self.reports.get(query.report) or self.accounts.get(query.report_account)
        if code:
            return ApiError(code, "always")
        first_day, is_named = self.first_days.get(query.report, (date.min, False))
        if query.dates.first < first_day:
            named = f"earliest is {first_day}" if is_named else "too far back"
            return ApiError("START_DATE_HISTORICAL", named)
        if query.dates.days > self.max_days:
            return ApiError("QUERY_ERROR", "no reason given")
        return self.mishap(OF_QUERIES)

    def mishap(self, codes: tuple[str, ...]) -> ApiError | None:
        if self.mishaps > 0 and self.rng.random() < 0.2:
            self.mishaps -= 1
            return ApiError(self.rng.choice(codes), "by chance", status=500)
        return None


@dataclass(kw_only=True)
class Batch:
    """A batch at the API."""

    batch: SubmittedBatch
    queries: list[Query]
    succeeded: list[Query] = field(default_factory=list)
    is_cancelled: bool = False


@dataclass(kw_only=True)
class Seen:
    """What the emitting thread was told, over all lives of a run."""

    results: list[Query] = field(default_factory=list)
    failed: dict[Query, Failed] = field(default_factory=dict)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    known: set[Query] = field(default_factory=set)
    submitted: Counter[Query] = field(default_factory=Counter)


class Life:
    """One life of a run: from its start to its end, or until it is killed."""

    def __init__(
        self,
        world: World,
        plans: dict[str, ReportPlan],
        limits: Limits,
        seen: Seen,
        held: list[Batch],
    ) -> None:
        self.world, self.plans, self.limits, self.seen = world, plans, limits, seen
        self.rng = world.rng
        planned = {query for plan in plans.values() for query in plan.singled_out()}
        self.batches = {each.batch.batch_id: each for each in held}
        adopted = []
        for each in held:
            each.queries += each.succeeded
            each.succeeded = []
            queries = tuple(query for query in each.queries if query in planned)
            planned -= {*queries}
            each.queries = [*queries]
            if queries:
                adopted.append(BatchTaken(batch=each.batch, queries=queries))
            else:
                del self.batches[each.batch.batch_id]
        self.scheduler = Scheduler(plans, limits, adopted)
        self.all_batches = {**self.batches}
        self.held_count = len(adopted)
        self.served = {query for each in adopted for query in each.queries}
        self.singles: list[Query] = []
        self.fetches: list[Fetch] = []
        self.kept: set[Cell] = set()  # the API has their results, which could not be fetched
        self.submitting: list[SubmitBatch | SubmitQuery] = []
        self.outbox: list[object] = []
        self.unemitted: list[Result | Failed] = []
        self.open = dict.fromkeys(plans)
        self.is_stopped = False
        self.taken = 0
        self.awaited = -1

    def run(self, kill_after: int) -> bool:
        """Play until the end; return whether it came before so many steps."""
        for step in range(MAX_STEPS):
            if step >= kill_after:
                return False
            while actions := self.scheduler.next_actions():
                self.act(actions)
            self.check_limits()
            if self.scheduler.is_done and not (self.outbox or self.unemitted):
                return True
            self.act(self.scheduler.handle(self.next_event()))
        raise AssertionError("the story does not end")

    def act(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Deliver):
                self.outbox.append(action.delivery)
            elif isinstance(action, Fetch):
                self.fetches.append(action)
            elif isinstance(action, CancelBatches):
                for batch in self.batches.values():
                    batch.is_cancelled = True
                self.is_stopped = True
            else:
                assert not self.is_stopped, "submitted after the stop"
                self.submitting.append(action)

    def check_limits(self) -> None:
        most = self.limits.max_running_batches
        most += most >= wire.MAX_RUNNING_BATCHES  # one may wait behind one that is ending
        assert len(self.batches) <= max(most, self.held_count)
        assert len(self.singles) <= self.limits.max_running_queries
        assert len(self.submitting) <= 1
        in_batches = sum(len(batch.queries) for batch in self.batches.values())
        held = [each for each in (*self.unemitted, *self.outbox) if isinstance(each, Result)]
        waiting = len(held) + len(self.fetches)
        # What was submitted while there was room may still come.
        most = MAX_WAITING + (self.limits.max_running_batches + 1) * 100 + 100
        assert in_batches + waiting <= most

    # What happens next

    def next_event(self) -> Event:
        ways = []
        if self.submitting:
            ways.append(self.submit)
        if self.fetches:
            ways.append(self.fetch)
        ways += [self.settle_single] if self.singles else []
        ways += [self.settle_batch] * bool(self.batches)
        ways += [self.emit] if self.outbox or self.unemitted else []
        if not ways:
            # The emitting thread says it once, as it begins to wait.
            assert self.awaited < self.taken, "the story stands still"
            self.awaited = self.taken
            return Awaited(taken=self.taken)
        return self.rng.choice(ways)()

    def submit(self) -> Event:
        action = self.submitting.pop()
        if isinstance(action, SubmitQuery):
            if error := self.world.mishap(("SERVICE_UNAVAILABLE", "BAD_REQUEST")):
                return QueryNotSubmitted(query=action.query, error=error)
            self.pay([action.query])
            self.singles.append(action.query)
            return QueryTaken(query=action.query, submitted_at=NOW)
        request = action.request
        assert len(request) <= self.limits.max_queries_per_batch
        if error := self.world.mishap((*OF_BATCHES, *OF_ALL)):
            return BatchNotSubmitted(request=request, error=error)
        self.pay(request.queries)
        batch = submitted(request, f"qrb_{self.rng.getrandbits(40)}")
        assert batch.queries() == {*request.queries}
        self.batches[batch.batch_id] = Batch(batch=batch, queries=[*request.queries])
        self.all_batches[batch.batch_id] = self.batches[batch.batch_id]
        return BatchTaken(batch=batch, queries=request.queries)

    def pay(self, queries: tuple[Query, ...] | list[Query]) -> None:
        assert not {*queries} & self.served or not self.world.is_calm
        assert not {cell for query in queries for cell in cells_of(query)} & self.kept, "paid twice"
        self.seen.submitted.update(queries)

    def settle_single(self) -> Event:
        query = self.singles.pop(self.rng.randrange(len(self.singles)))
        if error := self.world.answer(query):
            return QueryFailed(query=query, error=error)
        return Succeeded(query=query, entry=wire.BatchQuery(schedule_id="x", status_code="SUCCESS"))

    def settle_batch(self) -> Event:
        batch = self.rng.choice([*self.batches.values()])
        batch_id = batch.batch.batch_id
        if batch.queries and len(batch.queries) < 3 and self.rng.random() < 0.3:
            return BatchEnding(batch_id=batch_id)
        if not batch.queries or (self.world.mishaps and self.rng.random() < 0.02):
            del self.batches[batch_id]
            lost, code = tuple(batch.queries), self.rng.choice(("STATUS_UNREADABLE", "BATCH_STUCK"))
            why = ApiError(code, "by chance") if lost else None
            return BatchEnded(batch_id=batch_id, unsettled=lost, error=why)
        query = batch.queries.pop(self.rng.randrange(len(batch.queries)))
        if error := self.world.answer(query):
            return QueryFailed(query=query, error=error)
        if batch.is_cancelled:
            return QueryFailed(query=query, error=ApiError("QUERY_UNFINISHED", "cancelled"))
        batch.succeeded.append(query)
        return Succeeded(query=query, entry=wire.BatchQuery(schedule_id="x", status_code="SUCCESS"))

    def fetch(self) -> Event:
        query = self.fetches.pop(self.rng.randrange(len(self.fetches))).of.query
        if error := self.world.mishap((*OF_QUERIES, "API_KEY_INVALID")):
            self.kept |= cells_of(query) if error.fate is Fate.RETRY else set()
            return QueryFailed(query=query, error=error, was_fetched=True)
        result = Result(
            query=query,
            dates=query.dates,
            schedule_id="x",
            fetched_at=NOW,
            fields=(),
            row_count=1,
            latency_s=self.rng.choice((0.0, 0.8)),
            page_bytes=self.rng.choice((100, 10**7)),
            spool=NoFile(),
        )
        return Fetched(result=result)

    def emit(self) -> Event:
        """Take what was delivered, in order; tell of one outcome that was emitted."""
        while self.outbox:
            self.take(self.outbox.pop(0))
        if not self.unemitted:
            return Awaited(taken=self.taken)
        outcome = self.unemitted.pop(0)
        if isinstance(outcome, Failed):
            return Emitted(query=outcome.query)
        outcome.spool.close()
        self.seen.results.append(outcome.query)
        return Emitted(query=outcome.query, rows=1)

    def take(self, delivery: object) -> None:
        self.taken += 1
        if isinstance(delivery, BatchTaken):
            self.seen.known.update(delivery.queries)
        elif isinstance(delivery, QueryTaken):
            self.seen.known.add(delivery.query)
        elif isinstance(delivery, ReportDone):
            del self.open[delivery.report]
        elif isinstance(delivery, NotReached):
            assert delivery.report in self.open
            for account_id, days in delivery.days.items():
                self.seen.left[delivery.report, account_id] += days
        elif isinstance(delivery, (Result, Failed)):
            assert delivery.query.report in self.open
            self.unemitted.append(delivery)
            if isinstance(delivery, Result):
                assert delivery.query in self.seen.known, "the state does not name its batch"
            else:
                assert delivery.query not in self.seen.failed
                self.seen.failed[delivery.query] = delivery


def submitted(request: BatchRequest, batch_id: str) -> SubmittedBatch:
    return SubmittedBatch(
        batch_id=batch_id,
        submitted_at=NOW,
        split=request.policy.split,
        items=dict(enumerate(request.items)),
        item_count=len(request.items),
    )


def reports_of(rng: random.Random) -> dict[str, tuple[Report, Scope]]:
    found = {}
    for number in range(rng.choice((1, 1, 2, 3))):
        name = f"report_{number}"
        asked = replace(
            report(
                max_days_per_query=rng.choice((1, 3)),
                backfill_days_per_query=rng.choice((1, 1, 7)),
                backfill_order=rng.choice(("oldest", "newest")),
                lookback_days=rng.choice((0, 2)),
            ),
            name=name,
            ds_id=rng.choice(("AW", "FA")),
        )
        last = FIRST_DAY + timedelta(days=rng.choice((0, 2, 10, 60)))
        scope = Scope(
            accounts=tuple(str(each) for each in range(rng.choice((1, 1, 3, 6)))),
            wanted=DateRange(first=FIRST_DAY, last=last),
            is_incremental=True,
            is_dated_by_rows=True,
            policy=policy(split_dates=rng.random() < 0.7, query_concurrency=rng.choice((2, 5))),
        )
        found[name] = asked, scope
    return found


def limits_of(rng: random.Random) -> Limits:
    by_batch, one_by_one = rng.choice(((True, True), (True, True), (True, False), (False, True)))
    return Limits(
        by_batch=by_batch,
        one_by_one=one_by_one,
        max_running_batches=rng.choice((1, 2)),
        max_running_queries=rng.choice((1, 4)),
        max_rows=rng.choice((10**9, 10**9, 10)),
        max_queries=rng.choice((10**9, 10**9, 10**9, 25)),
        requests_per_second=rng.choice((1.0, 15.0)),
        max_queries_per_batch=rng.choice((3, 10, 100)),
    )


def play(seed: int) -> Seen:
    """Play a story and check what must hold in all."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    with (
        mock.patch.dict(doubts.DOUBT_LIMITS, doubt_limits_of(rng)),
        mock.patch.object(trials, "MIN_QUERIES", rng.choice((1, 3, 10))),
    ):
        return play_with(rng)


def doubt_limits_of(rng: random.Random) -> dict[Reach, doubts.DoubtLimit]:
    """Return that of the tap, or less, as most stories are too short for it."""
    if rng.random() < 0.5:
        return {}
    failures = sorted(rng.choices((2, 3, 5, 20), k=3))
    probes = (1, rng.choice((1, 2, 5)), 5)
    return {
        reach: doubts.DoubtLimit(failures=most, probes=width)
        for reach, most, width in zip(doubts.DOUBT_LIMITS, failures, probes, strict=True)
    }


def play_with(rng: random.Random) -> Seen:
    """Play the story that this chance makes."""
    reports, limits = reports_of(rng), limits_of(rng)
    is_calm = rng.random() < 0.3
    if is_calm:
        limits = replace(limits, max_rows=10**9, max_queries=10**9)
    is_by_rank = limits.max_rows < 10**9
    tried_first = frozenset(name for name in reports if rng.random() < 0.3)
    full = {name: plan_report(*each, {}) for name, each in reports.items()}
    world = World.of(rng, full, is_calm=is_calm)
    seen, done = Seen(), False
    held: list[Batch] = []
    kills = rng.choice((0, 0, 1, 3)) if limits.by_batch else 0
    while not done:
        plans = {
            name: replace(plan, is_tried_first=name in tried_first)
            for name, plan in plans_of(reports, seen, held, limits, is_by_rank=is_by_rank).items()
        }
        seen.failed.clear()
        seen.left.clear()
        life = Life(world, plans, limits, seen, held)
        done = life.run(rng.randrange(1, 200) if kills > 0 else MAX_STEPS)
        kills -= 1
        check_life(life, plans, done=done)
        if not done:  # what was fetched or on its way is still at the API, in its batch
            held = still_held(life)
    check_story(seen, full, is_calm=is_calm, limits=limits)
    return seen


def plans_of(
    reports: dict[str, tuple[Report, Scope]],
    seen: Seen,
    held: list[Batch],
    limits: Limits,
    *,
    is_by_rank: bool,
) -> dict[str, ReportPlan]:
    coverage: dict[str, dict[str, Coverage]] = {name: {} for name in reports}
    for query in seen.results:
        assert query.dates
        known = coverage[query.report].get(query.account_id, Coverage())
        coverage[query.report][query.account_id] = known.with_done(query.dates, FIRST_DAY)
    waiting = [query for batch in held for query in batch.queries]
    no_lookback = {
        name: (replace(r, lookback_days=0), scope) for name, (r, scope) in reports.items()
    }
    plans = [
        replace(
            plan_report(
                *no_lookback[name], coverage[name], [q for q in waiting if q.report == name]
            ),
            is_by_rank=is_by_rank,
        )
        for name in reports
    ]
    free = {query for plan in plans for query in plan.singled_out() if query in {*waiting}}
    if sum(map(len, plans)) - len(free) > limits.max_queries:
        plans = [*within_budget(plans, limits.max_queries, free)]
    return {plan.report.name: plan for plan in plans}


def still_held(life: Life) -> list[Batch]:
    """Return the batches whose results were not all emitted, as the API still has them."""
    emitted = {*life.seen.results}
    return [
        Batch(batch=batch.batch, queries=sorted(left, key=str))
        for batch in life.all_batches.values()
        if (left := {*batch.queries, *batch.succeeded} - emitted)
    ]


def check_life(life: Life, plans: dict[str, ReportPlan], *, done: bool) -> None:
    if not done:
        life.scheduler.close()
        return
    assert not life.open, "a report was not ended"
    planned = Counter(
        cell for plan in plans.values() for query in plan.queries() for cell in cells_of(query)
    )
    assert set(planned.values()) <= {1}
    results, seen = {c for q in life.seen.results for c in cells_of(q)}, life.seen
    ended = Counter(cell for query in seen.failed for cell in cells_of(query))
    assert not {cell for cell, count in ended.items() if count > 1}
    assert not ended.keys() & results
    open_cells = planned.keys() - ended.keys() - results
    per_account = Counter((name, account_id) for name, account_id, _ in open_cells)
    assert per_account == +seen.left, "days without an outcome"


def check_story(seen: Seen, full: dict[str, ReportPlan], *, is_calm: bool, limits: Limits) -> None:
    twice = [cell for cell, count in cells(seen).items() if count > 1]
    assert not twice, "rows were emitted twice"
    assert max(seen.submitted.values(), default=0) <= 3 * 4
    if not is_calm:
        return
    wanted = {cell for plan in full.values() for q in plan.queries() for cell in cells_of(q)}
    assert cells(seen).keys() == wanted
    assert not seen.failed
    assert not seen.left
    assert limits.max_queries == 10**9


def cells(seen: Seen) -> Counter[Cell]:
    return Counter(cell for query in seen.results for cell in cells_of(query))


def main() -> int:
    """Play many stories, or one again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="play this story only")
    parser.add_argument("--count", type=int, default=10_000, help="how many stories to play")
    parser.add_argument("--first", type=int, default=0, help="seed of the first one")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    seeds = [args.seed] if args.seed is not None else range(args.first, args.first + args.count)
    for seed in seeds:
        try:
            play(seed)
        except BaseException:  # noqa: PERF203 - each story is a test
            sys.stderr.write(f"the story with --seed {seed} failed\n")
            raise
    sys.stdout.write(f"{len(seeds)} stories kept all promises\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
