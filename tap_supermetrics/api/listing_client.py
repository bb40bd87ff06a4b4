"""Functions for what the API lists beside queries: one for each endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tap_supermetrics.api import listings, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.api.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.answers import Answer

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class ListingClient(Transport):
    """The endpoints beside queries, as functions that raise `ApiError`."""

    def fields(
        self, ds_id: str, accounts: Sequence[str] = (), logins: Sequence[str] = ()
    ) -> tuple[FieldInfo, ...]:
        """Return all fields of a data source, and custom ones of accounts ("Get fields")."""
        parameters = wire.fields_parameters(ds_id, accounts, logins)
        return tuple(self._get(wire.FIELDS_PATH, list[FieldInfo], parameters).data)

    def accounts(
        self, ds_id: str, ds_users: object = None, max_age_minutes: int = listings.MAX_AGE_MINUTES
    ) -> tuple[listings.AccountInfo, ...]:
        """Return all accounts of a data source, each once, in their order ("Get accounts")."""
        listed = self.login_accounts(ds_id, ds_users, max_age_minutes)
        # An account is listed under each login that can read it.
        by_id = {each.id: each for login in listed for each in login.accounts}
        # A query without an account would be refused, and its batch with it.
        return tuple(each for id_, each in by_id.items() if id_)

    def logins(self, ds_id: str) -> dict[str, str]:
        """Return all logins of a data source, and what people know each by ("Get accounts")."""
        return {str(each.ds_user): each.shown for each in self.login_accounts(ds_id)}

    def login_accounts(
        self, ds_id: str, ds_users: object = None, max_age_minutes: int = listings.MAX_AGE_MINUTES
    ) -> list[listings.LoginAccounts]:
        """Return the accounts of each login of a data source ("Get accounts")."""
        parameters = listings.logins_parameters(ds_id, ds_users, max_age_minutes)
        return self._get(listings.ACCOUNTS_PATH, list[listings.LoginAccounts], parameters).data

    def segments(self, ds_id: str, ds_users: object = None) -> frozenset[str]:
        """Return the ids of all segments of a data source ("Get segments")."""
        parameters = listings.logins_parameters(ds_id, ds_users, listings.MAX_AGE_MINUTES)
        listed = self._get(listings.SEGMENTS_PATH, list[listings.LoginSegments], parameters).data
        return frozenset(str(each.segment_id) for login in listed for each in login.segments)

    def team_lists(self) -> tuple[listings.TeamListInfo, ...]:
        """Return all team lists, without their accounts ("List team lists")."""
        return tuple(self._get(listings.TEAM_LISTS_PATH, list[listings.TeamListInfo]).data)

    def team_list_accounts(self, list_id: str) -> tuple[str, ...]:
        """Return the accounts in a team list ("Get list data for account IDs").

        Raises:
            ApiError: the request failed, or the list is longer than any that the API stores.
        """
        text = self._get(listings.team_list_path(list_id), str).data
        try:
            return listings.team_list_ids(text)
        except ValueError as error:
            raise ApiError("ANSWER_INVALID", str(error)) from None

    def convert(self, addresses: Sequence[str]) -> tuple[listings.Converted, ...]:
        """Return what the API makes of addresses of queries, in their order ("Convert query")."""
        body = listings.convert_body(addresses)
        answer = self.request("POST", listings.CONVERT_PATH, list[listings.Converted], body=body)
        return tuple(answer.data)

    def history(self, parameters: Mapping[str, Any]) -> Answer[list[listings.HistoryEntry]]:
        """Return a page of the team's latest queries ("Get query history")."""
        return self._get(listings.HISTORY_PATH, list[listings.HistoryEntry], parameters)

    def _get(
        self, address: str, to: type[T], parameters: Mapping[str, Any] | None = None
    ) -> Answer[T]:
        return self.request("GET", address, to, parameters)
