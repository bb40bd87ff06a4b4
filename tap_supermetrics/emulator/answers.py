"""The content of the API's envelopes: queries, batches, accounts and fields as it tells them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_supermetrics.emulator.clock import iso
from tap_supermetrics.emulator.encoding import total_rows
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_supermetrics.emulator.catalogue import Field, Login, Source
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.parameters import Question
    from tap_supermetrics.emulator.world import World

Answer = dict[str, Any]


def batch_information(batch: EmulatedBatch, base_url: str) -> Answer:
    """Return a `query_batch` (Supermetrics docs, "Batch queries (Preview)", "Object reference")."""
    return {
        "@type": "query_batch",
        "batch_id": batch.id,
        "status_code": batch.status.value,
        "schedule_time": iso(batch.arrived),
        "start_time": iso(batch.started),
        "end_time": iso(batch.ended),
        "cancel_time": iso(batch.cancelled),
        **batch.shown,
        "query_amount": len(batch.queries),
        "links": {"status": {"href": f"{base_url}/query/batch/{batch.id}/status"}},
    }


def batch_progress(batch: EmulatedBatch) -> Answer:
    """Return a `batch_progress` (same)."""
    counts = Counter(query.status for query in batch.queries)
    return {
        "queued": counts[Status.QUEUED],
        "running": counts[Status.RUNNING],
        "success": counts[Status.SUCCESS],
        "failure": counts[Status.FAILURE] + counts[Status.STOPPED],
    }


def batch_query(query: EmulatedQuery, base_url: str, options: Options) -> Answer:
    """Return a `batch_query` (same)."""
    # What is final looks the same in every poll, and is made once.
    if query.shown and query.shown[0] == (base_url, options):
        return query.shown[1]
    answer = _batch_query(query, base_url, options)
    if query.status.is_final:
        query.shown = (base_url, options), answer
    return answer


def _batch_query(query: EmulatedQuery, base_url: str, options: Options) -> Answer:
    result = None
    if query.status is Status.SUCCESS:
        result = {
            **(
                {}
                if options.results_total == "none"
                else {"total_rows": total_rows(query, options)}
            ),
            "results_url": f"{base_url}/query/results?schedule_id={quote(query.schedule_id)}",
        }
    return {
        "@type": "batch_query",
        "schedule_id": query.schedule_id,
        "status_code": query.code,
        "query_start_time": iso(query.started),
        "query_end_time": iso(query.ended),
        "split_info": _split_info(query, options),
        "error_info": query.error.payload(with_status=True) if query.error else None,
        "result_info": result,
    }


def _split_info(query: EmulatedQuery, options: Options) -> object:
    """Return what a query was split off for, in the form that the options say."""
    split = query.split
    match options.split_info_form:
        case _ if split is None or options.split_info_form == "object":
            return split
        case "null":
            return None
        case "midnights":
            days = {name: split[name] for name in ("start_date", "end_date")}
            return {**split, **{k: v and f"{v}T00:00:00+00:00" for k, v in days.items()}}
        case "labels":
            accounts = [f"{each} (Account {each})" for each in _accounts_split_off(split)]
            return {**split, "ds_accounts": accounts}
        case _:
            return {**split, "ds_accounts": ",".join(_accounts_split_off(split))}


def _accounts_split_off(split: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in split["ds_accounts"]]


def unfinished(query: EmulatedQuery, workload: tuple[int, int]) -> Answer:
    """Return `meta` of a query that has no result yet (Supermetrics docs, "Async queries").

    Args:
        query: The query.
        workload: Tasks of the license's queue that wait, and those that run.
    """
    over = query.is_over
    return {
        "schedule_id": query.schedule_id,
        "status_code": (query.ended_as or Status.STOPPED.value) if over else query.code,
        "progress": {"queries_ready": 0, "queries_total": max(1, len(query.target.accounts))},
        "workflow": {"tasks_scheduled": workload[0], "tasks_running": workload[1]},
    }


def finished(query: EmulatedQuery, options: Options) -> Answer:
    """Return `meta` of a query with a result (Supermetrics docs, "Get data")."""
    asked, table = query.question, query.table
    rows = total_rows(query, options)
    columns = len(asked.fields) if asked and table and table.total else min(rows, 1)
    return {
        "schedule_id": query.schedule_id,
        "status_code": query.status.value,
        "query": _asked(asked, query) if asked else {},
        "result": {
            "total_columns": columns,
            "total_rows": rows,
            "run_seconds": round((query.ended or 0.0) - (query.started or 0.0), 3),
            "data_sampled": {"true": True, "false": False}.get(options.data_sampled),
            **_cache_of(query, options),
        },
    }


def _cache_of(query: EmulatedQuery, options: Options) -> Answer:
    asked = str(query.params.get("cache_minutes"))
    is_used = 0 < options.cache_age <= (int(asked) if asked.isdecimal() else math.inf)
    made = (query.ended or 0.0) - options.cache_age * 60
    return {"cache_used": is_used, "cache_time": iso(made) if is_used else None}


def _asked(asked: Question, query: EmulatedQuery) -> Answer:
    return {
        "start_date": asked.first.isoformat() if asked.first else None,
        "end_date": asked.last.isoformat() if asked.last else None,
        "ds_accounts": list(query.accounts),
        "ds_segments": list(asked.segment_ids),
        "fields": [
            _column(number, field_id, field)
            for number, (field_id, field) in enumerate(asked.fields)
        ],
        "compare_type": None,
        "compare_show": None,
        "compare_start_date": None,
        "compare_end_date": None,
        "settings": asked.effective_settings,
        "cache_minutes": asked.cache_minutes,
    }


def _column(number: int, field_id: str, field: Field) -> Answer:
    return {
        "id": field_id,
        "field_id": field.id,
        "field_name": field.name,
        "field_type": "met" if field.is_metric else "dim",
        "field_split": "row",
        "data_type": field.data_type,
        "data_column": number,
        "visible": True,
    }


def fields_of(source: Source, accounts: Collection[str] = ()) -> list[Answer]:
    """Return the items of `/query/fields` (Supermetrics docs, "Get fields").

    Args:
        source: The data source.
        accounts: Those whose custom fields are shown too.
    """
    return [
        _field(field, source)
        for field in source.fields
        if not field.owners or set(field.owners) & set(accounts)
    ]


def _field(field: Field, source: Source) -> Answer:
    shown = {
        "@type": "ds_metric" if field.is_metric else "ds_dimension",
        "field_id": field.id,
        "field_name": field.name,
        "field_type": "met" if field.is_metric else "dim",
        "data_type": field.data_type,
        "description": field.description,
        "group_name": field.group,
        "is_filterable": field.is_filterable,
        "report_types": list(field.report_types or source.report_types),
    }
    return shown | ({"is_non_aggregatable": field.is_non_aggregatable} if field.is_metric else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of accounts, as of some time.

    Attributes:
        world: Tells which accounts are gone.
        users: Logins to show, lower case; all when empty.
        cached: Time of the list, in seconds since 1970-01-01 UTC.
        is_fresh: True when it was made anew for this request.
    """

    world: World
    users: frozenset[str]
    cached: float
    is_fresh: bool


def accounts_of(source: Source, listing: Listing) -> list[Answer]:
    """Return the items of `/query/accounts`, one per login (Supermetrics docs, "Get accounts")."""
    cached_at = None if listing.is_fresh else iso(listing.cached)
    return [
        {
            "ds_user": login.user,
            "display_name": login.display_name,
            "cache_time": cached_at if login.cached else None,
            "accounts": _accounts(source, number, listing),
        }
        for number, login in enumerate(source.logins)
        if not listing.users or login.user.lower() in listing.users
    ]


def _accounts(source: Source, login: int, listing: Listing) -> list[Mapping[str, str]]:
    world = listing.world
    return [
        {
            "account_id": account.id,
            "account_name": account.name,
            "group_name": account.group,
        }
        for account in source.accounts
        if login in account.logins
        and not world.is_gone(source.id, account.id)
        and world.came.get((source.id, account.id), 0.0) <= listing.cached
    ]


def segments_of(logins: tuple[Login, ...]) -> list[Answer]:
    """Return the items of `/query/segments` (Supermetrics docs, "Get segments")."""
    return [
        {
            "ds_user": login.user,
            "display_name": login.display_name,
            "cache_time": None,
            "segments": [{"segment_id": "-1", "segment_name": "All users"}],
        }
        for login in logins
    ]
