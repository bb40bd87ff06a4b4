"""The tap as its users run it: a process, its stdout read as a target reads it, its truth known."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from tap_supermetrics.emulator import Emulator

Key = tuple[str, ...]
Values = dict[str, Any]
METADATA = ("_sm_account_id", "_sm_date", "_sm_fetched_at", "_sm_schedule_id")


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


def run(*arguments: str) -> Ended:
    """Run the tap to its end with these arguments only."""
    done = subprocess.run(  # noqa: S603 - our own command
        command(*arguments), capture_output=True, text=True, check=False, timeout=60
    )
    return Ended(done.returncode, done.stdout, done.stderr)


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
    line = command("--config", str(config_file), *arguments)
    if target and target.state:
        state_file = folder / "state.json"
        state_file.write_text(json.dumps(target.state))
        line += ["--state", str(state_file)]
    done = subprocess.run(  # noqa: S603 - our own command
        line, capture_output=True, text=True, check=False, timeout=timeout
    )
    if target:
        target.new_run()
        # Not `splitlines`: a text may hold U+2028.
        for message in filter(None, done.stdout.split("\n")):
            target.read(message)
    return Ended(done.returncode, done.stdout, done.stderr)


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
