"""Endpoints of query batches (Supermetrics docs, "Batch queries (Preview)")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.emulator import answers
from tap_supermetrics.emulator.batch_requests import Surroundings, parsed_batch
from tap_supermetrics.emulator.envelopes import Endpoints
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.parameters import whole_number

if TYPE_CHECKING:
    from tap_supermetrics.emulator.incoming import Outgoing
    from tap_supermetrics.emulator.queries import EmulatedBatch
    from tap_supermetrics.emulator.results import Call


class BatchEndpoints(Endpoints):
    """Answers requests about query batches."""

    def start(self, call: Call) -> Outgoing:
        """Start a batch."""
        batch = parsed_batch(
            call.params,
            f"qrb_{self._envelopes.new_id(12)}",
            call.key,
            Surroundings.of(self._engine),
        )
        self._engine.submit_batch(batch)
        return self._envelopes.json({}, answers.batch_information(batch, call.base_url), 201)

    def information(self, call: Call) -> Outgoing:
        """Tell what is kept of a batch."""
        return self._envelopes.json({}, answers.batch_information(self._batch(call), call.base_url))

    def cancel(self, call: Call) -> Outgoing:
        """Stop a batch."""
        batch = self._batch(call)
        if not self._engine.register.keeps_status(batch):
            raise RefusalError("BATCH_STATUS_NOT_FOUND")
        self._engine.cancel(batch)
        return self._envelopes.json({}, answers.batch_information(batch, call.base_url))

    def status(self, call: Call) -> Outgoing:
        """Tell the state of a batch and its queries."""
        batch = self._batch(call)
        if not self._engine.register.keeps_status(batch) or not self._engine.register.has_status(
            batch
        ):
            raise RefusalError("BATCH_STATUS_NOT_FOUND")
        offset = whole_number(call.params, "offset", 0) or 0
        limit = min(1000, max(1, whole_number(call.params, "limit", 100) or 1))
        with self._engine.changed:
            meta = {
                "status_code": batch.status.value,
                "progress": answers.batch_progress(batch),
                "paginate": {"offset": offset, "limit": limit, "total": len(batch.queries)},
            }
            data = [
                answers.batch_query(query, call.base_url, self._engine.options)
                for query in batch.queries[offset : offset + limit]
            ]
        return self._envelopes.json(meta, data)

    def _batch(self, call: Call) -> EmulatedBatch:
        batch = self._engine.batch(call.ids[0])
        if batch is None or batch.key != call.key:
            raise RefusalError("BATCH_NOT_FOUND")
        return batch
