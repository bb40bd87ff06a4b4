"""Values as the state and the journal store them, and as people edit them there.

A malformed value raises one of `MALFORMED`.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.dates import ONE_DAY, DateRange, merge, parse_date
from tap_supermetrics.model import (
    AsyncRun,
    BatchItem,
    SplitAccounts,
    SplitDates,
    SplitPolicy,
    SubmittedBatch,
)
from tap_supermetrics.records.kinds import ValueKind
from tap_supermetrics.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

MALFORMED: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
_MAX_DAYS: Final = 3660
_TIME: Final = r"([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
_OFFSET: Final = r"(?<=\d)(Z|[+-]\d\d:?\d\d)$"
_YEARS: Final = range(1970, 9000)


def id_of(raw: Any) -> str:  # noqa: ANN401 - whatever the state contains
    """Return an id, which may have been written as a number."""
    # To Python, true is an integer.
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise TypeError(f"{raw!r} is no id")
    return str(raw)


def bookmark_of(raw: Any) -> date | None:  # noqa: ANN401 - whatever the state contains
    """Return the last day that a bookmark covers; None for an empty one.

    A bookmark with a time of day, as other taps write it, names a day that was not over.
    """
    if not raw:
        return None
    day, time = parse_date(raw[:10]), re.sub(_OFFSET, "", raw[10:])
    if not re.fullmatch(_TIME, time):
        raise ValueError(f"{raw!r} is neither a day nor a moment")
    return day - ONE_DAY if re.search("[1-9]", time) else day


def strange_keys(raw: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return the keys that resemble a known one, each with that one: likely typing errors."""
    near = {key: nearest(key, known) for key in raw if key not in known}
    return [f"{key} (did you mean {found}?)" for key, found in near.items() if found]


def texts_of(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the state contains
    """Return a list of texts."""
    if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
        raise TypeError(f"{raw!r} is no list of texts")
    return tuple(raw)


def types_of(raw: Any) -> dict[str, str]:  # noqa: ANN401 - whatever the state contains
    """Return types by column; those that this version does not know are left out."""
    words = {kind.name.lower() for kind in ValueKind}
    folded = {str(column): str(word).lower() for column, word in raw.items()}
    return {column: word for column, word in folded.items() if word in words}


def units_of(raw: Any) -> dict[str, str]:  # noqa: ANN401 - whatever the state contains
    """Return units by column."""
    return {str(column): str(unit).lower() for column, unit in raw.items() if unit}


def flag_of(raw: Any) -> bool:  # noqa: ANN401 - whatever the state contains
    """Return true or false."""
    if not isinstance(raw, bool):
        raise TypeError(raw)
    return raw


def strict_moment_of(raw: Any) -> datetime:  # noqa: ANN401 - whatever the state contains
    """Return a moment, which must have an offset."""
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no offset")
    if moment.year not in _YEARS:
        # At the ends of the calendar, no other time zone has it.
        raise ValueError(f"{moment} is of no year of ours")
    return moment


def ranges_of(raw: Any) -> tuple[DateRange, ...]:  # noqa: ANN401 - whatever the state contains
    """Return date ranges, merged, as people write them in any order."""
    ranges = tuple(_range_of(first, last) for first, last in raw)
    is_merged = all(
        one.last.toordinal() + 1 < other.first.toordinal() for one, other in pairwise(ranges)
    )
    return ranges if is_merged else merge(ranges)


def ranges_to_json(ranges: Iterable[DateRange]) -> list[list[str]]:
    """Return date ranges as `[[first, last], ...]`."""
    return [[_text_of(each.first), _text_of(each.last)] for each in ranges]


# A state with gaps may contain a million ranges, of a few thousand days: each is made once.


@lru_cache(maxsize=16_384)
def _range_of(first: str, last: str) -> DateRange:
    return DateRange(first=parse_date(first), last=parse_date(last))


@lru_cache(maxsize=16_384)
def _text_of(day: date) -> str:
    return day.isoformat()


def batch_to_json(batch: SubmittedBatch) -> dict[str, Any]:
    """Return a report's part of a query batch as JSON for the state and the journal."""
    shared = _shared_accounts(batch)
    return {
        "batch_id": batch.batch_id,
        "submitted_at": batch.submitted_at.isoformat(),
        "split_dates_policy": batch.split.dates.value,
        "split_accounts_policy": batch.split.accounts.value,
        "size": batch.item_count,
        **({"accounts": list(shared)} if shared else {}),
        "items": [_item_to_json(place, item, shared) for place, item in batch.items.items()],
    }


def _shared_accounts(batch: SubmittedBatch) -> tuple[str, ...]:
    """Return the accounts that all items have: written once, as each item may have hundreds."""
    accounts = {item.accounts for item in batch.items.values()}
    return next(iter(accounts)) if len(accounts) == 1 and len(batch.items) > 1 else ()


def _item_to_json(place: int, item: BatchItem, shared: tuple[str, ...]) -> dict[str, Any]:
    accounts = {} if shared else {"accounts": list(item.accounts)}
    dates = ranges_to_json((item.dates,))[0] if item.dates else None
    return {"place": place, **accounts, "dates": dates} | (
        {"is_fresh": True} if item.is_fresh else {}
    )


def batch_from_json(raw: Any, report: str) -> SubmittedBatch:  # noqa: ANN401 - whatever the state contains
    """Return a report's part of a query batch from the JSON of the state or the journal.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, OverflowError: it is no such thing.
    """
    shared = {"accounts": raw["accounts"]} if "accounts" in raw else {}
    items = {int(each["place"]): _item(shared | each, report) for each in raw["items"]}
    return SubmittedBatch(
        batch_id=id_of(raw["batch_id"]),
        submitted_at=strict_moment_of(raw["submitted_at"]),
        split=_split(raw),
        items=items,
        item_count=int(raw.get("size", max(items, default=0) + 1)),
    )


def _split(raw: Mapping[str, Any]) -> SplitPolicy:
    """Return how a batch is split; until 0.1.0 the state had flags instead of the API's words."""
    if "split_dates_policy" not in raw:
        dates = SplitDates.DAY if raw["split_dates"] else SplitDates.NONE
        accounts = SplitAccounts.ALL if raw["split_accounts"] else SplitAccounts.NONE
        return SplitPolicy(dates=dates, accounts=accounts)
    return SplitPolicy(
        dates=SplitDates(raw["split_dates_policy"]),
        accounts=SplitAccounts(raw["split_accounts_policy"]),
    )


def _item(raw: Mapping[str, Any], report: str) -> BatchItem:
    dates = ranges_of([raw["dates"]])[0] if raw["dates"] else None
    # An item is made into a query for each of its days: a typing error would fill memory.
    if dates and dates.days > _MAX_DAYS:
        raise ValueError(f"{dates} are more days than a query batch can contain")
    return BatchItem(
        report=report,
        accounts=texts_of(raw["accounts"]),
        dates=dates,
        is_fresh=bool(raw.get("is_fresh")),
    )


def async_run_of(raw: Any) -> AsyncRun:  # noqa: ANN401 - whatever the state contains
    """Return a run of queries submitted by themselves from the JSON of the state or the journal.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, OverflowError: it is no such thing.
    """
    # Older states have an object.
    run_id, at = (raw["run_id"], raw["started_at"]) if isinstance(raw, dict) else raw
    return AsyncRun(id=id_of(run_id), submitted_at=strict_moment_of(at))


def async_run_to_json(run: AsyncRun | None) -> list[str] | None:
    """Return a run of queries submitted by themselves as JSON for the state and the journal."""
    return [run.id, run.submitted_at.isoformat()] if run else None


def submitted_of(raw: Any, report: str) -> SubmittedBatch | AsyncRun:  # noqa: ANN401 - whatever the journal contains
    """Return what was submitted for a report from the JSON of the journal.

    Raises:
        LookupError, TypeError, ValueError, AttributeError, OverflowError: it is no such thing.
    """
    if "async_run" in raw:
        return async_run_of(raw["async_run"])
    return batch_from_json(raw["batch"], report)


def submitted_to_json(submitted: SubmittedBatch | AsyncRun) -> dict[str, Any]:
    """Return what was submitted as JSON for the journal."""
    if isinstance(submitted, AsyncRun):
        return {"async_run": async_run_to_json(submitted)}
    return {"batch": batch_to_json(submitted)}
