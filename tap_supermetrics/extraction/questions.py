"""A query as it was asked, held against what each answer says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import DateRange, parse_date
from tap_supermetrics.extraction.attribution import folded

if TYPE_CHECKING:
    from tap_supermetrics.api import wire
    from tap_supermetrics.model import Query, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as it was asked, held against what each page says of itself."""

    query: Query
    report: Report
    schedule_id: str

    def check(self, meta: wire.Meta) -> None:
        """Refuse a page of another query.

        Raises:
            ApiError: RESULT_MISMATCH when it is of another schedule id, account or day.
        """
        asked, got = self.schedule_id, meta.schedule_id or ""
        # An id that the API makes itself, 64 hex digits (observed), says nothing of ours.
        if got != asked and _family(got) == _family(asked):
            raise ApiError("RESULT_MISMATCH", f"asked for {asked}, the result is of {got}")
        if meta.query:
            self._check_accounts(meta.query.ds_accounts)
            self.answered_dates(meta.query)

    def _check_accounts(self, answered: list[str | int] | str | None) -> None:
        """Let accounts be left out, as settings ask for, but none be added."""
        asked = self.query.accounts
        # The answer names the accounts of a team list, of which the question knows only the list.
        if not asked or not answered or any(each.startswith("list.") for each in asked):
            return
        listed = answered.split(",") if isinstance(answered, str) else map(str, answered)
        others = {_bare(each) for each in listed} - {_bare(each) for each in asked}
        if others:
            raise ApiError(
                "RESULT_MISMATCH",
                f"asked for account {self.query.account_id}, the result is of {answered}",
            )

    def check_excluded(self, echo: wire.QueryEcho) -> None:
        """Tell an account that was left out, as it cannot be read, from one without rows.

        Raises:
            ApiError: ACCOUNT_EXCLUDED.
        """
        may_be_excluded = (
            self.report.policy.add_exclude_account_errors and len(self.query.accounts) == 1
        )
        if may_be_excluded and echo.ds_accounts == []:
            raise ApiError("ACCOUNT_EXCLUDED", f"the API left out account {self.query.account_id}")

    def answered_dates(self, echo: wire.QueryEcho) -> DateRange | None:
        """Return the days that a result is about, by what the API says itself.

        The end may be clamped to today (observed); what is after it was not answered.

        Raises:
            ApiError: RESULT_MISMATCH for any other days than those asked for.
        """
        # Sources without dates echo none: then nothing can be held against it.
        if self.query.dates is None or not echo.start_date or not echo.end_date:
            return self.query.dates
        try:
            answered = DateRange(
                first=parse_date(echo.start_date[:10]), last=parse_date(echo.end_date[:10])
            )
        except ValueError as error:
            text = f"the result's dates make no sense: {error}"
            raise ApiError("RESULT_MISMATCH", text) from None
        if answered.first != self.query.dates.first or answered.last > self.query.dates.last:
            text = f"asked for {self.query.dates}, the result is for {answered}"
            raise ApiError("RESULT_MISMATCH", text)
        return answered


def _family(schedule_id: str) -> str:
    """Return how an id begins: `qrb` of a query batch, `tap` of our own."""
    return schedule_id.partition("_")[0]


def _bare(account: str) -> str:
    """Return an account id as it compares: `act_123` and `123` are one account."""
    return re.sub(r"^[a-z]+(?=\d+$)", "", folded(account))
