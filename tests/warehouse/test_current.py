"""The view of current rows says what a plain reading of its promise says, on random nights."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.test_views import DAY, LOG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.warehouse.test_views import Stored

# Of fakesnow, where it is installed.
pytestmark = pytest.mark.filterwarnings("ignore:Arrow output")
# Accounts do not touch each other: each is a small world of its own, and one query answers for all.
WORLDS = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    account: str
    schedule_id: str
    fetched_at: str
    day: int | None
    campaign: str


@dataclass(frozen=True, slots=True)
class Logged:
    account: str
    first: int | None
    last: int | None
    status: str
    row_count: int | None
    schedule_id: str | None
    fetched_at: str | None
    run_id: str
    report: str = "ads"
    by_day: str | None = None

    def is_empty_on(self, day: int) -> bool:
        """Return whether it had no row of a day, as far as it tells."""
        counts = (self.by_day or "").split(",")
        place = day - (self.first or 0)
        return 0 <= place < len(counts) and counts[place] == "0"


@dataclass(frozen=True, slots=True)
class World:
    rows: Sequence[Row]
    log: Sequence[Logged]

    def counted(self) -> Iterator[Logged]:
        """Records that count: an answer whose rows are not there yet does not."""
        there = {row.schedule_id for row in self.rows}
        for each in self.log:
            is_there = each.row_count == 0 or each.schedule_id in there
            if each.report == "ads" and (each.status != "success" or is_there):
                yield each

    def by_day(self) -> set[Row]:
        counted = {*self.counted()}
        answers = [each for each in self.log if each.status == "success" and each.report == "ads"]
        return {
            row
            for row in self.rows
            if not _is_hidden(
                row,
                # Of several days, one without rows is answered, whatever the table has.
                [x for x in answers if x in counted or x.is_empty_on(row.day or 0)],
            )
        }

    def whole(self) -> set[Row]:
        """Rows of a reading are of its range; one without a range is of all days."""
        readings = [each for each in self.counted() if each.status == "success"]
        whole = [each for each in readings if each.first is None]
        newest = max(whole, key=attrgetter("fetched_at"), default=None)
        replaced = {
            old.schedule_id
            for old in readings
            for new in readings
            if str(new.fetched_at) > str(old.fetched_at) and _is_within(old, new)
        }
        return {
            row
            for row in self.rows
            if row.schedule_id not in replaced
            and (
                newest is None
                or row.schedule_id == newest.schedule_id
                or row.fetched_at >= str(newest.fetched_at)
            )
        }


def _is_within(old: Logged, new: Logged) -> bool:
    if old.first is None or old.last is None or new.first is None or new.last is None:
        return False
    return new.first <= old.first and old.last <= new.last


def _is_hidden(row: Row, answers: Sequence[Logged]) -> bool:
    if row.day is None:
        return False
    covering = [
        (str(each.fetched_at), each.schedule_id)
        for each in answers
        if each.first is None or (each.last is not None and each.first <= row.day <= each.last)
    ]
    moment, schedule_id = max(covering, default=("", None))
    return row.schedule_id != schedule_id and row.fetched_at < moment


def _world(account: str, dice: random.Random) -> World:
    rows: list[Row] = []
    log: list[Logged] = []
    moments = [f"2024-07-{day:02d}T04:00:00.{ms:03d}+00:00" for day in (1, 2, 3) for ms in range(9)]
    dice.shuffle(moments)
    for number in range(dice.randint(1, 6)):
        first = dice.randrange(3)
        last = first + dice.choice((0, 0, 0, 1, 2))
        schedule_id, moment = f"{account}-{number}", moments.pop()
        here = [
            Row(account, schedule_id, moment, dice.choice((*range(first, last + 1), None)), f"{n}")
            for n in range(dice.choice((0, 0, 1, 3)))
        ]
        if dice.random() < 0.2:
            # A killed run emitted some of them at a moment of its own.
            again = moments.pop()
            here = [replace(each, fetched_at=dice.choice((moment, again))) for each in here]
        rows += here
        # The API may not tell what it made of a `date_range_type`: that is of all days.
        from_day, until_day = (first, last) if dice.random() < 0.8 else (None, None)
        is_several = from_day is not None and last > first
        counts = [str(dice.randrange(2)) for _ in range(first, last + 1)]
        success = Logged(
            account, from_day, until_day, "success", dice.choice((0, 1, 1, None)), schedule_id,
            moment, run_id=f"{dice.randrange(3)}",
            report=dice.choice(("ads", "ads", "ads", "other")),
            by_day=",".join(counts) if is_several and dice.random() < 0.7 else None,
        )  # fmt: skip
        failure = replace(
            success, status=dice.choice(("failed", "excluded")), row_count=None, schedule_id=None,
            fetched_at=None, by_day=None,
        )  # fmt: skip
        log += dice.choice(([success], [success], [success], [failure], [failure, success], []))
    return World(rows, log)


@pytest.fixture(params=range(2))
def worlds(request: pytest.FixtureRequest) -> Sequence[World]:
    dice = random.Random(request.param)  # noqa: S311 - the same in each run
    return [_world(f"{number}", dice) for number in range(WORLDS)]


def _insert(stored: Stored, table: str, columns: str, values: Sequence[tuple[Any, ...]]) -> None:
    texts = (
        ", ".join(
            "NULL" if each is None else f"'{each}'" if isinstance(each, str) else str(each)
            for each in value
        )
        for value in values
    )
    stored.database.rows(f'INSERT INTO "{table}" ({columns}) VALUES ({"), (".join(texts)})')


def _date(day: int | None) -> str | None:
    return None if day is None else str(DAY + timedelta(days=day))


@pytest.mark.parametrize("day", ["Date", ""], ids=["by day", "read whole"])
def test_the_view_shows_what_its_promise_says(
    stored: Stored, worlds: Sequence[World], day: str
) -> None:
    rows = [row for world in worlds for row in world.rows]
    log = [each for world in worlds for each in world.log]
    columns = '"_sm_account_id", "_sm_schedule_id", "_sm_fetched_at", "Date", "Campaign"'
    _insert(
        stored,
        "ads",
        columns,
        [(x.account, x.schedule_id, x.fetched_at, _date(x.day), x.campaign) for x in rows],
    )
    _insert(
        stored,
        LOG,
        "account_id, first_day, last_day, status, row_count, schedule_id, fetched_at, run_id, "
        "report, rows_by_day",
        [
            (
                x.account, _date(x.first), _date(x.last), x.status, x.row_count, x.schedule_id,
                x.fetched_at, x.run_id, x.report, x.by_day,
            )
            for x in log
        ],
    )  # fmt: skip
    stored.make_views(day=day)
    found = stored.database.rows(f'SELECT {columns} FROM "ads_current"')
    shown = sorted((str(x[1]), str(x[2]), str(x[3] or None), str(x[4])) for x in found)
    expected = [row for world in worlds for row in (world.by_day() if day else world.whole())]
    assert shown == sorted(
        (x.schedule_id, x.fetched_at, str(_date(x.day)), x.campaign) for x in expected
    )
    assert 0 < len(expected) < len(rows)
