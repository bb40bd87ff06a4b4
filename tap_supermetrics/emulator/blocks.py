"""The data of one account and day: totals, divided among the members of axes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.catalogue import (
    ACCOUNT,
    DAY,
    Account,
    Axis,
    Cell,
    Field,
    Source,
    cells,
    members,
)
from tap_supermetrics.emulator.sources.fields import DAY_CELLS

if TYPE_CHECKING:
    from collections.abc import Sequence

_MASK = (1 << 64) - 1
_ORIGIN = date(2022, 1, 1).toordinal()
_GROWTH_PER_DAY = 0.0004
_WEEKDAYS = (1.08, 1.12, 1.1, 1.05, 0.98, 0.8, 0.87)


def mixed(*numbers: int) -> int:
    """Return a number of 64 bits that looks random and depends on all given (splitmix64)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ number) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def chance(*numbers: int) -> float:
    """Return a number in [0, 1) that depends on all given."""
    return mixed(*numbers) / (1 << 64)


@dataclass(slots=True, kw_only=True)
class Block:
    """The rows of one account and day, in columns.

    Attributes:
        account: The account.
        day: The day, or None.
        size: How many rows.
        axes: The axes that divide it.
        index: Per axis the position of the row's member.
        measures: Per measure the row's value.
    """

    account: Account
    day: date | None
    size: int = 1
    axes: dict[str, Axis] = field(default_factory=dict)
    index: dict[str, list[int]] = field(default_factory=dict)
    measures: dict[str, list[int]] = field(default_factory=dict)

    def cells(self, of: Field) -> Sequence[Cell]:
        """Return the column of a field."""
        if of.compute is not None:
            return of.compute(self.measures)
        if of.axis == ACCOUNT:
            return [getattr(self.account, of.column)] * self.size
        if of.axis == DAY:
            return [_day_cell(of.column, self.day)] * self.size
        column = cells(self.axes[of.axis], self.account, of.column)
        return [column[position] for position in self.index[of.axis]]


@lru_cache(maxsize=8192)
def _day_cell(column: str, day: date | None) -> str:
    return DAY_CELLS[column](day) if day else ""


def axes_of(source: Source, fields: Sequence[Field]) -> tuple[Axis, ...]:
    """Return the axes to divide by, up to the last that a field names: so each has its column."""
    return _axes_of(source, tuple(fields))


@lru_cache(maxsize=1024)
def _axes_of(source: Source, fields: tuple[Field, ...]) -> tuple[Axis, ...]:
    axes = source.report_types[source.report_type(fields) or next(iter(source.report_types))]
    named = {field.axis for field in fields}
    return axes[: max((n + 1 for n, axis in enumerate(axes) if axis.name in named), default=0)]


def is_told_apart(source: Source, fields: Sequence[Field]) -> bool:
    """Return whether the fields tell all rows of one account and day apart."""
    keyed = {field.axis for field in fields if field.is_key}
    by_child = False
    for axis in reversed(axes_of(source, fields)):
        if not (by_child or axis.name in keyed):
            return False
        by_child = axis.children > 0
    return True


def has_rows(seed: int, account: Account, day: date | None) -> bool:
    """Return whether an account has any row on a day."""
    if not account.level or (day and (day < account.since or day.weekday() in account.rests)):
        return False
    return not (
        account.sparse
        and day
        and mixed(seed, account.number, day.toordinal(), 0xE) % account.sparse == 0
    )


def block_size(axes: Sequence[Axis], account: Account, day: date | None, asked_on: date) -> int:
    """Return how many rows the block of an account and day has."""
    return prod(axis.children or len(_active(axis, account, day, asked_on)) for axis in axes)


def block(  # noqa: PLR0913, PLR0917 - what a block depends on
    seed: int,
    source: Source,
    axes: Sequence[Axis],
    account: Account,
    day: date | None,
    asked_on: date,
    needed: frozenset[str],
) -> Block:
    """Return the rows of an account and day that has some.

    Args:
        seed: Seed of the data.
        source: The data source.
        axes: What to divide by, outermost first.
        account: The account.
        day: The day, or None.
        asked_on: The day on which it is asked.
        needed: The measures to give.
    """
    key = mixed(seed, account.number, day.toordinal() if day else 0)
    made = Block(account=account, day=day)
    totals = _totals(source, account, key, day, asked_on)
    made.measures = {name: [totals[name]] for name in totals if name in needed}
    for position, axis in enumerate(axes):
        parent = made.index[axes[position - 1].name] if axis.children else None
        active = tuple(range(axis.children)) or _active(axis, account, day, asked_on)
        _divide(made, axis, mixed(key, position), parent, active)
    return made


def _totals(
    source: Source, account: Account, key: int, day: date | None, asked_on: date
) -> dict[str, int]:
    settled: dict[str, int] = {}
    shown: dict[str, int] = {}
    # Without a day, everything has settled.
    age = (asked_on - day).days if day else 1_000
    for position, measure in enumerate(source.measures):
        base = settled[measure.of] * measure.rate if measure.of else _driver(account, day)
        # Made of settled numbers, so that asking later changes only what had not settled.
        settled[measure.name] = round(base * (0.88 + 0.24 * chance(key, position)))
        known = measure.settling[age] if 0 <= age < len(measure.settling) else 1_000
        shown[measure.name] = settled[measure.name] * known // 1_000
    return shown


def _driver(account: Account, day: date | None) -> float:
    if day is None:
        return float(account.level)
    grown = max(0.3, 1 + _GROWTH_PER_DAY * (day.toordinal() - _ORIGIN))
    season = 1.35 if day.month in {11, 12} else 1.0
    return account.level * grown * season * _WEEKDAYS[day.weekday()]


@lru_cache(maxsize=1024)
def _starts(axis: Axis, account: Account) -> tuple[date, ...]:
    return tuple(sorted(member.since for member in members(axis, account)))


@lru_cache(maxsize=4096)
def _active_since(axis: Axis, account: Account, latest: date) -> tuple[int, ...]:
    return tuple(n for n, member in enumerate(members(axis, account)) if member.since <= latest)


def _active(axis: Axis, account: Account, day: date | None, asked_on: date) -> tuple[int, ...]:
    """Return the members that exist on a day, and did not vanish since, by position."""
    starts = _starts(axis, account)
    started = bisect_right(starts, day) if day else len(starts)
    # By the last start and not by the day, so that all days until the next one share a result.
    active = _active_since(axis, account, starts[started - 1]) if started else ()
    if not day or not _some_vanish(axis, account):
        return active
    lives = [(n, members(axis, account)[n].vanishes_after) for n in active]
    return tuple(n for n, days in lives if not days or (asked_on - day).days < days)


@lru_cache(maxsize=1024)
def _some_vanish(axis: Axis, account: Account) -> bool:
    return any(member.vanishes_after for member in members(axis, account))


def _divide(
    made: Block, axis: Axis, key: int, parents: list[int] | None, active: tuple[int, ...]
) -> None:
    """Divide every row among the members of an axis; the parts add up to the row."""
    size, rows = len(active), made.size
    for position, (name, column) in enumerate(made.measures.items()):
        jitter = 0 if axis.rotates else mixed(key, position)
        made.measures[name] = _divided(column, axis, made.account, parents, active, key, jitter)
    made.index = {name: _spread(column, size) for name, column in made.index.items()}
    origins = [parent * size for parent in parents] if parents else [0] * rows
    made.index[axis.name] = [origin + child for origin in origins for child in active]
    made.axes[axis.name] = axis
    made.size = rows * size


def _spread(column: list[int], times: int) -> list[int]:
    return [value for value in column for _ in range(times)]


def _divided(  # noqa: PLR0913, PLR0917 - what a division depends on
    column: list[int],
    axis: Axis,
    account: Account,
    parents: list[int] | None,
    active: tuple[int, ...],
    key: int,
    jitter: int,
) -> list[int]:
    if axis.rotates:
        start = key % axis.children
        bounds = _rotated(axis, account)[start : start + axis.children + 1]
        every = [bounds] * len(column)
    elif parents:
        children = {p: tuple(p * axis.children + n for n in active) for p in set(parents)}
        one = {p: _bounds(axis, account, positions, jitter) for p, positions in children.items()}
        every = [one[parent] for parent in parents]
    else:
        every = [_bounds(axis, account, active, jitter)] * len(column)
    return [
        part for total, bounds in zip(column, every, strict=True) for part in _parts(total, bounds)
    ]


def _parts(total: int, bounds: Sequence[int]) -> list[int]:
    first, whole = bounds[0], bounds[-1] - bounds[0]
    # Differences of rounded sums add up to the total, as rounded parts would not.
    cuts = [total * (bound - first) // whole for bound in bounds]
    return [after - before for before, after in pairwise(cuts)]


def _bounds(axis: Axis, account: Account, positions: Sequence[int], jitter: int) -> list[int]:
    everyone = members(axis, account)
    weights = (
        # Five bits for each member, so that its share differs from day to day.
        everyone[position].weight * (64 + (jitter >> (position * 5 % 59) & 31))
        for position in positions
    )
    return [0, *accumulate(weights)]


@lru_cache(maxsize=256)
def _rotated(axis: Axis, account: Account) -> list[int]:
    weights = [member.weight for member in members(axis, account)[: axis.children]]
    # Twice around, so that all members follow wherever one begins.
    return [0, *accumulate(weights * 2)]
