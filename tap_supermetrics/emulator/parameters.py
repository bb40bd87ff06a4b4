"""The parameters of a query, checked, resolved, ready to run.

Sources: Supermetrics docs, "Get data", "Accounts", "Settings", "Date strings"; what public clients
send is accepted too (field objects with an `id`, unknown top-level parameters).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.clock import time_zone
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.filters import Filter, Order, parsed_filter, parsed_order, pattern
from tap_supermetrics.emulator.ranges import parsed_day, parsed_range

if TYPE_CHECKING:
    from tap_supermetrics.emulator.catalogue import Field, Source
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.world import World

Params = Mapping[str, object]

DEFAULT_MAX_ROWS = 1000
"""Rows of a result when `max_rows` is not sent (seen in public client code)."""

MAX_ROWS = 1_000_000
"""Rows of any result (Supermetrics fair usage policy, 2025-11-04)."""

COMMON_SETTINGS = frozenset(
    {
        "blanks_to_zero",
        "decode_json_fields",
        "exclude_invalid_accounts",
        "exclude_unavailable_accounts",
        "no_headers",
        "no_json_keys",
        "round_metrics_to",
        "show_all_time_values",
        "timezone",
    }
)
DEFAULT_SETTINGS: Mapping[str, object] = {"round_metrics_to": 4, "no_json_keys": True}
"""The effective settings seen in a real answer beside those sent."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_NOT_THE_QUESTION = frozenset(
    {"api_key", "schedule_id", "sync_timeout", "offset_start", "offset_end", "pretty"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query, understood.

    Attributes:
        source: The data source.
        account_ids: The accounts, lists and filters expanded.
        segment_ids: The segments, which change no rows here.
        first: First day; None for a data source without dates.
        last: Last day, included.
        fields: The fields with the ids under which they were asked for.
        settings: As sent; see `effective_settings`.
        filter: Which rows to keep.
        order: How to sort them.
        max_rows: At most so many rows.
        cache_minutes: As sent.
        today: The day on which it was asked, in its time zone.
    """

    source: Source
    account_ids: tuple[str, ...]
    segment_ids: tuple[str, ...]
    first: date | None
    last: date | None
    fields: tuple[tuple[str, Field], ...]
    settings: Mapping[str, object]
    filter: Filter | None
    order: tuple[Order, ...]
    max_rows: int
    cache_minutes: int | None
    today: date

    @property
    def effective_settings(self) -> dict[str, object]:
        """Return the settings with their defaults, as answers repeat them."""
        return {
            **self.settings,
            **{k: v for k, v in DEFAULT_SETTINGS.items() if k not in self.settings},
        }

    @property
    def digits(self) -> int:
        """Return the number of decimals that metrics are rounded to."""
        return int(str(self.effective_settings["round_metrics_to"]))

    def is_set(self, key: str) -> bool:
        """Return whether a yes-or-no setting is on."""
        return is_true(self.settings.get(key))


def is_true(value: object) -> bool:
    """Return whether a yes-or-no value, as JSON or as text, is yes."""
    return str(value).lower() in _TRUE


def question(params: Params, world: World, options: Options, now: datetime) -> Question:
    """Understand a query.

    Raises:
        RefusalError: A parameter is missing or wrong; the first one found.
    """
    source = source_of(params, world, options)
    settings = _settings(params, source)
    today = _today(settings, options, now)
    first, last = date_range(params, source, options, today) if source.has_dates else (None, None)
    fields = _fields(params, source)
    chosen = _whole(params, "max_rows", DEFAULT_MAX_ROWS)
    _refuse_comparison(params)
    order = parsed_order(params.get("order_rows"), source)
    _check_named(order, fields)
    return Question(
        source=source,
        account_ids=account_ids(params, source, world),
        segment_ids=tuple(str(each) for each in _texts(params.get("ds_segments") or []) if each),
        first=first,
        last=last,
        fields=fields,
        settings=settings,
        filter=_filter(params, source, fields),
        order=order,
        max_rows=min(chosen, MAX_ROWS),
        cache_minutes=_whole(params, "cache_minutes", None),
        today=today,
    )


def source_of(params: Params, world: World, options: Options) -> Source:
    """Return the data source of a query."""
    ds_id = str(params.get("ds_id") or "").strip().upper()
    if not ds_id:
        raise RefusalError("DATA_SOURCE_REQUIRED", "Parameter ds_id is required.")
    if ds_id in options.unlicensed_sources.upper().split(","):
        raise RefusalError("LICENSE_ACCESS_DATA_SOURCE")
    if ds_id not in world.sources:
        raise RefusalError("DATA_SOURCE_INVALID", f'There is no data source "{ds_id}".')
    return world.sources[ds_id]


def _today(settings: Mapping[str, object], options: Options, now: datetime) -> date:
    name = str(settings.get("timezone") or options.timezone)
    try:
        return now.astimezone(time_zone(name)).date()
    except ValueError as error:
        raise RefusalError("SETTING_VALUE_INVALID", f"{error}.") from None


def today_of(params: Params, options: Options, now: datetime) -> date:
    """Return today in the time zone of a query."""
    settings = params.get("settings")
    return _today(settings if isinstance(settings, Mapping) else {}, options, now)


def _settings(params: Params, source: Source) -> dict[str, object]:
    sent = params.get("settings") or {}
    if isinstance(sent, str):
        sent = _json(sent)
    # PHP writes an empty object as an empty list.
    if isinstance(sent, list) and not sent:
        sent = {}
    if not isinstance(sent, Mapping):
        raise RefusalError("PARAMETER_INVALID", "Parameter settings must be an object.")
    for key in sent:
        if key not in COMMON_SETTINGS and key not in source.settings:
            raise RefusalError(
                "SETTING_KEY_INVALID", f'Setting "{key}" is not supported by this data source.'
            )
    if not re.fullmatch(r"[0-9]{1,2}", str(sent.get("round_metrics_to", 0))):
        raise RefusalError("SETTING_VALUE_INVALID", "round_metrics_to must be a whole number.")
    return dict(sent)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RefusalError("PARAMETER_INVALID", f"{text[:100]} is not JSON.") from None


def date_range(params: Params, source: Source, options: Options, today: date) -> tuple[date, date]:
    """Return the days of a query.

    Raises:
        RefusalError: There is none, it is no date range, or it reaches back too far.
    """
    start, end = params.get("start_date"), params.get("end_date")
    kind = str(params.get("date_range_type") or "custom")
    if start or end or kind == "custom":
        if not start:
            raise RefusalError("START_DATE_REQUIRED", "Parameter start_date is required.")
        first = parsed_day(str(start), today, "START_DATE_INVALID")
        last = parsed_day(str(end or "today"), today, "END_DATE_INVALID")
    else:
        first, last = parsed_range(kind, today)
    if last < first:
        raise RefusalError("END_DATE_INVALID", f"{last} is before {first}.")
    _check_history(first, source, options, today)
    return first, max(first, min(last, today)) if options.end_date_clamped else last


def _check_history(first: date, source: Source, options: Options, today: date) -> None:
    if source.earliest and first < source.earliest:
        raise RefusalError(
            "START_DATE_HISTORICAL",
            f"Earliest supported historical start date for {source.name} is {source.earliest}.",
        )
    reach = options.license_history_days
    if reach and first < today - timedelta(days=reach):
        raise RefusalError(
            "LICENSE_HISTORICAL_RANGE_EXCEEDED", f"The license allows {reach} days of history."
        )


def _texts(value: object) -> list[object]:
    if isinstance(value, str):
        value = _json(value) if value.strip().startswith(("[", "{")) else value.split(",")
    items = value if isinstance(value, list) else [value]
    return [item.strip() if isinstance(item, str) else item for item in items]


def _fields(params: Params, source: Source) -> tuple[tuple[str, Field], ...]:
    ids = [_field_id(item) for item in _texts(params.get("fields") or [])]
    if not any(ids):
        raise RefusalError("FIELDS_REQUIRED", "Parameter fields is required.")
    known = tuple((field_id, source.known_field(field_id)) for field_id in ids)
    if source.report_type([field for _, field in known]) is None:
        raise RefusalError("QUERY_ERROR", "These fields cannot be queried together.")
    return known


def _field_id(item: object) -> str:
    """Return the id of a field; how an object asks for a pivot is not documented."""
    if isinstance(item, Mapping):
        if set(item) != {"id"}:
            raise RefusalError("FIELD_INVALID", "Of a field object only the id is supported here.")
        item = item["id"]
    return str(item or "")


def _filter(params: Params, source: Source, fields: Iterable[tuple[str, Field]]) -> Filter | None:
    found = parsed_filter(str(params.get("filter") or ""), source)
    if found and not found.is_of_dimensions:
        _check_named((Order(field=field, descending=False) for field in found.fields), fields)
    return found


def _check_named(order: Iterable[Order], fields: Iterable[tuple[str, Field]]) -> None:
    known = {field.id for _, field in fields}
    for key in order:
        if key.field.id not in known:
            raise RefusalError(
                "FIELD_INVALID", f'"{key.field.id}" is sorted or filtered by but not in fields.'
            )


def _refuse_comparison(params: Params) -> None:
    """Refuse a comparison: the columns that it adds are not documented."""
    if str(params.get("compare_type") or "none").lower() != "none":
        raise RefusalError("COMPARE_TYPE_INVALID", "The emulator does not compare date ranges.")


def _whole(params: Params, name: str, default: int | None) -> int:
    return whole_number(params, name, default)  # type: ignore[return-value]  # None only for None


def whole_number(params: Params, name: str, default: int | None) -> int | None:
    """Return a parameter that is a whole number from 0 on, as JSON or as text.

    Raises:
        RefusalError: It is not.
    """
    value = params.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}", str(value)):
        raise RefusalError("PARAMETER_INVALID", f"Parameter {name} must be a whole number.")
    return int(str(value))


def account_ids(
    params: Params, source: Source, world: World, *, is_each: bool = False
) -> tuple[str, ...]:
    """Return the accounts of a query, lists and filters expanded; each once, or as often as named.

    Raises:
        RefusalError: None is named, or a list or a filter is not known.
    """
    value = params.get("ds_accounts")
    if isinstance(value, str) and value.strip().startswith("{"):
        value = _json(value)
    items = [value] if isinstance(value, Mapping) else _texts(value or [])
    found = [account for item in items for account in _expanded(item, source, world)]
    if not any(found):
        raise RefusalError("ACCOUNT_REQUIRED", "Parameter ds_accounts is required.")
    return tuple(found) if is_each else tuple(dict.fromkeys(found))


def listed_ids(source: Source, world: World) -> list[str]:
    """Return every account that `/query/accounts` lists, once."""
    return [account.id for account in source.accounts if not world.is_gone(source.id, account.id)]


def _expanded(item: object, source: Source, world: World) -> Iterable[str]:
    if isinstance(item, Mapping):
        return _filtered(item, source, world)
    text = str(item)
    if not text.startswith("list."):
        return [text]
    if text == "list.all_accounts":
        return listed_ids(source, world)
    slug = text.removeprefix("list.")
    accounts = world.team_list(source.id, slug)
    if accounts is None:
        raise RefusalError("LIST_NOT_FOUND", f'There is no list "{slug}".')
    return accounts


def _filtered(item: Mapping[str, object], source: Source, world: World) -> list[str]:
    if len(item) != 1 or not set(item) <= {"filter_id", "filter_name"}:
        raise RefusalError("ACCOUNT_FILTER_INVALID", "Expected filter_id or filter_name.")
    attribute = "id" if "filter_id" in item else "name"
    wanted = pattern(str(next(iter(item.values()))), "ACCOUNT_FILTER_PATTERN_INVALID")
    accounts = (source.account(account) for account in listed_ids(source, world))
    return [a.id for a in accounts if a and wanted.search(getattr(a, attribute))]


def generated_schedule_id(params: Params) -> str:
    """Return the id of a run that was given none: 64 hex digits, made of the other parameters."""
    asked = {key: value for key, value in params.items() if key not in _NOT_THE_QUESTION}
    text = json.dumps(asked, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def users_of(params: Params) -> frozenset[str]:
    """Return the logins that a request names, in small letters."""
    value = params.get("ds_users") or params.get("ds_user") or []
    users = value if isinstance(value, list) else str(value).split(",")
    return frozenset(str(user).strip().lower() for user in users if str(user).strip())
