"""Accounts that an answer echoes in other words than they were requested: by name, as a host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from tap_supermetrics.model.account_spelling import folded, is_spelling_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SCHEME: Final = re.compile(r"https?://|sc-domain:")
_NUMBER: Final = re.compile("([a-z]*)0*([0-9]+)")
_HOST: Final = re.compile(r"(?!www\.)([a-z][\w-]*)(\.[\w-]+){2,}")
"""A host whose first part may be the name of a shop."""
_LABEL: Final = re.compile(r"[a-z][\w-]*")


class KnownAccounts:
    """The accounts that an answer may be about, by all that may be echoed for them.

    It understands the answer to a query for one account: without leading zeros, as a URL or a host,
    by the name that the API lists. What fits another account too is not understood: that costs a
    paid result, while its rows would stand under the wrong id in silence.

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

    def is_echoed(self, requested: str, echoes: Iterable[str]) -> bool:
        """Return whether an answer echoes this account, and no other one.

        Args:
            requested: the account of the query.
            echoes: the echo, in each way in which it may be read.
        """
        ids = self._ids or self._by_form()
        found = {
            each for text in echoes for form in _echoed(text) for each in _fitting(ids, form, text)
        }
        return bool(found) and all(is_spelling_of(each, requested.casefold()) for each in found)

    def _by_form(self) -> dict[str, set[str]]:
        """Return the ids by form, made when they are first needed."""
        ids: dict[str, set[str]] = {}
        for each in {*map(str.casefold, (*self._accounts, *self._names))}:
            for form in _forms(each):
                ids.setdefault(form, set()).add(each)
        for each, name in self._names.items():
            ids.setdefault(_as_name(name), set()).add(each.casefold())
        # Other threads see all of it or nothing.
        self._ids = ids
        return ids


def _fitting(ids: Mapping[str, set[str]], form: str, echo: str) -> Iterator[str]:
    """Yield the accounts of a form that scheme and prefix do not distinguish from the echo."""
    for each in ids.get(form, ()):
        schemes = {_scheme(each), _scheme(echo.casefold())} - {""}
        prefixes = {_prefix(each), _prefix(echo)} - {""} if form.startswith("number ") else set()
        are_hosts = form.startswith("label ") and "." in each and "." in echo
        if not are_hosts and max(len(schemes), len(prefixes)) < 2:  # noqa: PLR2004 - two differ
            yield each


def _echoed(text: str) -> Iterator[str]:
    yield from _forms(text)
    yield _as_name(text)


def _as_name(text: str) -> str:
    return f"name {' '.join(normalize('NFKC', text).casefold().split())}"


def _forms(account: str) -> Iterator[str]:
    """Yield the forms that an account shares with other spellings of it."""
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
