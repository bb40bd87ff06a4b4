"""The API as functions: one for each endpoint, giving values or raising `ApiError`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from tap_supermetrics.api import listings, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.api.starts import Lookup, Starter
from tap_supermetrics.api.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.answers import Answer

T = TypeVar("T")

MAX_STATUS_ENTRIES: Final = 10_000
"""More than any batch can hold: its status has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """The state of a query batch and of all its queries, these in creation order."""

    is_stopped: bool
    is_queued: bool
    progress: wire.Progress
    queries: tuple[wire.BatchQuery, ...]


@dataclass(slots=True, kw_only=True)
class Client(Transport):
    """The API as functions, which raise `ApiError`. Safe to use from several threads."""

    # Accounts, fields, segments

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
        """Return all team lists, without what is in them ("List team lists")."""
        return tuple(self._get(listings.TEAM_LISTS_PATH, list[listings.TeamListInfo]).data)

    def team_list_accounts(self, list_id: str) -> tuple[str, ...]:
        """Return the accounts in a team list ("Get list data for account IDs").

        Raises:
            ApiError: the request failed, or the list is longer than any that the API keeps.
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

    # Query batches

    def start_batch(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a query batch ("Start batch run").

        A batch whose answer was lost is looked for by a token in its description. Where it is not
        found, it is started again a few times, which is logged and counted in `lost_starts`; but
        not where the answer comes and tells no id, as each start would run, paid for and unseen.

        Raises:
            ApiError: START_UNREADABLE when the answer tells no id.
        """
        lookup = Lookup(
            history=self.history,
            information=self.batch_information,
            known=self.service.batches,
        )
        return Starter(self, lookup, self.cancel_batch).start(body)

    def history(self, parameters: Mapping[str, Any]) -> Answer[list[listings.HistoryEntry]]:
        """Return a page of what the team asked lately ("Get query history")."""
        return self._get(listings.HISTORY_PATH, list[listings.HistoryEntry], parameters)

    def batch_information(self, batch_id: str) -> wire.BatchInformation:
        """Return what is kept of a query batch ("Get batch information").

        It is there as soon as the batch is, and for long after its status expired: it tells a
        status that is not there yet from one that is not there any more.

        Raises:
            ApiError: BATCH_NOT_FOUND when there is no such batch.
        """
        return self._get(wire.batch_path(batch_id), wire.BatchInformation).data

    def batch_status(self, batch_id: str) -> BatchStatus:
        """Return the state of a query batch and its queries, all pages ("Get batch status")."""
        first = answer = self._status_page(batch_id, 0)
        queries = list(first.data)
        while answer.data and answer.meta.paginate and len(queries) < answer.meta.paginate.total:
            if len(queries) > MAX_STATUS_ENTRIES:
                raise ApiError("ANSWER_INVALID", f"the status of {batch_id} does not end")
            answer = self._status_page(batch_id, len(queries))
            queries += answer.data
        # The first page is the oldest: what it shows as running may have finished since.
        word = first.meta.status_code.upper()
        return BatchStatus(
            is_stopped=word == wire.BATCH_STOPPED,
            is_queued=word == wire.BATCH_QUEUED,
            progress=first.meta.progress or wire.Progress(),
            queries=tuple(queries),
        )

    def _status_page(self, batch_id: str, offset: int) -> Answer[list[wire.BatchQuery]]:
        page = wire.page_of(offset, wire.MAX_QUERIES_PER_BATCH)
        return self._get(wire.status_path(batch_id), list[wire.BatchQuery], page)

    def cancel_batch(self, batch_id: str) -> wire.BatchInformation:
        """Stop a query batch; what it collected stays readable ("Cancel batch run")."""
        return self.request("DELETE", wire.batch_path(batch_id), wire.BatchInformation).data

    # Single queries, and the results of both

    def start_query(self, body: Mapping[str, Any]) -> wire.Meta:
        """Start a query under a schedule id, without waiting for it ("Async queries").

        A repeated start joins the running one: one schedule id runs once at a time.
        """
        return self.request("POST", wire.DATA_PATH, msgspec.Raw, body=body).meta

    def query_status(self, schedule_id: str) -> wire.Meta:
        """Return the state of a query ("Poll for query status").

        Raises:
            ApiError: the request failed, or the query did.
        """
        return self._get(wire.STATUS_PATH, msgspec.Raw, wire.status_parameters(schedule_id)).meta

    def results(
        self, address: str, page: Mapping[str, int] | None = None
    ) -> Answer[list[msgspec.Raw]]:
        """Return one page of results, its rows as JSON not yet looked at ("Get results").

        Args:
            address: a `results_url`, or an address of a following page.
            page: `offset` and `limit`; None for an address that says where it stands.

        Raises:
            ApiError: the request failed, or the query is not done: no rows are not an empty result.
        """
        answer = self._get(address, list[msgspec.Raw], page)
        word = answer.meta.status_code
        if word and not answer.data and wire.QueryStatus.of(word) is not wire.QueryStatus.SUCCESS:
            message = f"no results, the query is {word}"
            unfinished = wire.Error(code="QUERY_RESULTS_UNAVAILABLE", message=message)
            raise self.refusal(unfinished, 0, answer.meta.request_id)
        return answer

    def query_error(self, error: wire.Error) -> ApiError:
        """Return the error of one query, as the status of its batch tells it."""
        return self.refusal(error, error.status, is_of_query=True)

    def _get(
        self, address: str, to: type[T], parameters: Mapping[str, Any] | None = None
    ) -> Answer[T]:
        return self.request("GET", address, to, parameters)
