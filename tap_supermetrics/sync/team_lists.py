"""The accounts of team lists, which only query batches show."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate, Reach
from tap_supermetrics.dates import DateRange
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.batches import cancel_batches
from tap_supermetrics.model import BatchItem, BatchRequest, SplitDates

if TYPE_CHECKING:
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)


class TeamLists:
    """Team lists, each looked into once. Used by one thread only.

    Args:
        client: the API.
        now: the time of the run, with offset.
    """

    def __init__(self, client: Client, now: datetime) -> None:
        self._client = client
        self._now = now
        self._members: dict[object, tuple[str, ...]] = {}

    def members_of(self, report: Report, *, is_dated: bool) -> tuple[str, ...]:
        """Return the accounts of a list, as the API names them where it splits a query by them.

        Raises:
            ApiError: the API refuses everything.
            TapError: the API does not tell the accounts.
        """
        asked = report.ds_id, str(report.logins), report.accounts.team_list
        if asked not in self._members:
            dates = self._yesterday(report) if is_dated and not report.date_range_type else None
            self._members[asked] = self._split_off(report, dates)
        return self._members[asked]

    def _yesterday(self, report: Report) -> DateRange:
        day = self._now.astimezone(report.timezone).date() - timedelta(days=1)
        return DateRange(first=day, last=day)

    def _split_off(self, report: Report, dates: DateRange | None) -> tuple[str, ...]:
        """Submit a query batch for one day of the list, see what it was split into, cancel it.

        The batch runs one query at a time, so that one query is paid for at most (Supermetrics
        docs, "Batch queries (Preview)", `split_accounts_policy` and `query_concurrency`).
        """
        item = BatchItem(report=report.name, accounts=(report.accounts.team_list,), dates=dates)
        split = replace(report.policy.split, dates=SplitDates.NONE)
        policy = replace(report.policy, split=split, query_concurrency=1)
        request = BatchRequest(policy=policy, queries=(), items=(item,))
        try:
            return self._split_by(request, report)
        except ApiError as error:
            if error.fate is Fate.STOP and error.reach is not Reach.ENDPOINT:
                raise
            raise TapError(
                f"{report.path}.ds_accounts: the accounts of {report.accounts.team_list} could not "
                "be learned from a query batch. Name them one by one, or set "
                f"split_accounts_policy: none to read the list as one account. {error}"
            ) from None

    def _split_by(self, request: BatchRequest, report: Report) -> tuple[str, ...]:
        body = wire.batch_body(request, {report.name: report})
        batch_id = self._client.start_batch(body).batch_id
        try:
            entries = self._client.batch_status(batch_id).queries
        finally:
            cancel_batches(self._client, [batch_id])
        members = tuple(dict.fromkeys(each for entry in entries for each in entry.accounts))
        if not members or len(members) != len(entries):
            raise ApiError("ANSWER_INVALID", "expected one query for each account")
        logger.info("%s: %s has %d accounts", report.name, report.accounts.team_list, len(members))
        return members
