"""Words for people: numbers with their nouns, the word that was meant, the words of a name."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LETTERS: Final = 100
"""How many letters of a word are compared, which takes time by the square of the length."""


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun, as one or as many."""
    return f"{count:,} {one if count == 1 else many}"


def nearest(word: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """Return the known word that is most like one, whatever their case; nothing without any.

    Args:
        word: as it was written.
        known: of those that differ in case only, the first is used.
        cutoff: how much alike they must be: 1 for the same letters, 0 for no letter in common.
    """
    folded = {each.casefold(): each for each in reversed([*known])}
    close = difflib.get_close_matches(word[:MAX_LETTERS].casefold(), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def with_parted_words(name: str) -> str:
    """Return a name with `_` between its words, where capitals part them: `HTTP_Server_Name`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
