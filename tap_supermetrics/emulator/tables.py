"""Results: rows of a query by position, without holding a large one in memory."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from tap_supermetrics.emulator.catalogue import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from tap_supermetrics.emulator.data import Ask
    from tap_supermetrics.emulator.world import World

Row = tuple[Cell, ...]
T = TypeVar("T")

CACHED_ROWS = 300_000
CHUNK_ROWS = 10_000


class Cache(Generic[T]):
    """The things used last, up to a total weight (the very last in any case); for any thread."""

    def __init__(self, limit: int, weight: Callable[[T], int]) -> None:
        self._limit = limit
        self._weight = weight
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, T] = OrderedDict()
        self._total = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made when it is not at hand."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        # Without the lock, as it may take long; two threads may then make the same.
        value = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = value
                self._total += self._weight(value)
            while self._total > self._limit and len(self._held) > 1:
                self._total -= self._weight(self._held.popitem(last=False)[1])
        return value


_ROWS: Cache[list[Row]] = Cache(CACHED_ROWS, len)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of a finished query, computed when they are read.

    Attributes:
        world: The world as it was when the query ran.
        ask: What was asked of it.
        bounds: Position of the first row of each part, and the number of rows at the end; empty
            when the rows must be summed.
        total: How many rows it has, cut at `max_rows`.
        huge: Length of the first text of the first row when that was made oversized; else 0.
    """

    world: World
    ask: Ask
    bounds: tuple[int, ...] = ()
    total: int = 0
    huge: int = 0

    def chunks(self, first: int, last: int) -> Iterator[Sequence[Row]]:
        """Yield the rows from position `first` to before `last`, in pieces."""
        last = min(last, self.total)
        rows = self._direct(first, last) if self.bounds else self._summed(first, last)
        for number, piece in enumerate(rows):
            yield self._oversized(piece) if self.huge and not number and not first else piece

    def _summed(self, first: int, last: int) -> Iterator[Sequence[Row]]:
        rows = _ROWS.get(("summed", self.world, self.ask), lambda: self.world.summed_rows(self.ask))
        for start in range(first, last, CHUNK_ROWS):
            yield rows[start : min(start + CHUNK_ROWS, last)]

    def _direct(self, first: int, last: int) -> Iterator[Sequence[Row]]:
        parts = list(self.world.parts(self.ask)) if first < last else []
        held: list[Row] = []
        position = bisect_right(self.bounds, first) - 1
        for (account, day), start in zip(parts[position:], self.bounds[position:], strict=False):
            if start >= last:
                break
            rows = _ROWS.get(
                ("part", self.world, self.ask, account, day),
                lambda: self.world.direct_rows(self.ask, account, day),  # noqa: B023 - called at once
            )
            held += rows[max(0, first - start) : last - start]
            if len(held) >= CHUNK_ROWS:
                yield held
                held = []
        if held:
            yield held

    def _oversized(self, rows: Sequence[Row]) -> Sequence[Row]:
        position = next((n for n, cell in enumerate(rows[0]) if isinstance(cell, str)), 0)
        row = (*rows[0][:position], "x" * self.huge, *rows[0][position + 1 :])
        return [row, *rows[1:]]


def table(world: World, ask: Ask, max_rows: int, huge: int = 0) -> Table:
    """Return the result of a question, cut at `max_rows`."""
    if not ask.is_direct:
        rows = _ROWS.get(("summed", world, ask), lambda: world.summed_rows(ask))
        return Table(world=world, ask=ask, total=min(len(rows), max_rows), huge=huge)
    sizes = (world.direct_size(ask, account, day) for account, day in world.parts(ask))
    bounds = (0, *accumulate(sizes))
    return Table(world=world, ask=ask, bounds=bounds, total=min(bounds[-1], max_rows), huge=huge)
