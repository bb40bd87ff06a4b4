"""Starts of query batches, each noted before it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.starts import new_token
from tap_supermetrics.model import SubmittedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import AsyncRun, BatchRequest, Report


class SubmissionNotes:
    """Notes of submissions that outlive this process; these are stored nowhere."""

    def batch_begins(self, token: str, batch: SubmittedBatch) -> None:
        """Note a query batch that is about to be sent; it has no id yet."""

    def batch_answered(self, token: str, batch_id: str | None) -> None:
        """Note the id of a query batch that was sent; None where the API has refused it."""

    def queries_begin(self, report: str, run: AsyncRun) -> None:
        """Note the run under which queries of a report are submitted by themselves."""


class BatchStarter:
    """Starts query batches, so that the next run knows at any moment which were paid for.

    Args:
        client: the API.
        reports: by name.
        now: the wall clock, with offset.
        notes: record each batch before it is sent, and its id as soon as it is known.
        known: ids of batches of an earlier run.
    """

    def __init__(
        self,
        client: Client,
        reports: Mapping[str, Report],
        now: Callable[[], datetime],
        notes: SubmissionNotes,
        known: Iterable[str],
    ) -> None:
        self._client = client
        self._reports = reports
        self._now = now
        self._notes = notes
        self._ids = {*known}

    def start(self, request: BatchRequest) -> SubmittedBatch:
        """Start a batch; it is noted before it is sent, and its id before anything depends on it.

        A run that is killed before the answer comes has paid for it: the next run
        finds it by its token.

        Raises:
            ApiError: it was not taken, or its answer has no id of its own.
        """
        unsent = SubmittedBatch(
            batch_id="",
            submitted_at=self._now(),
            split=request.policy.split,
            items=dict(enumerate(request.items)),
            item_count=len(request.items),
        )
        token = new_token()
        self._notes.batch_begins(token, unsent)
        try:
            body = wire.batch_body(request, self._reports)
            batch_id = self._client.start_batch(body, token).batch_id
            self._check_new(batch_id)
        except ApiError as error:
            if not error.may_have_run:
                self._notes.batch_answered(token, None)
            raise
        self._notes.batch_answered(token, batch_id)
        return replace(unsent, batch_id=batch_id, submitted_at=self._now())

    def _check_new(self, batch_id: str) -> None:
        if not batch_id or batch_id in self._ids:  # The two could not be distinguished.
            message = f"a query batch was started under the id {batch_id!r}, which is not its own"
            raise ApiError("ANSWER_INVALID", message)
        self._ids.add(batch_id)
