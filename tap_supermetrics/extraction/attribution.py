"""Which query of a batch is which: from the API's ids and split information to planned queries.

An answer must never be attributed to the wrong days or account, so whatever cannot be matched
exactly stays unmatched, and its query counts as missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_supermetrics.api.wire import BatchQuery, SplitInfo
    from tap_supermetrics.planning.packing import BatchItem
    from tap_supermetrics.planning.plan import Query

_ITEM_NUMBER = re.compile(r"_query_(\d+)(?:_|$)")
_Key = tuple[tuple[str, ...], str, str]


def attribute(
    items: Mapping[int, BatchItem],
    entries: Sequence[BatchQuery],
    *,
    split_dates: bool,
    split_accounts: bool,
) -> dict[Query, BatchQuery]:
    """Match the queries that a batch was started with to what its status lists.

    The id says which item a query comes from (`qrb_..._query_<n>`, from 1, in the order of the
    request), and the split information which account and day of it. Where the ids count otherwise,
    the documented order of creation is used instead.

    Args:
        items: the batch's items by their place, from 0; some may be missing.
        entries: the whole list of the status, in creation order.
        split_dates: whether the items are split by day.
        split_accounts: whether the items are split by account.

    Returns:
        The queries that could be matched, each with its entry.
    """
    expected = {
        place: {
            _key(query.accounts, query): query
            for query in item.queries(split_dates=split_dates, split_accounts=split_accounts)
        }
        for place, item in items.items()
    }
    by_number = dict(_by_number(items, expected, entries))
    if len(by_number) == sum(len(queries) for queries in expected.values()):
        return by_number
    is_whole = sorted(items) == list(range(len(items)))
    in_order = dict(_in_order(items, expected, entries)) if is_whole else {}
    return in_order if len(in_order) == len(entries) else by_number


def _by_number(
    items: Mapping[int, BatchItem],
    expected: Mapping[int, Mapping[_Key, Query]],
    entries: Sequence[BatchQuery],
) -> Iterator[tuple[Query, BatchQuery]]:
    for entry in entries:
        match = _ITEM_NUMBER.search(entry.schedule_id)
        place = int(match[1]) - 1 if match else -1
        if place in items:
            query = expected[place].get(_entry_key(items[place], entry.split_info))
            if query:
                yield query, entry


def _in_order(
    items: Mapping[int, BatchItem],
    expected: Mapping[int, Mapping[_Key, Query]],
    entries: Sequence[BatchQuery],
) -> Iterator[tuple[Query, BatchQuery]]:
    place, left = 0, dict(expected.get(0, {}))
    for entry in entries:
        while not left and place + 1 in items:
            place += 1
            left = dict(expected[place])
        query = left.pop(_entry_key(items[place], entry.split_info), None)
        if query:
            yield query, entry


def _entry_key(item: BatchItem, split: SplitInfo | None) -> _Key:
    """The key of an entry: what was split off, else the item's own."""
    accounts = tuple(split.ds_accounts or ()) if split else ()
    first = (split and split.start_date) or (item.dates and item.dates.first.isoformat()) or ""
    last = (split and split.end_date) or (item.dates and item.dates.last.isoformat()) or ""
    return _folded(accounts or item.accounts), first, last


def _key(accounts: Sequence[str], query: Query) -> _Key:
    dates = query.dates
    first, last = (dates.first.isoformat(), dates.last.isoformat()) if dates else ("", "")
    return _folded(accounts), first, last


def _folded(accounts: Sequence[str]) -> tuple[str, ...]:
    """Ids as they compare: `123-456-7890` and `1234567890` are one account."""
    return tuple(sorted(re.sub(r"[^\w]|_", "", each.casefold()) for each in accounts))
