"""Split information that a status leaves out, or gives in another form than documented."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.api.wire import SplitInfo
from tap_supermetrics.model import SplitAccounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.api.wire import BatchQuery
    from tap_supermetrics.model import BatchItem, Query, SplitPolicy

_ACCOUNT: Final = re.compile(r"_acc_(\d+)")
_DAY: Final = re.compile(r"_(\d{4}-\d{2}-\d{2})$")
_NAME: Final = re.compile(r" \(")


def restored(
    items: Mapping[int, BatchItem],
    entries: Sequence[BatchQuery],
    places: Sequence[int],
    split: SplitPolicy,
) -> list[BatchQuery]:
    """Return the entries of a status, with split information where that is missing and is sure.

    The ids name the account (`..._acc_<m>`, as documented) and may name the day; else days are in
    the order of creation. An item is left as it is unless it has as many entries as queries. A
    mistake here is found later: results echo their account and days, which are compared with these.

    Args:
        items: the batch's items by their place.
        entries: the whole list of the status, in creation order.
        places: of each entry, the place of its item.
        split: how the items are split.
    """
    found: dict[int, BatchQuery] = {}
    for place, item in items.items():
        own = [number for number, each in enumerate(places) if each == place]
        queries = item.queries(split)
        is_bare = all(entries[number].split_info is None for number in own)
        # One entry with its split shows that the API gives it: nothing is restored then.
        if is_bare and len(own) == len(queries) > 1:
            bare = [entries[number] for number in own]
            found |= dict(zip(own, _filled(item, bare, queries, split), strict=False))
    return [found.get(number, each) for number, each in enumerate(entries)]


def _filled(
    item: BatchItem, entries: Sequence[BatchQuery], queries: Sequence[Query], split: SplitPolicy
) -> list[BatchQuery]:
    """Return entries with split information by ids and order; none where these do not fit."""
    by_account = split.accounts is not SplitAccounts.NONE and len(item.accounts) > 1
    left: dict[tuple[str, ...], list[Query]] = {}
    for query in queries:
        left.setdefault(query.accounts, []).append(query)
    filled = []
    for entry in entries:
        accounts = _account_of(item, entry) if by_account else queries[0].accounts
        # Taken out: two entries with the same day or account must not be the same query.
        taken = _take_query(left.get(accounts, []), entry)
        if taken is None:
            # One misfit leaves all others unsure, as only their order distinguishes them.
            return []
        filled.append(msgspec.structs.replace(entry, split_info=_split_info(taken)))
    return filled


def _split_info(query: Query) -> SplitInfo:
    dates = query.dates
    return SplitInfo(
        ds_accounts=list(query.accounts),
        start_date=dates.first.isoformat() if dates else None,
        end_date=dates.last.isoformat() if dates else None,
    )


def _account_of(item: BatchItem, entry: BatchQuery) -> tuple[str, ...]:
    found = _ACCOUNT.search(entry.schedule_id)
    number = int(found[1]) if found else 0
    return (item.accounts[number - 1],) if 1 <= number <= len(item.accounts) else ()


def _take_query(left: list[Query], entry: BatchQuery) -> Query | None:
    """Take the query of the day that an id names, else the next one."""
    named = _DAY.search(entry.schedule_id)
    for number, query in enumerate(left):
        if not named or (query.dates and query.dates.first.isoformat() == named[1]):
            return left.pop(number)
    return None


def ids_within(echo: str) -> list[str]:
    """Return what may be the id of an account that is echoed as `id (name)`, or by its id.

    Both may have brackets of their own.
    """
    begins = (found.start() for found in _NAME.finditer(echo))
    return [echo, *(echo[:begin] for begin in begins if echo.endswith(")"))]
