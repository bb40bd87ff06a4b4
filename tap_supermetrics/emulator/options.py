"""The options of an emulator: sizes, limits, and what nobody knows of the real API."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_supermetrics.emulator.clock import check_year, instant, time_zone

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Data, time, keys, durations and limits of an emulator.

    Attributes:
        seed: Seed of the data and of the durations.
        now: Emulated instant of the start, ISO 8601.
        clock_factor: Emulated seconds per real second; 0 stops time.
        timezone: Time zone of "today" when a query does not set `timezone`.
        api_key: The accepted key.
        other_api_key: A second accepted key, which may not read the first one's results.
        min_seconds: Shortest run of a query, emulated.
        max_seconds: Longest run of a query, emulated.
        batch_start_seconds: Emulated delay between a free place and the start of a batch.
        license_concurrency: Queries that run at once, over everything, first come first served.
        requests_per_second: Requests allowed per **real** second before 429 TOO_MANY_REQUESTS;
            0 for no limit. The real limit depends on license and address ("Usage limits").
        retry_after: Whether a 429 carries `Retry-After`; only the API's schema mentions it.
        status_ready_after_seconds: The status of a batch or a query is not found for so long after
            its start. Not known to happen.
        results_ready_after_seconds: Results are not found for so long after the query stopped.
        history_lag_seconds: The history of queries names a query only so long after its start. Not
            known to happen.
        latency_seconds: **Real** seconds before each answer begins, as over a far network.
        rate_headers: Where `requests_per_second` are counted, answers have `X-RateLimit-Limit` and
            `-Remaining`, as the API's schema says.
        accounts_age: Minutes since the lists of accounts were fetched; they lack what came since,
            unless `cache_minutes` asks for younger ones ("Get accounts").
        license_history_days: How far back a query may reach before it is refused with
            LICENSE_HISTORICAL_RANGE_EXCEEDED; 0 for no limit.
        max_days_per_query: Longer date ranges fail with a plain 500 QUERY_ERROR, as too large
            queries were seen to do; 0 for no limit.
        unlicensed_sources: Comma-separated data sources that answer LICENSE_ACCESS_DATA_SOURCE.
        terms_per_campaign: Search terms of a Google Ads campaign and day, the size of the
            largest report (6 campaigns x 460 terms x 366 days are over a million rows).
        results_retention_seconds: Life of status and results after the query stopped
            ("Async queries": one hour).
        batch_status_retention_seconds: Life of a batch's status after it stopped
            ("Batch queries (Preview)": one hour).
        batches_running: Batches that run at once (same: 2).
        batch_max_queries: Queries of a batch after splitting (same: 100).
    """

    seed: int = 1
    now: str = "2024-06-01T04:00:00+00:00"
    clock_factor: float = 1.0
    timezone: str = "UTC"
    api_key: str = "api_emulator_0123456789abcdef"
    other_api_key: str = "api_emulator_other_key"

    min_seconds: float = 2.0
    max_seconds: float = 20.0
    batch_start_seconds: float = 1.0
    license_concurrency: int = 10
    requests_per_second: int = 0
    retry_after: bool = True
    status_ready_after_seconds: float = 0.0
    results_ready_after_seconds: float = 0.0
    history_lag_seconds: float = 0.0
    latency_seconds: float = 0.0
    rate_headers: bool = False
    accounts_age: float = 10.0
    license_history_days: int = 0
    max_days_per_query: int = 0
    unlicensed_sources: str = "LIA"
    terms_per_campaign: int = 460
    results_retention_seconds: float = 3600.0
    batch_status_retention_seconds: float = 3600.0
    batches_running: int = 2
    batch_max_queries: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Limits):
    """Settings of an emulator; any of them can be given on the command line too.

    Those of its own are choices between forms of answers, where the real API is not known.

    Attributes:
        unfinished_status: HTTP status of an unfinished `query/data` answer: 202, or 200 for
            customers enrolled before 2022-06-22 ("Async queries").
        status_unfinished_status: The same for `query/status`. Old docs show 200; not known.
        errors_in_200: Errors of queries come with HTTP 200 and an `error` object, as every
            official client expects.
        status_not_found_status: HTTP status of STATUS_NOT_FOUND: 404, or 400 (third party).
        total_rows_counts_header: Whether `total_rows` counts the header row, where there is one.
            Captured answers say yes, the command line client's test data say no.
        max_rows_counts_header: Whether `max_rows` counts it. Not known.
        header_on_every_page: Whether each page starts with the header, or only the one that
            holds index 0. Clients disagree.
        results_total: `total_rows` is that of the whole result or of the page; or it is nowhere,
            not in the status of a batch either.
        results_limit_max: Longest page of `query/results`; 0 for any.
        results_limit_over_maximum: A longer page is clamped, or refused with 400. Not known.
        results_next: `paginate.next` of `query/results` is given, or always null. Not known.
        results_behind_end: A page of `query/results` behind the last row is empty; or there is none
            (404 QUERY_RESULTS_UNAVAILABLE); or its offset is refused with 400. Not known.
        data_sampled: `data_sampled` of a result, null where it is not known, as was seen.
        cache_age: Minutes since a result was cached, as `cache_used` and `cache_time` say; 0 for a
            result that came from no cache.
        header: A header row comes as asked; or always, though `no_headers` is repeated as set; or
            alone where a result is empty. Not known.
        clean_dates: Cells of `string.time.date` are days, or midnights written as ISO 8601, or as
            day and time. Not known.
        echo: `meta.query` of `query/results` is whole; or lacks the columns of the fields; or the
            fields; or is not there at all. Not known.
        results_paging: Whether `query/results` honours `offset` and `limit`, or sends everything.
        paginate_next_after_post: Whether `paginate.next` is filled after a POST; the docs say
            GET only, the n8n client follows it after POST.
        empty_result: An empty result is `[]`, or one row of one cell "No data found"; both seen.
        blank_metric: A blank metric is `""` or null; both seen.
        numbers: Metrics are JSON numbers, or numeric strings, against which
            `add_clean_data_types` helps. Clients guard against the latter.
        escaped_slashes: Whether `/` is escaped in JSON (team setting `api_json_unescaped_slashes`).
        escaped_unicode: Whether non-ASCII is escaped (`api_json_unescaped_unicode`).
        unfinished_in_stopped_batch: What becomes of the queries that a batch had not finished when
            it was cancelled or its time was over: they are left QUEUED and RUNNING, or become
            FAILURE without `error_info`. Not known.
        split_info_form: Accounts and days of `split_info` come as documented; or it is null though
            the query was split; or days are midnights; or accounts come as `id (name)`, or as one
            text. Not known.
        duplicate_accounts: An account that is named twice makes one query, or two, where a batch
            is split by accounts. Not known.
        batch_item_lists: `ds_accounts` and `fields` of a batch's item may be lists or texts, or
            texts only (as the newest page says), or lists only. Not known.
        split_info_unsplit: `split_info` of a query that was not split. Not known.
        schedule_id_counts: Whether `_query_<n>` counts the queries sent (the docs' examples
            suggest it) or those after splitting.
        schedule_id_date: What date splitting adds to a schedule id: `_day_<k>` or
            `_<YYYY-MM-DD>`. Not known.
        split_order: Order of a query split both ways: all days of the first account first, or
            all accounts of the first day. Not known.
        end_date_clamped: Whether an end date in the future becomes today, as seen for some sources.
        eleventh_duplicate: What meets the 11th request that waits for the same query: an error
            (429 TOO_MANY_REQUESTS) or a place among the waiting. Not known.
        same_schedule_id: A request that repeats the schedule id of a finished query is given its
            result, as official clients that poll or page so expect, or runs it anew.
        schedule_id_conflict: A request that repeats the schedule id of a running query with other
            parameters joins it, or is refused (409 CONFLICT_ERROR). Not known.
        schedule_id_sent: The schedule id of a request is kept, or replaced by one of the API's own,
            64 hex digits, which the answer tells.
    """

    unfinished_status: Literal[202, 200] = 202
    status_unfinished_status: Literal[200, 202] = 200
    errors_in_200: bool = False
    status_not_found_status: Literal[404, 400] = 404
    total_rows_counts_header: bool = True
    max_rows_counts_header: bool = False
    header_on_every_page: bool = False
    results_total: Literal["whole", "page", "none"] = "whole"
    results_limit_max: int = 0
    results_limit_over_maximum: Literal["clamp", "refuse"] = "clamp"
    results_next: Literal["given", "null"] = "given"
    results_behind_end: Literal["empty", "none", "refused"] = "empty"
    data_sampled: Literal["null", "false", "true"] = "null"
    cache_age: float = 0.0
    header: Literal["as_asked", "always", "of_empty"] = "as_asked"
    clean_dates: Literal["day", "midnight", "day_and_time"] = "day"
    echo: Literal["full", "no_columns", "thin", "none"] = "full"
    results_paging: bool = True
    paginate_next_after_post: bool = False
    empty_result: Literal["empty", "no_data_found"] = "empty"
    blank_metric: Literal["", "null"] = ""
    numbers: Literal["json", "strings"] = "json"
    escaped_slashes: bool = True
    escaped_unicode: bool = True
    unfinished_in_stopped_batch: Literal["left", "failed"] = "left"
    split_info_form: Literal["object", "null", "midnights", "labels", "text"] = "object"
    duplicate_accounts: Literal["once", "each"] = "once"
    batch_item_lists: Literal["both", "texts", "lists"] = "both"
    split_info_unsplit: Literal["null", "object"] = "null"
    schedule_id_counts: Literal["sent", "split"] = "sent"
    schedule_id_date: Literal["number", "date"] = "number"
    split_order: Literal["account", "date"] = "account"
    end_date_clamped: bool = True
    eleventh_duplicate: Literal["refuse", "wait"] = "refuse"
    same_schedule_id: Literal["return", "rerun"] = "return"
    schedule_id_conflict: Literal["join", "refuse"] = "join"
    schedule_id_sent: Literal["kept", "replaced"] = "kept"


_MANY = 1_000_000
_YEARS_S = 1e9
BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "clock_factor": (0, _MANY),
    "min_seconds": (0, _YEARS_S),
    "max_seconds": (0, _YEARS_S),
    "batch_start_seconds": (0, _YEARS_S),
    "license_concurrency": (1, _MANY),
    "requests_per_second": (0, _MANY),
    "status_ready_after_seconds": (0, _YEARS_S),
    "results_ready_after_seconds": (0, _YEARS_S),
    "history_lag_seconds": (0, _YEARS_S),
    "latency_seconds": (0, 3_600),
    "accounts_age": (0, _MANY),
    "license_history_days": (0, 100_000),
    "max_days_per_query": (0, 100_000),
    "terms_per_campaign": (0, _MANY),
    "results_retention_seconds": (0, _YEARS_S),
    "batch_status_retention_seconds": (0, _YEARS_S),
    "batches_running": (1, _MANY),
    "batch_max_queries": (1, _MANY),
    "results_limit_max": (0, _MANY),
    "cache_age": (0, _MANY),
}
"""The least and the most of each number."""


def with_text(options: Options, assignment: str) -> Options:
    """Change one option by `name=value`, as given on the command line.

    Raises:
        ValueError: The name is not an option, or the value does not fit it.
    """
    name, equals, text = assignment.partition("=")
    hints = typing.get_type_hints(Options)
    if not equals or name not in hints:
        raise ValueError(f"{assignment!r}: expected name=value, name one of {', '.join(hints)}")
    try:
        return dataclasses.replace(options, **{name: value_of(name, text)})
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def value_of(name: str, text: str) -> typing.Any:  # noqa: ANN401 - the option's type
    """Return the value of an option from a text.

    Raises:
        ValueError: It does not fit the option.
    """
    hint = typing.get_type_hints(Options)[name]
    choices = (True, False) if hint is bool else typing.get_args(hint)
    if choices:
        return _choice(choices, text)
    try:
        value = typing.cast("type", hint)(text)
    except ValueError:
        raise ValueError(f"expected {_expected(name)}, got {text[:100]!r}") from None
    check_value(name, value)
    return value


def check_value(name: str, value: object) -> None:
    """Check a value that has the type of its option.

    Raises:
        ValueError: It would break the emulator later.
    """
    match name:
        case "now":
            _check_now(str(value))
        case "timezone":
            time_zone(str(value))
        case "api_key" | "other_api_key":
            _check_key(str(value))
        case _ if isinstance(value, (int, float)) and name in BOUNDS:
            least, most = BOUNDS[name]
            # This way round, as nothing can be said of what is no number.
            if not least <= value <= most:
                raise ValueError(f"expected {_expected(name)}, got {str(value)[:100]!r}")


def _expected(name: str) -> str:
    least, most = BOUNDS[name]
    kind = "a whole number" if typing.get_type_hints(Options)[name] is int else "a number"
    return f"{kind} from {least:,} to {most:,.0f}"


def _check_now(text: str) -> None:
    try:
        start = instant(text)
    except ValueError:
        raise ValueError(
            f"expected a time such as 2024-06-01T04:00:00+00:00, got {text[:100]!r}"
        ) from None
    check_year(start.timestamp())


def _check_key(text: str) -> None:
    """Refuse a key that no header can carry."""
    if not text or not all("!" <= letter <= "~" for letter in text):
        raise ValueError(f"expected ASCII letters, digits and signs without spaces, got {text!r}")


def _choice(choices: tuple[object, ...], text: str) -> object:
    for choice in choices:
        if str(choice).lower() == text.lower():
            return choice
    raise ValueError(f"expected one of {', '.join(map(str, choices))}, got {text[:100]!r}")
