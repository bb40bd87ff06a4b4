"""Compares a query with the echo in each answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.items import ids_of
from tap_supermetrics.api.wire import QueryStatus
from tap_supermetrics.dates import DateRange
from tap_supermetrics.extraction.echoed_days import read_days
from tap_supermetrics.extraction.unsplit import ids_within
from tap_supermetrics.model.account_spelling import Spellings
from tap_supermetrics.model.echoed_accounts import KnownAccounts

if TYPE_CHECKING:
    from tap_supermetrics.api import wire
    from tap_supermetrics.api.fields import FieldEcho
    from tap_supermetrics.model import Query, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query, compared with the echo in each page.

    Attributes:
        query: the query.
        report: whose query it is.
        schedule_id: the API's id of the query.
        known: the accounts that an answer may be about.
        listed: the requested fields, in order, as the API lists them.
    """

    query: Query
    report: Report
    schedule_id: str
    known: KnownAccounts = field(default_factory=KnownAccounts)
    listed: tuple[FieldEcho, ...] = ()

    def check(self, meta: wire.Meta) -> None:
        """Refuse a page of another query, or of one that did not succeed.

        Raises:
            ApiError: RESULT_MISMATCH when it belongs to another schedule id, account or day;
                RESULT_INCOMPLETE when its query failed, QUERY_RESULTS_UNAVAILABLE while it runs.
        """
        ours, got = self.schedule_id, meta.schedule_id or ""
        # An id that the API makes itself, 64 hex digits (observed), does not contradict ours.
        if got != ours and _family(got) == _family(ours):
            raise ApiError("RESULT_MISMATCH", f"asked for {ours}, the result is of {got}")
        _check_status(meta.status_code)
        if meta.query:
            self._check_accounts(ids_of(meta.query.ds_accounts))
            self.answered_dates(meta.query)

    def _check_accounts(self, answered: list[str] | None) -> None:
        """Refuse accounts that were not requested; one may be left out, which is found later."""
        if not answered or self.has_unknown_accounts:
            return
        known = Spellings(self.query.accounts)
        others = [each for each in answered if not any(map(known.contains, ids_within(each)))]
        if others := [each for each in others if not self._is_in_other_words(each)]:
            raise ApiError(
                "RESULT_MISMATCH",
                f"asked for account {self.query.account_id}, the result is of {', '.join(others)}",
            )

    def _is_in_other_words(self, echo: str) -> bool:
        """Return whether an answer echoes the one requested account in other words."""
        requested = self.query.accounts
        return len(requested) == 1 and self.known.is_echoed(requested[0], ids_within(echo))

    @property
    def has_unknown_accounts(self) -> bool:
        """Return whether the accounts of the query are not known: those of a list, or none."""
        requested = self.query.accounts
        return not requested or any(each.startswith("list.") for each in requested)

    def check_excluded(self, echo: wire.QueryEcho) -> None:
        """Refuse a result without an account, which is not an account without rows.

        Raises:
            ApiError: ACCOUNT_EXCLUDED for an account that was queried alone and may be left out,
                ACCOUNT_LEFT_OUT for some of those that were queried together.
        """
        answered = ids_of(echo.ds_accounts)
        if answered == [] and self._may_exclude and len(self.query.accounts) == 1:
            raise ApiError("ACCOUNT_EXCLUDED", f"the API left out account {self.query.account_id}")
        if not answered or self.has_unknown_accounts or any(map(self._is_in_other_words, answered)):
            return
        # Each was requested, as all pages were checked against the query.
        echoed = Spellings(name for each in answered for name in ids_within(each))
        if left := [each for each in self.query.accounts if not echoed.contains(each)]:
            accounts = "account" if len(left) == 1 else "accounts"
            raise ApiError("ACCOUNT_LEFT_OUT", f"the API left out {accounts} {', '.join(left)}")

    @property
    def _may_exclude(self) -> bool:
        return self.report.add_exclude_account_errors or bool(self.report.exclusions)

    def echoed_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that the API made of a `date_range_type`, if it echoes them."""
        begin, end = _day_of(echo.start_date), _day_of(echo.end_date)
        if self.query.dates or not begin or not end:
            return None
        try:
            first, last = read_days(begin, end, self.report.timezone)
            return DateRange(first=first, last=last)
        except ValueError:
            return None

    def answered_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that a result is about, by its echo.

        The end may be clamped to today (observed), and the begin to the first day that the source
        gives; days outside were not answered.

        Raises:
            ApiError: RESULT_MISMATCH for any other days than the requested ones, DAY_NOT_YET where
                the end is clamped to before the begin, DAY_NOT_GIVEN where the begin is clamped to
                after the end.
        """
        wanted, begin, end = self.query.dates, _day_of(echo.start_date), _day_of(echo.end_date)
        if wanted is None or not begin or not end:
            return wanted
        try:
            first, last = read_days(begin, end, self.report.timezone)
        except ValueError as error:
            text = f"the result's dates make no sense: {error}"
            raise ApiError("RESULT_MISMATCH", text) from None
        if last < first == wanted.first:
            raise ApiError("DAY_NOT_YET", f"asked for {wanted}, the API has days up to {last} only")
        # One day, or a begin after the end: so the API answers days that are all before the first.
        if first > wanted.last and last in {wanted.last, first}:
            raise ApiError("DAY_NOT_GIVEN", f"asked for {wanted}, the API has days from {first} on")
        if not wanted.first <= first <= last <= wanted.last:
            answered = str(first) if first == last else f"{first}..{last}"
            text = f"asked for {wanted}, the result is for {answered}"
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


def _day_of(raw: Any) -> str | int | None:  # noqa: ANN401 - any JSON
    """Return a day as it is echoed, also in the object that PHP writes; None where none is."""
    raw = raw.get("date") if isinstance(raw, dict) else raw
    return raw if isinstance(raw, (str, int)) and not isinstance(raw, bool) else None


def _family(schedule_id: str) -> str:
    """Return the first part of an id: `qrb` of a query batch, `tap` of our own."""
    return schedule_id.partition("_")[0]
