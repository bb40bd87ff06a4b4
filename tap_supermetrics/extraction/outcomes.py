"""What becomes of a planned query: a result, or a failure that says why."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_supermetrics.api.wire import FieldEcho, Row
    from tap_supermetrics.planning.dates import DateRange
    from tap_supermetrics.planning.plan import Query

MEMORY_PER_RESULT: Final = 64 * 1024
"""Bytes of a result that stay in memory; the rest of a larger one waits on disk."""


class Spool:
    """The pages of one result, waiting to be emitted: in memory while small, else on disk.

    The file has no name, so that a killed process leaves nothing behind.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(MEMORY_PER_RESULT)  # noqa: SIM115 - closed by close()
        self._sizes: list[int] = []

    def __len__(self) -> int:
        """Bytes held."""
        return sum(self._sizes)

    def add(self, page: bytes) -> None:
        """Keep one more page."""
        self._file.write(page)
        self._sizes.append(len(page))

    def pages(self) -> Iterator[bytes]:
        """The pages in the order they came."""
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
        spool: the rows, page by page, as JSON arrays of arrays.
    """

    query: Query
    dates: DateRange | None
    schedule_id: str
    fetched_at: datetime
    fields: tuple[FieldEcho, ...]
    row_count: int
    spool: Spool = field(repr=False)

    def rows(self) -> Iterator[list[Row]]:
        """The rows, a page at a time.

        Raises:
            ApiError: RESULT_MISMATCH when they are no rows of plain values.
        """
        decoder = msgspec.json.Decoder(list[list[str | int | float | bool | None]])
        try:
            for page in self.spool.pages():
                yield decoder.decode(page)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"expected rows of texts, numbers, booleans and nulls ({error})"
            raise ApiError("RESULT_MISMATCH", message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A query that failed for good in this run.

    Attributes:
        query: what was asked.
        error: why.
        was_asked: False when the run was stopped before the query was sent.
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
