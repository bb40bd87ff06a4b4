"""The API as functions: one for each endpoint, giving values or raising `ApiError`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.transport import Answer

MAX_STATUS_ENTRIES: Final = 10_000
"""More than any batch can hold: its status has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """Where a query batch and all its queries stand, in creation order."""

    is_stopped: bool
    is_queued: bool
    progress: wire.Progress
    queries: tuple[wire.BatchQuery, ...]


@dataclass(slots=True, kw_only=True)
class Client(Transport):
    """The API as functions. Safe to use from several threads."""

    def fields(
        self, ds_id: str, accounts: Sequence[str] = (), logins: Sequence[str] = ()
    ) -> tuple[wire.FieldInfo, ...]:
        """All fields of a data source, and custom ones of accounts ("Get fields")."""
        parameters = wire.fields_parameters(ds_id, accounts, logins)
        answer = self.request("GET", wire.FIELDS_PATH, list[wire.FieldInfo], parameters)
        return tuple(answer.data)

    def accounts(self, ds_id: str, ds_users: object = None) -> tuple[wire.AccountInfo, ...]:
        """All accounts of a data source, each once, in the API's order ("Get accounts")."""
        listed = self._login_accounts(ds_id, ds_users)
        unique = {each.id: each for login in listed for each in login.accounts}
        return tuple(unique.values())

    def logins(self, ds_id: str) -> dict[str, str]:
        """All logins of a data source, and what a person knows each by ("Get accounts")."""
        listed = self._login_accounts(ds_id)
        return {str(each.ds_user): each.shown for each in listed}

    def _login_accounts(self, ds_id: str, ds_users: object = None) -> list[wire.LoginAccounts]:
        parameters = wire.logins_parameters(ds_id, ds_users)
        return self.request("GET", wire.ACCOUNTS_PATH, list[wire.LoginAccounts], parameters).data

    def segments(self, ds_id: str, ds_users: object = None) -> frozenset[str]:
        """Ids of all segments of a data source ("Get segments")."""
        parameters = wire.logins_parameters(ds_id, ds_users)
        answer = self.request("GET", wire.SEGMENTS_PATH, list[wire.LoginSegments], parameters)
        return frozenset(str(each.segment_id) for login in answer.data for each in login.segments)

    def start_batch(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a query batch ("Start batch run").

        There is no way to find a batch whose answer was lost, and none to start it at most once.
        So it is started again a few times, which is logged and counted in `lost_starts`; but not
        where a whole answer tells no id, as each start would run, and be paid for, unseen.
        """
        answer = self.request("POST", wire.BATCH_PATH, msgspec.Raw, body=body)
        try:
            return lenient.decoded(answer.data, wire.Batch)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.service.lost_starts += 1
            message = f"a query batch runs unseen: the answer to its start tells no id ({error})"
            unreadable = wire.Error(code="START_UNREADABLE", message=message)
            raise self.refusal(unreadable, 0, answer.meta.request_id) from None

    def batch_status(self, batch_id: str) -> BatchStatus:
        """Where a query batch and its queries stand, all pages of it ("Get batch status")."""
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
        return self.request("GET", wire.status_path(batch_id), list[wire.BatchQuery], page)

    def cancel_batch(self, batch_id: str) -> None:
        """Stop a query batch; what it collected stays readable ("Cancel batch run")."""
        self.request("DELETE", wire.batch_path(batch_id), wire.Batch)

    def start_query(self, body: Mapping[str, Any]) -> wire.Meta:
        """Start a query under a schedule id, without waiting for it ("Async queries").

        A repeated start joins the running one: one schedule id runs once at a time.
        """
        return self.request("POST", wire.DATA_PATH, msgspec.Raw, body=body).meta

    def query_status(self, schedule_id: str) -> wire.Meta:
        """Where a query stands ("Poll for query status").

        Raises:
            ApiError: the request failed, or the query did.
        """
        parameters = wire.status_parameters(schedule_id)
        return self.request("GET", wire.STATUS_PATH, msgspec.Raw, parameters).meta

    def results(
        self, address: str, page: Mapping[str, int] | None = None
    ) -> Answer[list[msgspec.Raw]]:
        """One page of results, its rows as JSON not yet looked at ("Get results").

        Args:
            address: a `results_url`, or an address of a following page.
            page: `offset` and `limit`; None for an address that says where it stands.

        Raises:
            ApiError: the request failed, or the query is not done: no rows are not an empty result.
        """
        answer = self.request("GET", address, list[msgspec.Raw], page)
        word = answer.meta.status_code
        if word and not answer.data and wire.QueryStatus.of(word) is not wire.QueryStatus.SUCCESS:
            unfinished = wire.Error(
                code="QUERY_RESULTS_UNAVAILABLE", message=f"no results, the query is {word}"
            )
            raise self.refusal(unfinished, 0, answer.meta.request_id)
        return answer

    def query_error(self, error: wire.Error) -> ApiError:
        """The error of one query, as the status of its batch tells it."""
        return self.refusal(error, error.status, is_of_query=True)
