"""What a run did, told to a person at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_supermetrics.extraction.outcomes import Lost, Result
    from tap_supermetrics.planning.dates import DateRange
    from tap_supermetrics.records import Mismatches

MAX_FAILURES = 50
"""So many failures are told one by one; of more, only how many."""


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Counts of one report and account; days where it is read by days, else queries."""

    done: int = 0
    empty: int = 0
    failed: int = 0
    not_asked: int = 0
    rows: int = 0


@dataclass(slots=True, kw_only=True)
class Summary:
    """Counts what was emitted and what was lost.

    Attributes:
        failures: one line for each query or report that was lost, with what to do.
    """

    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _tallies: dict[tuple[str, str], _Tally] = field(default_factory=dict)
    _lost: Counter[str] = field(default_factory=Counter)

    def done(self, result: Result, rows: int) -> None:
        """Every record of a result was written."""
        tally = self._tally(result.query.report, result.query.account_id)
        tally.done += _days(result.dates)
        tally.empty += 0 if rows else _days(result.dates)
        tally.rows += rows

    def lost(self, lost: Lost) -> None:
        """A query failed, or was not asked because the run was stopped."""
        tally = self._tally(lost.query.report, lost.query.account_id)
        if not lost.was_asked:
            tally.not_asked += _days(lost.query.dates)
            return
        tally.failed += _days(lost.query.dates)
        self._lost[lost.error.code] += 1
        self.failures.append(f"{lost.query}: {lost.error}")

    def report_lost(self, report: str, reason: str) -> None:
        """Nothing of a report could be asked."""
        self._lost[report] += 1
        self.failures.append(f"{report}: {reason}")

    def mismatches(self, report: str, found: Mismatches) -> None:
        """Values of a report that became null because they did not fit their type."""
        self.notes += [
            f"{report}.{name}: {count:,} values did not fit and are null, "
            f"for example {found.examples[name]}"
            for name, count in found.counts.items()
        ]

    @property
    def has_lost(self) -> bool:
        """Whether anything was lost."""
        return bool(self._lost)

    def _tally(self, report: str, account_id: str) -> _Tally:
        return self._tallies.setdefault((report, account_id), _Tally())

    def lines(self) -> Iterator[str]:
        """The summary, a line at a time: counts first, then failures and what to do."""
        if self._tallies:
            rows = sum(tally.rows for tally in self._tallies.values())
            yield f"Summary: {rows:,} rows of {len(self._tallies)} reports and accounts"
        for (report, account_id), tally in self._tallies.items():
            account = f", account {account_id}" if account_id else ""
            skipped = f", {tally.not_asked} not asked" if tally.not_asked else ""
            yield (
                f"  {report}{account}: {tally.done} days done ({tally.empty} empty), "
                f"{tally.failed} failed{skipped}, {tally.rows:,} rows"
            )
        yield from (f"  note: {note}" for note in self.notes)
        if self.failures:
            yield f"Lost: {len(self.failures)}. The next run asks for them again."
        yield from (f"  {failure}" for failure in self.failures[:MAX_FAILURES])
        if len(self.failures) > MAX_FAILURES:
            codes = ", ".join(f"{code} {count}x" for code, count in self._lost.most_common())
            yield f"  ... and {len(self.failures) - MAX_FAILURES} more; all by code: {codes}"


def _days(dates: DateRange | None) -> int:
    return dates.days if dates else 1
