"""A report as a Singer stream.

The tap keeps its own state (`tap_supermetrics.state`): the SDK's knows one bookmark per stream or
partition, moves it with every record, and has no lookback. So what the SDK does to bookmarks is
switched off here, checked against singer-sdk 0.54 and 0.55.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_supermetrics.records import RecordShape
    from tap_supermetrics.settings import Report
    from tap_supermetrics.tap import TapSupermetrics


class ReportStream(Stream):
    """The records of one report.

    Args:
        tap: the tap.
        report: the entry of `queries`.
        shape: what its records look like.
    """

    # Values are converted by their API types already.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: TapSupermetrics, report: Report, shape: RecordShape) -> None:
        super().__init__(tap, schema=dict(shape.schema), name=report.name)
        self._supermetrics = tap
        self.primary_keys = shape.key_properties
        self.replication_key = shape.replication_key or None

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's signature
        """Every record of the report; the run begins with the first stream that is asked."""
        return self._supermetrics.started_run().records(self.name)

    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterable[tuple[BaseBatchFileEncoding, list[str]]]:
        """Records as files; the SDK then writes the state, after each of its messages."""
        self._supermetrics.started_run().writes_state = False
        return super().get_batches(batch_config, context)

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """None: all accounts are read by one pass, whatever the state lists."""
        return None

    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Leave the bookmark alone: whole days count, not records."""

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Leave the bookmark alone."""
