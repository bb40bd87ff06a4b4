"""Tables and JSON on stdout; what the API says is made readable first."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tap_supermetrics.redaction import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP = "  "


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    """Print a value as JSON of many lines."""
    print_line(json.dumps(value, indent=1, ensure_ascii=False))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below each other in columns, numbers to the right."""
    cells = [[*heads], *([_shown(each) for each in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        )
        print_line(_GAP.join(padded).rstrip())


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its word."""
    return f"{count:,} {one if count == 1 else many}"


def print_line(text: str = "") -> None:
    """Print one line."""
    sys.stdout.write(f"{text}\n")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int) else readable(str(value))


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").isdigit()
