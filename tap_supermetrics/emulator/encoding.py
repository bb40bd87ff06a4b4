"""Rows and envelopes as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_supermetrics.emulator.catalogue import Cell
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.parameters import Question
    from tap_supermetrics.emulator.queries import EmulatedQuery
    from tap_supermetrics.emulator.tables import Row

_NO_DATA = "No data found"
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def json_bytes(value: object, options: Options) -> bytes:
    """Return JSON as PHP writes it: slashes and non-ASCII escaped, unless options say otherwise."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = json.dumps(value).encode()  # It repeats half a surrogate pair that was sent.
    if options.escaped_slashes:
        encoded = encoded.replace(b"/", b"\\/")
    if options.escaped_unicode and not encoded.isascii():
        encoded = _NOT_ASCII.sub(_escaped, encoded.decode()).encode()
    return encoded


def _escaped(match: re.Match[str]) -> str:
    # JSON escapes units of UTF-16: some letters are two of them.
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))


def header_of(query: EmulatedQuery, options: Options) -> Row | None:
    """Return the labels of the columns, or None when the query wants none or found nothing."""
    asked, table = query.question, query.table
    if asked is None or table is None:
        return None
    is_wanted = options.header == "always" or not asked.is_set("no_headers")
    has_header = is_wanted if table.total else options.header == "of_empty"
    return tuple(field.name for _, field in asked.fields) if has_header else None


def size_of(query: EmulatedQuery, options: Options) -> int:
    """Return how many rows the answer has in all, the header and "No data found" included."""
    total = query.table.total if query.table else 0
    header = 1 if header_of(query, options) else 0
    if not total and not header:
        return 1 if options.empty_result == "no_data_found" else 0
    return total + header


def total_rows(query: EmulatedQuery, options: Options) -> int:
    """Return `total_rows` of a result."""
    uncounted = header_of(query, options) is not None and not options.total_rows_counts_header
    return size_of(query, options) - uncounted


def chunks(
    query: EmulatedQuery, first: int, last: int, options: Options
) -> Iterator[Sequence[Row]]:
    """Yield the rows from index `first` to before `last`, to be encoded; the header has index 0."""
    table, header = query.table, header_of(query, options)
    if table is None or not (table.total or header):
        if options.empty_result == "no_data_found" and first == 0 < last:
            yield [(_NO_DATA,)]
        return
    offset = 1 if header and not options.header_on_every_page else 0
    if header and (options.header_on_every_page or first == 0 < last):
        yield [header]
    dressed = _dresser(query, options)
    for rows in table.chunks(max(0, first - offset), max(0, last - offset)):
        yield dressed(rows)


def _dresser(query: EmulatedQuery, options: Options) -> Callable[[Sequence[Row]], Sequence[Row]]:
    """Return what turns blanks and numbers into what the options and settings say."""
    asked = query.question
    if asked is None:
        return lambda rows: rows
    days = _days(asked, options)
    blank: Cell = 0 if asked.is_set("blanks_to_zero") else None
    blank = "" if blank is None and not options.blank_metric else blank
    text = options.numbers == "strings" and not query.params.get("add_clean_data_types")
    digits = asked.digits
    metrics = {n for n, (_, field) in enumerate(asked.fields) if field.is_metric}

    def dressed(rows: Sequence[Row]) -> Sequence[Row]:
        columns = [
            _dressed(column, blank, digits, text=text)
            if n in metrics
            else [f"{cell}{days[n]}" if cell else cell for cell in column]
            if n in days
            else column
            for n, column in enumerate(zip(*rows, strict=True))
        ]
        return list(zip(*columns, strict=True))

    return dressed if metrics or days else lambda rows: rows


def _days(asked: Question, options: Options) -> dict[int, str]:
    """Return texts that follow the day in the columns of `string.time.date`."""
    after = {"day": "", "midnight": "T00:00:00", "day_and_time": " 00:00:00"}[options.clean_dates]
    fields = (field for _, field in asked.fields)
    return {n: after for n, f in enumerate(fields) if after and f.data_type == "string.time.date"}


def _dressed(column: Sequence[Cell], blank: Cell, digits: int, *, text: bool) -> Sequence[Cell]:
    if digits < 4:  # noqa: PLR2004 - what metrics are rounded to anyway
        column = [round(cell, digits) if isinstance(cell, float) else cell for cell in column]
    if blank is not None and None in column:
        column = [blank if cell is None else cell for cell in column]
    return [str(c) if isinstance(c, (int, float)) else c for c in column] if text else column


def encoded(pieces: Iterable[Sequence[Row]], options: Options) -> Iterator[bytes]:
    """Yield rows as a list of lists, piece by piece."""
    yield b"["
    comma = b""
    for rows in pieces:
        if rows:
            yield comma + json_bytes(rows, options)[1:-1]
            comma = b","
    yield b"]"
