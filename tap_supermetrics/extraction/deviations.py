"""Finds where answers that are used differ from their query, in words for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.items import ids_of
from tap_supermetrics.date_ranges import may_be, ranges_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from tap_supermetrics.api import wire
    from tap_supermetrics.extraction.questions import Question

_WORDS: Final = {"true": "1", "yes": "1", "false": "0", "no": "0", "none": "", "null": ""}
"""Words for one value of a setting, as an answer may write it back."""
_SHOWN: Final = 60


def deviations_of(
    question: Question, echo: wire.QueryEcho, *, now: datetime, has_rows: bool
) -> Iterator[str]:
    """Yield in words where an answer is not about what was requested.

    Args:
        question: the query.
        echo: how the API understood it.
        now: the wall clock, with offset.
        has_rows: whether rows came.
    """
    yield from _other_range(question, echo, now)
    if ids_of(echo.ds_accounts) == [] and not has_rows and not question.has_unknown_accounts:
        yield "`ds_accounts` was empty, and no row came: it is about no account at all"
    yield from _days_left_out(question, echo)
    segments, requested = ids_of(echo.ds_segments), question.report.segments
    if requested and segments is not None and _folded(segments) != _folded(requested):
        text = f"`ds_segments` were {', '.join(segments) or 'none'}, not {', '.join(requested)}"
        yield text[: 2 * _SHOWN]
    if isinstance(echo.compare_type, str) and _normalized(echo.compare_type):
        yield f"`compare_type` was {echo.compare_type[:_SHOWN]}, which adds columns"
    settings = echo.settings if isinstance(echo.settings, dict) else {}
    for name, value in question.report.parameters.get("settings", {}).items():
        used = settings.get(name)
        if used is not None and _normalized(used) != _normalized(value):
            yield f"`settings.{name}` was {str(used)[:_SHOWN]}, not {str(value)[:_SHOWN]}"


def _other_range(question: Question, echo: wire.QueryEcho, now: datetime) -> Iterator[str]:
    """Yield a remark on days that are not those of the report's `date_range_type`."""
    kind, echoed = question.report.date_range_type, question.echoed_dates(echo)
    today = now.astimezone(question.report.timezone).date()
    if kind and echoed and not may_be(kind, echoed, today):
        yield f"`date_range_type` {kind} was {echoed}, not {ranges_of(kind, today)[-1]}"


def _days_left_out(question: Question, echo: wire.QueryEcho) -> Iterator[str]:
    """Yield a remark on a clamped begin: days before it are queried again for ever.

    A clamped end needs no word, as its days come.
    """
    requested, answered = question.query.dates, question.answered_dates(echo)
    if requested and answered and answered.first > requested.first:
        text = f"days before {answered.first} were left out, set `start_date` to that day"
        yield f"{text} if the source gives none before"


def _folded(names: Iterable[str]) -> set[str]:
    return {each.casefold() for each in names}


def _normalized(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the value of a setting as a text that is the same however it is written."""
    if isinstance(value, list):
        return ",".join(map(_normalized, value))
    text = str(value).strip().casefold()
    try:
        return repr(float(_WORDS.get(text, text)))
    except ValueError:
        return _WORDS.get(text, re.sub(r"\s*,\s*", ",", text))
