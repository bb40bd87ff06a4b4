"""Query batches: reading a request to start one, and splitting its queries.

Source of all limits and codes: Supermetrics docs, "Batch queries (Preview)".
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.faults import Target
from tap_supermetrics.emulator.parameters import (
    Params,
    account_ids,
    date_range,
    is_true,
    source_of,
    today_of,
)
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery

if TYPE_CHECKING:
    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.world import World

FORMATS = frozenset(
    ("json", "keyjson", "ndjson", "csv", "tsv", "parquet", "powerbi", "qlik", "tableau", "postman")
)
"""The output formats of the real API (Supermetrics docs, "Output formats")."""

TIMEOUT, CONCURRENCY = (5, 30, 60), (1, 5, 50)
"""The lowest, the default and the highest minutes and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The things that reading a query depends on beside its parameters."""

    world: World
    options: Options
    now: datetime

    @classmethod
    def of(cls, engine: Engine) -> Surroundings:
        """Return them as they are now."""
        return cls(world=engine.world, options=engine.options, now=engine.clock.now())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A query after splitting: its parameters, `split_info` and the end of its schedule id."""

    params: Params
    split: Mapping[str, object] | None
    suffix: str


def parsed_batch(params: Params, batch_id: str, key: str, around: Surroundings) -> EmulatedBatch:
    """Return a batch from the body of a request.

    Raises:
        RefusalError: BATCH_*: a limit is exceeded, or an item is no query or cannot be split.
    """
    timeout = _bounded(params, "timeout_minutes", TIMEOUT)
    concurrency = _bounded(params, "query_concurrency", CONCURRENCY)
    shown = {
        "description": params.get("description"),
        "split_accounts_policy": _policy(params, "split_accounts_policy", "all"),
        "split_dates_policy": _policy(params, "split_dates_policy", "day"),
        "timeout_minutes": timeout,
        "query_concurrency": concurrency,
        "query_output_format": _format(params),
        "add_exclude_account_errors": is_true(params.get("add_exclude_account_errors")),
        "add_clean_data_types": is_true(params.get("add_clean_data_types")),
    }
    batch = EmulatedBatch(
        id=batch_id, key=key, shown=shown, concurrency=concurrency, timeout=timeout * 60.0
    )
    lists = around.options.batch_item_lists
    pieces = _pieces([_item(item, lists) for item in _items(params)], shown, around)
    batch.queries = tuple(
        EmulatedQuery(
            schedule_id=batch_id + piece.suffix,
            params=piece.params,
            key=key,
            target=target_of(batch_id + piece.suffix, piece.params, around),
            batch=batch,
            split=piece.split,
        )
        for piece in pieces
    )
    return batch


def target_of(schedule_id: str, params: Params, around: Surroundings) -> Target:
    """Return the data source, accounts and days of a query, as far as they can be read."""
    accounts: tuple[str, ...] = ()
    days: tuple[date | None, date | None] = (None, None)
    try:
        source = source_of(params, around.world, around.options)
        accounts = account_ids(params, source, around.world)
        if source.has_dates:
            today = today_of(params, around.options, around.now)
            days = date_range(params, source, around.options, today)
    except RefusalError:
        pass  # It will fail when it runs, and say why.
    ds_id = str(params.get("ds_id") or "").upper()
    return Target(
        schedule_id=schedule_id, ds_id=ds_id, accounts=accounts, first=days[0], last=days[1]
    )


def _bounded(params: Params, name: str, bounds: tuple[int, int, int]) -> int:
    lowest, default, highest = bounds
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,15}", str(value)):
        raise RefusalError("BAD_REQUEST", f"Parameter {name} must be a whole number.")
    if int(str(value)) > highest:
        code = f"BATCH_{name.upper()}_LIMIT_EXCEEDED"
        raise RefusalError(code, f"{value} was requested, {highest} is the maximum.")
    # There are error codes for too much only: too little is raised.
    return max(lowest, int(str(value)))


def _policy(params: Params, name: str, other: str) -> str:
    value = params.get(name) or "none"
    if value not in ("none", other):
        raise RefusalError("BAD_REQUEST", f'Parameter {name} must be "none" or "{other}".')
    return str(value)


def _format(params: Params) -> str:
    value = str(params.get("query_output_format") or "json")
    if value not in FORMATS:
        raise RefusalError("BATCH_QUERY_OUTPUT_FORMAT_INVALID", f'"{value}" is not supported.')
    check_emulated(value)
    return value


def check_emulated(output: str) -> None:
    """Refuse an output format other than JSON, the only one that the emulator writes.

    Raises:
        RefusalError: FORMAT_NOT_EMULATED, no code of the real API's.
    """
    if output != "json":
        raise RefusalError("FORMAT_NOT_EMULATED", f"The emulator does not write {output}.")


def _items(params: Params) -> list[object]:
    items = params.get("queries")
    if isinstance(items, str):
        try:
            items = json.loads(items)
        except ValueError:
            items = None
    if not isinstance(items, list) or not items:
        raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", "Parameter queries is required.")
    return items


def _item(item: object, lists: str) -> Params:
    if isinstance(item, str):
        item = parsed_url(item)
    if not isinstance(item, Mapping):
        raise RefusalError("BATCH_QUERY_ITEM_TYPE_INVALID", "Expected an object or a URL.")
    if not item.get("ds_id") or not item.get("fields"):
        raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", "A query needs ds_id and fields.")
    for name in ("ds_accounts", "fields"):
        is_list = isinstance(item.get(name), list)
        if name in item and lists != "both" and is_list is (lists == "texts"):
            wanted = "a string" if lists == "texts" else "an array"
            raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", f"{name} must be {wanted}.")
    return {key: value for key, value in item.items() if key not in {"api_key", "schedule_id"}}


def parsed_url(url: str) -> dict[str, object]:
    """Return the parameters of a query URL of version 2, or of 1 as far as its names tell them.

    Raises:
        RefusalError: It is no URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", "It is not a URL.") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", f"{url[:100]} is not a URL.")
    sent: dict[str, object] = dict(parse_qsl(parts.query, keep_blank_values=True))
    try:
        inner = json.loads(str(sent.pop("json", "{}")))
    except ValueError:
        inner = None
    if not isinstance(inner, dict):
        raise RefusalError("BATCH_QUERY_ITEM_VALUE_INVALID", "Parameter json is not an object.")
    named = {**sent, **inner}
    return {re.sub(r"(?<=[a-z])([A-Z]+)", r"_\1", key).lower(): named[key] for key in named}


def _pieces(items: list[Params], shown: Mapping[str, object], around: Surroundings) -> list[_Piece]:
    pieces: list[_Piece] = []
    for number, item in enumerate(items, 1):
        for piece in _split(_with_settings(item, shown), shown, around):
            n = number if around.options.schedule_id_counts == "sent" else len(pieces) + 1
            suffix = f"_query_{n}{piece.suffix}"
            pieces.append(_Piece(params=piece.params, split=piece.split, suffix=suffix))
            # Within the loop: centuries of days must not all be made before they are refused.
            _check_amount(len(pieces), around.options.batch_max_queries)
    return pieces


def _check_amount(amount: int, highest: int) -> None:
    if amount > highest:
        raise RefusalError(
            "BATCH_QUERIES_LIMIT_EXCEEDED",
            f"There are more than {highest} queries after splitting, {highest} are allowed.",
        )


def _with_settings(item: Params, shown: Mapping[str, object]) -> Params:
    """Return what a batch adds to each query. Which settings the real API adds is not known."""
    settings = item.get("settings") or {}
    if shown["add_exclude_account_errors"] and isinstance(settings, Mapping):
        item = {**item, "settings": {**settings, "exclude_invalid_accounts": True}}
    return {**item, "add_clean_data_types": True} if shown["add_clean_data_types"] else item


def _split(item: Params, shown: Mapping[str, object], around: Surroundings) -> Iterator[_Piece]:
    try:
        accounts = _accounts_of(item, around) if shown["split_accounts_policy"] == "all" else None
        days = _days_of(item, around) if shown["split_dates_policy"] == "day" else None
    except RefusalError as error:
        raise RefusalError(
            "BATCH_QUERY_ITEM_SPLIT_FAILED", error.description or error.code
        ) from None
    by_account = enumerate(accounts or (None,), 1)
    by_day = enumerate(days or (None,), 1)
    pairs = list(itertools.product(by_account, by_day))
    if around.options.split_order == "date":
        pairs.sort(key=lambda pair: (pair[1][0], pair[0][0]))
    for account, day in pairs:
        yield _piece(item, account, day, around.options)


def _accounts_of(item: Params, around: Surroundings) -> tuple[str, ...]:
    source = source_of(item, around.world, around.options)
    is_each = around.options.duplicate_accounts == "each"
    return account_ids(item, source, around.world, is_each=is_each)


def _days_of(item: Params, around: Surroundings) -> tuple[date, ...] | None:
    source = source_of(item, around.world, around.options)
    if not source.has_dates:
        return None
    today = today_of(item, around.options, around.now)
    first, last = date_range(item, source, around.options, today)
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def _piece(
    item: Params, account: tuple[int, str | None], day: tuple[int, date | None], options: Options
) -> _Piece:
    params, suffix = dict(item), ""
    if account[1] is not None:
        params["ds_accounts"] = account[1]
        suffix = f"_acc_{account[0]}"
    if day[1] is not None:
        params.pop("date_range_type", None)
        params |= {"start_date": day[1].isoformat(), "end_date": day[1].isoformat()}
        suffix += f"_day_{day[0]}" if options.schedule_id_date == "number" else f"_{day[1]}"
    split = {
        "ds_accounts": [account[1]] if account[1] is not None else [],
        "start_date": day[1].isoformat() if day[1] else None,
        "end_date": day[1].isoformat() if day[1] else None,
    }
    shown = split if suffix or options.split_info_unsplit == "object" else None
    return _Piece(params=params, split=shown, suffix=suffix)
