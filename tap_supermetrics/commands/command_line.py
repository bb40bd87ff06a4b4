"""Reads the arguments of a command, and runs it."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.singer.writer import discard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_supermetrics.commands.connection import Connect, Connection

COMMANDS: Final = (
    "accounts",
    "fields",
    "check",
    "plan",
    "coverage",
    "sql",
    "state",
    "init",
    "emulator",
)
WITHOUT_SETTINGS: Final = ("state", "init", "emulator")
"""Commands that read no configuration."""
LOOKUPS: Final = ("accounts", "fields")
"""Commands that need no reports."""
FORMATS: Final = ("table", "json")
"""Formats of a command that has no `FORMATS` of its own; the first one is the default."""


def module_of(name: str) -> Any:  # noqa: ANN401 - a module has no type
    """Return the module of a command, with `ABOUT`, `add_arguments` and `run`; load no other."""
    return import_module(f"tap_supermetrics.commands.{name}")


def run_command(
    name: str,
    arguments: Sequence[str],
    connect: Connect,
    read_bookmarks: Callable[[str | None, Connection], dict[str, Any]],
) -> int:
    """Run one command; return its exit code.

    Args:
        name: one of `COMMANDS`.
        arguments: what follows it on the command line.
        connect: reads the settings.
        read_bookmarks: reads the state from a file.

    Raises:
        TapError: as a run does.
    """
    command = module_of(name)
    if name == "emulator":
        code: int = command.run(arguments)
        return code
    args = parser_of(name).parse_args(arguments)
    given: Any = connect
    if name not in WITHOUT_SETTINGS:
        given = connect(args.config, needs_reports=name not in LOOKUPS)
        args.bookmarks = read_bookmarks(getattr(args, "state", None), given)
    try:
        code = command.run(args, given)
        # Within the `try`: a closed pipe raises only when it is written to.
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader closed it early, as `head` does.
        discard_output()
        return 0
    return code


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command other than `emulator`, which has its own."""
    command = module_of(name)
    parser = argparse.ArgumentParser(prog=f"tap-supermetrics {name}", description=command.ABOUT)
    command.add_arguments(parser)
    if name not in WITHOUT_SETTINGS:
        _add_common(parser, getattr(command, "FORMATS", FORMATS))
    return parser


def _add_common(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        help="configuration file, or ENV for environment variables; may be repeated",
    )
    parser.add_argument("--format", choices=formats, default=formats[0])
