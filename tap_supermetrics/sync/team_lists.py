"""The accounts of team lists: from the lists, or where these may not be read, from a batch."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import DateRange
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.batches import cancel_batches
from tap_supermetrics.model import BatchItem, BatchRequest, SplitDates
from tap_supermetrics.settings.reading import hint
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.listings import TeamListInfo
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)


SHOWN_WITHIN_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Waits for a query batch that does not show its queries yet, in seconds."""


class NotShownError(ApiError):
    """A query batch does not show the accounts of its queries, or not yet."""


class UnreadableAccountsError(TapError):
    """Only a query batch would show the accounts of a list, and none may be submitted."""


class TeamLists:
    """Reads team lists, each once. Used by one thread only.

    Reading a list is free, but the key needs a permission for it that queries do not need; a query
    batch that names the list shows its accounts as well, for one query at most.

    Args:
        client: the API.
        now: the time of the run, with offset.
        may_submit: whether a query batch may be submitted.
    """

    def __init__(self, client: Client, now: datetime, *, may_submit: bool = True) -> None:
        self._client = client
        self._now = now
        self._may_submit = may_submit
        self._members: dict[object, tuple[str, ...]] = {}
        self._listed: tuple[TeamListInfo, ...] | None = None

    def members_of(self, report: Report, *, is_dated: bool) -> tuple[str, ...]:
        """Return the accounts of a list.

        Raises:
            ApiError: the API refuses everything.
            TapError: the API does not show the accounts.
            UnreadableAccountsError: only a query batch would show them, and none may be submitted.
        """
        key = report.ds_id, str(report.logins), report.accounts.team_list
        if key not in self._members:
            members = self._accounts_by_list(report)
            if members is None:
                members = self._shown_by_batch(report, is_dated=is_dated)
            self._members[key] = members
            count = counted(len(members), "account", "accounts")
            logger.info("%s: %s has %s", report.name, report.accounts.team_list, count)
        return self._members[key]

    def _accounts_by_list(self, report: Report) -> tuple[str, ...] | None:
        """Return the accounts that the list itself names; None where it cannot be read.

        Raises:
            TapError: the list is empty; a query batch would show no account either.
        """
        try:
            if self._listed is None:
                self._listed = self._client.team_lists()
            found = _list_of(report, self._listed)
            members = self._client.team_list_accounts(found.list_id) if found else None
        except ApiError as error:
            error.raise_if_it_refuses_everything()
            # Not requested again for the next list: a query batch shows that one at once.
            self._listed = self._listed or ()
            logger.info("Team lists cannot be read, a query batch is to show them: %s", error)
            return None
        if members is not None and not members:
            raise TapError(
                f"{report.path}.ds_accounts: {report.accounts.team_list} has no accounts. Add some "
                "to it at the vendor's, or name others"
            )
        return members

    def _shown_by_batch(self, report: Report, *, is_dated: bool) -> tuple[str, ...]:
        if not self._may_submit:
            raise UnreadableAccountsError(
                f"{report.path}.ds_accounts: the accounts of {report.accounts.team_list} cannot be "
                f"read with this key{self._hint(report) or '.'} A run learns them from a query "
                "batch, which costs. Let the key read team lists, or name the accounts one by one"
            )
        dates = self._yesterday(report) if is_dated and not report.date_range_type else None
        return self._split_off(report, dates)

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
            error.raise_if_it_refuses_everything()
            raise TapError(
                f"{report.path}.ds_accounts: the accounts of {report.accounts.team_list} could "
                f"neither be read nor learned from a query batch{self._hint(report) or '.'} Name "
                "them one by one, or set split_accounts_policy: none to read the list as one "
                f"account. {error}"
            ) from None

    def _hint(self, report: Report) -> str:
        """Return `, did you mean list.eu_shops?` where a list is called nearly so, or nothing."""
        slugs = [each.list_slug for each in self._listed or ()] + ["all_accounts"]
        return hint(report.accounts.team_list, [f"list.{each}" for each in slugs])

    def _split_by(self, request: BatchRequest, report: Report) -> tuple[str, ...]:
        """Start the batch, read from its status which accounts it was split into, cancel it."""
        body = wire.batch_body(request, {report.name: report})
        batch_id = self._client.start_batch(body).batch_id
        try:
            for wait_s in SHOWN_WITHIN_S:
                # A batch may not be visible at once; its query is paid all the same.
                with suppress(NotShownError):
                    return self._members_in(batch_id)
                time.sleep(wait_s)
            return self._members_in(batch_id)
        finally:
            # In `finally`: it runs and costs even where its status could not be read.
            cancel_batches(self._client, [batch_id])

    def _members_in(self, batch_id: str) -> tuple[str, ...]:
        try:
            entries = self._client.batch_status(batch_id).queries
        except ApiError as error:
            if error.is_not_there:
                raise NotShownError(error.code, error.message, status=error.status) from None
            raise
        members = tuple(dict.fromkeys(each for entry in entries for each in entry.accounts))
        # A list that is split differently would load some accounts under the wrong id.
        if not members or len(members) != len(entries):
            raise NotShownError("ANSWER_INVALID", "expected one query for each account")
        return members


def _list_of(report: Report, listed: Iterable[TeamListInfo]) -> TeamListInfo | None:
    """Return the list that a report names.

    Two lists may share a slug: that of the data source comes before that of all.
    """
    slug = report.accounts.list_name or ""
    found = [each for each in listed if each.serves(report.ds_id, slug)]
    return max(found, key=lambda each: bool(each.ds_id), default=None)
