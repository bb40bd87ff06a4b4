"""The belief that totals of a data source count a header row, valid while results agree."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.model import Query

CONFIRMED_BY: Final = 2
"""Results that lack one row each until it counts as a header: equal losses are unlikely."""
SURE_AFTER: Final = 1_000
"""After so many results under a belief, they are no longer remembered."""


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
    """The belief about a source, and what earlier runs showed of it."""

    remembered: bool | None = None
    is_counted: bool | None = None
    waiting: list[Result] = field(default_factory=list)
    under: list[Query] = field(default_factory=list)


class Totals:
    """The belief that `total_rows` counts the header row, by data source.

    It has been seen to count the header; whether it does so when headers are off is not known. A
    result with one row less than its total lacks a row, or nothing: it waits until another result
    of the source shows which. A result that has all its rows refutes the belief. Where none shows
    it in this run, earlier runs decide.

    Args:
        remembered: whether totals count the header, by data source, where earlier runs showed that.
    """

    def __init__(self, remembered: Mapping[str, bool] | None = None) -> None:
        self._sources: dict[str, _Source] = defaultdict(_Source)
        for ds_id, is_counted in (remembered or {}).items():
            self._sources[ds_id].remembered = is_counted

    def judge(self, ds_id: str, result: Result) -> Judgement:
        """Judge a result, and those that waited for it."""
        source = self._sources[ds_id]
        # An empty result has no header to count: it shows nothing.
        if not result.row_count or result.missing is None:
            return Judgement(accepted=(result,))
        # All rows came, so the total counts no header: any result that lacks one row is incomplete.
        if not result.missing:
            refused, suspect = source.waiting, source.under
            self._sources[ds_id] = _Source(remembered=False, is_counted=False)
            return Judgement(accepted=(result,), refused=refused, suspect=suspect)
        if source.is_counted is False:
            return Judgement(refused=(result,))
        source.waiting.append(result)
        if len(source.waiting) >= CONFIRMED_BY:
            source.is_counted = True
        return Judgement(accepted=self._released(source)) if source.is_counted else Judgement()

    def release(self) -> Judgement:
        """Judge the results that wait for others, as none will come."""
        accepted: list[Result] = []
        refused: list[Result] = []
        for source in self._sources.values():
            if source.remembered is False:
                refused += source.waiting
                source.waiting = []
            is_sure = source.remembered or source.is_counted
            found = self._released(source)
            accepted += found if is_sure else map(_remarked, found)
        return Judgement(accepted=accepted, refused=refused)

    def _released(self, source: _Source) -> list[Result]:
        released, source.waiting = source.waiting, []
        if len(source.under) < SURE_AFTER:
            source.under += [result.query for result in released]
        return released

    def close(self) -> None:
        """Give back the results that wait."""
        for source in self._sources.values():
            for result in source.waiting:
                result.spool.close()


def _remarked(result: Result) -> Result:
    """Return a result with the remark that only its own total says that it is whole."""
    text = (
        f"that of {result.query} has one row less than it tells, which is taken for a header that "
        "is counted, as no other result tells"
    )
    return replace(result, deviations=(*result.deviations, text))
