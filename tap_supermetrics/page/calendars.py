"""Calendars of reports: the state has the loaded days, runs add what they found on them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_supermetrics.dates import parse_date
from tap_supermetrics.page.days import letters_of, read, written
from tap_supermetrics.page.run_json import AccountCalendar, ReportPart
from tap_supermetrics.redaction import readable
from tap_supermetrics.sync.days_read import (
    EMPTY,
    FAILED,
    MISSING,
    ROWS,
    SAMPLED,
    STALE,
    UNREAD,
    aligned,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.page.run_json import RunJson
    from tap_supermetrics.sync.calendar import AccountDays, ReportDays
    from tap_supermetrics.sync.days_read import DaysRead


class Calendars:
    """The newest calendar of each report and account, as runs left it."""

    def __init__(self) -> None:
        self._left: dict[tuple[str, str], tuple[str, AccountCalendar]] = {}

    @classmethod
    def of(cls, newest_first: Iterable[RunJson]) -> Calendars:
        """Return the newest calendars of runs."""
        found = cls()
        for run in newest_first:
            for report in run.reports:
                for each in report.accounts:
                    alike = (report.name, each.account_id)
                    # The newest comes first: an older run's calendar of it is out of date.
                    found._left.setdefault(alike, (report.first or "", each))
        return found

    def part_of(
        self, report: ReportDays, names: Mapping[str, str], days_read: DaysRead | None = None
    ) -> ReportPart:
        """Return the days of a report, with what runs found on them.

        Args:
            report: its days as the state has them.
            names: of accounts, as far as they are known.
            days_read: what a newer run found.
        """
        part = ReportPart(name=report.name, ds_id=report.ds_id, note=readable(report.note))
        if report.wanted is None:
            return part
        found = [
            self._calendar(report.name, account, report.wanted.first, names, days_read)
            for account in report.accounts
        ]
        part.accounts = [calendar for calendar, _ in found]
        part.first, part.last = str(report.wanted.first), str(report.wanted.last)
        count_days(part, (letters for _, letters in found))
        return part

    def _calendar(
        self,
        report: str,
        account: AccountDays,
        from_day: date,
        names: Mapping[str, str],
        days_read: DaysRead | None,
    ) -> tuple[AccountCalendar, str]:
        """Return the calendar of an account from a day on, and the letters of its days."""
        account_id, wanted = account.account_id, account.wanted
        first, left = self._left.get((report, account_id), ("", AccountCalendar(account_id="")))
        before = _before(left.days, first, wanted)
        now = days_read.of(report, account_id, wanted) if days_read else UNREAD * wanted.days
        letters = letters_of(account, before, now)
        # The API gives none of the days before, or its first day is a later one.
        days = written(MISSING * (wanted.first - from_day).days + letters)
        name = names.get(account_id.casefold()) or left.account_name
        calendar = AccountCalendar(
            account_id=readable(account_id),
            account_name=readable(name),
            days=days,
        )
        return calendar, letters


def count_days(part: ReportPart, calendars: Iterable[str]) -> None:
    """Count the days of a report, by the letters of all its accounts."""
    counts: Counter[str] = Counter()
    for letters in calendars:
        counts.update({each: letters.count(each) for each in {*letters}})
    part.days_empty, part.days_sampled = counts[EMPTY], counts[SAMPLED]
    part.days_done = counts[ROWS] + counts[EMPTY] + counts[SAMPLED]
    part.days_stale, part.days_failed = counts[STALE], counts[FAILED]
    part.days_missing = counts[MISSING] + counts[FAILED]


def _before(text: str, first: str, wanted: DateRange) -> str:
    try:
        return aligned(read(text), parse_date(first), wanted)
    except ValueError:
        return UNREAD * wanted.days
