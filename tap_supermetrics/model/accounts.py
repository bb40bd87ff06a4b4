"""Accounts as a report names them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The accounts that a report reads; at most one attribute is set, none for "no accounts".

    Attributes:
        ids: account ids, in the order given, without repetition.
        list_name: `all_accounts`, or the slug of a team list (`list.<slug>` in the settings).
        filter_id: pattern that the account's id must match.
        filter_name: pattern that the account's name must match.
    """

    ids: tuple[str, ...] = ()
    list_name: str | None = None
    filter_id: str | None = None
    filter_name: str | None = None

    @property
    def team_list(self) -> str:
        """Return the name of a list whose accounts only the API knows; empty for none."""
        is_team_list = self.list_name not in {None, "all_accounts"}
        return f"list.{self.list_name}" if is_team_list else ""


def compile_filter(pattern: str) -> re.Pattern[str]:
    """Return a vendor's account filter as a Python pattern: `^act_45` or, delimited, `/shop$/i`.

    Source: Supermetrics docs, "Accounts": PCRE, delimiters optional.

    Raises:
        re.error: it is no regular expression.
        TypeError: it is no text.
    """
    delimited = re.fullmatch(r"([/#~@])(.*)\1([imsx]*)", pattern, re.DOTALL)
    body, flags = (delimited[2], delimited[3]) if delimited else (pattern, "")
    return re.compile(f"(?{flags}){body}" if flags else body)


def is_list(account: str) -> bool:
    """Return whether it is a list, whose accounts only the API knows."""
    return account.startswith("list.")
