"""Lists of the API that reports need, asked once a run: fields, accounts, logins, segments."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError, Fate, Reach
from tap_supermetrics.dates import DateRange
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.extraction.batches import cancel_batches
from tap_supermetrics.model import (
    Accounts,
    BatchItem,
    BatchRequest,
    SplitAccounts,
    SplitDates,
    compile_filter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)

THREADS: Final = 4
"""So many data sources are asked for their fields at a time."""


class Lookups:
    """The lists of the API, each asked once. Used by one thread only.

    Args:
        client: the API.
        now: the time of the run, with offset.
    """

    def __init__(self, client: Client, now: datetime) -> None:
        self._client = client
        self._now = now
        self._fields: dict[str, tuple[wire.FieldInfo, ...]] = {}
        self._refused: dict[str, ApiError] = {}
        self._custom: dict[str, tuple[wire.FieldInfo, ...]] = {}
        self._logins: dict[str, dict[str, str]] = {}
        self._listed: dict[str, tuple[wire.AccountInfo, ...]] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._segments: dict[str, dict[str, str]] = {}

    def ask_for_fields(self, sources: Iterable[str]) -> None:
        """Ask for the fields of several data sources side by side.

        A data source that the API refuses is remembered for `refusal_of`.

        Raises:
            ApiError: the fields cannot be had, for another reason than the data source.
        """
        asked = self._fields.keys() | self._refused.keys()
        unasked = [each for each in dict.fromkeys(sources) if each not in asked]
        with ThreadPoolExecutor(THREADS) as pool:
            for ds_id, answer in zip(unasked, pool.map(self._ask_fields, unasked), strict=True):
                if isinstance(answer, ApiError):
                    self._refused[ds_id] = answer
                else:
                    self._fields[ds_id] = answer

    def _ask_fields(self, ds_id: str) -> tuple[wire.FieldInfo, ...] | ApiError:
        try:
            return self._client.fields(ds_id)
        except ApiError as error:
            if error.reach is Reach.SOURCE and error.fate is not Fate.STOP:
                return error
            raise

    def refusal_of(self, report: Report) -> ApiError | None:
        """Return why the API refuses a report's data source; None where it does not."""
        return self._refused.get(report.ds_id)

    def fields_of(self, report: Report) -> tuple[wire.FieldInfo, ...]:
        """The fields of a report's data source, which were asked for before.

        Those of its accounts too, where it names fields that are not among them.

        Raises:
            ApiError: the API refuses everything.
        """
        listed = self._fields[report.ds_id]
        known = {each.field_id.casefold() for each in listed}
        unlisted = (each for each in report.fields if each.casefold() not in known)
        if all(each in report.types for each in unlisted):
            return listed
        return (*listed, *self._custom_fields(report))

    def _custom_fields(self, report: Report) -> tuple[wire.FieldInfo, ...]:
        asked = f"{report.ds_id} {report.logins} {report.accounts}"
        if asked not in self._custom:
            self._custom[asked] = ()
            try:
                accounts = self._some_accounts(report)
                logins = report.login_names or tuple(self._logins_of(report)) if accounts else ()
                if logins:
                    self._custom[asked] = self._client.fields(report.ds_id, accounts, logins)
            except ApiError as error:
                _check_reason(error)
                logger.warning("%s.fields: custom fields not asked for: %s", report.path, error)
        return self._custom[asked]

    def _some_accounts(self, report: Report) -> tuple[str, ...]:
        """The accounts of a report, as many as one request may name."""
        chosen = report.accounts
        if chosen == Accounts() or chosen.team_list:
            return (chosen.team_list,) if chosen.team_list else ()
        ids = chosen.ids or tuple(
            each.id for each in self._accounts(report) if _is_chosen(report, each)
        )
        return ids[: wire.MAX_ACCOUNTS_PER_QUERY]

    def accounts_of(self, report: Report, *, is_dated: bool) -> tuple[str, ...]:
        """The accounts of a report, each once; a team list that is not split stays as it is.

        Args:
            report: the report.
            is_dated: whether its data source knows dates at all.

        Raises:
            SettingsError: a filter, or the list of all, matches none.
            ApiError: the API refuses everything.
            TapError: the API does not tell the accounts.
        """
        chosen = report.accounts
        if chosen.team_list:
            is_split = report.policy.split.accounts is SplitAccounts.ALL
            return self._members_of(report, is_dated) if is_split else (chosen.team_list,)
        if chosen.ids or not (chosen.list_name or chosen.filter_id or chosen.filter_name):
            return chosen.ids
        listed = self._accounts(report)
        found = tuple(each.id for each in listed if _is_chosen(report, each))
        if not found:
            message = f"{report.path}.ds_accounts: matches none of {len(listed)} accounts"
            raise SettingsError([message])
        return found

    def _accounts(self, report: Report) -> tuple[wire.AccountInfo, ...]:
        asked = f"{report.ds_id} {report.logins}"
        if asked not in self._listed:
            self._listed[asked] = self._client.accounts(report.ds_id, report.logins)
        return self._listed[asked]

    def _members_of(self, report: Report, is_dated: bool) -> tuple[str, ...]:  # noqa: FBT001 - passed on
        """The accounts of a team list, as the API names them where it splits a query by them."""
        asked = f"{report.ds_id} {report.logins} {report.accounts.team_list}"
        if asked not in self._members:
            self._members[asked] = self._split_off(report, self._yesterday(report, is_dated))
        return self._members[asked]

    def _yesterday(self, report: Report, is_dated: bool) -> DateRange | None:  # noqa: FBT001 - same
        day = self._now.astimezone(report.timezone).date() - timedelta(days=1)
        return DateRange(first=day, last=day) if is_dated and not report.date_range_type else None

    def _split_off(self, report: Report, dates: DateRange | None) -> tuple[str, ...]:
        """Start a query batch for one day of the list, see what it was split into, cancel it.

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

    def check_names(self, report: Report) -> None:
        """Warn of logins and segments that the API does not list; it may list new ones late.

        Raises:
            ApiError: the API refuses everything.
        """
        if report.login_names:
            self._check(report, report.login_setting, report.login_names, self._logins_of)
        if report.segments:
            self._check(report, "ds_segments", report.segments, self._segments_of)

    def _check(
        self,
        report: Report,
        setting: str,
        wanted: Sequence[str],
        ask: Callable[[Report], Mapping[str, str]],
    ) -> None:
        path = f"{report.path}.{setting}"
        try:
            listed = ask(report)
        except ApiError as error:
            _check_reason(error)
            logger.warning("%s: not checked: %s", path, error)
            return
        if unknown := [each for each in wanted if each.casefold() not in listed]:
            named = ", ".join(sorted(listed.values())) or "none"
            logger.warning(
                "%s: %s does not list %s; it lists %s",
                path,
                report.ds_id,
                ", ".join(unknown),
                named,
            )

    def _segments_of(self, report: Report) -> Mapping[str, str]:
        asked = f"{report.ds_id} {report.logins}"
        if asked not in self._segments:
            listed = self._client.segments(report.ds_id, report.logins)
            self._segments[asked] = {each.casefold(): each for each in listed}
        return self._segments[asked]

    def _logins_of(self, report: Report) -> Mapping[str, str]:
        """By id, in lower case, what a person can tell the login by."""
        if report.ds_id not in self._logins:
            listed = self._client.logins(report.ds_id)
            self._logins[report.ds_id] = {each.casefold(): name for each, name in listed.items()}
        return self._logins[report.ds_id]


def _check_reason(error: ApiError) -> None:
    """Let pass that a list is not to be had: a key that may not ask for it may run queries."""
    if error.fate is Fate.STOP and error.reach is not Reach.ENDPOINT:
        raise error


def _is_chosen(report: Report, account: wire.AccountInfo) -> bool:
    chosen = report.accounts
    if chosen.filter_id:
        return bool(compile_filter(chosen.filter_id).search(account.id))
    if chosen.filter_name:
        return bool(compile_filter(chosen.filter_name).search(account.account_name))
    return True
