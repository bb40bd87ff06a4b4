"""Matches the entries of a batch's status to planned queries, by their ids and split information.

An answer must never be attributed to the wrong days or account, so whatever cannot be matched
exactly stays unmatched, and its query counts as missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.wire import batch_id_of
from tap_supermetrics.extraction.unsplit import ids_within, restored
from tap_supermetrics.model.account_spelling import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_supermetrics.api.wire import BatchQuery
    from tap_supermetrics.model import BatchItem, Query, SplitPolicy

_BATCH_ID: Final = re.compile(r"qrb_\w+")
_ITEM_NUMBER = re.compile(r"_query_(\d+)(?:_|$)")
DAY_LENGTH: Final = len("2024-05-20")
_Key = tuple[tuple[str, ...], str, str]


def names_another(batch_id: str, entry: BatchQuery) -> bool:
    """Return whether the id of an entry names another batch than the requested one.

    Documented is `qrb_..._query_<n>`, made of the batch's id. Other ids may be anything.
    """
    named = batch_id_of(entry.schedule_id)
    is_known = bool(named) and bool(_BATCH_ID.fullmatch(batch_id))
    return is_known and named.casefold() != batch_id.casefold()


def attribute(
    items: Mapping[int, BatchItem],
    entries: Sequence[BatchQuery],
    split: SplitPolicy,
    size: int,
) -> dict[Query, BatchQuery]:
    """Match the queries of a batch to the entries of its status.

    The id says which item a query comes from (`qrb_..._query_<n>`, in the order of the request,
    from 1 as documented, or from 0 where there is a 0), and the split information which account
    and day of it. Where the ids count otherwise, the documented order of creation is used instead;
    where neither is sure, nothing is matched.

    Args:
        items: the batch's items by their place, from 0; some may be missing.
        entries: the whole list of the status, in creation order.
        split: how the items are split.
        size: how many items the batch has.

    Returns:
        The queries that could be matched, each with its entry.
    """
    expected = {
        place: {_key(item, query): query for query in item.queries(split)}
        for place, item in items.items()
    }
    numbers = [_number(entry) for entry in entries]
    start = 0 if 0 in numbers else 1
    entries = restored(items, entries, _places(numbers, expected, start), split)
    by_number = dict(_by_number(items, expected, entries, start))
    # All items of the batch are known: no report of it is missing in this state.
    is_prefix = sorted(items) == list(range(size))
    total = sum(len(queries) for queries in expected.values())
    is_in_order = sorted(numbers) == list(range(start, start + total))
    # Ids without numbers count as -1: then the order of creation is all that there is.
    counts_queries = is_in_order or max(numbers, default=0) <= 0
    if is_prefix and len(entries) == total and counts_queries:
        # The documented meaning goes first; the order of creation only where that does not fit.
        return by_number if len(by_number) == total else _if_all(entries, items, expected)
    # Entries or items are missing. Numbers that repeat count items, as documented; numbers that do
    # not may count queries, which only makes no difference where no item was split.
    counts_items = len(set(numbers)) < len(numbers)
    is_unsplit = split.is_whole or (is_prefix and total == len(items))
    return by_number if counts_items or is_unsplit else {}


def _places(
    numbers: Sequence[int], expected: Mapping[int, Mapping[_Key, Query]], start: int
) -> list[int]:
    """Return the place of the item that each entry belongs to: by its number, or by their order."""
    in_order = [place for place, queries in sorted(expected.items()) for _ in queries]
    counts_queries = len(set(numbers)) == len(numbers) == len(in_order)
    return in_order if counts_queries else [number - start for number in numbers]


def _if_all(
    entries: Sequence[BatchQuery],
    items: Mapping[int, BatchItem],
    expected: Mapping[int, Mapping[_Key, Query]],
) -> dict[Query, BatchQuery]:
    """Return the queries matched in order of creation, if that fits every entry; else nothing."""
    in_order = dict(_in_order(items, expected, entries))
    # All or nothing: an order that fits in part may be shifted by one.
    return in_order if len(in_order) == len(entries) else {}


def _number(entry: BatchQuery) -> int:
    match = _ITEM_NUMBER.search(entry.schedule_id)
    return int(match[1]) if match else -1


def _by_number(
    items: Mapping[int, BatchItem],
    expected: Mapping[int, Mapping[_Key, Query]],
    entries: Sequence[BatchQuery],
    start: int,
) -> Iterator[tuple[Query, BatchQuery]]:
    for entry in entries:
        place = _number(entry) - start
        if place in items:
            query = expected[place].get(_entry_key(items[place], entry))
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
        query = left.pop(_entry_key(items[place], entry), None)
        if query:
            yield query, entry


def _entry_key(item: BatchItem, entry: BatchQuery) -> _Key:
    """Return the key of an entry: accounts and days that were split off, else the item's own."""
    split = entry.split_info
    first = (split and split.start_date) or (item.dates and item.dates.first.isoformat()) or ""
    last = (split and split.end_date) or (item.dates and item.dates.last.isoformat()) or ""
    # A day may be written as its midnight.
    return _folded(item, _accounts(item, entry)), first[:DAY_LENGTH], last[:DAY_LENGTH]


def _accounts(item: BatchItem, entry: BatchQuery) -> Sequence[str]:
    """Return the accounts of an entry, which may come with their names; else the item's own."""
    known = {folded(each) for each in item.accounts}
    return [
        next((one for one in ids_within(each) if folded(one) in known), each)
        for each in entry.accounts or item.accounts
    ]


def _key(item: BatchItem, query: Query) -> _Key:
    dates = query.dates
    first, last = (dates.first.isoformat(), dates.last.isoformat()) if dates else ("", "")
    return _folded(item, query.accounts), first, last


def _folded(item: BatchItem, accounts: Sequence[str]) -> tuple[str, ...]:
    """Return account ids to compare by: `12-34` and `1234` are one, unless the item has both."""
    is_clear = len({folded(each) for each in item.accounts}) == len(item.accounts)
    return tuple(sorted(folded(each) if is_clear else each for each in accounts))
