"""A report as a Singer stream.

All changes to the SDK's streams are in here, checked against singer-sdk 0.54 and 0.55:

- The tap has its own state (`tap_supermetrics.sync.state`): the SDK's has one bookmark per stream
  or partition, moves it with every record, and has no lookback. So the SDK's changes to bookmarks
  are switched off.
- Records are written as whole lines, many at a time, to stdout (`_sync_records`) or to files
  (`_sync_batches`), unless the SDK has to do something record by record: stream maps, flattening, a
  limit, files in a storage that is no folder.
- A catalog or stream maps that would drop rows are refused or warned of.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform

from tap_supermetrics.records.convert import RecordReader
from tap_supermetrics.records.encode import LineFormat
from tap_supermetrics.records.periods import warnings_of_window
from tap_supermetrics.singer.maps import failure_of
from tap_supermetrics.singer.storage import storage_errors
from tap_supermetrics.sync.query_log import KEY, SCHEMA
from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from singer_sdk import Tap, singerlib
    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import Catalog

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.singer.writer import MessageWriter
    from tap_supermetrics.sync.run import Run


logger = logging.getLogger(__name__)

_BY_THE_SDK: Final = (
    "BATCH files are written record by record, and neither stream maps nor flattening nor a "
    "selection of columns is applied to them; leave `batch_config` out, or these"
)


_UNHANDLED: Final = "An unhandled error occurred"


class SharedRun(Protocol):
    """The interface of an invocation that its streams use."""

    writer: MessageWriter
    is_test: bool

    def started_run(self) -> Run:
        """Return the run; the first call starts it for all selected streams."""

    def write_query_log(self) -> None:
        """Write the records of the query log that have to come before the next STATE message."""


class ReportStream(Stream):
    """The records of one report.

    Args:
        tap: the tap, for the SDK.
        invocation: has the run that all streams share.
        report: the entry of `queries`.
        schema: what its records look like.
    """

    # Values are converted by their API types already.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(
        self, tap: Tap, invocation: SharedRun, report: Report, schema: RecordSchema
    ) -> None:
        super().__init__(tap, schema=dict(schema.json_schema), name=report.name)
        self._invocation = invocation
        self._mapped: tuple[Record, list[singerlib.RecordMessage]] | None = None
        self.report = report
        self.primary_keys = schema.key_properties
        self.replication_key = schema.replication_key or None
        for doubt in (*schema.warnings(), *warnings_of_window(report, schema)):
            logger.warning("%s.%s", report.path, doubt)

    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's signature
        """Log a message of the SDK, but not "unhandled error": the tap logs errors itself."""
        if not message.startswith(_UNHANDLED):
            super().log(message, *args, level=level, **kwargs)

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's signature
        """Yield every record; the run begins with the first stream that is read."""
        if not self.is_wanted:
            return ()
        convert = self._mappable if self.config.get("stream_maps") else RecordReader.all_records
        return self._invocation.started_run().emission.records(self.name, convert)

    def _mappable(self, reader: RecordReader, blocks: Iterator[bytes]) -> Iterator[Record]:
        """Yield the records of a result, each mapped already, so that a failure is this result's.

        Raises:
            ApiError: STREAM_MAP_FAILED when a map cannot be applied to a record.
        """
        for record in reader.all_records(blocks):
            try:
                self._mapped = record, [*super()._generate_record_messages(record)]
            except Exception as error:  # noqa: BLE001 - expressions of a user's raise anything
                raise failure_of(self.config["stream_maps"], self.name, error) from None
            yield record

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Write BATCH messages: by lines where that is the same, else as the SDK does."""
        from tap_supermetrics.singer.batch_files import local_folder  # noqa: PLC0415 - few need it

        folder = local_folder(batch_config.storage)
        is_plain = context is None and not self._invocation.is_test and self._can_write_lines
        if folder and is_plain:
            self._sync_files(batch_config, folder)
        else:
            if not self._can_write_lines:
                logger.warning("%s: %s", self.name, _BY_THE_SDK)
            super()._sync_batches(batch_config, context)

    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterable[tuple[BaseBatchFileEncoding, list[str]]]:
        """Write records to files; the SDK then writes the state, after each of its messages."""
        # The run's own STATE would cover days whose file is not named yet.
        self._invocation.started_run().bookmarks.writes_state = False
        with storage_errors(batch_config.storage.root):
            yield from super().get_batches(batch_config, context)

    def _write_state_message(self) -> None:
        """Leave it to the run, which bounds the cost of STATE messages, unless files are made."""
        if not self._invocation.started_run().bookmarks.writes_state:
            self._invocation.write_query_log()
            super()._write_state_message()

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write all records: by lines where that is the same, else as the SDK does."""
        if self._invocation.is_test:
            yield from self._sync_first(write_messages=write_messages)
        elif context is None and write_messages and self._can_write_lines:
            self._sync_lines()
        else:
            yield from super()._sync_records(context, write_messages=write_messages)

    def _sync_first(self, *, write_messages: bool) -> Generator[dict[str, Any], Any, Any]:
        """Write one record and no state; the others are read too, so that errors show."""
        for number, record in enumerate(self.get_records(None)):
            if number == 0:
                if write_messages:
                    self._write_record_message(record)
                yield record

    def _generate_record_messages(
        self, record: Record
    ) -> Generator[singerlib.RecordMessage, None, None]:
        """Yield the messages of a record, or those that were made when it was read."""
        if self._mapped and self._mapped[0] is record:
            yield from self._mapped[1]
        else:
            yield from super()._generate_record_messages(record)

    @property
    def is_wanted(self) -> bool:
        """Return whether it is selected, and not mapped to nothing."""
        return self.selected and not all(
            isinstance(each, RemoveRecordTransform) for each in self.stream_maps
        )

    @property
    def _can_write_lines(self) -> bool:
        """Return whether the SDK has nothing to do for each record."""
        stream_map, *more_maps = self.stream_maps
        return (
            self.selected
            and not more_maps
            # Exactly this class: a subclass may change records.
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not self.child_streams
            and self.ABORT_AT_RECORD_COUNT is None
            # A subclass of this one may have replaced these two, which see single records.
            and type(self).post_process is Stream.post_process
            and type(self).get_records is ReportStream.get_records
        )

    def _sync_lines(self) -> None:
        """Do what the SDK's `_sync_records` does, with many records at a time."""
        run, writer = self._invocation.started_run(), self._invocation.writer
        with self._counting() as counter:
            for lines in run.emission.records(self.name, self._line_format(is_bare=False).lines):
                writer.write_lines(lines.data)
                # The SDK sets this after each record that it writes itself.
                self.state_manager.is_flushed = False
                counter.increment(lines.count)
        self._finalize_state(self.stream_state)

    def _sync_files(self, batch_config: BatchConfig, folder: Path) -> None:
        """Do the same with files; each is whole before the message that names it."""
        from tap_supermetrics.singer.batch_files import BatchFiles  # noqa: PLC0415 - few need it
        from tap_supermetrics.singer.encodings import packing  # noqa: PLC0415 - same

        run, writer = self._invocation.started_run(), self._invocation.writer
        encoding, storage = batch_config.encoding, batch_config.storage
        columns = self.effective_schema["properties"]
        selected = {name: each for name, each in columns.items() if self._is_selected(name)}
        suffix, pack = packing(encoding, selected)
        start = f"{storage.prefix or ''}{self.tap_name}--{self.name}"
        files = BatchFiles(folder, (start, suffix), pack, batch_config.batch_size, writer)
        with files, self.get_batch_counter() as batches, self._counting() as counter:
            for file in run.emission.files(self.name, self._line_format(is_bare=True), files):
                self._write_batch_message(encoding=encoding, manifest=[file.url])
                batches.increment()
                counter.increment(file.count)
        self._finalize_state(self.stream_state)

    def _line_format(self, *, is_bare: bool) -> LineFormat:
        return LineFormat(
            stream=self.stream_maps[0].stream_alias,
            version=self._stream_version,
            is_selected=self._is_selected,
            clock=utc_now,
            is_bare=is_bare,
        )

    @contextmanager
    def _counting(self) -> Iterator[Counter]:
        """Count records and time, as the SDK's `_sync_records` does."""
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            counter.with_context({})
            timer.with_context({})
            yield counter

    def _is_selected(self, column: str) -> bool:
        return self.mask["properties", column]

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take a catalog's selection; its keys were compared with the report's before."""
        # The SDK would replace them by the catalog's.
        keys = self.primary_keys, self.replication_key
        super().apply_catalog(catalog)
        self.primary_keys, self.replication_key = keys

    @property
    def partitions(self) -> list[dict[str, Any]] | None:
        """Return None: one pass reads all accounts, whatever partitions the state lists."""
        return None

    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Leave the bookmark as is: whole days count, not records."""

    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Leave the bookmark as is."""


class QueryLogStream(Stream):
    """The query log: its records come while the reports are synced, each before its STATE.

    Args:
        tap: the tap, for the SDK.
        name: of the stream.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    primary_keys = KEY

    def __init__(self, tap: Tap, name: str) -> None:
        super().__init__(tap, schema=dict(SCHEMA), name=name)
        self._has_schema = False

    def write(self, records: Iterable[Record]) -> ApiError | None:
        """Write records, the schema before the first of them.

        Returns:
            The error of a record that a stream map refused, which was left out; None without one.
        """
        failure: ApiError | None = None
        for record in records:
            self._write_schema_message()
            try:
                messages = [*self._generate_record_messages(record)]
            except Exception as error:  # noqa: BLE001 - expressions of a user's raise anything
                failure = failure_of(self.config.get("stream_maps", {}), self.name, error)
                continue
            for message in messages:
                self._tap.write_message(message)
        return failure

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's signature
        """Yield nothing: all was written before."""
        return ()

    def _write_schema_message(self) -> None:
        if not self._has_schema:
            self._has_schema = True
            super()._write_schema_message()

    def get_batches(
        self,
        batch_config: BatchConfig,  # noqa: ARG002 - the SDK's signature
        context: Context | None = None,  # noqa: ARG002 - the SDK's signature
    ) -> Iterable[tuple[BaseBatchFileEncoding, list[str]]]:
        """Yield nothing: the log is written as records."""
        return ()

    def _sync_records(
        self,
        context: Context | None = None,  # noqa: ARG002 - the SDK's signature
        *,
        write_messages: bool = True,  # noqa: ARG002 - the SDK's signature
    ) -> Generator[dict[str, Any], Any, Any]:
        """Leave bookmarks as they are."""
        yield from ()

    def _write_state_message(self) -> None:
        """Leave it to the run."""
