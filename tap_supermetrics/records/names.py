"""Names of columns as targets see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_NAME_BYTES: Final = 63
"""PostgreSQL cuts longer names off (its documentation, "Identifiers and Key Words")."""


def as_targets_see(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return a name as common loaders keep it: snake case, cut off; by default as the strictest."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = re.sub(r"\W+|_+", "_", words).strip("_").casefold()
    return plain.encode()[:max_bytes].decode(errors="ignore")


def clashes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give each name that targets cannot keep apart from one before it, after that one."""
    known: dict[str, str] = {}
    for name in names:
        first = known.setdefault(as_targets_see(name), name)
        if first != name:
            yield first, name
