"""The data of accounts and days, and the rows that any question must be answered with.

All of it is a pure function of (seed, data source, account, day, field, day on which it is asked).
A total per account and day is divided exactly among campaigns, devices and so on, so sums of
counts and costs agree whatever the dimensions asked for. Recent days are restated until they
settle. Rows come by account as asked, then by day, then by the members of the dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import repeat
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.blocks import (
    Block,
    axes_of,
    block,
    block_size,
    has_rows,
    is_told_apart,
    mixed,
)
from tap_supermetrics.emulator.catalogue import ACCOUNT, DAY, Account, Cell, Field, Source
from tap_supermetrics.emulator.filters import Filter, Order, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to the world: accounts, days, fields, filter and order.

    Attributes:
        source: The data source.
        accounts: In the order of the rows.
        first: First day, or None for a data source without dates.
        last: Last day, included.
        fields: In the order of the columns.
        asked_on: The day on which it is asked, which decides what has settled.
        filter: Which rows to keep.
        order: How to sort them.
    """

    source: Source
    accounts: tuple[Account, ...]
    first: date | None
    last: date | None
    fields: tuple[Field, ...]
    asked_on: date
    filter: Filter | None = None
    order: tuple[Order, ...] = ()

    @property
    def days(self) -> tuple[date | None, ...]:
        """Return every day asked for that is not in the future; one None without dates."""
        if self.first is None or self.last is None:
            return (None,)
        last = min(self.last, self.asked_on)
        return tuple(self.first + timedelta(days=n) for n in range((last - self.first).days + 1))

    @property
    def is_direct(self) -> bool:
        """Return whether rows come straight from accounts and days, without summing or sorting."""
        if self.filter or self.order:
            return False
        many = [ACCOUNT] * (len(self.accounts) > 1) + [DAY] * (self.first != self.last)
        keyed = {field.axis for field in self.fields if field.is_key}
        return keyed.issuperset(many) and is_told_apart(self.source, self.fields)


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """The data at one time.

    Attributes:
        seed: Seed of all data.
        restated: (data source, account, day) -> how often its data were changed by hand.
    """

    seed: int
    restated: Mapping[tuple[str, str, date], int] = field(default_factory=dict)

    def all_rows(self, ask: Ask) -> Iterator[tuple[Cell, ...]]:
        """Yield the rows of a question, produced as they are taken where possible."""
        if ask.is_direct:
            for account, day in self.parts(ask):
                yield from self.direct_rows(ask, account, day)
        else:
            yield from self.summed_rows(ask)

    def parts(self, ask: Ask) -> Iterator[tuple[Account, date | None]]:
        """Return the accounts and days that have rows."""
        return (
            (account, day)
            for account in ask.accounts
            for day in ask.days
            if has_rows(self.seed, account, day)
        )

    def direct_rows(self, ask: Ask, account: Account, day: date | None) -> list[tuple[Cell, ...]]:
        """Return the rows of one account and day, when none of them must be summed."""
        part = self.block(ask, account, day, ask.fields)
        return list(zip(*(part.cells(field) for field in ask.fields), strict=True))

    def direct_size(self, ask: Ask, account: Account, day: date | None) -> int:
        """Return how many rows `direct_rows` gives."""
        return block_size(axes_of(ask.source, ask.fields), account, day, ask.asked_on)

    def summed_rows(self, ask: Ask) -> list[tuple[Cell, ...]]:
        """Return the rows of a question whose parts must be summed, filtered or sorted."""
        before = ask.filter if ask.filter and ask.filter.is_of_dimensions else None
        fields = (*ask.fields, *(before.fields if before else ()))
        groups: dict[tuple[Cell, ...], list[int]] = {}
        measures = tuple(dict.fromkeys(name for field in ask.fields for name in field.needs))
        for account, day in self.parts(ask):
            _add(groups, self.block(ask, account, day, fields), ask, before, measures)
        rows = _rows_of(groups, ask.fields, measures)
        if ask.filter and not before:
            ids = [field.id for field in ask.fields]
            rows = [row for row in rows if ask.filter.holds(dict(zip(ids, row, strict=True)))]
        return ordered(rows, ask.order, ask.fields)

    def block(self, ask: Ask, account: Account, day: date | None, fields: Sequence[Field]) -> Block:
        """Return one account and day, divided as far as the fields need."""
        revision = self.restated.get((ask.source.id, account.id, day), 0) if day else 0
        needed = frozenset(name for field in fields for name in field.needs)
        # Other numbers, but the same ones whenever this revision is asked for.
        seed = mixed(self.seed, revision) if revision else self.seed
        return block(
            seed, ask.source, axes_of(ask.source, fields), account, day, ask.asked_on, needed
        )


def _add(
    groups: dict[tuple[Cell, ...], list[int]],
    part: Block,
    ask: Ask,
    condition: Filter | None,
    measures: Sequence[str],
) -> None:
    columns = [part.cells(field) for field in ask.fields if field.axis]
    keys = zip(*columns, strict=True) if columns else repeat((), part.size)
    values = zip(*(part.measures[name] for name in measures), strict=True)
    kept = _kept(part, condition)
    for key, numbers, keep in zip(keys, values if measures else repeat(()), kept, strict=False):
        if keep:
            sums = groups.setdefault(key, [0] * len(measures))
            for position, number in enumerate(numbers):
                sums[position] += number


def _kept(part: Block, condition: Filter | None) -> list[bool]:
    if condition is None:
        return [True] * part.size
    columns = {field.id: part.cells(field) for field in condition.fields}
    return [
        condition.holds({name: column[n] for name, column in columns.items()})
        for n in range(part.size)
    ]


def _rows_of(
    groups: Mapping[tuple[Cell, ...], Sequence[int]],
    fields: Sequence[Field],
    measures: Sequence[str],
) -> list[tuple[Cell, ...]]:
    if not groups:
        return []
    sums = zip(*groups.values(), strict=True) if measures else ()
    totals = dict(zip(measures, sums, strict=True))
    dimensions = iter(list(zip(*groups, strict=True)))
    columns = [field.compute(totals) if field.compute else next(dimensions) for field in fields]
    return list(zip(*columns, strict=True))
