"""A query as it was asked, compared with what each answer says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.items import ids_of
from tap_supermetrics.api.wire import QueryStatus
from tap_supermetrics.dates import DateRange, read_day
from tap_supermetrics.extraction.unsplit import ids_within
from tap_supermetrics.model.account_spelling import Spellings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from tap_supermetrics.api import wire
    from tap_supermetrics.model import Query, Report

_WORDS: Final = {"true": "1", "yes": "1", "false": "0", "no": "0", "none": "", "null": ""}
"""Words for one value of a setting, as an answer may write it back."""
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as it was asked, compared with what each page says of itself."""

    query: Query
    report: Report
    schedule_id: str

    def check(self, meta: wire.Meta) -> None:
        """Refuse a page of another query, or of one that did not succeed.

        Raises:
            ApiError: RESULT_MISMATCH when it is of another schedule id, account or day;
                RESULT_INCOMPLETE when its query failed, QUERY_RESULTS_UNAVAILABLE while it runs.
        """
        asked, got = self.schedule_id, meta.schedule_id or ""
        # An id that the API makes itself, 64 hex digits (observed), says nothing of ours.
        if got != asked and _family(got) == _family(asked):
            raise ApiError("RESULT_MISMATCH", f"asked for {asked}, the result is of {got}")
        _check_status(meta.status_code)
        if meta.query:
            self._check_accounts(ids_of(meta.query.ds_accounts))
            self.answered_dates(meta.query)

    def _check_accounts(self, answered: list[str] | None) -> None:
        """Refuse accounts that were not asked for; one may be left out, which is found later."""
        if not answered or self._is_of_list:
            return
        known = Spellings(self.query.accounts)
        if others := [each for each in answered if not any(map(known.holds, ids_within(each)))]:
            raise ApiError(
                "RESULT_MISMATCH",
                f"asked for account {self.query.account_id}, the result is of {', '.join(others)}",
            )

    @property
    def _is_of_list(self) -> bool:
        """Return whether nobody knows yet which accounts are asked for: of a list, or none."""
        asked = self.query.accounts
        return not asked or any(each.startswith("list.") for each in asked)

    def check_excluded(self, echo: wire.QueryEcho) -> None:
        """Refuse a result without an account that was left out, as if that had no rows.

        Raises:
            ApiError: ACCOUNT_EXCLUDED for one that was asked by itself and may be left out,
                ACCOUNT_LEFT_OUT for some of those that were asked together.
        """
        answered = ids_of(echo.ds_accounts)
        if answered == [] and self._may_exclude and len(self.query.accounts) == 1:
            raise ApiError("ACCOUNT_EXCLUDED", f"the API left out account {self.query.account_id}")
        if not answered or self._is_of_list:
            return
        # Each is one that was asked for, as all pages were held against the question.
        told = Spellings(name for each in answered for name in ids_within(each))
        if left := [each for each in self.query.accounts if not told.holds(each)]:
            accounts = "account" if len(left) == 1 else "accounts"
            raise ApiError("ACCOUNT_LEFT_OUT", f"the API left out {accounts} {', '.join(left)}")

    @property
    def _may_exclude(self) -> bool:
        return self.report.add_exclude_account_errors or bool(self.report.exclusions)

    @property
    def _settings(self) -> dict[str, Any]:
        return {**self.report.parameters.get("settings", {})}

    def answered_otherwise(self, echo: wire.QueryEcho) -> Iterator[str]:
        """Yield in words where an answer is about something else than was asked."""
        yield from self._days_left_out(echo)
        segments = ids_of(echo.ds_segments)
        wanted = {each.casefold() for each in self.report.segments}
        if wanted and segments is not None and {each.casefold() for each in segments} != wanted:
            asked = ", ".join(self.report.segments)
            yield f"`ds_segments` were {', '.join(segments) or 'none'}, not {asked}"[: 2 * _SHOWN]
        if isinstance(echo.compare_type, str) and _normalized(echo.compare_type):
            yield f"`compare_type` was {echo.compare_type[:_SHOWN]}, which adds columns"
        settings = echo.settings if isinstance(echo.settings, dict) else {}
        for name, value in self._settings.items():
            used = settings.get(name)
            if used is not None and _normalized(used) != _normalized(value):
                told_as, asked_as = str(used)[:_SHOWN], str(value)[:_SHOWN]
                yield f"`settings.{name}` was {told_as}, not {asked_as}"

    def _days_left_out(self, echo: wire.QueryEcho) -> Iterator[str]:
        """Yield in words that the begin was clamped: days before it are asked for again for ever.

        A clamped end needs no word, as its days come.
        """
        asked, answered = self.query.dates, self.answered_dates(echo)
        if asked and answered and answered.first > asked.first:
            text = f"days before {answered.first} were left out, set `start_date` to that day"
            yield f"{text} if the source gives none before"

    def told_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that the API made of a `date_range_type`, if it tells them."""
        begin, end = _told(echo.start_date), _told(echo.end_date)
        if self.query.dates or not begin or not end:
            return None
        try:
            return DateRange(first=_day(begin), last=_day(end))
        except ValueError:
            return None

    def answered_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that a result is about, by what the API says itself.

        The end may be clamped to today (observed), and the begin to the first day that the source
        gives; what is outside was not answered.

        Raises:
            ApiError: RESULT_MISMATCH for any other days than those asked for, DAY_NOT_YET where
                the end is clamped to before the begin, DAY_NOT_GIVEN where the begin is clamped to
                after the end.
        """
        asked, begin, end = self.query.dates, _told(echo.start_date), _told(echo.end_date)
        if asked is None or not begin or not end:
            return asked
        try:
            first, last = _day(begin), _day(end)
        except ValueError as error:
            text = f"the result's dates make no sense: {error}"
            raise ApiError("RESULT_MISMATCH", text) from None
        if last < first == asked.first:
            raise ApiError("DAY_NOT_YET", f"asked for {asked}, the API has days up to {last} only")
        # One day, or a begin after the end: what becomes of days that are all before the first.
        if first > asked.last and last in {asked.last, first}:
            raise ApiError("DAY_NOT_GIVEN", f"asked for {asked}, the API has days from {first} on")
        if not asked.first <= first <= last <= asked.last:
            told = str(first) if first == last else f"{first}..{last}"
            text = f"asked for {asked}, the result is for {told}"
            raise ApiError("RESULT_MISMATCH", text)
        return DateRange(first=first, last=last)


def _check_status(word: str) -> None:
    status = QueryStatus.known(word)
    if status is None:
        return
    text = f"the result says that its query is {status.value}"
    if status.is_failure:
        raise ApiError("RESULT_INCOMPLETE", text)
    if status is not QueryStatus.SUCCESS:
        raise ApiError("QUERY_RESULTS_UNAVAILABLE", text)


def _told(said: Any) -> str | int | None:  # noqa: ANN401 - any JSON
    """Return a day as it is told, also in the object that PHP writes; None where none is."""
    said = said.get("date") if isinstance(said, dict) else said
    return said if isinstance(said, (str, int)) and not isinstance(said, bool) else None


def _day(said: str | int) -> date:
    """Return a day that may be told as its midnight, or some moment of it."""
    text = str(said).strip()
    return read_day(re.split("[T ]", text, maxsplit=1)[0])


def _normalized(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the value of a setting as a text that is the same however it is written."""
    if isinstance(value, list):
        return ",".join(map(_normalized, value))
    text = str(value).strip().casefold()
    try:
        return repr(float(_WORDS.get(text, text)))
    except ValueError:
        return _WORDS.get(text, re.sub(r"\s*,\s*", ",", text))


def _family(schedule_id: str) -> str:
    """Return how an id begins: `qrb` of a query batch, `tap` of our own."""
    return schedule_id.partition("_")[0]
