"""Numbers with their words, for what people read."""

from __future__ import annotations


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its word, as one or as many."""
    return f"{count:,} {one if count == 1 else many}"
