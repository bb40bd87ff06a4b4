"""Query batches whose start got no answer, found again by a token in their description.

Every start may run and cost quota, whether its answer arrives or not. The history of queries lists
schedule ids, which name their batch, and the batch tells its description (Supermetrics docs, "Get
query history" and "Get batch information").
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tap_supermetrics.api import listings, wire
from tap_supermetrics.api.answers import Answer
from tap_supermetrics.api.errors import ApiError, Fate, Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

logger = logging.getLogger(__name__)

MAX_PAGES: Final = 5
"""So many pages of the history are looked through for one start."""
MAX_LOOKED_UP: Final = 50
"""So many query batches of others are looked up for one start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Requests by which a query batch can be found.

    Attributes:
        history: gives a page of the history for parameters.
        information: gives what is kept of a query batch.
        known: ids of the query batches that are not looked for.
    """

    history: Callable[[Mapping[str, Any]], Answer[list[listings.HistoryEntry]]]
    information: Callable[[str], wire.BatchInformation]
    known: set[str]


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
    found: tuple[str, ...] = field(default=())

    def answer(self) -> Answer[msgspec.Raw] | None:
        """Return what the lost answer would have told; None where nothing is found.

        Raises:
            ApiError: the API refuses everything.
        """
        try:
            self.found = tuple(self._made())
        except ApiError as error:
            if error.fate is Fate.STOP and error.reach is not Reach.ENDPOINT:
                raise
            logger.info("The query batch cannot be looked for: %s", error)
        if not self.found:
            return None
        logger.info("Query batch %s was started, though its answer was lost", self.found[0])
        data = msgspec.Raw(msgspec.json.encode({"batch_id": self.found[0]}))
        return Answer(meta=wire.Meta(), data=data)

    def _made(self) -> Iterator[str]:
        for batch_id in list(dict.fromkeys(self._recent()))[:MAX_LOOKED_UP]:
            if self.token in self._description(batch_id):
                yield batch_id

    def _description(self, batch_id: str) -> str:
        try:
            return self.lookup.information(batch_id).description or ""
        except ApiError as error:
            if error.verdict.is_missing:
                return ""  # Another key's, whose queries the history shows all the same.
            raise

    def _recent(self) -> Iterator[str]:
        """Yield the ids of the query batches that the history names, but for known ones."""
        for page in range(MAX_PAGES):
            entries = self.lookup.history(listings.history_parameters(self.body, page)).data
            batch_ids = (wire.batch_id_of(each.schedule_id) for each in entries)
            yield from (each for each in batch_ids if each and each not in self.lookup.known)
            if len(entries) < listings.HISTORY_PAGE:
                return
