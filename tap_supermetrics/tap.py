"""The tap: settings, discovery, and the options of the command line."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final

from singer_sdk import Stream, Tap
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue

from tap_supermetrics.errors import InterruptedRun, SettingsError
from tap_supermetrics.invocation import Invocation
from tap_supermetrics.page.run_end import RunFacts, reported_at_end
from tap_supermetrics.settings.config import config_schema
from tap_supermetrics.singer.about import about_entries
from tap_supermetrics.singer.catalog_overrides import follow_catalog
from tap_supermetrics.singer.configuration import (
    client_of,
    read_settings,
    settings_of_sdk,
    warnings_of_state,
)
from tap_supermetrics.singer.environment import environment_of, unread_variables, with_variables
from tap_supermetrics.singer.inputs import (
    catalog_of,
    in_one_line,
    read_config,
    read_json,
    unwrapped,
)
from tap_supermetrics.singer.maps import check_form, warnings_of_mapper
from tap_supermetrics.singer.writer import MessageWriter, StateLines
from tap_supermetrics.streams import QueryLogStream, ReportStream
from tap_supermetrics.sync.discovery import discover
from tap_supermetrics.sync.idle import idle_settings
from tap_supermetrics.sync.lookups import Lookups
from tap_supermetrics.sync.run import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    import click

    from tap_supermetrics.settings import Settings

logger = logging.getLogger(__name__)

_EPILOG: Final = (
    "Beside these: accounts, fields, check, plan, coverage, sql, state, init, emulator. "
    "They cost nothing; `tap-supermetrics accounts --help` tells more."
)


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
    invocation: Invocation

    def __init__(
        self,
        *,
        state: dict[str, Any] | None = None,
        facts: RunFacts | None = None,
        is_test: bool = False,
        is_run: bool = True,
        first_place: int = 0,
        **others: Any,  # noqa: ANN401 - the SDK's own
    ) -> None:
        # Before the SDK's own beginning, which calls back into this class.
        self._first_place = first_place
        self._given_state = state or {}
        self._facts = facts or RunFacts()
        self._is_test = is_test
        self._is_run = is_run
        super().__init__(state=state, **others)
        # Its days were read by now; a long history has a million, too many to store twice.
        self._given_state = {}
        self._state_writer = StateLines(self.message_writer)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002 - the SDK's signature
        """Check all settings, instead of the SDK.

        Raises:
            SettingsError: with every mistake.
        """
        try:
            self._config, self._facts.settings = read_settings(
                self._config, settings_of_sdk(TapSupermetrics), self._first_place
            )
        except SettingsError as error:
            mistakes = with_variables(error.mistakes, os.environ, self._env_var_prefix)
            raise SettingsError(mistakes) from None
        return []

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - it belongs to the class
        return environment_of(settings_of_sdk(TapSupermetrics), cls._env_var_prefix)

    @classmethod
    def complete_config(cls, given: _ConfigInput) -> dict[str, Any]:
        """Return a configuration, with the environment's settings where `--config ENV` is given."""
        return {**given.config, **(cls._env_var_config if given.parse_env else {})}

    @property
    def settings(self) -> Settings:
        """Return the configuration; the SDK has it checked before anything reads it."""
        if self._facts.settings is None:
            raise RuntimeError("the configuration comes first")
        return self._facts.settings

    @property
    def lookups(self) -> Lookups:
        """Return the lists of the API, by the one client of the whole process."""
        if self._facts.lookups is None:
            self._facts.lookups = Lookups(client_of(self.settings), utc_now())
        return self._facts.lookups

    def discover_streams(self) -> list[Stream]:
        """Return a stream for each report, typed by the fields of its data source."""
        schemas = discover(self.lookups, self.settings.reports)
        for warning in idle_settings(self.settings, schemas):
            logger.warning("%s", warning)
        logs = self.settings.log_names
        followed = follow_catalog(self.input_catalog, self.settings.reports, schemas, logs)
        self._facts.settings = replace(self.settings, reports=followed.reports)
        of_run = self.settings, self.lookups, self._facts
        self.invocation = Invocation(
            self, self.message_writer, *of_run, followed.refusals, is_test=self._is_test
        )
        streams: list[Stream] = [
            ReportStream(self, self.invocation, report, schemas[report.name])
            for report in self.settings.reports
            if report.name in schemas and report.name not in followed.refusals
        ]
        return [*streams, *(QueryLogStream(self, name) for name in logs)]

    def setup_mapper(self) -> None:
        """Check the state first, before anything is sent.

        Raises:
            SettingsError: the state or the stream maps cannot be understood.
        """
        for warning in warnings_of_state(self._given_state, self.settings):
            logger.warning("%s", warning)
        # Outside of the `try`: mistakes in reports are not those of stream maps.
        streams = self.streams
        check_form(self.config.get("stream_maps"))
        try:
            super().setup_mapper()
        except Exception as error:
            if not self.config.get("stream_maps"):
                raise
            raise SettingsError([f"stream_maps: {in_one_line(error)}"]) from None
        for warning in warnings_of_mapper(self.mapper, streams):
            logger.warning("%s", warning)

    def _reset_state_progress_markers(self) -> None:
        """Do nothing: the tap's own state has no such markers."""

    def sync_to_end(self) -> None:
        """Sync all selected streams, and log the outcome; see `Invocation.sync_to_end`."""
        self.invocation.sync_to_end()

    def _setup_signal_handlers(self) -> None:
        if self._is_run:  # A command ends at a signal as any other program does.
            super()._setup_signal_handlers()
            _handle_hang_up(self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the SDK's signature
        """End the run with the state written and an exit code of the signal."""
        interruption = InterruptedRun(signum, signal.Signals(signum).name)
        # The SDK handles signals before it has made the writer.
        writer = getattr(self, "message_writer", None)
        if writer is None:
            raise interruption
        writer.interrupt(interruption)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line of Singer; its help names the other commands."""
        command = super().get_singer_command()
        command.epilog = _EPILOG
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
        """Run the tap by the options of the command line."""
        if about:
            cls.print_about(about_format)
            print(about_entries(about_format), end="")  # noqa: T201 - as the SDK does
            return
        if about_format:
            raise SettingsError(["--format: it goes with --about only; leave it out"])
        cls.print_version(print_fn=cls.logger.info)
        if config and config.parse_env:
            _warn_of_unread(cls._env_var_prefix)
        with reported_at_end() as facts:
            tap = cls(
                config=config.config if config else None,
                state=unwrapped(read_json(state, "--state") or {}),
                catalog=catalog_of(read_json(catalog, "--catalog")),
                parse_env_config=bool(config and config.parse_env),
                facts=facts,
            )
            tap.sync_to_end()

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Query one day of a few accounts of each report, write a record of it, log the outcome.

        `--test=schema` is the SDK's.
        """
        if value not in (known := [each.value for each in CliTestOptionValue]):
            raise SettingsError([f"--test: expected {known[0]} or {known[1]}, got {value!r}"])
        if value in {CliTestOptionValue.Disabled.value, CliTestOptionValue.Schema.value}:
            super().cb_test(ctx, param, value)
            return
        config = ctx.params.get("config") or _ConfigInput()
        tap = cls(config=config.config, parse_env_config=config.parse_env, is_test=True)
        tap.sync_to_end()
        ctx.exit()

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:  # noqa: ANN401, ARG003 - the SDK's signature
        """Read the configuration files.

        Raises:
            SettingsError: a file is missing or no JSON.
        """
        return read_config(value)


def _warn_of_unread(prefix: str) -> None:
    names = {*config_schema()["properties"], *settings_of_sdk(TapSupermetrics)}
    for warning in unread_variables(os.environ, prefix, names):
        logger.warning("%s", warning)


def _handle_hang_up(handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle the end of the terminal too, unless it is ignored, as by `nohup`."""
    is_main = threading.current_thread() is threading.main_thread()
    hang_up = getattr(signal, "SIGHUP", None)  # Not on each system.
    if is_main and hang_up and signal.getsignal(hang_up) is signal.SIG_DFL:
        signal.signal(hang_up, handler)
