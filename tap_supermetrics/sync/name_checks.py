"""Checks the names in a report against those that the API lists, before anything costs quota."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import TapError
from tap_supermetrics.model import Accounts
from tap_supermetrics.model.account_spelling import (
    AS_A_NUMBER,
    MIN_DIGITS,
    digits_of,
    likely_core_of,
)
from tap_supermetrics.words import counted, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_supermetrics.model import Report
    from tap_supermetrics.sync.lookups import Lookups

logger = logging.getLogger(__name__)

MAX_NAMED: Final = 20
"""Names in one line; more are only counted."""
_EVERY: Final = frozenset({"", "all", "allaccounts", "any", "every", "listall", "listallaccounts"})
"""Words that people write for all accounts, letters only; `*` has none."""
_MAX_COMPARED: Final = 20_000
"""How many pairs of names are compared to find the one that was meant."""


def check_against_lists(lookups: Lookups, report: Report, loaded: Collection[str]) -> None:
    """Check logins, segments and accounts against the lists of the API, which may lag behind.

    Args:
        lookups: the lists.
        report: the report.
        loaded: accounts that were loaded before, which need no check.

    Raises:
        ApiError: the API refuses everything.
        TapError: the API lists an account in another spelling.
    """
    if report.login_names:
        _warn_of_unlisted(report, report.login_setting, report.login_names, lookups.logins_of)
    if report.segments:
        _warn_of_unlisted(report, "ds_segments", report.segments, lookups.segments_of)
    if report.accounts == Accounts():
        _warn_without_accounts(report, lookups)
    # Each shard checks its own share: together they check all, and each mistake once.
    mine = report.shard.share_of(report.accounts.ids)
    if unknown := [each for each in mine if each not in loaded]:
        _check_spelling(report, unknown, lookups)


def _warn_of_unlisted(
    report: Report,
    setting: str,
    wanted: Sequence[str],
    look_up: Callable[[Report], Mapping[str, str]],
) -> None:
    path = f"{report.path}.{setting}"
    try:
        listed = look_up(report)
    except ApiError as error:
        error.raise_if_it_refuses_everything()
        logger.warning("%s: not checked: %s", path, error)
        return
    if unknown := [each for each in wanted if each.casefold() not in listed]:
        known = _listing(sorted(listed.values())) or "none"
        text = "%s: %s does not list %s; it lists %s"
        logger.warning(text, path, report.ds_id, _listing(unknown), known)


def _warn_without_accounts(report: Report, lookups: Lookups) -> None:
    """Warn of a report that names no account, where its data source has some."""
    if listed := lookups.accounts.ids_if_listed(report):
        logger.warning(
            "%s.ds_accounts: left out, though %s lists %s, such as %s: the API may refuse every "
            "query; name them, or `list.all_accounts`",
            report.path,
            report.ds_id,
            counted(len(listed), "account", "accounts"),
            min(listed.values()),
        )


def _check_spelling(report: Report, wanted: Sequence[str], lookups: Lookups) -> None:
    """Refuse `123-456-7890`, as people see it, where the API has `1234567890`.

    The API accepts an id that it does not know, and then fails each of its queries, paid for. An id
    that resembles none may be visible to another login only.
    """
    listed = lookups.accounts.ids_if_listed(report)
    if listed is None:
        return
    unlisted = [each for each in wanted if each.casefold() not in listed]
    if not unlisted:
        return
    names = {
        _plain(name): id_ for id_, name in lookups.accounts.known_names()[report.ds_id].items()
    }
    meant = _ids_meant(unlisted, listed, names)
    path = f"{report.path}.ds_accounts: {report.ds_id} does not list"
    if meant:
        known = dict.fromkeys(each for ids in meant.values() for each in ids)
        raise TapError(f"{path} {_listing([*meant])}; did you mean {_listing([*known])}?")
    if impossible := [each for each in unlisted if _is_no_id(each, listed)]:
        raise TapError(
            f"{path} {_listing(impossible)}; its ids are numbers, such as {min(listed.values())}; "
            f"see `accounts {report.ds_id}`"
        )
    if listed:
        logger.warning("%s", unlisted_accounts_in_words(report, unlisted, listed))


def one_spelling(
    lookups: Lookups, report: Report, accounts: Sequence[str], loaded: Collection[str]
) -> tuple[str, ...]:
    """Return accounts, each once, as they were spelt when they were loaded, whatever their case.

    Ids are part of the key of rows. Two that the API itself lists, and that differ in case only,
    are two accounts.

    Raises:
        ApiError: the API refuses everything.
    """
    spelt = {each.casefold(): each for each in reversed((*sorted(loaded), *accounts))}
    if len(spelt) == len({*loaded, *accounts}):
        return tuple(accounts)
    try:
        listed = lookups.accounts.spellings_of(report)
    except ApiError as error:
        error.raise_if_it_refuses_everything()
        listed = frozenset()
    twice = {fold for fold, count in Counter(map(str.casefold, listed)).items() if count > 1}
    own = {*loaded} | {each for each in listed if each.casefold() in twice}
    found = (each if each in own else spelt[each.casefold()] for each in accounts)
    return tuple(dict.fromkeys(found))


def unlisted_accounts_in_words(
    report: Report, unlisted: Sequence[str], listed: Mapping[str, str]
) -> str:
    """Return a warning of accounts that the API does not list, but that may exist."""
    near = {each: _nearest(each, listed) for each in unlisted[:MAX_NAMED]}
    named = [
        f"{each} (did you mean {near[each]}?)" if near.get(each) else each for each in unlisted
    ]
    return (
        f"{report.path}.ds_accounts: {report.ds_id} does not list {_listing(named)}; if no login "
        f"of yours reads them their queries fail; see `accounts {report.ds_id}`"
    )


def _nearest(written: str, listed: Mapping[str, str]) -> str:
    """Return the id that resembles a mistyped one, or nothing."""
    if len(listed) > _MAX_COMPARED // MAX_NAMED:
        return ""
    return nearest(written, listed.values(), cutoff=0.85)


def _is_no_id(written: str, listed: Mapping[str, str]) -> bool:
    """Return whether an id has no digit, where those of its data source are all numbers."""
    are_numbers = all(len(digits_of(each)) >= MIN_DIGITS for each in listed)
    return bool(listed) and are_numbers and not digits_of(written)


def _ids_meant(
    unlisted: Sequence[str], listed: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return the listed ids that are likely meant by unlisted ones.

    Args:
        unlisted: the ids, as they are written.
        listed: the ids of the API, by id in lower case.
        names: ids in lower case, by the plain name of their account.
    """
    by_core = {likely_core_of(each): each for each in listed.values()}
    whole = "".join(unlisted)
    # `1,234,567,890` was read as four ids, each too short to be one.
    is_cut = len(unlisted) > 1 and all(len(each) < MIN_DIGITS for each in unlisted)
    if is_cut and whole.isdecimal() and (known := by_core.get(likely_core_of(whole))):
        return {",".join(unlisted): [known]}
    meant = dict[str, list[str]]()
    for each in unlisted:
        several = [listed[part] for part in _parts(each) if part in listed]
        one = by_core.get(likely_core_of(each)) or listed.get(names.get(_plain(each), ""))
        if found := [one] if one else several:
            meant[each] = found
        elif re.sub(r"[\W_]", "", each.casefold()) in _EVERY:
            meant[each] = ["list.all_accounts"]
        elif rounded := _rounded(each, by_core):
            meant[each] = rounded
    return meant


def _rounded(written: str, by_core: Mapping[str, str]) -> list[str]:
    """Return the ids that a spreadsheet may have shortened to `4.71E+09`."""
    found = re.fullmatch(AS_A_NUMBER, written.casefold())
    if not found or not found[3]:
        return []
    begin, length = (found[1] + (found[2] or "")).rstrip("0"), len(found[1]) + int(found[3])
    return [id_ for core, id_ in by_core.items() if core.startswith(begin) and len(core) == length]


def _parts(written: str) -> list[str]:
    """Return what may be the ids in a text without a clear separator."""
    return re.split(r"[^\w.-]+", written.casefold())


def _plain(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def unlisted_accounts(lookups: Lookups, report: Report) -> str:
    """Return a warning of accounts of a report that the API does not list; empty for none.

    Raises:
        ApiError: the API refuses everything.
    """
    if not report.accounts.ids:
        return ""
    listed = lookups.accounts.ids_if_listed(report)
    if listed is None:
        return ""
    mine = report.shard.share_of(report.accounts.ids)
    unlisted = [each for each in mine if each.casefold() not in listed]
    return unlisted_accounts_in_words(report, unlisted, listed) if unlisted else ""


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
