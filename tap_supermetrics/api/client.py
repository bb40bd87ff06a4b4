"""Queries and query batches as functions: one for each endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.listing_client import ListingClient
from tap_supermetrics.api.starts import BatchSearch, BatchStart, new_token

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_supermetrics.api.answers import Answer

MAX_STATUS_ENTRIES: Final = 10_000
"""More than any batch has: its status has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """The state of a query batch and of all its queries, these in creation order."""

    is_stopped: bool
    is_queued: bool
    progress: wire.BatchProgress
    queries: tuple[wire.BatchQuery, ...]


@dataclass(slots=True, kw_only=True)
class Client(ListingClient):
    """The API as functions, which raise `ApiError`. Safe to use from several threads."""

    # Query batches

    def start_batch(self, body: Mapping[str, Any], token: str | None = None) -> wire.Batch:
        """Start a query batch ("Start batch run").

        A batch whose answer did not come is found by a token in its description. Where it is not
        found, it is started again a few times, which is logged and counted in `unanswered_starts`;
        but not where the answer has no id, as each start would run, paid for and unseen.

        Args:
            body: the request.
            token: by which the batch can be found, by this run or another; None for a new one.

        Raises:
            ApiError: START_UNREADABLE when the answer has no id.
        """
        search = self._search(self.service.batches)
        return BatchStart(self, search, self.cancel_batch, token or new_token()).run(body)

    def find_batches(
        self,
        tokens: Collection[str],
        ds_ids: Collection[str],
        hours: int,
        age_s: float,
        known: Collection[str],
    ) -> dict[str, tuple[str, ...]]:
        """Return ids of query batches by the token with which each was started.

        Args:
            tokens: the wanted ones.
            ds_ids: the data sources of the batches.
            hours: they were started at most so many hours ago.
            age_s: the youngest was started so many seconds ago; see `BatchSearch.find`.
            known: ids of batches that are none of them.

        Raises:
            ApiError: the history or a batch could not be read.
        """
        return self._search(known).find(tokens, ds_ids, hours, age_s)

    def _search(self, known: Collection[str]) -> BatchSearch:
        return BatchSearch(history=self.history, information=self.batch_information, known=known)

    def batch_information(self, batch_id: str) -> wire.BatchInformation:
        """Return the information on a query batch ("Get batch information").

        It is there as soon as the batch is, and for long after its status expired: it distinguishes
        a status that is not there yet from one that has expired.

        Raises:
            ApiError: BATCH_NOT_FOUND when there is no such batch.
        """
        return self._get(wire.batch_path(batch_id), wire.BatchInformation).data

    def batch_status(self, batch_id: str) -> BatchStatus:
        """Return the state of a query batch and its queries, all pages ("Get batch status")."""
        first = answer = self._status_page(batch_id, 0)
        queries = list(first.data)
        # An empty page ends it too, whatever the total says.
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
            progress=first.meta.progress or wire.BatchProgress(),
            queries=tuple(queries),
        )

    def _status_page(self, batch_id: str, offset: int) -> Answer[list[wire.BatchQuery]]:
        page = wire.page_of(offset, wire.MAX_QUERIES_PER_BATCH)
        return self._get(wire.status_path(batch_id), list[wire.BatchQuery], page)

    def cancel_batch(self, batch_id: str) -> wire.BatchInformation:
        """Stop a query batch; its results stay readable ("Cancel batch run")."""
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
        """Return one page of results, its rows as JSON not yet decoded ("Get results").

        Args:
            address: a `results_url`, or an address of a following page.
            page: `offset` and `limit`; None for an address that has its own.

        Raises:
            ApiError: the request failed, or the query is not done: no rows are not an empty result.
        """
        answer = self._get(address, list[msgspec.Raw], page)
        word = answer.meta.status_code
        if word and not answer.data and wire.QueryStatus.of(word) is not wire.QueryStatus.SUCCESS:
            message = f"no results, the query is {word}"
            unfinished = wire.Error(code="QUERY_RESULTS_UNAVAILABLE", message=message)
            raise self.replies.refusal(unfinished, 0, answer.meta.request_id)
        return answer

    def query_error(self, error: wire.Error) -> ApiError:
        """Return the error of one query, as the status of its batch reports it."""
        return self.replies.refusal(error, error.status, is_of_query=True)
