"""Starts of query batches; one that got no answer is found by a token in its description.

Every start may run and cost quota, whether its answer arrives or not. The history of queries lists
schedule ids, which name their batch, and the batch tells its description (Supermetrics docs, "Get
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
from tap_supermetrics.api.answers import Answer
from tap_supermetrics.api.connection import Request
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import RetryState, repeated
from tap_supermetrics.redaction import shows_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.api.retry import Service
    from tap_supermetrics.api.transport import Transport

logger = logging.getLogger(__name__)

TOKEN_LENGTH: Final = 12
"""Letters of the token by which a query batch is found."""
LOOK_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits for a query batch that the history does not name yet: another start may be paid twice."""
MAX_ID_LENGTH: Final = 200
"""Many times the length of an id of a query batch."""
MAX_PAGES: Final = 5
"""So many pages of the history are looked through for one start."""
MAX_LOOKED_UP: Final = 50
"""So many query batches of others are looked up for one start."""
MAX_STARTS_UNKNOWN: Final = 2
"""How often a batch is started again when the answer to its start was lost."""


def new_token() -> str:
    """Return a token for the description of a query batch, unlike any other."""
    return uuid4().hex[:TOKEN_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Finds query batches by a token in their description.

    Attributes:
        history: gives a page of the history for parameters.
        information: gives what is kept of a query batch.
        known: ids of the query batches that are not looked for.
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

        A history that lags is no sign that a batch was not made: while one is missing that may be
        too young for it, it is looked for again.

        Args:
            tokens: what is looked for.
            ds_ids: the data sources of the batches.
            hours: they were started at most so many hours ago.
            age_s: the youngest was started so many seconds ago.

        Raises:
            ApiError: the history or a batch could not be read.
        """
        found: dict[str, tuple[str, ...]] = {}
        for wait_s in (*LOOK_AGAIN_S, 0.0):
            missing = [token for token in tokens if token not in found]
            for token, batch_id in self._look(missing, ds_ids, hours):
                found[token] = (*found.get(token, ()), batch_id)
            age_s += wait_s
            if len(found) == len(tokens) or age_s > sum(LOOK_AGAIN_S):
                break
            time.sleep(wait_s)
        return found

    def _look(
        self, tokens: Collection[str], ds_ids: Collection[str], hours: int
    ) -> Iterator[tuple[str, str]]:
        """Yield the token and the id of each query batch that has one of the tokens."""
        recent = dict.fromkeys(self._recent(ds_ids, hours))
        unknown = [each for each in recent if each not in self._others]
        for batch_id in unknown[:MAX_LOOKED_UP]:
            description = self._description(batch_id)
            found = [token for token in tokens if token in description]
            if description and not found:
                self._others.add(batch_id)
            yield from ((token, batch_id) for token in found)

    def _description(self, batch_id: str) -> str:
        try:
            return self.information(batch_id).description or ""
        except ApiError as error:
            if error.verdict.is_missing:
                return ""  # Another key's, whose queries the history shows all the same.
            raise

    def _recent(self, ds_ids: Collection[str], hours: int) -> Iterator[str]:
        """Yield the ids of the query batches that the history names, but for known ones."""
        for page in range(MAX_PAGES):
            entries = self.history(listings.history_parameters(ds_ids, hours, page)).data
            batch_ids = (wire.batch_id_of(each.schedule_id) for each in entries)
            yield from (each for each in batch_ids if each and each not in self.known)
            if len(entries) < listings.HISTORY_PAGE:
                return


@dataclass(slots=True, kw_only=True)
class TracedStart:
    """A start of a query batch that can be found without its answer.

    Attributes:
        body: as it is sent, with the token in its description.
        token: part of no other description.
        lookup: how it is found.
        found: ids of the query batches that it made.
    """

    body: Mapping[str, Any]
    token: str
    lookup: Lookup
    found: tuple[str, ...] = ()
    _lost: int = 0

    def send(self, transport: Transport) -> Answer[msgspec.Raw]:
        """Start the batch until an answer comes or is found, or its error says that it is useless.

        Raises:
            ApiError: it was refused, or failed for good.
        """
        url, service = transport.checked_url(wire.BATCH_PATH), transport.service
        request = Request(method="POST", url=url, body=self.body)
        send = transport.sender(request, msgspec.Raw)
        state = RetryState(transport.retry, service, msgspec.Raw)

        def send_or_find() -> Answer[msgspec.Raw]:
            # Looked for before it is sent again: the start before may have worked.
            return (self._lost and self.answer()) or send()

        def is_over(error: ApiError) -> bool:
            if error.may_have_run:
                self._note_lost(error, service)
            return self._lost > MAX_STARTS_UNKNOWN or state.is_over(error)

        return repeated(send_or_find, transport.retry, is_over)

    def _note_lost(self, error: ApiError, service: Service) -> None:
        self._lost += 1
        service.lost_starts += 1
        logger.warning(
            "No answer to the start of a query batch: it may run unseen and cost quota. %s", error
        )

    def answer(self) -> Answer[msgspec.Raw] | None:
        """Return what the lost answer would have told; None where nothing is found.

        Raises:
            ApiError: the API refuses everything.
        """
        try:
            self._find()
        except ApiError as error:
            error.raise_if_it_refuses_everything()
            logger.info("The query batch cannot be looked for: %s", error)
        if not self.found:
            return None
        logger.info("Query batch %s was started, though its answer was lost", self.found[0])
        data = msgspec.Raw(msgspec.json.encode({"batch_id": self.found[0]}))
        return Answer(meta=wire.Meta(), data=data)

    def _find(self) -> None:
        found = self.lookup.find([self.token], listings.sources_of(self.body))
        self.found = found.get(self.token, ())


class Starter:
    """Starts query batches, so that none runs unseen.

    Args:
        transport: the API.
        lookup: how a batch is found whose answer was lost.
        cancel: cancels a batch.
        token: by which a batch is found.
    """

    def __init__(
        self, transport: Transport, lookup: Lookup, cancel: Callable[[str], object], token: str
    ) -> None:
        self._transport = transport
        self._lookup = lookup
        self._cancel = cancel
        self._token = token

    def start(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a query batch; see `Client.start_batch`.

        Sources differ in how they take accounts and fields: where the one form is refused, the
        other is tried, and kept when it is taken.
        """
        first, *other = self._transport.service.item_forms
        try:
            return self._start_as(first, body)
        except ApiError as error:
            if not error.verdict.is_of_item or not other:
                raise
            logger.info("Items of a query batch are refused as %s: %s", first.value, error)
        return self._start_as(other[0], body)

    def _start_as(self, form: items.ItemForm, body: Mapping[str, Any]) -> wire.Batch:
        batch = self._start(items.spelt(body, form))
        # Taken once, it is right for all that follow: the other is not tried any more.
        self._transport.service.item_forms = (form,)
        return batch

    def _start(self, body: Mapping[str, Any]) -> wire.Batch:
        """Start a batch once; look for it where the answer is lost or tells no id."""
        described = wire.described(body, self._token)
        start = TracedStart(body=described, token=self._token, lookup=self._lookup)
        answer, error = self._sent(start)
        batch = None if answer is None else _batch_in(answer)
        if batch and not self._is_plain(batch.batch_id):
            batch = None
        if answer is not None and batch is None:
            self._transport.service.lost_starts += 1
            error = self._unreadable_start("no batch_id", answer.meta.request_id)
        # Not while an error is handled: it would become part of those of the search.
        if error and error.may_have_run and (found := start.answer()):
            batch = _batch_in(found)
        if batch is None:
            raise error or self._unreadable_start("no batch_id", "")
        # Known from now on: no later search has to look it up.
        self._transport.service.batches.add(batch.batch_id)
        self._drop_doubles(start.found)
        return batch

    def _is_plain(self, batch_id: str) -> bool:
        """Say that an id can be logged, kept in a state and asked for."""
        is_id = len(batch_id) <= MAX_ID_LENGTH and batch_id.isprintable()
        return is_id and not shows_key(batch_id, self._transport.api_key)

    def _sent(self, start: TracedStart) -> tuple[Answer[msgspec.Raw] | None, ApiError | None]:
        """Return the answer to a start, or the error in its place."""
        try:
            return start.send(self._transport), None
        except ApiError as error:
            if error.code == "ANSWER_UNREADABLE":
                return None, self._unreadable_start(error.message, error.request_id)
            return None, error

    def _drop_doubles(self, found: Sequence[str]) -> None:
        """Cancel further batches that the same start made; none of those found runs unseen."""
        self._transport.service.lost_starts -= min(len(found), self._transport.service.lost_starts)
        for batch_id in found[1:]:
            with suppress(ApiError):
                self._cancel(batch_id)

    def _unreadable_start(self, cause: str, request_id: str) -> ApiError:
        message = f"a query batch runs unseen: the answer to its start tells no id ({cause})"
        error = self._transport.replies.refusal(
            wire.Error(code="START_UNREADABLE", message=message), 0, request_id
        )
        error.may_have_run = True
        return error


def _batch_in(answer: Answer[msgspec.Raw]) -> wire.Batch | None:
    """Return the query batch that an answer tells; None where it tells none."""
    try:
        return lenient.decoded(answer.data, wire.Batch)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
