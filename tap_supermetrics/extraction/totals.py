"""The belief that totals of a data source count a header row, kept only while results agree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.model import Query

CONFIRMED_BY: Final = 2
"""So many results that lack one row each make it a header: as many losses alike are unlikely."""
SURE_AFTER: Final = 1_000
"""After so many results under a belief, it is no longer remembered which they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The conclusions from one more result.

    Attributes:
        accepted: results that are whole, as far as is known.
        refused: results that lack a row.
        suspect: queries whose results were accepted under a belief that proved wrong.
    """

    accepted: Sequence[Result] = ()
    refused: Sequence[Result] = ()
    suspect: Sequence[Query] = ()


@dataclass(slots=True)
class _Source:
    is_counted: bool | None = None
    waiting: list[Result] = field(default_factory=list)
    under: list[Query] = field(default_factory=list)


class Totals:
    """The belief that `total_rows` counts the header row, by data source.

    It has been seen to count the header; whether it does so when headers are off is not known. A
    result with one row less than its total lacks a row, or nothing: it waits until another result
    of the source tells, and a result that has all its rows refutes what was believed before.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = defaultdict(_Source)

    def judge(self, ds_id: str, result: Result) -> Judgement:
        """Judge a result, and those that waited for it."""
        source = self._sources[ds_id]
        # An empty result has no header to count, so that it says nothing about it.
        if not result.row_count:
            return Judgement(accepted=(result,))
        # All rows came, so the total counts no header: a result that lacks one row does lack it.
        if not result.missing:
            refused, suspect = source.waiting, source.under
            self._sources[ds_id] = _Source(is_counted=False)
            return Judgement(accepted=(result,), refused=refused, suspect=suspect)
        if source.is_counted is False:
            return Judgement(refused=(result,))
        source.waiting.append(result)
        if len(source.waiting) >= CONFIRMED_BY:
            source.is_counted = True
        return Judgement(accepted=self._released(source)) if source.is_counted else Judgement()

    def release(self) -> list[Result]:
        """Return the results that wait for others, of which none will come."""
        return [result for source in self._sources.values() for result in self._released(source)]

    def _released(self, source: _Source) -> list[Result]:
        released, source.waiting = source.waiting, []
        if len(source.under) < SURE_AFTER:
            source.under += [result.query for result in released]
        return released

    def close(self) -> None:
        """Give back the results that wait."""
        for result in self.release():
            result.spool.close()
