"""`init`: from the key to a first report, checked, with what it would cost."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api import sources
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.sources import source_meant
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.commands import check, fields, plan
from tap_supermetrics.commands.output import print_line
from tap_supermetrics.commands.project import (
    CONFIG_FILE,
    KEY_VARIABLE,
    MELTANO_FILE,
    URL_VARIABLE,
    Project,
    write,
)
from tap_supermetrics.commands.questions import Questions
from tap_supermetrics.errors import EXIT_FAILED, EXIT_SIGNAL_BASE, SettingsError
from tap_supermetrics.model import Report
from tap_supermetrics.model.account_spelling import likely_core_of
from tap_supermetrics.model.declared import declared
from tap_supermetrics.planning.plan import TEST_ACCOUNTS
from tap_supermetrics.settings.query_url import report_from
from tap_supermetrics.sync.addresses import with_converted
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_supermetrics.commands.connection import Connect, Connection

ABOUT = "ask for a first report, write it down, check it, and tell what it would cost"
ALL_ACCOUNTS: Final = "list.all_accounts"
NO_LOADER: Final = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command: one for each question."""
    add = parser.add_argument
    add("--api-key-file", metavar="FILE", help=f"file with the key; else {KEY_VARIABLE} is taken")
    add("--api-url", help="address of the API, such as an emulator's")
    add("--from-url", metavar="ADDRESS", help="address of a query, instead of what it holds")
    add("--ds-id", help="id of the data source, such as AW, FA or GAWA")
    add("--accounts", metavar="IDS", help=f"ids of accounts, by commas, or {ALL_ACCOUNTS}")
    add("--fields", metavar="IDS", help="ids of fields, by commas")
    add("--start-date", help="first day to load")
    add("--name", help="name of the report")
    add("--loader", help=f"loader whose limits are looked at, or {NO_LOADER}")
    add("--into", type=Path, metavar="FILE", help=f"{MELTANO_FILE} (if it is there) or a JSON file")
    add("--test", action=argparse.BooleanOptionalAction, help="ask one day of a few accounts")


def run(args: argparse.Namespace, connect: Connect) -> int:
    """Prompt, check, write, and show the plan; only a test that is agreed to costs queries."""
    # An interrupted prompt for the key restores the echo of the terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    answers = Answers(args, connect)
    try:
        texts = answers.texts()
        code = _check(answers)
    except (KeyboardInterrupt, EOFError) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print_line()
        is_signal = isinstance(error, KeyboardInterrupt)
        ended = "Interrupted" if is_signal else "The input ended"
        sys.stderr.write(f"{ended}: nothing was written.\n")
        return EXIT_SIGNAL_BASE + signal.SIGINT if is_signal else EXIT_FAILED
    # From here on files are written, all of them or none.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code:
        # Another answer mends it, and no file.
        print_line("Nothing was written.")
        return code
    write(texts)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print_line()
    print_line(f"Written: {', '.join(each.name for each in texts)}")
    return _try_out(answers)


class Answers:
    """The answers: from options, from the project, or from a person.

    Args:
        args: the options.
        connect: makes a connection.

    Attributes:
        project: where they go.
        report: the entry of `queries`.
        loader: the loader, or `NO_LOADER`.
        connection: the API, with this report; there after `texts`.
        is_added: whether the extractor is new to the project; known after `texts`.
        needs_key_file: whether a run finds the key in `.env` only; known after `texts`.
    """

    connection: Connection
    is_added = False
    needs_key_file = True

    def __init__(self, args: argparse.Namespace, connect: Connect) -> None:
        self._args = args
        self._connect = connect
        self._questions = Questions()
        default = MELTANO_FILE if Path(MELTANO_FILE).exists() else CONFIG_FILE
        self.project = Project(args.into or Path(default))
        self.report: dict[str, Any] = {}
        self.loader = NO_LOADER
        self._top: dict[str, Any] = {}

    def texts(self) -> dict[Path, str]:
        """Return the new content of each file.

        Raises:
            TapError: an answer is missing or wrong.
        """
        self.is_added = not self.project.has_tap
        known = self.project.api_url
        api_url = self._args.api_url or known
        key, is_new = self._answered_key()
        self._top = {"api_key": key, "api_url": api_url}
        lookup = self._connect([], needs_reports=False, also=self._top)
        before = self.project.reports
        self._prompt_for_report(lookup, [str(each.get("name")) for each in before])
        self.loader = self._args.loader or self._questions.text(
            "--loader", "Loader, such as target-postgres", NO_LOADER
        )
        # With the environment, and before anything is written.
        self.connection = self._connect(
            ["ENV"], needs_reports=True, also=self.config, first_place=len(before)
        )
        is_tracked = is_new and self.project.is_key_file_tracked
        if is_tracked:
            print_line(
                f"{self.project.key_file} is tracked by git, so the key is not written: set "
                f"{KEY_VARIABLE} in the environment, or take the file out of git"
            )
        to_write = key if is_new and not is_tracked else None
        self.needs_key_file = bool(to_write) or not (is_tracked or KEY_VARIABLE in os.environ)
        return self.project.texts(self.report, "" if api_url == known else api_url, to_write)

    @property
    def config(self) -> dict[str, Any]:
        """Return the configuration of a run of this report alone."""
        return {**self._top, "queries": [self.report]}

    @property
    def wants_test(self) -> bool:
        """Return whether a test is agreed to, which costs queries."""
        if self._args.test is None:
            most = counted(TEST_ACCOUNTS, "query", "queries")
            return self._questions.is_agreed(f"Test it now, for at most {most}?")
        return bool(self._args.test)

    def _answered_key(self) -> tuple[str, bool]:
        """Return the key, and whether the project lacks it."""
        if path := self._args.api_key_file:
            try:
                return Path(path).read_text(encoding="utf-8").strip(), True
            except (OSError, UnicodeDecodeError):
                raise SettingsError([f"--api-key-file: {path} cannot be read"]) from None
        if key := self.project.key:
            return key, False
        return self._questions.hidden("--api-key-file", "API key of Supermetrics"), True

    def _prompt_for_report(self, lookup: Connection, names: Sequence[str]) -> None:
        """Prompt for what options and address leave open, and make the entry of `queries`."""
        given = self._from_address(lookup) if self._args.from_url else {}
        questions = self._questions
        accounts_of = lru_cache(partial(_accounts_of, lookup))
        ds_id = (
            self._args.ds_id
            or given.get("ds_id")
            or questions.text(
                "--ds-id",
                "Data source, such as AW (Google Ads), FA (Facebook Ads), GAWA (GA4)",
                check=accounts_of,
            )
        )
        listed = accounts_of(ds_id)
        of_source = lookup.client.fields(ds_id)
        chosen = _ids(self._args.accounts) or given.get("ds_accounts")
        if not chosen and listed:
            every = [(ALL_ACCOUNTS, "all accounts, also those to come"), *listed]
            chosen = questions.picked("--accounts", "Accounts", lambda text: _matching(every, text))
        wanted = (
            _ids(self._args.fields)
            or given.get("fields")
            or questions.picked(
                "--fields",
                "Fields",
                lambda text: [
                    (each.field_id, each.field_name) for each in fields.found(of_source, text)
                ],
            )
        )
        is_dated = "date_range_type" in given
        start = self._args.start_date or given.get("start_date")
        if not (start or is_dated):
            start = questions.text("--start-date", "First day to load", check=_reads("start_date"))
        free = _free(sources.NAMES.get(ds_id, ds_id.lower()), names)
        check_name = partial(_check_name, names, self.project.file)
        name = self._args.name or questions.text("--name", "Name of the report", free, check_name)
        check_name(name)
        answered = {
            "name": name,
            "ds_id": ds_id,
            "ds_accounts": ALL_ACCOUNTS if ALL_ACCOUNTS in (chosen or ()) else chosen,
            "fields": wanted,
            "start_date": start,
        }
        self.report = {**answered, **{k: v for k, v in given.items() if k not in answered}}
        self.report = {k: v for k, v in self.report.items() if v not in (None, "", [])}

    def _from_address(self, lookup: Connection) -> dict[str, Any]:
        """Return the settings in an address."""
        config = {**self._top, "queries": [{"name": "x", "url": self._args.from_url}]}
        try:
            (entry,) = with_converted(config, lambda: lookup.client)["queries"]
            given = report_from(entry["url"], {})
        except SettingsError as error:
            texts = (each.removeprefix("queries[0].url: ") for each in error.mistakes)
            raise SettingsError([f"--from-url: {each}" for each in texts]) from None
        except ValueError as error:
            raise SettingsError([f"--from-url: {error}"]) from None
        for name in ("ds_accounts", "fields"):
            if isinstance(given.get(name), str):
                given[name] = _ids(given[name])
        return given


def _arguments(answers: Answers) -> argparse.Namespace:
    """Return the arguments of `check` and `plan`."""
    loader = None if answers.loader == NO_LOADER else answers.loader
    return argparse.Namespace(
        format="table",
        state="",  # Nothing was loaded before, and need not be said.
        bookmarks={},
        catalog=None,
        loader=loader,
        query_seconds=plan.QUERY_S,
    )


def _check(answers: Answers) -> int:
    """Print whether a run would start whole; return the exit code."""
    print_line("Check")
    return check.run(_arguments(answers), answers.connection)


def _try_out(answers: Answers) -> int:
    """Show the plan of the report; test it where that is agreed to."""
    print_line()
    print_line("Plan of the first run")
    if code := plan.run(_arguments(answers), answers.connection):
        return code
    print_line()
    if answers.wants_test:
        code = _test(answers)
    _print_next(answers)
    return code


def _test(answers: Answers) -> int:
    sys.stdout.flush()
    line = [sys.executable, "-m", "tap_supermetrics", "--config", "ENV", "--test"]
    env = {
        **os.environ,
        KEY_VARIABLE: answers.config["api_key"],
        URL_VARIABLE: answers.config["api_url"],
        "TAP_SUPERMETRICS_QUERIES": json.dumps(answers.config["queries"]),
    }
    return subprocess.run(line, env=env, check=False).returncode  # noqa: S603 - our own command


def _print_next(answers: Answers) -> None:
    project, loader = answers.project, answers.loader
    if project.is_meltano:
        shown = "LOADER" if loader == NO_LOADER else loader
        steps = ["meltano install extractor tap-supermetrics"] if answers.is_added else []
        steps.append(f"meltano run tap-supermetrics {shown}")
    else:
        steps = [_reading(project.key_file)] if answers.needs_key_file else []
        file = shlex.quote(str(project.file))
        steps.append(f"tap-supermetrics --config {file} --config ENV")
    first, *others = steps
    print_line(f"Next: {first}")
    for each in others:
        print_line(f"      {each}")


def _reading(key_file: Path) -> str:
    """Return the line of a shell that puts a file's variables into the environment."""
    # Without a slash, the shell would search it among the programs.
    file = str(key_file) if key_file.is_absolute() else f"./{key_file}"
    return f"set -a; . {shlex.quote(file)}; set +a"


def _accounts_of(lookup: Connection, ds_id: str) -> list[tuple[str, str]]:
    """Return the accounts of a data source, ids and names.

    Raises:
        TapError: there is no such data source, with the one that may be meant; or no answer.
    """
    try:
        return [(each.id, each.account_name) for each in lookup.client.accounts(ds_id)]
    except ApiError as error:
        meant = source_meant(ds_id) if error.reach is Reach.SOURCE else ""
        if meant:
            raise SettingsError([f"--ds-id: {error} Did you mean {meant}?"]) from None
        raise


def _check_name(names: Sequence[str], file: Path, name: str) -> None:
    if name in names:
        raise SettingsError([f"--name: {file} has a report {name} already"])
    _reads("name")(name)


def _reads(name: str) -> Callable[[str], object]:
    """Return a check of an answer by the setting of that name."""
    (kind,) = (each.kind for each in declared(Report) if each.name == name)

    def read(answer: str) -> object:
        try:
            return kind.read(answer)
        except ValueError as error:
            raise SettingsError([f"--{name.replace('_', '-')}: {error}"]) from None

    return read


def _ids(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def _matching(listed: Sequence[tuple[str, str]], text: str) -> list[tuple[str, str]]:
    """Return the accounts that a text may mean: a part of a name or an id, or an id otherwise."""
    core = likely_core_of(text) if text else ""
    return [
        each
        for each in listed
        if text in " ".join(each).casefold() or core == likely_core_of(each[0])
    ]


def _free(name: str, names: Sequence[str]) -> str:
    """Return a name that no report has."""
    others = (f"{name}_{number}" for number in range(2, len(names) + 3))
    return next(each for each in (name, *others) if each not in names)
