"""Accounts that an answer tells in other words than they were asked for: by name, as a host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from tap_supermetrics.model.account_spelling import are_one, folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SCHEME: Final = re.compile(r"https?://|sc-domain:")
_NUMBER: Final = re.compile("([a-z]*)0*([0-9]+)")
_HOST: Final = re.compile(r"(?!www\.)([a-z][\w-]*)(\.[\w-]+){2,}")
"""A host whose first part may be the name of a shop."""
_LABEL: Final = re.compile(r"[a-z][\w-]*")


class KnownAccounts:
    """The accounts that an answer may be about, by all that they may be told as.

    It understands the answer to a query for one account: without leading zeros, as a URL or a host,
    by the name that the API lists. What fits another account too is not understood: that costs a
    result that was paid for, while its rows would stand under the wrong id in silence.

    Args:
        accounts: ids of a report's accounts.
        names: of the accounts that the API lists, by id; none where the list is not known.
    """

    def __init__(
        self, accounts: Iterable[str] = (), names: Mapping[str, str] | None = None
    ) -> None:
        self._accounts = tuple(accounts)
        self._names = names or {}
        self._ids: dict[str, set[str]] = {}

    def is_told(self, asked: str, told: Iterable[str]) -> bool:
        """Return whether an answer tells this account, and no other one.

        Args:
            asked: the account that was asked for.
            told: what the answer tells, read in each way that it may be read.
        """
        ids = self._ids or self._by_form()
        found = {
            each for text in told for form in _told_as(text) for each in _fitting(ids, form, text)
        }
        return bool(found) and all(are_one(each, asked.casefold()) for each in found)

    def _by_form(self) -> dict[str, set[str]]:
        """Make the index, of use where an answer is not understood without it."""
        ids: dict[str, set[str]] = {}
        for each in {*map(str.casefold, (*self._accounts, *self._names))}:
            for form in _forms(each):
                ids.setdefault(form, set()).add(each)
        for each, name in self._names.items():
            ids.setdefault(_as_name(name), set()).add(each.casefold())
        # Other threads see all of it or nothing.
        self._ids = ids
        return ids


def _fitting(ids: Mapping[str, set[str]], form: str, told: str) -> Iterator[str]:
    """Yield the accounts of a form that nothing else tells apart from what is told."""
    for each in ids.get(form, ()):
        schemes = {_scheme(each), _scheme(told.casefold())} - {""}
        prefixes = {_prefix(each), _prefix(told)} - {""} if form.startswith("number ") else set()
        are_hosts = form.startswith("label ") and "." in each and "." in told
        if not are_hosts and max(len(schemes), len(prefixes)) < 2:  # noqa: PLR2004 - two differ
            yield each


def _told_as(text: str) -> Iterator[str]:
    yield from _forms(text)
    yield _as_name(text)


def _as_name(text: str) -> str:
    return f"name {' '.join(normalize('NFKC', text).casefold().split())}"


def _forms(account: str) -> Iterator[str]:
    """Yield what an account has in common with other spellings of it."""
    text = account.strip().casefold()
    plain = text.removeprefix(_scheme(text)).rstrip("/")
    yield f"text {plain}"
    if number := _NUMBER.fullmatch(folded(text)):
        yield f"number {number[2]}"
    if host := _HOST.fullmatch(plain):
        yield f"label {host[1]}"
    elif _LABEL.fullmatch(plain):
        yield f"label {plain}"


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    return found[0] if found else ""


def _prefix(account: str) -> str:
    found = _NUMBER.fullmatch(folded(account))
    return found[1] if found else ""
