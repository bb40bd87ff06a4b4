"""Checks the names in a report against those that the API lists, before anything is paid."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import TapError
from tap_supermetrics.sync.lookups import check_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_supermetrics.model import Report
    from tap_supermetrics.sync.lookups import Lookups

logger = logging.getLogger(__name__)

MAX_NAMED: Final = 20
"""So many names stand in one line; of more, only how many."""
MIN_DIGITS: Final = 6
"""So many digits tell an account from others, whatever stands around them."""
_EVERY: Final = frozenset({"*", "all", "all accounts", "all_accounts", "any", "every", "list.all"})
"""Words by which people ask for all accounts."""


def check_names(lookups: Lookups, report: Report, loaded: Collection[str]) -> None:
    """Hold logins, segments and accounts against the lists of the API, which may lag behind.

    Args:
        lookups: the lists.
        report: the report.
        loaded: accounts that were loaded before, which need no check.

    Raises:
        ApiError: the API refuses everything.
        TapError: an account is one that the API lists, spelt otherwise.
    """
    if report.login_names:
        _warn_of_unlisted(report, report.login_setting, report.login_names, lookups.logins_of)
    if report.segments:
        _warn_of_unlisted(report, "ds_segments", report.segments, lookups.segments_of)
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
        check_reason(error)
        logger.warning("%s: not checked: %s", path, error)
        return
    if unknown := [each for each in wanted if each.casefold() not in listed]:
        known = _named(sorted(listed.values())) or "none"
        text = "%s: %s does not list %s; it lists %s"
        logger.warning(text, path, report.ds_id, _named(unknown), known)


def _check_spelling(report: Report, wanted: Sequence[str], lookups: Lookups) -> None:
    """Refuse `123-456-7890`, as people see it, where the API has `1234567890`.

    The API takes an id that it does not know, and then fails each of its queries, paid for. An id
    that resembles none may be one that only another login sees.
    """
    try:
        listed = lookups.account_ids_of(report)
    except ApiError as error:
        check_reason(error)
        return
    unlisted = [each for each in wanted if each.casefold() not in listed]
    if not unlisted:
        return
    names = {_plain(name): id_ for id_, name in lookups.known_names()[report.ds_id].items()}
    meant = _meant(unlisted, listed, names)
    if meant:
        known = dict.fromkeys(each for ids in meant.values() for each in ids)
        raise TapError(
            f"{report.path}.ds_accounts: {report.ds_id} does not list {_named([*meant])}; did you "
            f"mean {_named([*known])}?"
        )


def _meant(
    unlisted: Sequence[str], listed: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return what is meant by ids that the API does not list, where that shows.

    Args:
        unlisted: the ids, as they are written.
        listed: the ids of the API, by id in lower case.
        names: ids in lower case, by the plain name of their account.
    """
    by_core = {_core(each): each for each in listed.values()}
    whole = "".join(unlisted)
    # `1,234,567,890` was taken for four ids, which are too short to be any.
    is_cut = len(unlisted) > 1 and all(len(each) < MIN_DIGITS for each in unlisted)
    if is_cut and whole.isdecimal() and (known := by_core.get(_core(whole))):
        return {",".join(unlisted): [known]}
    meant = dict[str, list[str]]()
    for each in unlisted:
        several = [listed[part] for part in _parts(each) if part in listed]
        one = by_core.get(_core(each)) or listed.get(names.get(_plain(each), ""))
        if found := [one] if one else several:
            meant[each] = found
        elif _plain(each) in _EVERY:
            meant[each] = ["list.all_accounts"]
    return meant


def _parts(written: str) -> list[str]:
    """Return what may be the ids in a text that nobody can part for sure."""
    return re.split(r"[^\w.-]+", written.casefold())


def _plain(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())


def unlisted_accounts(lookups: Lookups, report: Report) -> str:
    """Return the accounts of a report that the API does not list, in words; empty for none.

    Raises:
        ApiError: the API refuses everything.
    """
    if not report.accounts.ids:
        return ""
    try:
        listed = lookups.account_ids_of(report)
    except ApiError as error:
        check_reason(error)
        return ""
    mine = report.shard.share_of(report.accounts.ids)
    return _named([each for each in mine if each.casefold() not in listed])


def _core(account_id: str) -> str:
    """Return what tells an id from others: its digits, where these are many."""
    # As digits are written with leading zeros, or by a keyboard of East Asia.
    digits = "".join(filter(str.isdecimal, normalize("NFKC", account_id))).lstrip("0")
    return digits if len(digits) >= MIN_DIGITS else re.sub(r"[\W_]", "", account_id).casefold()


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
