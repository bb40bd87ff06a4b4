"""The tap as its users run it: a process, its stdout read as a target reads it, its truth known."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tap_supermetrics.__main__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from tap_supermetrics.emulator import Emulator

Key = tuple[str, ...]
Values = dict[str, Any]
METADATA = ("_sm_account_id", "_sm_date", "_sm_fetched_at", "_sm_schedule_id")

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tap_supermetrics.commands.command_line", "tests.tap"])


def command(*arguments: str) -> list[str]:
    """The command line of the tap under this very Python."""
    return [sys.executable, "-m", "tap_supermetrics", *arguments]


@dataclass(slots=True)
class Target:
    """What a target holds: the newest record of each key, and the last state.

    Attributes:
        tables: by stream, the newest record by key.
        messages: type of each message in order.
        written: how many records came for each stream.
        state: the last state.
        doubled: keys that came more than once since the last `new_run`.
    """

    tables: dict[str, dict[Key, Values]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    doubled: list[tuple[str, Key]] = field(default_factory=list)
    _seen: set[tuple[str, Key]] = field(default_factory=set)

    def new_run(self) -> None:
        """From here on, the same key may come again."""
        self._seen.clear()
        self.written.clear()
        self.messages.clear()

    def read(self, line: str | bytes) -> None:
        """Take one message."""
        message = json.loads(line)
        self.messages.append(message["type"])
        match message["type"]:
            case "SCHEMA":
                self.keys[message["stream"]] = message["key_properties"]
            case "RECORD":
                self._insert(message["stream"], message["record"])
            case "STATE":
                self.state = message["value"]

    def _insert(self, stream: str, record: Values) -> None:
        key = tuple(str(record[name]) for name in self.keys[stream])
        if (stream, key) in self._seen:
            self.doubled.append((stream, key))
        self._seen.add((stream, key))
        self.written[stream] = self.written.get(stream, 0) + 1
        self.tables.setdefault(stream, {})[key] = {
            name: value for name, value in record.items() if name not in METADATA[1:]
        }


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended."""

    code: int
    stdout: str
    stderr: str


def run(
    *arguments: str,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> Ended:
    """Run the tap to its end.

    It is a process of its own, forked from one that has imported what takes half of its time.

    Args:
        arguments: of the command line.
        folder: where it runs; here, unless given.
        env: the environment; this one, unless given.
        timeout: it is killed after so many seconds.

    Raises:
        subprocess.TimeoutExpired: it had to be killed.
    """
    environment = dict(os.environ if env is None else env)
    with tempfile.TemporaryDirectory() as name:
        streams = Path(name, "stdout"), Path(name, "stderr")
        process = _FORKED.Process(
            target=_main, args=(arguments, folder or Path.cwd(), environment, streams)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command(*arguments), timeout)
        return Ended(process.exitcode, *(each.read_bytes().decode() for each in streams))


def _main(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: Sequence[Path]
) -> None:
    """Become the tap, in this folder and environment, with its streams in files."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["tap-supermetrics", *arguments]
    tap_supermetrics.__main__.main()


def discovered(config: Mapping[str, Any], folder: Path) -> Values:
    """The catalog that the tap discovers."""
    (folder / "config.json").write_text(json.dumps(config))
    ended = run("--config", str(folder / "config.json"), "--discover")
    assert ended.code == 0, ended.stderr
    catalog: Values = json.loads(ended.stdout)
    return catalog


def sync(
    config: Mapping[str, Any],
    folder: Path,
    target: Target | None = None,
    *arguments: str,
    timeout: float = 240,
) -> Ended:
    """Run the tap to its end, with the target's state, and let the target read what it wrote."""
    config_file = folder / "config.json"
    config_file.write_text(json.dumps(config))
    line = ["--config", str(config_file), *arguments]
    if target and target.state:
        state_file = folder / "state.json"
        state_file.write_text(json.dumps(target.state))
        line += ["--state", str(state_file)]
    ended = run(*line, timeout=timeout)
    if target:
        target.new_run()
        # Not `splitlines`: a text may hold U+2028.
        for message in filter(None, ended.stdout.split("\n")):
            target.read(message)
    return ended


def days_covered(bookmark: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """The covered days by account, as docs/state.md explains a bookmark."""
    return {
        each["context"]["account_id"]: each.get("covered")
        or [[bookmark["covered_from"], each["replication_key_value"]]]
        for each in bookmark.get("partitions", [])
        if {"covered", "replication_key_value"} & each.keys()
    }


def config_for(emulator: Emulator, queries: Sequence[Mapping[str, Any]], **top: Any) -> Values:  # noqa: ANN401 - any setting
    """A configuration that reads from an emulator."""
    return {
        "api_key": emulator.api_key,
        "api_url": emulator.url,
        "requests_per_second": 500,
        "queries": list(queries),
        **top,
    }


def truth(  # noqa: PLR0913 - all that rows depend on
    emulator: Emulator,
    query: Mapping[str, Any],
    first: date,
    last: date,
    *,
    asked_on: date | None = None,
    accounts: Iterable[str] | None = None,
) -> dict[Key, Values]:
    """What a target must hold of a report whose accounts are split, by its default key."""
    source = emulator.world.sources[query["ds_id"]]
    fields = {name: source.field(name) for name in query["fields"]}
    dimensions = [name for name, each in fields.items() if each and not each.is_metric]
    table: dict[Key, Values] = {}
    for account in accounts or query["ds_accounts"]:
        rows = emulator.world.rows(
            query["ds_id"], [account], first, last, query["fields"], asked_on or emulator.today
        )
        for row in rows:
            values = {"_sm_account_id": account, **dict(zip(query["fields"], row, strict=True))}
            values |= {name: values[name] or "" for name in dimensions}
            key = (account, *(str(values[name]) for name in dimensions))
            table[key] = values
    return table
