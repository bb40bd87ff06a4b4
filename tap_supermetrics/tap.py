"""The tap: settings, discovery, one run, and its end told in one line."""

from __future__ import annotations

import atexit
import fnmatch
import logging
import signal
from dataclasses import replace
from datetime import timedelta
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue

from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit
from tap_supermetrics.errors import InterruptedRun, SettingsError, TapError
from tap_supermetrics.page.watch import told_at_end
from tap_supermetrics.settings import Settings
from tap_supermetrics.settings.config import config_schema
from tap_supermetrics.singer.about import about_entries
from tap_supermetrics.singer.inputs import (
    NOTHING_SELECTED,
    changed_key,
    from_environment,
    in_one_line,
    mistakes_in_aliases,
    mistakes_in_maps,
    mistakes_in_sdk_settings,
    read_catalog,
    read_config,
    read_json,
    unclaimed,
    unwritable,
)
from tap_supermetrics.singer.watching import nothing, watched
from tap_supermetrics.singer.writer import MessageWriter
from tap_supermetrics.streams import QueryLogStream, ReportStream, check_catalog
from tap_supermetrics.sync.addresses import with_converted
from tap_supermetrics.sync.lookups import Lookups
from tap_supermetrics.sync.query_log import QueryLog
from tap_supermetrics.sync.report_sync import discover
from tap_supermetrics.sync.run import Run, utc_now
from tap_supermetrics.sync.state import check_state

if TYPE_CHECKING:
    from types import FrameType

    import click

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
    is_test = False
    _client: Client | None = None
    _lookups: Lookups | None = None
    _run: Run | None = None
    _end_watch = staticmethod(nothing)

    def __init__(
        self,
        *,
        state: dict[str, Any] | None = None,
        lookups: Lookups | None = None,
        **others: Any,  # noqa: ANN401 - the SDK's own
    ) -> None:
        self._given_state = state or {}
        self._lookups = lookups
        super().__init__(state=state, **others)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Check the settings whole; what the SDK itself understands is left to it.

        Raises:
            SettingsError: with every mistake.
        """
        of_sdk = _settings_of_sdk()
        for name in of_sdk:
            if self._config.get(name, name) is None:
                del self._config[name]
        mistakes = mistakes_in_sdk_settings(self._config, of_sdk) + unwritable(self._config)
        self._config = with_converted(self._config, self._client_for_addresses)
        try:
            self.settings = Settings.from_config(self._config, tuple(of_sdk))
        except SettingsError as error:
            raise SettingsError([*error.mistakes, *mistakes]) from None
        if mistakes:
            raise SettingsError(mistakes)
        return []

    def _client_for_addresses(self) -> Client | None:
        """Return a client before there are settings; None where they are wrong."""
        connection = Settings.connection_of(self._config)
        if connection is None:
            return None
        api_url, api_key = connection
        return Client(api_url=api_url, api_key=api_key, rate_limit=RateLimit(1))

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - it belongs to the class
        """Return our own settings from the environment, as texts, which `model.kinds` reads.

        Raises:
            SettingsError: a setting of the SDK cannot be read.
        """
        prefix, mistakes = cls._env_var_prefix, list[str]()
        ours = {"properties": {key: {"type": "string"} for key in config_schema()["properties"]}}
        found = parse_environment_config(ours, prefix)
        for name, schema in _settings_of_sdk().items():
            found |= from_environment(name, schema, prefix, mistakes)
        if mistakes:
            raise SettingsError(mistakes)
        return found

    @classmethod
    def complete_config(cls, given: _ConfigInput) -> dict[str, Any]:
        """Return a configuration with what the environment adds, where that is asked for."""
        return {**given.config, **(cls._env_var_config if given.parse_env else {})}

    def read_settings(self, config: dict[str, Any]) -> None:
        """Read a configuration, as the start of a run does.

        Raises:
            SettingsError: with every mistake.
        """
        self._config = config
        self._validate_config()

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
    def lookups(self) -> Lookups:
        """Return what the API lists, asked once in the whole process."""
        if self._lookups is None:
            self._lookups = Lookups(self.client, utc_now())
        return self._lookups

    def discover_streams(self) -> list[Stream]:
        """Return a stream for each report, typed by the fields of its data source."""
        schemas = discover(self.lookups, self.settings.reports)
        streams = [
            ReportStream(self, self, report, schemas[report.name])
            for report in self.settings.reports
            if report.name in schemas
        ]
        if self.input_catalog is not None:
            check_catalog(self.input_catalog, streams)
            typed = {stream.report.name: stream.report for stream in streams}
            reports = tuple(typed.get(each.name, each) for each in self.settings.reports)
            self.settings = replace(self.settings, reports=reports)
        name = self.settings.query_log_name
        return [*streams, *([QueryLogStream(self, name)] if self.settings.query_log else [])]

    def setup_mapper(self) -> None:
        """Read the state first: what a hand has spoilt is told before anything is sent.

        Raises:
            SettingsError: the state or the stream maps cannot be understood.
        """
        names = [report.name for report in self.settings.reports]
        last_day = utc_now().date() + timedelta(days=1)
        check_state(self._given_state, names, last_day, self.settings.shard)
        for told in unclaimed(self._given_state, names):
            logger.warning("%s", told)
        streams = self.streams
        try:
            super().setup_mapper()
        except Exception as error:
            if not self.config.get("stream_maps"):
                raise
            raise SettingsError([f"stream_maps: {in_one_line(error)}"]) from None
        maps = {name: self.mapper.stream_maps.get(name, []) for name in streams}
        written = (maps[each.name] for each in streams.values() if each.selected)
        if mistakes := [*mistakes_in_maps(maps.values()), *mistakes_in_aliases(written)]:
            raise SettingsError(mistakes)
        self._warn_of_maps()

    def _warn_of_maps(self) -> None:
        for name, definition in self.mapper.stream_maps_dict.items():
            source = definition.get("__source__", name) if isinstance(definition, dict) else name
            mapped = [each for each in self.streams.values() if fnmatch.fnmatch(each.name, source)]
            if not mapped:
                logger.warning(
                    "stream_maps: %s is the name of no report; nothing is mapped", source
                )
            for stream in mapped:
                if changed := changed_key(definition, stream.primary_keys or ()):
                    logger.warning(
                        "stream_maps: %s: the key is changed (%s): rows that then share a key are "
                        "dropped by targets; leave it as it is, or set `key_properties`",
                        stream.name,
                        ", ".join(changed),
                    )

    def _reset_state_progress_markers(self) -> None:
        """Nothing: the tap's own state has no such markers."""

    def started_run(self) -> Run:
        """The run of this invocation; the first call plans all selected streams and begins."""
        if self._run is None:
            # A test loads no whole day, so its state must not say so.
            bookmarks = {} if self.is_test else self.state.setdefault("bookmarks", {})
            self._run = Run(self.settings, self.client, self.lookups, bookmarks, self._write_state)
            self._run.books.query_log = self._new_query_log(self._run.run_id)
            atexit.register(self.close)  # for `--test` and for whoever embeds the tap
        if not self._run.has_started:
            selected = [
                stream
                for stream in self.streams.values()
                if isinstance(stream, ReportStream) and stream.is_wanted
            ]
            self._run.start(
                [stream.name for stream in selected],
                full_table=[
                    stream.name
                    for stream in selected
                    if stream.forced_replication_method == "FULL_TABLE"
                ],
                refused=self._refused(),
                is_test=self.is_test or any(each.ABORT_AT_RECORD_COUNT for each in selected),
            )
            if not self.is_test:
                self._end_watch = watched(self._run.progress)
        return self._run

    def _refused(self) -> list[str]:
        """Return the reports that have no stream, but for those that a catalog leaves out."""
        names = [each.name for each in self.settings.reports if each.name not in self.streams]
        catalog = self.input_catalog
        if catalog is None:
            return names
        return [
            name
            for name in names
            if not (entry := catalog.get_stream(name)) or entry.metadata.resolve_selection()[()]
        ]

    def _new_query_log(self, run_id: str) -> QueryLog | None:
        """Return the query log of the run; None where none is wanted."""
        if self.is_test or not any(each.selected for each in self._log_streams()):
            return None
        reports = {each.name: each for each in self.settings.reports}
        return QueryLog(reports, run_id, utc_now)

    def _log_streams(self) -> list[QueryLogStream]:
        return [each for each in self.streams.values() if isinstance(each, QueryLogStream)]

    def write_query_log(self) -> None:
        """Write what the query log has to say before the next STATE message."""
        if self._run and self._run.books.query_log:
            records = self._run.books.query_log.take()
            for stream in self._log_streams():
                stream.write(records)

    def _write_state(self) -> None:
        if not self.is_test:
            self.write_query_log()
            self.state_writer.write_state(self.state)

    def sync_to_end(self) -> None:
        """Sync all selected streams, and tell how it went.

        Raises:
            TapError: the API refuses everything, or queries were lost.
            InterruptedRun: a signal asked the run to end; the state was written.
        """
        if not any(getattr(stream, "is_wanted", False) for stream in self.streams.values()):
            raise SettingsError([NOTHING_SELECTED])
        try:
            self._sync_selected()
            self._end_watch()
            self.started_run().finish()
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
        if not self.is_test:
            self.sync_all()
            return
        # Without the states that `sync_all` writes between streams.
        for stream in self.streams.values():
            stream.sync()

    def _save_at_end(self) -> None:
        _ignore_further_signals()
        self.message_writer.forget_interruption()
        if self._run and self._run.has_started:
            self._run.halt()
            if not self.message_writer.is_torn:
                self._run.bookmarks.checkpoint()

    def close(self) -> None:
        """Cancel the query batches that still run."""
        atexit.unregister(self.close)
        self._end_watch()
        if self._run:
            self._run.close()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the SDK's signature
        """End the run with the state written and an exit code that says so."""
        interruption = InterruptedRun(signum, signal.Signals(signum).name)
        writer = getattr(self, "message_writer", None)
        if writer is None:
            raise interruption
        writer.interrupt(interruption)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line of Singer, whose help tells of the other commands."""
        command = super().get_singer_command()
        command.epilog = (
            "Beside these: accounts, fields, check, plan, coverage, sql, state, init, emulator. "
            "They cost nothing; `tap-supermetrics accounts --help` tells more."
        )
        return command

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
            print(about_entries(about_format), end="")  # noqa: T201 - as the SDK does
            return
        cls.print_version(print_fn=cls.logger.info)
        tap = cls.__new__(cls)  # known before it is made: what ends on the way there is told too
        with told_at_end(lambda: (getattr(tap, "settings", None), tap._run, tap._lookups)):  # noqa: SLF001 - its own
            cls.__init__(
                tap,
                config=config.config if config else None,
                state=read_json(state, "--state"),
                catalog=read_catalog(catalog),
                parse_env_config=bool(config and config.parse_env),
            )
            tap.sync_to_end()

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Ask one day of a few accounts of each report, write a record of it, and tell how it went.

        `--test=schema` is the SDK's.
        """
        if value in {CliTestOptionValue.Disabled.value, CliTestOptionValue.Schema.value}:
            super().cb_test(ctx, param, value)
            return
        config = ctx.params.get("config") or _ConfigInput()
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        tap.is_test = True
        tap.sync_to_end()
        ctx.exit()

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401, ARG003 - the SDK's signature
        """Read the configuration files.

        Raises:
            SettingsError: a file is missing or no JSON.
        """
        return read_config(value)


def _settings_of_sdk() -> dict[str, Any]:
    """The schemas of the settings that the SDK adds, by name."""
    of_sdk: dict[str, Any] = {}
    TapSupermetrics.append_builtin_config(of_sdk)
    return dict(of_sdk.get("properties", {}))


def _ignore_further_signals() -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
