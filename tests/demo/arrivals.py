"""What the loader wrote, counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

Key = tuple[Any, ...]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The rows of one stream, as a warehouse would hold them: by key, the newest wins.

    Attributes:
        key: names of the columns that identify a row.
        spend: the column that says what was paid, if there is one.
        rows: by key, each with its newest values.
    """

    key: Sequence[str]
    spend: str | None
    rows: dict[Key, Record] = field(default_factory=dict)

    def add(self, records: Iterable[Record]) -> Added:
        """Take in what one run wrote."""
        added = Added()
        for record in records:
            key = tuple(record[name] for name in self.key)
            if key in added.rows:
                added.doubled.add(key)
            if key in self.rows:
                added.again.add(key)
            added.rows[key] = record
            self.rows[key] = record
        return added

    def line(self) -> str:
        """Accounts, days, rows and spend."""
        accounts = {row["_sm_account_id"] for row in self.rows.values()}
        days = {row["_sm_date"] for row in self.rows.values()}
        total = f"{self.total_spend:,.2f}" if self.spend else ""
        return f"{len(accounts):>8} {len(days):>5} {len(self.rows):>7,} {total:>13}"

    @property
    def total_spend(self) -> float:
        """What was paid, over all rows."""
        return sum(float(row[self.spend] or 0) for row in self.rows.values()) if self.spend else 0.0


@dataclass(frozen=True, slots=True)
class Added:
    """The rows that one run wrote of a stream; those that were there already; those given twice."""

    rows: dict[Key, Record] = field(default_factory=dict)
    again: set[Key] = field(default_factory=set)
    doubled: set[Key] = field(default_factory=set)


def keys_in(catalog: Path) -> Mapping[str, Sequence[str]]:
    """Per stream the columns of its key, from the catalog that Meltano asked the tap for."""
    streams = json.loads(catalog.read_text(encoding="utf-8"))["streams"]
    return {each["tap_stream_id"]: each["key_properties"] for each in streams}


def take(folder: Path, stream: str) -> Sequence[Record]:
    """All records that a run wrote of a stream; their file is gone afterwards."""
    file = folder / f"{stream}.jsonl"
    if not file.exists():
        return ()
    lines = file.read_text(encoding="utf-8").splitlines()
    file.unlink()
    return [json.loads(line) for line in lines]
