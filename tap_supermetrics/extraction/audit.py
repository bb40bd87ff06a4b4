"""Reads and logs the information that outlives a query batch's status.

Source: Supermetrics docs, "Batch queries (Preview)", "Get batch information": it is there as soon
as the batch is, and for 90 days; the status for an hour after the batch stopped.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction import polling

if TYPE_CHECKING:
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.wire import BatchInformation

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class BatchAudit:
    """Information about query batches. Used by one thread only.

    Attributes:
        client: the API.
        is_served: false once the API refused such information altogether.
    """

    client: Client
    is_served: bool = True

    def information(self, batch_id: str) -> BatchInformation | None:
        """Return the information on a query batch; None where it cannot be read now."""
        if not self.is_served:
            return None
        try:
            # One try: this is for people, and must not hold up the polls of the same thread.
            return replace(self.client, retry=polling.ONE_TRY).batch_information(batch_id)
        except ApiError as error:
            # A key that may not read it, or a service without it; not an unknown batch.
            self.is_served = error.reach is not Reach.ENDPOINT
            logger.debug("Nothing is told of query batch %s: %s", batch_id, error)
            return None

    def log_end(self, batch_id: str) -> None:
        """Log how a query batch went, so that a person finds it at the vendor's."""
        if information := self.information(batch_id):
            logger.info("Query batch %s", information.story)
