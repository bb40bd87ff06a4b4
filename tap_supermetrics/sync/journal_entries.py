"""The entries of the journal, and their lines.

A query batch is noted before it is sent, under a token that its description has too, and its id as
soon as the API returns it. So a batch of a run that was killed before the answer came can be found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from tap_supermetrics.model import SubmittedBatch
from tap_supermetrics.sync.notation import (
    MALFORMED,
    id_of,
    submitted_of,
    submitted_to_json,
    texts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from tap_supermetrics.model import AsyncRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that was submitted for one report.

    Attributes:
        report: name of the report.
        request_hash: what it was submitted with.
        submitted: a query batch with the items of this report, or a run of queries one by one.
        token: by which the batch can be found while its id is not known; else empty.
    """

    report: str
    request_hash: str
    submitted: SubmittedBatch | AsyncRun
    token: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return report, request and id; by these, an entry in two files is counted once."""
        return self.report, self.request_hash, self.token or self.id

    @property
    def id(self) -> str:
        """The id of the batch or of the run; empty while that of a batch is not known."""
        return self.submitted.id

    @property
    def at(self) -> datetime:
        """The time of the submission, with offset."""
        return self.submitted.submitted_at

    @property
    def line(self) -> bytes:
        """The line of the journal that notes it."""
        token = {"token": self.token} if self.token else {}
        what = {"report": self.report, "request_hash": self.request_hash, **token}
        return line(what | submitted_to_json(self.submitted))


class JournalContent:
    """The notes of a run: all entries of its file."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._answered: list[Entry] = []
        self._by_token: dict[str, list[Entry]] = {}
        self.add(entries)

    def __iter__(self) -> Iterator[Entry]:
        yield from self._answered
        yield from chain.from_iterable(self._by_token.values())

    def add(self, entries: Iterable[Entry]) -> None:
        """Note entries."""
        for entry in entries:
            if entry.token:
                self._by_token.setdefault(entry.token, []).append(entry)
            else:
                self._answered.append(entry)

    def answered(self, token: str, batch_ids: Sequence[str]) -> None:
        """Note the ids of the batches that were started under a token."""
        self._answered += with_ids(self._by_token.pop(token, ()), {token: batch_ids})

    def since(self, max_age: timedelta) -> Iterator[Entry]:
        """Yield the entries that are at most so much older than the newest one."""
        newest = max((entry.at for entry in self), default=None)
        return (entry for entry in self if newest is None or newest - entry.at <= max_age)


def entries_of(
    submitted: SubmittedBatch | AsyncRun, request_hashes: Mapping[str, str], token: str = ""
) -> list[Entry]:
    """Return an entry for each report that has a part in what is submitted."""
    return [
        Entry(report=name, request_hash=each, submitted=submitted.part_of(name), token=token)
        for name, each in request_hashes.items()
    ]


def with_ids(entries: Iterable[Entry], ids: Mapping[str, Sequence[str]]) -> Iterator[Entry]:
    """Yield entries; those of tokens whose batches are known get the ids of these.

    Args:
        entries: as they were noted.
        ids: of the batches, by token. A start that was refused made none; one without an answer,
            which was sent again, may have made several.
    """
    for entry in entries:
        if entry.token not in ids or not isinstance(entry.submitted, SubmittedBatch):
            yield entry
            continue
        for batch_id in ids[entry.token]:
            batch = replace(entry.submitted, batch_id=batch_id)
            yield replace(entry, submitted=batch, token="")


def line(value: object) -> bytes:
    """Return a value as a line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def answer_line(token: str, batch_ids: Iterable[str]) -> bytes:
    """Return the line with the ids of the batches that were started under a token."""
    return line({"token": token, "batch_ids": list(batch_ids)})


def read_entries(values: Sequence[Any]) -> tuple[list[Entry], int]:
    """Return the entries that can be read, and the number of values that cannot.

    A run that was killed may have torn its last line.
    """
    entries = [entry for value in values if (entry := _entry(value))]
    answers = [each for value in values if (each := _answer(value))]
    return [*with_ids(entries, dict(answers))], len(values) - len(entries) - len(answers)


def _entry(raw: Any) -> Entry | None:  # noqa: ANN401 - whatever the file contains
    try:
        report, request_hash = str(raw["report"]), str(raw["request_hash"])
        submitted = submitted_of(raw, report)
        token = id_of(raw.get("token", ""))
    except MALFORMED:
        return None
    return Entry(report=report, request_hash=request_hash, submitted=submitted, token=token)


def _answer(raw: Any) -> tuple[str, tuple[str, ...]] | None:  # noqa: ANN401 - whatever the file contains
    try:
        return id_of(raw["token"]), texts_of(raw["batch_ids"])
    except MALFORMED:
        return None
