"""Tables and JSON on stdout; texts of the API are made readable first."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.redaction import readable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WITHOUT_STATE: Final = "without `--state`, as if nothing had been loaded before"
_GAP = "  "


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Print a value as JSON of many lines."""
    is_unicode = (sys.stdout.encoding or "").casefold().startswith("utf")
    text = without_secrets(json.dumps(value, indent=1, ensure_ascii=not is_unicode))
    sys.stdout.write("".join(map(_in_json, text)) + "\n")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below each other in columns, numbers to the right."""
    table = [*rows]
    are_numbers = [_is_number(column) for column in zip(*table, strict=True)] or [False] * len(
        heads
    )
    cells = [[*heads], *([_cell(each) for each in row] for row in table)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, are_numbers, strict=True)
        )
        print_line(_GAP.join(padded).rstrip())


def warn_of_no_match(search: str) -> None:
    """Warn on stderr that a search found nothing: a table has its heads only."""
    sys.stderr.write(f"Nothing matches {readable(search)}: leave it out to see all\n")


def can_print(text: str) -> bool:
    """Return whether the encoding of stdout has every letter of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_line(text: str = "") -> None:
    """Print one line, without control characters and keys."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Letters that a terminal lacks are replaced.
        sys.stdout.reconfigure(errors="replace")
    line = without_secrets(text)
    sys.stdout.write("".join(each if each.isprintable() else "\ufffd" for each in line) + "\n")


def _in_json(letter: str) -> str:
    return letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int) else readable(str(value))


def _is_number(column: Sequence[object]) -> bool:
    return all(isinstance(each, int) and not isinstance(each, bool) for each in column)
