"""A query as it was asked, compared with what each answer says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.items import ids_of
from tap_supermetrics.api.wire import QueryStatus
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.told_days import days_told
from tap_supermetrics.extraction.unsplit import ids_within
from tap_supermetrics.model.account_spelling import Spellings
from tap_supermetrics.model.told_accounts import KnownAccounts

if TYPE_CHECKING:
    from tap_supermetrics.api import wire
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.model import Query, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as it was asked, compared with what each page says of itself.

    Attributes:
        query: what was asked.
        report: whose query it is.
        schedule_id: the API's id of the query.
        known: the accounts that an answer may be about.
        listed: the fields that were asked for, in order, as the API lists them.
    """

    query: Query
    report: Report
    schedule_id: str
    known: KnownAccounts = field(default_factory=KnownAccounts)
    listed: tuple[FieldEcho, ...] = ()

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
        if not answered or self.is_of_list:
            return
        known = Spellings(self.query.accounts)
        others = [each for each in answered if not any(map(known.holds, ids_within(each)))]
        if others := [each for each in others if not self._is_in_other_words(each)]:
            raise ApiError(
                "RESULT_MISMATCH",
                f"asked for account {self.query.account_id}, the result is of {', '.join(others)}",
            )

    def _is_in_other_words(self, told: str) -> bool:
        """Return whether an answer tells so the one account that was asked for."""
        asked = self.query.accounts
        return len(asked) == 1 and self.known.is_told(asked[0], ids_within(told))

    @property
    def is_of_list(self) -> bool:
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
        if not answered or self.is_of_list or any(map(self._is_in_other_words, answered)):
            return
        # Each is one that was asked for, as all pages were held against the question.
        told = Spellings(name for each in answered for name in ids_within(each))
        if left := [each for each in self.query.accounts if not told.holds(each)]:
            accounts = "account" if len(left) == 1 else "accounts"
            raise ApiError("ACCOUNT_LEFT_OUT", f"the API left out {accounts} {', '.join(left)}")

    @property
    def _may_exclude(self) -> bool:
        return self.report.add_exclude_account_errors or bool(self.report.exclusions)

    def told_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that the API made of a `date_range_type`, if it tells them."""
        begin, end = _told(echo.start_date), _told(echo.end_date)
        if self.query.dates or not begin or not end:
            return None
        try:
            first, last = days_told(begin, end, self.report.timezone)
            return DateRange(first=first, last=last)
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
            first, last = days_told(begin, end, self.report.timezone)
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


def _family(schedule_id: str) -> str:
    """Return how an id begins: `qrb` of a query batch, `tap` of our own."""
    return schedule_id.partition("_")[0]
