"""The tap: settings, discovery, one run, and its end told in one line."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import signal
import sys
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.singerlib import Catalog

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.transport import RateLimit
from tap_supermetrics.courses import discover
from tap_supermetrics.directory import Directory
from tap_supermetrics.errors import InterruptedRun, SettingsError, TapError
from tap_supermetrics.run import Run, utc_now
from tap_supermetrics.settings import Settings
from tap_supermetrics.settings.declarations import config_schema
from tap_supermetrics.state import check_state
from tap_supermetrics.streams import ReportStream
from tap_supermetrics.writer import MessageWriter

if TYPE_CHECKING:
    from types import FrameType

    import click
    from singer_sdk.plugin_base import _ConfigInput

logger = logging.getLogger(__name__)


class TapSupermetrics(Tap):
    """Singer tap for the Supermetrics API."""

    name = "tap-supermetrics"
    config_jsonschema = config_schema()
    dynamic_catalog = True
    message_writer_class = MessageWriter
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer: MessageWriter
    settings: Settings
    _client: Client | None = None
    _directory: Directory | None = None
    _run: Run | None = None

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Check the settings whole; what the SDK itself understands is left to it.

        Raises:
            SettingsError: with every mistake.
        """
        of_sdk: dict[str, Any] = {}
        self.append_builtin_config(of_sdk)
        self.settings = Settings.from_config(self._config, tuple(of_sdk.get("properties", ())))
        return []

    @property
    def client(self) -> Client:
        """The API, one client for the whole process."""
        if self._client is None:
            self._client = Client(
                api_url=self.settings.api_url,
                api_key=self.settings.api_key,
                rate_limit=RateLimit(self.settings.requests_per_second),
            )
        return self._client

    @property
    def directory(self) -> Directory:
        """What the API lists, asked once in the whole process."""
        if self._directory is None:
            self._directory = Directory(self.client, utc_now())
        return self._directory

    def discover_streams(self) -> list[ReportStream]:
        """One stream for each report, typed by the fields of its data source."""
        shapes = discover(self.directory, self.settings.reports)
        return [ReportStream(self, report, shapes[report.name]) for report in self.settings.reports]

    def __init__(self, *, state: dict[str, Any] | None = None, **others: Any) -> None:  # noqa: ANN401 - the SDK's own
        self._given_state = state or {}
        super().__init__(state=state, **others)

    def setup_mapper(self) -> None:
        """Read the state first: what a hand has spoilt is told before anything is sent.

        Raises:
            SettingsError: the state cannot be understood.
        """
        check_state(self._given_state, [report.name for report in self.settings.reports])
        super().setup_mapper()

    def _reset_state_progress_markers(self) -> None:
        """Nothing: the tap's own state has no such markers."""

    def started_run(self) -> Run:
        """The run of this invocation; the first call plans all selected streams and begins."""
        if self._run is None:
            bookmarks = self.state.setdefault("bookmarks", {})
            self._run = Run(
                self.settings, self.client, self.directory, bookmarks, self._write_state
            )
            atexit.register(self.close)  # for `--test` and for whoever embeds the tap
        if not self._run.has_started:
            selected = [stream for stream in self.streams.values() if stream.selected]
            self._run.start(
                [stream.name for stream in selected],
                full_table=[
                    stream.name
                    for stream in selected
                    if stream.forced_replication_method == "FULL_TABLE"
                ],
                is_test=any(stream.ABORT_AT_RECORD_COUNT for stream in selected),
            )
        return self._run

    def _write_state(self) -> None:
        self.state_writer.write_state(self.state)

    def sync_to_end(self) -> None:
        """Sync all selected streams, and tell how it went.

        Raises:
            TapError: the API refuses everything, or queries were lost.
            InterruptedRun: a signal asked the run to end; the state was written.
        """
        try:
            self.sync_all()
            self.started_run().finish()
        except (InterruptedRun, TapError):
            self._save_at_end()
            raise
        finally:
            self.close()

    def _save_at_end(self) -> None:
        _ignore_further_signals()
        self.message_writer.forget_interruption()
        if self._run and self._run.has_started:
            self._run.halt()
            if not self.message_writer.is_torn:
                self._run.checkpoint()

    def close(self) -> None:
        """Cancel the query batches that still run."""
        atexit.unregister(self.close)
        if self._run:
            self._run.close()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the SDK's signature
        """End the run with the state written and an exit code that says so."""
        interruption = InterruptedRun(signum, signal.Signals(signum).name)
        writer = getattr(self, "message_writer", None)
        if writer is None:
            raise interruption
        writer.interrupt(interruption)

    # Command line

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap as the command line asks."""
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(
            config=config.config if config else None,
            state=_read_json(state, "--state"),
            catalog=_read_catalog(catalog),
            parse_env_config=bool(config and config.parse_env),
        )
        tap.sync_to_end()

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401 - the SDK's own type
        """Read the configuration files.

        Raises:
            SettingsError: a file is missing or no JSON.
        """
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError([f"--config: expected JSON objects ({error})"]) from None


def _read_json(file: IO[str] | None, option: str) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        value = json.load(file)
    except ValueError as error:
        raise SettingsError([f"{option}: expected JSON ({error})"]) from None
    if not isinstance(value, dict):
        raise SettingsError([f"{option}: expected a JSON object"])
    return value


def _read_catalog(file: IO[str] | None) -> Catalog | None:
    raw = _read_json(file, "--catalog")
    try:
        catalog = None if raw is None else Catalog.from_dict(raw)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"--catalog: expected a Singer catalog ({type(error).__name__}: {error})"
        raise SettingsError([message]) from None
    _check_catalog(catalog or Catalog())
    return catalog


def _check_catalog(catalog: Catalog) -> None:
    mistakes = [
        f"--catalog: replication_key of {entry.tap_stream_id}: {entry.replication_key} is not in "
        "the stream's schema"
        for entry in catalog.streams
        if entry.replication_key
        and entry.replication_key not in (entry.schema.to_dict().get("properties") or {})
    ]
    if mistakes:
        raise SettingsError(mistakes)


def _ignore_further_signals() -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)


def main() -> None:
    """Entry point: what the user or the API got wrong ends in one line, never in a traceback."""
    # What is imported stays: no collection needs to look at it again.
    gc.freeze()
    try:
        TapSupermetrics.cli()
    except SettingsError as error:
        for mistake in error.mistakes:
            logger.critical("%s", mistake)
        sys.exit(error.exit_code)
    except (TapError, InterruptedRun) as error:
        logger.critical("%s", error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
