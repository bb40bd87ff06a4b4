"""The accounts that the API lists, each list requested once, and those that a filter matches."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import listings
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import compile_filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Report

MAX_FILTER_S: Final = 10.0
"""Seconds; longer than any sound pattern takes with a hundred thousand names."""


class AccountLists:
    """Lists the accounts that the logins of a report can read; every method may raise `ApiError`.

    Args:
        client: the API.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._listed: dict[tuple[str, str], tuple[listings.AccountInfo, ...]] = {}
        self._ages: dict[object, int] = {}

    def of(self, report: Report) -> tuple[listings.AccountInfo, ...]:
        """Return the accounts that the API lists for the logins of a report."""
        key = report.ds_id, str(report.logins)
        # One list serves all reports of its logins, unless one of them needs a younger one.
        age = listings.MIN_AGE_MINUTES if report.require_fresh_days else listings.MAX_AGE_MINUTES
        if self._ages.get(key, age + 1) > age:
            self._listed[key] = self._client.accounts(report.ds_id, report.logins, age)
            self._ages[key] = age
        return self._listed[key]

    def ids_of(self, report: Report) -> Mapping[str, str]:
        """Return the ids of the accounts that the API lists, by id in lower case."""
        return {each.id.casefold(): each.id for each in self.of(report)}

    def ids_if_listed(self, report: Report) -> Mapping[str, str] | None:
        """Return the same; None where the API does not list accounts for this report.

        Raises:
            ApiError: the API refuses everything.
        """
        try:
            return self.ids_of(report)
        except ApiError as error:
            error.raise_if_it_refuses_everything()
            return None

    def spellings_of(self, report: Report) -> frozenset[str]:
        """Return the ids of the accounts that the API lists, as it spells them."""
        return frozenset(each.id for each in self.of(report))

    def chosen_by(self, report: Report) -> tuple[str, ...]:
        """Return the ids that the filter of a report matches; all where it has none.

        Raises:
            SettingsError: the filter takes too long.
        """
        chosen, listed = report.accounts, self.of(report)
        by_id = bool(chosen.filter_id)
        pattern = chosen.filter_id or chosen.filter_name or ""
        try:
            matches = matching(pattern, (x.id if by_id else x.account_name for x in listed))
        except EndlessError:
            text = "takes too long with a name that the API lists; avoid repeating what repeats"
            raise SettingsError([f"{report.path}.ds_accounts: {pattern} {text}"]) from None
        return tuple(each.id for each, is_match in zip(listed, matches, strict=True) if is_match)

    def known_names(self) -> dict[str, dict[str, str]]:
        """Return the names of accounts that were listed so far, by data source and id, lower case.

        It sends no request.
        """
        names: dict[str, dict[str, str]] = {}
        for (ds_id, _), accounts in self._listed.items():
            known = {each.id.casefold(): each.account_name for each in accounts}
            names.setdefault(ds_id, {}).update(known)
        return names


class EndlessError(Exception):
    """A pattern took too long, and was given up."""


def matching(pattern: str, texts: Iterable[str]) -> list[bool]:
    """Return for each text whether an account filter matches it.

    Raises:
        EndlessError: that took too long, as patterns do that repeat what repeats itself.
    """
    is_match = compile_filter(pattern).search
    with _bounded(MAX_FILTER_S):
        return [bool(is_match(each)) for each in texts]


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Interrupt what takes too long, where the system can: `re` checks signals, but no clock."""
    # Python lets only the main thread set handlers of signals, and runs them only there.
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "setitimer")):
        yield
        return
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        # First the clock, then the handler: by default, a late alarm ends the process.
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise EndlessError
