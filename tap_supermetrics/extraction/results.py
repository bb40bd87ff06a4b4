"""What becomes of a planned query: a result, or a failure that says why."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.api.wire import FieldEcho
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import Query

MEMORY_PER_RESULT: Final = 64 * 1024
"""Bytes of a result that stay in memory; the rest of a larger one waits on disk."""


class Spool:
    """The rows of one result, waiting to be emitted: in memory while small, else on disk.

    The file has no name, so that a killed process leaves nothing behind.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_PER_RESULT)  # noqa: SIM115 - closed by close()
        self._sizes: list[int] = []

    def __len__(self) -> int:
        """Bytes held."""
        return sum(self._sizes)

    def add(self, block: bytes) -> None:
        """Keep some more rows."""
        self._file.write(block)
        self._sizes.append(len(block))

    def blocks(self) -> Iterator[bytes]:
        """The blocks of rows, in the order and of the size in which they came."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)

    def close(self) -> None:
        """Give memory and disk back."""
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rows of one query.

    Attributes:
        query: what was asked.
        dates: the days that the API answered for; fewer than asked when it clamped the end.
        schedule_id: the API's id of the query.
        fetched_at: when its last page came, with offset.
        fields: how the API placed the fields.
        row_count: number of rows, header not included.
        spool: the rows, some at a time, as JSON arrays of arrays.
    """

    query: Query
    dates: DateRange | None
    schedule_id: str
    fetched_at: datetime
    fields: tuple[FieldEcho, ...]
    row_count: int
    spool: Spool = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A query that failed for good in this run.

    Attributes:
        query: what was asked.
        error: why.
        was_asked: False when the run was stopped before the query was sent; True for one that was
            not sent because it would have met the refusal of another.
    """

    query: Query
    error: ApiError
    was_asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A query that was replaced by smaller ones, which follow in its place."""

    query: Query
    parts: tuple[Query, ...]


Outcome = Result | Lost
