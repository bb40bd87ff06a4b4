"""Lists of the API that reports need, requested once a run: fields, accounts, logins, segments."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import Accounts, SplitAccounts
from tap_supermetrics.sync.account_lists import AccountLists
from tap_supermetrics.sync.field_lists import FieldLists
from tap_supermetrics.sync.team_lists import TeamLists
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.fields import FieldInfo
    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)


class Lookups:
    """The lists of the API, each requested once. Used by one thread only.

    Args:
        client: the API.
        now: the time of the run, with offset.
        may_submit: whether a query batch may be submitted to learn the accounts of a team list
            that cannot be read.

    Attributes:
        client: the API.
        may_submit: whether anything may be submitted: in a run, but in no command.
        accounts: the lists of accounts.
    """

    def __init__(self, client: Client, now: datetime, *, may_submit: bool = True) -> None:
        self.client = client
        self.may_submit = may_submit
        self.accounts = AccountLists(client)
        self._fields = FieldLists(client)
        self._custom: dict[object, tuple[FieldInfo, ...]] = {}
        self._logins: dict[str, dict[str, str]] = {}
        self._team_lists = TeamLists(client, now, may_submit=may_submit)
        self._segments: dict[object, dict[str, str]] = {}

    def request_fields(self, sources: Iterable[str]) -> None:
        """Request the fields of several data sources side by side; see `FieldLists.request`.

        Raises:
            ApiError: the API refuses everything.
        """
        self._fields.request(sources)

    def refusal_of(self, report: Report) -> ApiError | None:
        """Return why the fields of a report's data source cannot be had; None where they can."""
        return self._fields.refusal_of(report.ds_id) or self._unlisted(report)

    def _unlisted(self, report: Report) -> ApiError | None:
        """Return why a report of a source that lists no field cannot be read: types are unknown.

        The API also returns an empty list for a source that it cannot read at the moment.
        """
        is_known = self._fields.of(report.ds_id) != () or {*report.fields} <= report.types.keys()
        if is_known or self._custom_fields(report):
            return None
        return ApiError(
            "FIELD_NOT_LISTED",
            f"{report.ds_id} lists no field at all, so that nobody knows which is the day, which "
            "are numbers",
        )

    def fields_of(self, report: Report) -> tuple[FieldInfo, ...]:
        """Return the fields of a report's data source, which were requested before.

        Custom fields of its accounts are added where the report names fields that are not listed.

        Raises:
            ApiError: the API refuses everything.
        """
        listed = self._fields.of(report.ds_id) or ()
        known = {each.field_id.casefold() for each in listed}
        unlisted = (each for each in report.fields if each.casefold() not in known)
        if all(each in report.types for each in unlisted):
            return listed
        return (*listed, *self._custom_fields(report))

    def _custom_fields(self, report: Report) -> tuple[FieldInfo, ...]:
        key = report.ds_id, str(report.logins), report.accounts
        if key not in self._custom:
            # Stored before the request, so that one which fails is not repeated for each report.
            self._custom[key] = ()
            try:
                accounts = self._some_accounts(report)
                logins = report.login_names or tuple(self.logins_of(report)) if accounts else ()
                if logins:
                    self._custom[key] = self.client.fields(report.ds_id, accounts, logins)
            except ApiError as error:
                error.raise_if_it_refuses_everything()
                logger.warning("%s.fields: custom fields not asked for: %s", report.path, error)
        return self._custom[key]

    def _some_accounts(self, report: Report) -> tuple[str, ...]:
        """Return the accounts of a report, as many as one request may name."""
        chosen = report.accounts
        if chosen == Accounts() or chosen.team_list:
            return (chosen.team_list,) if chosen.team_list else ()
        return (chosen.ids or self.accounts.chosen_by(report))[: wire.MAX_ACCOUNTS_PER_QUERY]

    def accounts_of(self, report: Report, *, is_dated: bool) -> tuple[str, ...]:
        """Return the accounts of a report, each once; a team list that is not split is left as is.

        Args:
            report: the report.
            is_dated: whether its data source has dates.

        Raises:
            SettingsError: a filter, or the list of all, matches none.
            ApiError: the API refuses everything.
            TapError: the API does not show the accounts.
        """
        chosen = report.accounts
        if chosen.team_list:
            if report.policy.split.accounts is SplitAccounts.NONE:
                return (chosen.team_list,)
            return self._team_lists.members_of(report, is_dated=is_dated)
        if chosen.ids or not (chosen.list_name or chosen.filter_id or chosen.filter_name):
            return chosen.ids
        found = self.accounts.chosen_by(report)
        if not found:
            of_all = counted(len(self.accounts.of(report)), "account", "accounts")
            message = f"{report.path}.ds_accounts: matches none of {of_all}"
            raise SettingsError([message])
        return found

    def segments_of(self, report: Report) -> Mapping[str, str]:
        """Return the ids of the segments that the API lists, by id in lower case."""
        key = report.ds_id, str(report.logins)
        if key not in self._segments:
            listed = self.client.segments(report.ds_id, report.logins)
            self._segments[key] = {each.casefold(): each for each in listed}
        return self._segments[key]

    def logins_of(self, report: Report) -> Mapping[str, str]:
        """Return the name of each login that a person knows it by, by id in lower case."""
        if report.ds_id not in self._logins:
            listed = self.client.logins(report.ds_id)
            self._logins[report.ds_id] = {each.casefold(): name for each, name in listed.items()}
        return self._logins[report.ds_id]
