"""Shards: which accounts each of several runs, side by side, takes of every report."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SHARDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of several runs that share the accounts, written `2/5`.

    Attributes:
        number: from 1.
        count: how many there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text names.

        Raises:
            ValueError: it names none.
        """
        # More or fewer parts than two raise ValueError here.
        number, count = (int(part) if part.isdecimal() else 0 for part in text.split("/"))
        if not 1 <= number <= count <= MAX_SHARDS:
            raise ValueError(f"{text} is no shard")
        return cls(number=number, count=count)

    @property
    def is_whole(self) -> bool:
        """Return whether one run takes all."""
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """Return whether it takes accounts that cannot be shared out."""
        return self.number == 1

    def owns(self, account: str) -> bool:
        """Return whether an account is one of the shard's, whatever other accounts there are.

        Case does not count in ids of accounts.
        """
        # Not `hash`, which gives each process other numbers.
        digest = hashlib.sha256(account.casefold().encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def owns_together(self, accounts: tuple[str, ...]) -> bool:
        """Return whether the accounts of one query are the shard's."""
        return self.owns(accounts[0]) if len(accounts) == 1 else self.is_first

    def share_of(self, accounts: Iterable[str]) -> tuple[str, ...]:
        """Return the accounts that are the shard's, in their order."""
        return tuple(filter(self.owns, accounts))

    def __str__(self) -> str:
        """Return it as in the settings and in the state: `2/5`."""
        return f"{self.number}/{self.count}"


WHOLE: Final = Shard(number=1, count=1)
"""The shard of a run that takes all accounts."""
