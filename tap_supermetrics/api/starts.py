"""Starts of query batches; one that got no answer is found by a token in its description.

Every start may run and cost quota, whether its answer arrives or not. The history of queries lists
schedule ids, which name their batch, and the batch has its description (Supermetrics docs, "Get
query history" and "Get batch information").
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import msgspec

from tap_supermetrics.api import items, lenient, listings, wire
from tap_supermetrics.api.connection import Request
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import RetryState, repeated
from tap_supermetrics.redaction import shows_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tap_supermetrics.api.answers import Answer
    from tap_supermetrics.api.transport import Transport

logger = logging.getLogger(__name__)

TOKEN_LENGTH: Final = 12
"""Letters of the token by which a query batch is found."""
SEARCH_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits for a query batch that the history does not name yet: another start may be paid twice."""
MAX_ID_LENGTH: Final = 200
"""Many times the length of an id of a query batch."""
MAX_PAGES: Final = 5
"""Pages of the history that are read for one start."""
MAX_OTHERS_READ: Final = 50
"""Query batches of others that are read for one start."""
MAX_STARTS_UNKNOWN: Final = 2
"""How often a batch is started again when no answer to its start came."""


def new_token() -> str:
    """Return a token for the description of a query batch, unlike any other."""
    return uuid4().hex[:TOKEN_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSearch:
    """Finds query batches by a token in their description.

    Attributes:
        history: gives a page of the history for parameters.
        information: gives the information on a query batch.
        known: ids of the query batches to pass over.
    """

    history: Callable[[Mapping[str, Any]], Answer[list[listings.HistoryEntry]]]
    information: Callable[[str], wire.BatchInformation]
    known: Collection[str]
    _others: set[str] = field(default_factory=set)

    def find(
        self,
        tokens: Collection[str],
        ds_ids: Collection[str],
        hours: int = 1,
        age_s: float = 0.0,
    ) -> dict[str, tuple[str, ...]]:
        """Return the ids of the query batches that have one of the tokens, by token, newest first.

        A history that lags does not show that a batch was not made: while one is missing that may
        be too young for it, the history is read again.

        Args:
            tokens: the wanted ones.
            ds_ids: the data sources of the batches.
            hours: they were started at most so many hours ago.
            age_s: the youngest was started so many seconds ago.

        Raises:
            ApiError: the history or a batch could not be read.
        """
        found: dict[str, tuple[str, ...]] = {}
        for wait_s in (*SEARCH_AGAIN_S, 0.0):
            missing = [token for token in tokens if token not in found]
            for token, batch_id in self._matches(missing, ds_ids, hours):
                found[token] = (*found.get(token, ()), batch_id)
            age_s += wait_s
            if len(found) == len(tokens) or age_s > sum(SEARCH_AGAIN_S):
                break
            time.sleep(wait_s)
        return found

    def _matches(
        self, tokens: Collection[str], ds_ids: Collection[str], hours: int
    ) -> Iterator[tuple[str, str]]:
        """Yield the token and the id of each query batch that has one of the tokens."""
        recent = dict.fromkeys(self._recent(ds_ids, hours))
        unknown = [each for each in recent if each not in self._others]
        for batch_id in unknown[:MAX_OTHERS_READ]:
            description = self._description(batch_id)
            found = [token for token in tokens if token in description]
            if description and not found:
                self._others.add(batch_id)
            yield from ((token, batch_id) for token in found)

    def _description(self, batch_id: str) -> str:
        try:
            return self.information(batch_id).description or ""
        except ApiError as error:
            # By the code only: a bare 404 may as well mean that this is not served.
            if error.verdict.is_missing:
                return ""  # Another key's, whose queries the history shows too.
            raise

    def _recent(self, ds_ids: Collection[str], hours: int) -> Iterator[str]:
        """Yield the ids of the query batches that the history names, but for known ones."""
        for page in range(MAX_PAGES):
            entries = self.history(listings.history_parameters(ds_ids, hours, page)).data
            batch_ids = (wire.batch_id_of(each.schedule_id) for each in entries)
            yield from (each for each in batch_ids if each and each not in self.known)
            if len(entries) < listings.HISTORY_PAGE:
                return


class BatchStart:
    """A start of a query batch, which is searched for where no answer has its id.

    Args:
        transport: the API.
        search: how a batch is found whose answer did not come.
        cancel: cancels a batch.
        token: by which the batch is found: part of its description, and of no other.
    """

    def __init__(
        self, transport: Transport, search: BatchSearch, cancel: Callable[[str], object], token: str
    ) -> None:
        self._transport = transport
        self._service = transport.service
        self._search = search
        self._cancel = cancel
        self._token = token
        self._unanswered = 0
        self._found: tuple[str, ...] = ()

    def run(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a query batch; see `Client.start_batch`.

        Sources differ in how they take accounts and fields: where the one form is refused, the
        other is tried, and used from then on when it is taken.
        """
        first, *other = self._service.item_forms
        try:
            return self._start_as(first, body)
        except ApiError as error:
            if not error.verdict.is_of_item or not other:
                raise self._after_unanswered(error) from None
            logger.info("Items of a query batch are refused as %s: %s", first.value, error)
        try:
            return self._start_as(other[0], body)
        except ApiError as error:
            raise self._after_unanswered(error) from None

    def _after_unanswered(self, error: ApiError) -> ApiError:
        """Return an error, marked where a start before it may have worked."""
        error.may_have_run = error.may_have_run or self._unanswered > 0
        return error

    def _start_as(self, form: items.ItemForm, body: Mapping[str, Any]) -> wire.Batch:
        batch = self._start(wire.described(items.spelt(body, form), self._token))
        # Taken once, it is right for all that follow: the other is not tried any more.
        self._service.item_forms = (form,)
        # Known from now on: no later search has to read it.
        self._service.batches.add(batch.batch_id)
        self._cancel_duplicates()
        return batch

    def _start(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a batch; search for it where its answer does not come or has no id."""
        try:
            return self._send_until_over(body)
        except ApiError as error:
            failed = error
        # Not while an error is handled: it would become part of those of the search.
        found = self._find(body) if failed.may_have_run else None
        if found is None:
            raise failed
        return found

    def _send_until_over(self, body: Mapping[str, Any]) -> wire.Batch:
        """Send a start until its answer comes or it is found, or its error says that it is useless.

        Raises:
            ApiError: it was refused, or failed for good; START_UNREADABLE where no id came.
        """
        url = self._transport.checked_url(wire.BATCH_PATH)
        send = self._transport.sender(Request(method="POST", url=url, body=body), msgspec.Raw)
        state = RetryState(self._transport.retry, self._service, msgspec.Raw)

        def find_or_send() -> wire.Batch:
            # Searched for before it is sent again: the start before may have worked.
            if self._unanswered and (found := self._find(body)):
                return found
            return self._read(send)

        def count_failure(error: ApiError) -> bool:
            if error.may_have_run:
                self._note_unanswered(error)
            return self._unanswered > MAX_STARTS_UNKNOWN or state.count_failure(error)

        return repeated(find_or_send, self._transport.retry, count_failure)

    def _read(self, send: Callable[[], Answer[msgspec.Raw]]) -> wire.Batch:
        """Send a start once, and return the batch that its answer names."""
        try:
            answer = send()
        except ApiError as error:
            if error.code != "ANSWER_UNREADABLE":
                raise
            raise self._unreadable(error.message, error.request_id) from None
        batch = _batch_in(answer)
        if batch is None or not self._is_plain(batch.batch_id):
            raise self._unreadable("no batch_id", answer.meta.request_id)
        return batch

    def _is_plain(self, batch_id: str) -> bool:
        """Return whether an id can be logged, stored in a state and requested."""
        is_id = len(batch_id) <= MAX_ID_LENGTH and batch_id.isprintable()
        return is_id and not shows_key(batch_id, self._transport.api_key)

    def _unreadable(self, cause: str, request_id: str) -> ApiError:
        message = f"a query batch runs unseen: the answer to its start tells no id ({cause})"
        error = wire.Error(code="START_UNREADABLE", message=message)
        return self._transport.replies.refusal(error, 0, request_id)

    def _note_unanswered(self, error: ApiError) -> None:
        self._unanswered += 1
        self._service.unanswered_starts += 1
        text = "The start of a query batch got no id: it may run unseen and cost quota. %s"
        logger.warning(text, error)

    def _find(self, body: Mapping[str, Any]) -> wire.Batch | None:
        """Return the batch that a start without an answer made; None where none is found.

        Raises:
            ApiError: the API refuses everything.
        """
        try:
            found = self._search.find([self._token], listings.sources_of(body))
        except ApiError as error:
            error.raise_if_it_refuses_everything()
            logger.info("The query batch cannot be looked for: %s", error)
            return None
        self._found = tuple(filter(self._is_plain, found.get(self._token, ())))
        if not self._found:
            return None
        logger.info("Query batch %s was started, though its answer was lost", self._found[0])
        return wire.Batch(batch_id=self._found[0])

    def _cancel_duplicates(self) -> None:
        """Cancel further batches that the same start made; none of those found runs unseen."""
        self._service.unanswered_starts -= min(len(self._found), self._service.unanswered_starts)
        for batch_id in self._found[1:]:
            with suppress(ApiError):
                self._cancel(batch_id)


def _batch_in(answer: Answer[msgspec.Raw]) -> wire.Batch | None:
    """Return the query batch that an answer names; None where it names none."""
    try:
        return lenient.decoded(answer.data, wire.Batch)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
