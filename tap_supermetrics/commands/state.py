"""`state merge`: states of several runs, such as those of shards, made into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tap_supermetrics.commands.output import print_json
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings.entries import ONLY_IN_REPORT
from tap_supermetrics.singer.inputs import json_at, unwrapped
from tap_supermetrics.sync.merging import merge_states, rename, without_account, without_report
from tap_supermetrics.sync.state_checks import last_day_anywhere

if TYPE_CHECKING:
    import argparse

    from tap_supermetrics.commands.connection import Connect

ABOUT = "merge states of several runs into one (`state merge FILE...`); rename and remove in it"

_NAME: Final = next(each for each in ONLY_IN_REPORT if each.attribute == "name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("action", choices=["merge"])
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a state, or what `meltano state get` prints"
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="accept that the states of some shards are missing: their days are read again",
    )
    parser.add_argument(
        "--rename",
        metavar="OLD=NEW",
        action="append",
        default=[],
        help="give a report another name; may be repeated",
    )
    parser.add_argument(
        "--remove-report",
        metavar="NAME",
        action="append",
        default=[],
        help="forget a report; may be repeated",
    )
    parser.add_argument(
        "--remove-account",
        metavar="ID",
        action="append",
        default=[],
        help="forget an account in all reports; may be repeated",
    )


def run(args: argparse.Namespace, connect: Connect) -> int:  # noqa: ARG001 - as every command
    """Print the merged state, in Meltano's form where the first file has it."""
    given = {file: json_at(file) for file in args.files}
    inner = {file: unwrapped(state) for file, state in given.items()}
    states = merge_states(inner, last_day_anywhere(), is_partial=args.partial)
    for names in args.rename:
        old, separator, new = names.partition("=")
        if not (old and separator and new):
            raise SettingsError([f"--rename: expected OLD=NEW, got {names}"])
        try:
            states = rename(states, old, _NAME.kind.read(new))
        except ValueError as error:
            raise SettingsError([f"--rename: {error}"]) from None
    for name in args.remove_report:
        states = without_report(states, name)
    for account_id in args.remove_account:
        states = without_account(states, account_id)
    merged = {"bookmarks": {name: each.to_json() for name, each in states.items()}}
    is_wrapped = "singer_state" in given[args.files[0]]
    print_json({"singer_state": merged} if is_wrapped else merged)
    return 0
