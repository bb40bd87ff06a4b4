"""One invocation of the tap: the run that all streams share, and how it ends."""

from __future__ import annotations

import atexit
import logging
from typing import TYPE_CHECKING

from tap_supermetrics.errors import InterruptedRun, SettingsError, TapError
from tap_supermetrics.singer.catalog_entries import is_selected
from tap_supermetrics.singer.inputs import NOTHING_SELECTED
from tap_supermetrics.singer.progress_display import begin_display, nothing
from tap_supermetrics.streams import QueryLogStream, ReportStream
from tap_supermetrics.sync.discovery import refusal_of
from tap_supermetrics.sync.planner import Selection
from tap_supermetrics.sync.run import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Tap
    from singer_sdk.singerlib import CatalogEntry

    from tap_supermetrics.page.run_end import RunFacts
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.singer.writer import MessageWriter
    from tap_supermetrics.sync.lookups import Lookups

logger = logging.getLogger(__name__)


class Invocation:
    """The run that all streams share. It begins when the first of them is read.

    Args:
        tap: has the streams, the state and the catalog.
        writer: where all messages go.
        settings: the configuration.
        lookups: what the API lists, and the API.
        facts: gets the run.
        refusals: why a catalog rules out reports, by name.
        is_test: whether one record of each report is wanted, and no state.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that the streams share
        self,
        tap: Tap,
        writer: MessageWriter,
        settings: Settings,
        lookups: Lookups,
        facts: RunFacts,
        refusals: Mapping[str, TapError],
        *,
        is_test: bool,
    ) -> None:
        self.writer, self.is_test = writer, is_test
        self._tap = tap
        self._settings, self._lookups = settings, lookups
        self._facts = facts
        self._refusals = refusals
        self._end_display = nothing

    def started_run(self) -> Run:
        """Return the run; the first call plans all selected streams and begins."""
        run = self._facts.run
        if run is None:
            run = self._facts.run = self._new_run()
            atexit.register(self.close)  # for `--test` and for programs that embed the tap
        if not run.has_started:
            self._start(run)
        return run

    def _new_run(self) -> Run:
        # A test loads no whole day, so its state must not cover one.
        bookmarks = {} if self.is_test else self._tap.state.setdefault("bookmarks", {})
        has_log = not self.is_test and any(each.selected for each in self._logs())
        return Run(
            self._settings, self._lookups, bookmarks, self._write_state, has_query_log=has_log
        )

    def _start(self, run: Run) -> None:
        """Start the run for all streams that are wanted."""
        run.start(self.selection())
        if not self.is_test:
            self._end_display = begin_display(run.progress)

    def selection(self) -> Selection:
        """Return the reports of the streams that are wanted."""
        wanted = self._wanted()
        return Selection(
            names=[each.name for each in wanted],
            full_table=[
                each.name for each in wanted if each.forced_replication_method == "FULL_TABLE"
            ],
            refused=self._refused(),
            # With a limit of records, the SDK only tests the tap: that must not cost a history.
            is_test=self.is_test or any(each.ABORT_AT_RECORD_COUNT for each in wanted),
        )

    def _wanted(self) -> list[ReportStream]:
        streams = self._tap.streams.values()
        return [each for each in streams if isinstance(each, ReportStream) and each.is_wanted]

    def _refused(self) -> dict[str, str]:
        """Return why reports have no stream, by name, unless a catalog leaves them out."""
        catalog: Mapping[str, CatalogEntry] = self._tap.input_catalog or {}
        return {
            each.name: str(self._refusals.get(each.name) or refusal_of(self._lookups, each))
            for each in self._settings.reports
            if each.name not in self._tap.streams
            and (each.name not in catalog or is_selected(catalog[each.name]))
        }

    def _logs(self) -> list[QueryLogStream]:
        return [each for each in self._tap.streams.values() if isinstance(each, QueryLogStream)]

    def write_query_log(self) -> None:
        """Write the records of the query log that have to come before the next STATE message."""
        run = self._facts.run
        if run and run.query_log:
            records = run.query_log.take()
            for stream in self._logs():
                if failure := stream.write(records):
                    run.summary.report_failed(stream.name, str(failure))

    def _write_state(self) -> None:
        if not self.is_test:
            self.write_query_log()
            self._tap.state_writer.write_state(self._tap.state)

    def sync_to_end(self) -> None:
        """Sync all selected streams, and log the outcome.

        Raises:
            TapError: the API refuses everything, or queries failed.
            InterruptedRun: a signal ended the run; the state was written.
        """
        try:
            self._sync_selected()
            # Before the summary, which the progress would be drawn over.
            self._end_display()
            self.started_run().finish()
        # Without a last state, as nobody would read it.
        except BrokenPipeError:
            logger.critical(
                "The target closed its end of the pipe: see its own log; run again to go on from "
                "its last state."
            )
            raise
        except (InterruptedRun, TapError):
            self._save_at_end()
            raise
        finally:
            self.close()

    def _sync_selected(self) -> None:
        if not self._wanted():
            raise SettingsError([NOTHING_SELECTED])
        if not self.is_test:
            self._tap.sync_all()
            return
        # Without the states that `sync_all` writes between streams.
        for stream in self._tap.streams.values():
            stream.sync()

    def _save_at_end(self) -> None:
        # First of all: one more signal would cost the last state.
        self.writer.begin_ending()
        run = self._facts.run
        if run and run.has_started:
            # First nothing more is submitted: the state then names all that the API retains.
            run.halt()
            if not self.writer.is_torn:
                run.bookmarks.checkpoint()

    def close(self) -> None:
        """Cancel the query batches that still run."""
        atexit.unregister(self.close)
        self._end_display()
        if self._facts.run:
            self._facts.run.close()
