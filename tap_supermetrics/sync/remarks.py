"""Remarks for the summary of a run, on what was written of a report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tap_supermetrics.dates import ONE_DAY, intersect
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.results import Result
    from tap_supermetrics.records.convert import Mismatches

logger = logging.getLogger(__name__)

MAX_DEVIATIONS: Final = 20
"""How many kinds of deviations are logged of a report."""


def count_deviations(counts: Counter[str], result: Result) -> None:
    """Count how a result deviates from what was requested; warn of each kind once."""
    for text in result.deviations:
        if text not in counts and len(counts) < MAX_DEVIATIONS:
            logger.warning(
                "%s: the API answers otherwise than it was asked: %s", result.query, text
            )
            counts[text] = 0
        if text in counts:
            counts[text] += 1


def remarks_on_values(name: str, changed: Mismatches) -> Iterator[str]:
    """Yield which values of a report were changed to fit.

    Args:
        name: of the report.
        changed: the values, counted.
    """
    for column, count in changed.counts.items():
        example = changed.examples[column]
        values = counted(count, "value did not fit and is", "values did not fit and are")
        yield f"{name}.{column}: {values} null, such as {example}"
    for column, count in changed.nuls.items():
        texts = counted(count, "text", "texts")
        yield f"{name}.{column}: {texts} had a NUL, which targets refuse: left out"
    for column, count in changed.rounded.items():
        numbers = counted(count, "value came as a number", "values came as numbers")
        yield (
            f"{name}.{column}: {numbers} with a point and more than 15 digits, of which the last "
            "are not sure: ids that differ there only are one; report it to the vendor"
        )


def remarks_on_results(name: str, deviations: Mapping[str, int], sampled: int) -> Iterator[str]:
    """Yield what the API itself states of the numbers of a report.

    Args:
        name: of the report.
        deviations: how results deviate from what was requested, counted.
        sampled: how many results are estimates.
    """
    for text, count in deviations.items():
        results = counted(count, "result is", "results are")
        yield (
            f"{name}: {results} not quite of what was asked: {text}; check the report, and load "
            "these days again when it is right"
        )
    if sampled:
        results = counted(sampled, "result is an estimate", "results are estimates")
        yield (
            f"{name}: {results} of the data source (`data_sampled`): ask for fewer fields or "
            "accounts, or fewer days in a query"
        )


@dataclass(slots=True, kw_only=True)
class FromCache:
    """What of a report came from the API's cache, counted.

    Attributes:
        early_days: days cached before they were over.
        undated: results with no time of their making.
        unrestated_days: days read again, of which the cache had numbers of an earlier day.
        oldest: the earliest day on which any of those were made.
    """

    early_days: int = 0
    undated: int = 0
    unrestated_days: int = 0
    oldest: date | None = None

    def count_days(
        self, dates: DateRange, known: Sequence[DateRange], made_on: date, yesterday: date | None
    ) -> None:
        """Count the days of a result that the API dates.

        Args:
            dates: its days that are over.
            known: days that were loaded before.
            made_on: the day on which its numbers were made.
            yesterday: the day before that of the run.
        """
        late = max(0, min(dates.days, (dates.last - made_on).days + 1))
        self.early_days += late
        if yesterday and made_on <= yesterday and dates.days > late:
            over = replace(dates, last=dates.last - late * ONE_DAY)
            if again := sum(each.days for each in intersect(over, known)):
                self.unrestated_days += again
                self.oldest = min(self.oldest or made_on, made_on)


def remarks_on_cache(name: str, cached: FromCache) -> Iterator[str]:
    """Yield which numbers of a report came from the API's cache, and may be too old.

    Args:
        name: of the report.
        cached: those numbers, counted.
    """
    if cached.early_days:
        days = counted(
            cached.early_days,
            "day came from the API's cache of before it was over: the next run reads it",
            "days came from the API's cache of before they were over: the next run reads them",
        )
        yield f"{name}: {days} again; set `require_fresh_days` to avoid that"
    if cached.undated:
        results = counted(cached.undated, "result", "results")
        yield (
            f"{name}: {results} came from the API's cache, which does not tell of when: a day may "
            "lack its last hours; set `require_fresh_days` to avoid that"
        )
    if cached.oldest:
        days = counted(cached.unrestated_days, "day read again", "days read again")
        yield (
            f"{name}: {days} came from the API's cache, as of {cached.oldest} or later: what the "
            "source has restated since is not in them; set `require_fresh_days` to two more than "
            "`lookback_days`, or lower `cache_minutes`"
        )
