"""What an answer tells to be otherwise than it was asked, though it is used; for people."""

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


def answered_otherwise(
    question: Question, echo: wire.QueryEcho, *, now: datetime, has_rows: bool
) -> Iterator[str]:
    """Yield in words where an answer is about something else than was asked.

    Args:
        question: what was asked.
        echo: how the API understood it.
        now: the wall clock, with offset.
        has_rows: whether rows came.
    """
    yield from _other_range(question, echo, now)
    if ids_of(echo.ds_accounts) == [] and not has_rows and not question.is_of_list:
        yield "`ds_accounts` was empty, and no row came: it is about no account at all"
    yield from _days_left_out(question, echo)
    segments, asked = ids_of(echo.ds_segments), question.report.segments
    if asked and segments is not None and _folded(segments) != _folded(asked):
        told = f"`ds_segments` were {', '.join(segments) or 'none'}, not {', '.join(asked)}"
        yield told[: 2 * _SHOWN]
    if isinstance(echo.compare_type, str) and _normalized(echo.compare_type):
        yield f"`compare_type` was {echo.compare_type[:_SHOWN]}, which adds columns"
    settings = echo.settings if isinstance(echo.settings, dict) else {}
    for name, value in question.report.parameters.get("settings", {}).items():
        used = settings.get(name)
        if used is not None and _normalized(used) != _normalized(value):
            yield f"`settings.{name}` was {str(used)[:_SHOWN]}, not {str(value)[:_SHOWN]}"


def _other_range(question: Question, echo: wire.QueryEcho, now: datetime) -> Iterator[str]:
    """Tell of days that are not those of the report's `date_range_type`, such as old ones."""
    kind, told = question.report.date_range_type, question.told_dates(echo)
    today = now.astimezone(question.report.timezone).date()
    if kind and told and not may_be(kind, told, today):
        yield f"`date_range_type` {kind} was {told}, not {ranges_of(kind, today)[-1]}"


def _days_left_out(question: Question, echo: wire.QueryEcho) -> Iterator[str]:
    """Tell that the begin was clamped: days before it are asked for again for ever.

    A clamped end needs no word, as its days come.
    """
    asked, answered = question.query.dates, question.answered_dates(echo)
    if asked and answered and answered.first > asked.first:
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
