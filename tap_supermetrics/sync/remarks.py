"""Remarks for the summary of a run, on what was written of a report."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

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


def remarks_on_cache(name: str, early_days: int, undated: int) -> Iterator[str]:
    """Yield which numbers of a report came from the API's cache, and may be too old.

    Args:
        name: of the report.
        early_days: how many days were cached before they were over.
        undated: how many results came from it, with no time of their making.
    """
    if early_days:
        days = counted(
            early_days,
            "day came from the API's cache of before it was over: the next run reads it",
            "days came from the API's cache of before they were over: the next run reads them",
        )
        yield f"{name}: {days} again; set `require_fresh_days` to avoid that"
    if undated:
        results = counted(undated, "result", "results")
        yield (
            f"{name}: {results} came from the API's cache, which does not tell of when: a day may "
            "lack its last hours; set `require_fresh_days` to avoid that"
        )
