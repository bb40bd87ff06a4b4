"""`accounts DS_ID [SEARCH]`: the accounts of a data source, for `ds_accounts`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tap_supermetrics.commands.output import print_json, print_table, warn_of_no_match
from tap_supermetrics.errors import TapError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.model import Report

ABOUT = "list the accounts of a data source, for `ds_accounts`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("source", metavar="DS_ID", help="id of a data source, such as AW")
    parser.add_argument(
        "search", metavar="SEARCH", nargs="?", default="", help="part of id or name"
    )


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the accounts, each once for every login that reads it."""
    named = _ids_in_reports(connection, args.source)
    found = [
        {
            "account_id": each.id,
            "account_name": each.account_name,
            "group_name": each.group_name or "",
            "ds_user": login.shown,
            "is_configured": each.id in named,
        }
        for login in connection.client.login_accounts(args.source)
        for each in login.accounts
        if args.search.casefold()
        in f"{each.id} {each.account_name} {each.group_name or ''}".casefold()
    ]
    if args.format == "json":
        print_json(found)
    else:
        heads = ("ACCOUNT ID", "NAME", "GROUP", "LOGIN", "CONFIGURED")
        print_table(heads, [[*each.values()] for each in found])
    if args.search and not found:
        warn_of_no_match(args.search)
    return 0


def _ids_in_reports(connection: Connection, ds_id: str) -> set[str]:
    """Return the accounts of the data source that a report reads."""
    reports = (each for each in connection.settings.reports if each.ds_id == ds_id)
    return {account for report in reports for account in _accounts_of(connection, report)}


def _accounts_of(connection: Connection, report: Report) -> Iterator[str]:
    # Only for the last column: a list that cannot be read must not end the command.
    with suppress(TapError):
        yield from connection.lookups.accounts_of(report, is_dated=True)
