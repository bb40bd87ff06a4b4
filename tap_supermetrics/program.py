"""Runs the command line: Singer options, or a command for people.

A mistake of the user, the environment or the API ends in one line, never in a traceback.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_supermetrics.errors import (
    RAISE_LIMITS,
    InterruptedRun,
    OutputError,
    SettingsError,
    TapError,
)
from tap_supermetrics.page.run_end import RunFacts
from tap_supermetrics.redaction import OneLine
from tap_supermetrics.settings import Settings
from tap_supermetrics.singer.configuration import client_of, read_settings, settings_of_sdk
from tap_supermetrics.singer.environment import with_variables
from tap_supermetrics.singer.inputs import (
    catalog_of,
    check_log_config,
    check_log_level,
    json_at,
    read_config,
    unwrapped,
)
from tap_supermetrics.singer.tables import table_of
from tap_supermetrics.singer.writer import check_output, end_output
from tap_supermetrics.sync.lookups import Lookups
from tap_supermetrics.sync.run import utc_now
from tap_supermetrics.sync.state_checks import check_state_of
from tap_supermetrics.tap import TapSupermetrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.commands.connection import Connection

logger = logging.getLogger("tap_supermetrics")

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _run_command(name: str, arguments: Sequence[str]) -> int:
    """Run a command for people; return its exit code."""
    # Only here, as a run must not wait for imports of commands.
    from tap_supermetrics.commands.command_line import COMMANDS, run_command  # noqa: PLC0415

    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise SettingsError([f"{name}: expected a command ({known}) or options; see --help"])
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    return run_command(name, arguments, _connect, _read_bookmarks)


def _connect(
    paths: Sequence[str],
    *,
    needs_reports: bool,
    also: Mapping[str, Any] | None = None,
    first_place: int = 0,
) -> Connection:
    """Return settings and API, without the streams that few commands need; see `Connect`."""
    from tap_supermetrics.commands.connection import Beginning, Connection  # noqa: PLC0415

    config = TapSupermetrics.complete_config(read_config(paths))
    config |= also or {}
    if (access := Settings.connection_of(config)) and not (needs_reports or "queries" in config):
        # A user who looks for ids has no reports yet.
        settings = Settings(api_url=access[0], api_key=access[1], reports=())
    else:
        try:
            _, settings = read_settings(config, settings_of_sdk(TapSupermetrics), first_place)
        except SettingsError as error:
            prefix = TapSupermetrics._env_var_prefix  # noqa: SLF001 - that of the SDK
            lines = with_variables(error.mistakes, os.environ, prefix)
            # Some commands need a key only.
            needed = [x for x in lines if needs_reports or not x.startswith("queries: req")]
            raise SettingsError(needed or lines) from None
    client = client_of(settings)
    lookups = Lookups(client, utc_now(), may_submit=False)

    def begin(bookmarks: dict[str, Any], catalog: str | None) -> Beginning:
        tap = TapSupermetrics(
            config={**config},
            state={"bookmarks": bookmarks},
            catalog=catalog_of(json_at(catalog, "--catalog")) if catalog is not None else None,
            facts=RunFacts(lookups=lookups),
            is_run=False,
            first_place=first_place,
        )
        tables = [table_of(each, tap.mapper) for each in tap.streams.values()]
        return Beginning(settings=tap.settings, tables=tables, selection=tap.invocation.selection())

    return Connection(settings=settings, client=client, lookups=lookups, begin=begin)


def _read_bookmarks(path: str | None, connection: Connection) -> dict[str, Any]:
    """Read the state of a run, and check it.

    Raises:
        SettingsError: with every mistake.
    """
    if path is None:
        return {}
    state = unwrapped(json_at(path, "--state"))
    check_state_of(state, connection.settings)
    bookmarks: dict[str, Any] = state.get("bookmarks", {})
    return bookmarks


def _has_reports(arguments: Sequence[str]) -> bool:
    """Return whether the configuration that Singer options name has a report.

    Meltano requests a catalog before any command without arguments, before `init` too.
    """
    # Only here, as the import takes longer than the call.
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", action="append", default=[])
    given, _ = parser.parse_known_args(arguments)
    # What can be read only once, such as a pipe, is left to the discovery.
    if any(Path(each).exists() and not Path(each).is_file() for each in given.config):
        return True
    return bool(TapSupermetrics.complete_config(read_config(given.config)).get("queries"))


def _is_command(arguments: Sequence[str]) -> bool:
    return bool(arguments) and not arguments[0].startswith("-")


def _run_to_its_end(arguments: Sequence[str]) -> None:
    """Run a command, an early discovery or the tap, and write what is left in the buffer."""
    check_output()
    try:
        if _is_command(arguments):
            sys.exit(_run_command(arguments[0], arguments[1:]))
        check_log_level(os.environ)
        check_log_config(os.environ)
        if "--discover" in arguments and not _has_reports(arguments):
            logging.basicConfig(format="%(message)s", level=logging.WARNING)
            logger.warning("queries: none yet, so the catalog is empty; `init` writes a first one")
            print('{"streams": []}')  # noqa: T201 - it is the requested output
            return
        TapSupermetrics.cli()
    finally:
        end_output()


def _lack(error: Exception) -> str:
    """Return what this machine lacks: a folder, memory, a thread; else nothing."""
    text = ""
    match error:
        case RecursionError():
            # JSON of a user's that Python can read, but not traverse.
            text = "something nests too deeply: look into --config, --state and --catalog"
        case UnicodeEncodeError():
            # As JSON escapes it; texts of the API are mended before.
            half = ascii(error.object[error.start : error.end])
            text = f"a text of --config, --state or --catalog has half a character ({half})"
        case MemoryError():
            text = f"no memory is left: {RAISE_LIMITS}"
        case RuntimeError() if "can't start new thread" in str(error):
            text = f"no thread can be started: {RAISE_LIMITS}"
        case OSError(filename=None, errno=number) if number in _NO_ROOM:
            # A file has a name, stdout has none.
            text = str(OutputError(error.strerror or "", has_state=False))
        case OSError():
            what = f"{error.filename}: " if error.filename else ""
            text = f"{what}{error.strerror or error}"
    return text


def main() -> None:
    """Run the command line."""
    # Imported modules stay: no collection needs to visit them again.
    gc.freeze()
    logging.setLogRecordFactory(OneLine)
    # Meltano has Python warn of files that an early end leaves open, after its cause was logged.
    warnings.simplefilter("ignore", ResourceWarning)
    try:
        _run_to_its_end(sys.argv[1:])
    except SettingsError as error:
        for mistake in error.mistakes:
            logger.critical("%s", mistake)
        sys.exit(error.exit_code)
    except OutputError as error:
        has_state = not (_is_command(sys.argv[1:]) or {"--discover", "--about"} & {*sys.argv})
        logger.critical("%s", OutputError(error.reason, has_state=has_state))
        sys.exit(error.exit_code)
    except (TapError, InterruptedRun) as error:
        logger.critical("%s", error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        raise
    except (OSError, MemoryError, RuntimeError, UnicodeEncodeError) as error:
        text = _lack(error)
        if not text:
            raise
        logger.critical("%s", text)
        sys.exit(TapError.exit_code)
