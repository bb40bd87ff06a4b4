"""The configuration, checked whole and frozen."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import (
    Accounts,
    BatchPolicy,
    Report,
    SplitAccounts,
    SplitDates,
    SplitPolicy,
)
from tap_supermetrics.redaction import without_key
from tap_supermetrics.settings.declarations import (
    DEFAULT_API_URL,
    ONLY_IN_REPORT,
    OVERRIDABLE,
    TOP_LEVEL,
    Setting,
)
from tap_supermetrics.settings.query_url import NOT_SUPPORTED, report_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


METADATA_PREFIX: Final = "_sm_"
_METADATA_COLUMNS: Final = tuple(
    f"{METADATA_PREFIX}{name}"
    for name in ("account_id", "date", "fetched_at", "schedule_id", "dimensions")
)
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_UNSET: Final = object()
_NOT_REPLACED: Final = re.compile(r"\$\w+|\$\{\w+\}")
_FIRST_DAY: Final = date(1990, 1, 1)
"""No data source is older; every day asked for in vain would be a query."""
_MAX_DAYS_AGO: Final = 13_000


class Mode(str, Enum):
    """How queries are asked."""

    AUTO = "auto"
    BATCH = "batch"
    ASYNC = "async"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, checked."""

    api_key: str = field(repr=False)
    api_url: str
    reports: tuple[Report, ...]
    mode: Mode
    max_running_batches: int
    max_running_queries: int
    max_queries_per_run: int | None
    max_rows_per_run: int | None
    requests_per_second: float
    on_failure: Literal["fail_at_end", "continue", "stop"]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], also_allowed: Sequence[str] = ()) -> Settings:
        """Check a configuration whole.

        Args:
            config: what the user wrote.
            also_allowed: keys that belong to somebody else, such as the SDK's own.

        Raises:
            SettingsError: with every mistake, each by its path.
        """
        mistakes = _Mistakes(config.get("api_key"))
        top = _read(config, TOP_LEVEL, "", also_allowed, mistakes)
        _check_api_url(top.get("api_url"), mistakes)
        entries = top.get("queries") or ()
        reports = tuple(
            report
            for number, entry in enumerate(entries)
            if (report := _read_report(entry, f"queries[{number}]", top, mistakes))
        )
        _check_names([report.name for report in reports], mistakes)
        if mistakes:
            raise SettingsError([without_key(each, mistakes.key) for each in mistakes])
        return cls(
            api_key=top["api_key"],
            api_url=top["api_url"].rstrip("/"),
            reports=reports,
            mode=Mode(top["mode"]),
            max_running_batches=top["max_running_batches"],
            max_running_queries=top["max_running_queries"],
            max_queries_per_run=top["max_queries_per_run"],
            max_rows_per_run=top["max_rows_per_run"],
            requests_per_second=top["requests_per_second"],
            on_failure=top["on_failure"],
        )


class _Mistakes(list[str]):
    """What is wrong, one line each.

    Attributes:
        key: the API key as it was given, which no line may show.
    """

    def __init__(self, key: object) -> None:
        super().__init__()
        is_key = isinstance(key, str) and not _NOT_REPLACED.fullmatch(key)
        self.key = str(key).strip() if is_key else ""


def _read(
    raw: Mapping[str, Any],
    declared: Sequence[Setting],
    prefix: str,
    also_allowed: Sequence[str],
    mistakes: _Mistakes,
) -> dict[str, Any]:
    """Every declared setting by name, read or defaulted; None where neither was possible."""
    known = [each.name for each in declared]

    def unknown(key: str) -> str:
        return f"unknown setting{_hint(key, [*known, *also_allowed])}"

    mistakes += [
        f"{prefix}{key}: {NOT_SUPPORTED.get(str(key)) or unknown(str(key))}"
        for key in raw
        if key not in known and key not in also_allowed
    ]
    return {each.name: _read_one(raw, each, prefix, mistakes) for each in declared}


def _read_one(raw: Mapping[str, Any], setting: Setting, prefix: str, mistakes: _Mistakes) -> Any:  # noqa: ANN401 - of the setting's kind
    given = raw.get(setting.name, _UNSET)
    if given is _UNSET or given is None:
        if setting.required:
            mistakes.append(f"{prefix}{setting.name}: required, expected {setting.kind.expected}")
        if setting.default is None or setting.required:
            return None
        given = setting.default
    if isinstance(given, str) and _NOT_REPLACED.fullmatch(given):
        mistakes.append(
            f"{prefix}{setting.name}: the environment variable {given} was not replaced; "
            "set it, or check its spelling"
        )
        return None
    try:
        return setting.kind.read(given, mistakes.key)
    except ValueError as error:
        mistakes.append(f"{prefix}{setting.name}: {error}")
        return None


def _hint(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {close[0]}?" if close else ""


def _check_api_url(url: str | None, mistakes: list[str]) -> None:
    parts = urlsplit(url or DEFAULT_API_URL)
    if parts.scheme == "http" and parts.hostname not in _LOCAL_HOSTS:
        mistakes.append(
            f"api_url: expected an https address, got http for {parts.hostname}: "
            "the key would travel unencrypted"
        )
    if parts.username or parts.password:
        mistakes.append("api_url: expected an address without a user name or password")


def _check_names(names: Sequence[str], mistakes: list[str]) -> None:
    folded = [name.casefold() for name in names]
    for number, name in enumerate(names):
        if name.casefold() in folded[:number]:
            first = folded.index(name.casefold())
            mistakes.append(
                f"queries[{number}].name: {name} is the name of queries[{first}] already; "
                "every report needs a name of its own (case does not count)"
            )


def _read_report(
    entry: object, path: str, top: Mapping[str, Any], mistakes: _Mistakes
) -> Report | None:
    if not isinstance(entry, dict):
        mistakes.append(f"{path}: expected an object with name, ds_id and fields")
        return None
    before = len(mistakes)
    given = _with_url(entry, path, mistakes)
    own = _read(given, ONLY_IN_REPORT, f"{path}.", [each.name for each in OVERRIDABLE], mistakes)
    overridden = [each for each in OVERRIDABLE if each.name in given]
    own |= {each.name: top[each.name] for each in OVERRIDABLE}
    own |= {each.name: _read_one(given, each, f"{path}.", mistakes) for each in overridden}
    if len(mistakes) == before:
        mistakes += [f"{path}.{mistake}" for mistake in _contradictions(own)]
    if own["name"]:
        # A number is hard to find in a list of forty.
        mistakes[before:] = [f"{each} (report {own['name']})" for each in mistakes[before:]]
    if len(mistakes) > before or any(own[each.name] is None for each in OVERRIDABLE[1:]):
        return None
    return _report(path, own, top["batch_description"])


def _with_url(entry: dict[str, Any], path: str, mistakes: list[str]) -> dict[str, Any]:
    """What an entry gives, and what the address in it gives beside."""
    given = {key: value for key, value in entry.items() if value is not None}
    if isinstance(given.get("url"), str):
        try:
            return report_from(given["url"], given)
        except ValueError as error:
            mistakes.append(f"{path}.url: {error}")
    return given


def _contradictions(own: Mapping[str, Any]) -> list[str]:
    """What each setting of a report alone allows, but not all of them together."""
    fields, metadata = own["fields"], f"a field of the report or a {METADATA_PREFIX} column"
    mistakes = [
        *_repeated(fields),
        *(
            f"fields: {each} begins with {METADATA_PREFIX}, which is reserved"
            for each in fields
            if each.startswith(METADATA_PREFIX)
        ),
        *(
            f"key_properties: {each} is not {metadata}"
            for each in own["key_properties"] or ()
            if each not in (*fields, *_METADATA_COLUMNS)
        ),
        *(
            f"types: {each} is no field of the report"
            for each in own["types"] or ()
            if each not in fields
        ),
        *(
            f"types: expected a data type such as int.number.value for {name}, got {value!r}"
            for name, value in (own["types"] or {}).items()
            if not re.match(r"(int|float|string|bool)\b", str(value))
        ),
    ]
    if "no_headers" in (own["settings"] or {}):
        mistakes.append("settings: no_headers is set by the tap; leave it out")
    key = own["replication_key"]
    if key is not None and key not in (*fields, f"{METADATA_PREFIX}date"):
        mistakes.append(f"replication_key: {key} is neither a field of the report nor _sm_date")
    if key == f"{METADATA_PREFIX}date" and own["split_dates_policy"] != "day":
        mistakes.append("replication_key: _sm_date needs split_dates_policy: day")
    if own["add_exclude_account_errors"] and own["split_accounts_policy"] == "none":
        mistakes.append(
            "add_exclude_account_errors: needs split_accounts_policy: all; else an account that is "
            "left out could not be told from one without rows"
        )
    if own["date_range_type"] and key is not None:
        mistakes.append("replication_key: leave it out, date_range_type reads the report whole")
    return [*mistakes, *_date_contradictions(own)]


def _repeated(fields: Sequence[str]) -> list[str]:
    folded = [each.casefold() for each in fields]
    return [
        f"fields: {each} is listed twice (case does not count)"
        for number, each in enumerate(fields)
        if each.casefold() in folded[:number]
    ]


def _date_contradictions(own: Mapping[str, Any]) -> list[str]:
    start, end = own["start_date"], own["end_date"]
    if start and ((start.fixed or _FIRST_DAY) < _FIRST_DAY or start.days_ago > _MAX_DAYS_AGO):
        return [f"start_date: expected {_FIRST_DAY} or later, there are no data before"]
    if start is None or end is None or (start.fixed is None) != (end.fixed is None):
        return []
    backwards = start.days_ago < end.days_ago if start.fixed is None else start.fixed > end.fixed
    return ["start_date: it is after end_date"] if backwards else []


def _report(path: str, own: Mapping[str, Any], description: str | None) -> Report:
    passed_on = (
        "ds_user",
        "ds_users",
        "ds_segments",
        "filter",
        "settings",
        "order_rows",
        "cache_minutes",
    )
    return Report(
        path=path,
        name=own["name"],
        ds_id=own["ds_id"],
        fields=own["fields"],
        accounts=own["ds_accounts"] or Accounts(),
        parameters={key: own[key] for key in passed_on if own[key] is not None},
        date_range_type=own["date_range_type"],
        key_properties=own["key_properties"] or (),
        replication_key=own["replication_key"],
        types=own["types"] or {},
        start_date=own["start_date"],
        end_date=own["end_date"],
        timezone=own["timezone"],
        lookback_days=own["lookback_days"],
        max_days_per_query=own["max_days_per_query"],
        backfill_days_per_query=own["backfill_days_per_query"],
        newest_first=own["backfill_order"] == "newest",
        require_fresh_days=own["require_fresh_days"],
        refresh_after_hours=own["refresh_after_hours"],
        max_rows=own["max_rows"],
        page_size=own["page_size"],
        on_type_mismatch=own["on_type_mismatch"],
        metadata_columns=own["metadata_columns"],
        blank_key_value=own["blank_key_value"],
        policy=BatchPolicy(
            split=SplitPolicy(
                dates=SplitDates(own["split_dates_policy"]),
                accounts=SplitAccounts(own["split_accounts_policy"]),
            ),
            query_concurrency=own["query_concurrency"],
            timeout_minutes=own["timeout_minutes"],
            add_clean_data_types=own["add_clean_data_types"],
            add_exclude_account_errors=own["add_exclude_account_errors"],
            description=description,
        ),
    )
