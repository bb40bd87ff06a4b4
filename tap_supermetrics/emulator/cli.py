"""The command `tap-supermetrics-emulator`."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
import textwrap
import threading
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tap_supermetrics.emulator.control import EFFECTS
from tap_supermetrics.emulator.emulator import Emulator
from tap_supermetrics.emulator.options import Options, value_of, with_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM = "tap-supermetrics-emulator"
DEFAULT_PORT = 8190
DEFAULT_FACTOR = 20.0

_DESCRIPTION = """\
A local Supermetrics API to develop and test pipelines against, without an account or quota.
It serves Google Ads (AW), Facebook Ads (FA), Google Analytics 4 (GAWA) and Google Merchant Center
(GMC) with invented data, the oddest names and values (ODD) to try a loader with, and behaves as the
real API does: batches, asynchronous queries, limits, errors. Time can run faster, and failures can
be injected under /emulator/ (GET it for a list).
"""

_EPILOGUE = """\
examples:
  {program}                                 start, print a configuration to paste
  {program} --clock-factor 1000             an hour in 3.6 seconds
  {program} --option errors_in_200=true --option license_concurrency=2
  curl -X POST localhost:8190/emulator/clock -d '{{"advance": 86400}}'
  curl -X POST localhost:8190/emulator/faults \\
       -d '{{"effect": "fail_query", "account": "4713896205", "code": "QUERY_ERROR"}}'

effects of faults:
"""
_OPTIONS = "options (name=default), explained in the documentation of `Limits` and `Options`:"
_LAST_PORT = 65535
_OF_THE_PORT = {errno.EADDRINUSE, errno.EACCES, errno.EPERM}


def main(arguments: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Serve until interrupted or terminated.

    Args:
        arguments: what the command line says; None for that of this process.
        program: how the command is called.

    Returns:
        The exit status: 0 after a clean stop, 1 when it cannot listen there; what the command line
        got wrong exits with 2.
    """
    parser = _parser(program)
    parsed = parser.parse_args(arguments)
    try:
        options = _options(parsed)
    except ValueError as error:
        parser.error(f"argument --option: {error}")
    try:
        emulator = Emulator(options=options, host=parsed.host, port=parsed.port)
    # A name that no resolver can be asked for is an error of its encoding.
    except (OSError, UnicodeError) as error:
        print(  # noqa: T201 - a command speaks by printing
            f"{program}: {parsed.host}:{parsed.port}: {_refusal(error)}", file=sys.stderr
        )
        return 1
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with emulator:
        print(_greeting(emulator), flush=True)  # noqa: T201 - same
        stopped.wait()
    return 0


def _refusal(error: OSError | UnicodeError) -> str:
    """Return why nothing can listen there, and what to change."""
    if isinstance(error, UnicodeError):
        return "no name of a machine. Choose another --host."
    if error.errno in _OF_THE_PORT:
        return f"{error.strerror}. Choose another --port (0 takes any free one)."
    return f"{error.strerror}. Choose another --host, an address of this machine."


def tap_config(emulator: Emulator) -> dict[str, Any]:
    """Return a configuration of the tap with a report of each of three data sources."""
    week_ago = emulator.today - timedelta(days=7)
    return {
        "api_url": emulator.url,
        "api_key": emulator.api_key,
        "start_date": week_ago.isoformat(),
        "end_date": (emulator.today - timedelta(days=1)).isoformat(),
        "queries": [
            {
                "name": "google_ads",
                "ds_id": "AW",
                "ds_accounts": ["4713896205", "8820145937", "5096627718"],
                "fields": ["Date", "CampaignID", "Campaignname", "Impressions", "Clicks", "Cost"],
            },
            {
                "name": "facebook_ads",
                "ds_id": "FA",
                "ds_accounts": ["act_1784203956017", "act_290471836"],
                "fields": ["Date", "adcampaign_id", "adcampaign_name", "impressions", "spend"],
            },
            {
                "name": "ga4",
                "ds_id": "GAWA",
                "ds_accounts": ["318204957"],
                "fields": ["date", "sessionSourceMedium", "sessions", "totalRevenue"],
            },
        ],
    }


def _greeting(emulator: Emulator) -> str:
    return "\n".join(
        (
            f"Emulated Supermetrics API: {emulator.url}",
            f"API key:                   {emulator.api_key}",
            f"Control plane:             {emulator.origin}/emulator/",
            f"Emulated time:             {emulator.clock.now():%Y-%m-%d %H:%M:%S} UTC",
            f"Emulated seconds a second: {emulator.clock.factor:g}",
            "A configuration of the tap:",
            json.dumps(tap_config(emulator), indent=2),
            "Stop it with Ctrl+C.",
        )
    )


def _epilogue(program: str) -> str:
    own = {"clock_factor": DEFAULT_FACTOR, "now": "the current time"}
    defaults = ", ".join(
        f"{each.name}={own.get(each.name, each.default)}" for each in fields(Options)
    )
    options = textwrap.fill(defaults, 92, initial_indent="  ", subsequent_indent="  ")
    effects = "".join(f"  {effect:<13} {told}\n" for effect, told in EFFECTS.items())
    return f"{_EPILOGUE.format(program=program)}{effects}\n{_OPTIONS}\n{options}"


def _parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description=_DESCRIPTION,
        epilog=_epilogue(program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=DEFAULT_PORT, help="port, 0 for any (default: %(default)s)")
    add(
        "--key",
        type=_typed("api_key"),
        default=Options().api_key,
        help="accepted API key (default: %(default)s)",
    )
    add(
        "--now",
        type=_typed("now"),
        default=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        help="emulated time of the start, ISO 8601 (default: the current time)",
    )
    add(
        "--clock-factor",
        type=_typed("clock_factor"),
        default=DEFAULT_FACTOR,
        help="emulated seconds per second (default: %(default)s)",
    )
    add(
        "--seed",
        type=_typed("seed"),
        default=Options().seed,
        help="seed of the data (default: %(default)s)",
    )
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change how it behaves; can be repeated",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to {_LAST_PORT}, got {text!r}")
    return int(text)


def _typed(name: str) -> Callable[[str], Any]:
    """Return what reads the value of an option that has an argument of its own."""

    def read(text: str) -> Any:  # noqa: ANN401 - the option's type
        try:
            return value_of(name, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _options(parsed: argparse.Namespace) -> Options:
    options = replace(
        Options(),
        api_key=parsed.key,
        now=parsed.now,
        clock_factor=parsed.clock_factor,
        seed=parsed.seed,
    )
    for assignment in parsed.option:
        options = with_text(options, assignment)
    return options
