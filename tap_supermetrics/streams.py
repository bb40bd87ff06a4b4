"""A report as a Singer stream.

What is changed of the SDK's streams is all in here, checked against singer-sdk 0.54 and 0.55:

- The tap keeps its own state (`tap_supermetrics.state`): the SDK's knows one bookmark per stream
  or partition, moves it with every record, and has no lookback. So what the SDK does to bookmarks
  is switched off.
- Records are written as whole lines, many at a time (`_sync_records`), unless something is asked
  for that the SDK does record by record: stream maps, flattening, BATCH files, a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform

from tap_supermetrics.lines import LineFormat
from tap_supermetrics.run import utc_now

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_supermetrics.settings import Report
    from tap_supermetrics.shapes import RecordShape
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

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write all records: by lines where that is the same, else as the SDK does."""
        if context is None and write_messages and self._can_write_lines:
            self._sync_lines()
        else:
            yield from super()._sync_records(context, write_messages=write_messages)

    @property
    def _can_write_lines(self) -> bool:
        """Whether nothing has to be done for each record."""
        stream_map, *more_maps = self.stream_maps
        return (
            self.selected
            and not more_maps
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not self.child_streams
            and self.ABORT_AT_RECORD_COUNT is None
            and type(self).post_process is Stream.post_process
            and type(self).get_records is ReportStream.get_records
        )

    def _sync_lines(self) -> None:
        """What the SDK's `_sync_records` does, with many records at a time."""
        run, writer = self._supermetrics.started_run(), self._supermetrics.message_writer
        line_format = LineFormat(
            stream=self.stream_maps[0].stream_alias,
            version=self._stream_version,
            is_selected=self._is_selected,
            now=utc_now,
        )
        counter, timer = self.get_record_counter(), self.get_sync_timer()
        with counter, timer:
            counter.with_context({})
            timer.with_context({})
            for lines in run.lines(self.name, line_format):
                writer.write_lines(lines.data)
                self.state_manager.is_flushed = False
                counter.increment(lines.count)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _is_selected(self, column: str) -> bool:
        return self.mask["properties", column]

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
