"""Results whose records were given away, and the files that may hold such records back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.records.encode import Lines
    from tap_supermetrics.sync.report_sync import PlannedReport


@dataclass(frozen=True, slots=True)
class Written:
    """A result whose last record was given away, and whose days are not counted as done yet."""

    planned: PlannedReport
    result: Result


class File(Protocol):
    """A file of records."""

    @property
    def results(self) -> Sequence[Written]:
        """Return the results that ended in it."""


FileT_co = TypeVar("FileT_co", bound=File, covariant=True)


class Files(Protocol[FileT_co]):
    """A writer of records to files."""

    @property
    def is_holding(self) -> bool:
        """Return whether records wait in a file that was not given yet."""

    def add(self, lines: Lines) -> Iterator[FileT_co]:
        """Take lines; give the files that are whole now."""

    def keep(self, written: Written) -> Iterator[FileT_co]:
        """Take note that a result ended; give the files that must not wait any longer."""

    def rest(self) -> Iterator[FileT_co]:
        """Give all that is held."""
