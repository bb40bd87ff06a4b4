"""Every spelling of queries and query batches: paths, parameters, answers, limits.

These could not be checked against the live service: whatever differs there is mended here.
Sources: Supermetrics docs, "Batch queries (Preview)" of 2023-08-16 and "Async queries" of
2023-02-28; where these are silent, the docs of single endpoints and what public clients show.

Answers declare only what is used: what is declared is checked, and may fail an answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from tap_supermetrics.api.fields import FieldEcho  # noqa: TC001 - msgspec reads annotations
from tap_supermetrics.model import BatchItem, is_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_supermetrics.model import BatchPolicy, BatchRequest, Query, Report

T = TypeVar("T")

MAX_QUERIES_PER_BATCH: Final = 100
"""Queries in one batch, after splitting ("Restrictions")."""
MAX_RUNNING_BATCHES: Final = 2
"""Batches that run at the same time; further ones wait in a queue ("Restrictions")."""
MAX_ACCOUNTS_PER_QUERY: Final = 100
"""Accounts named by one query (the API's schema)."""
MAX_TIMEOUT_S: Final = 3600.0
"""Longest that a batch may run, in seconds ("Restrictions")."""
RETENTION_S: Final = 3600.0
"""How long status and results are retained after a query stopped ("Result expiry")."""
MAX_QUERY_S: Final = 4 * 3600.0
"""Longest that a query may run, in seconds ("Result expiry")."""
BATCH_PATH: Final = "query/batch"
DATA_PATH: Final = "query/data/json"
STATUS_PATH: Final = "query/status"
RESULTS_PATH: Final = "query/results"
FIELDS_PATH: Final = "query/fields"
_NOT_SO: Final = ("false", "no", "0", "none", "null", "unknown", "n/a")
"""Words by which a fact is denied, or left open, in small letters."""
_OTHER_WORDS: Final = {
    **dict.fromkeys(("COMPLETED", "DONE", "FINISHED", "SUCCEEDED"), "SUCCESS"),
    **dict.fromkeys(("ERROR", "FAILED"), "FAILURE"),
    **dict.fromkeys(("ABORTED", "CANCELED", "CANCELLED"), "STOPPED"),
}
_EMPTY_ANSWER: Final = "no data found"
"""The answer of some sources instead of no rows (observed), in small letters."""

Cell = str | int | float | bool | None
Row = list[Cell]


class QueryStatus(str, Enum):
    """The state of a query; an unknown word is taken for RUNNING, which every limit bounds."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    STOPPED = "STOPPED"
    PROCESS_EXITED = "PROCESS_EXITED"

    @classmethod
    def of(cls, word: str) -> QueryStatus:
        """Return the status by the API's word, in whatever case."""
        return cls.known(word) or cls.RUNNING

    @classmethod
    def known(cls, word: str) -> QueryStatus | None:
        """Return the status by a word for it; None for an unknown one.

        The vendor's sibling product says `completed` and `failed`.
        """
        upper = word.strip().upper()
        return cls.__members__.get(_OTHER_WORDS.get(upper, upper))

    @property
    def is_failure(self) -> bool:
        """Return whether the query ended without results."""
        return self in {self.FAILURE, self.STOPPED, self.PROCESS_EXITED}


BATCH_QUEUED: Final = "QUEUED"
"""The state of a query batch that waits for others."""
BATCH_STOPPED: Final = "STOPPED"
"""The only final state of a query batch, success included."""


class Error(msgspec.Struct, kw_only=True):
    """An error, of a request or of one query."""

    code: str = ""
    message: str | None = None
    description: str | None = None
    status: int = 0


NO_REASON: Final = Error(code="QUERY_ERROR", message="the API gives no reason")
"""The error of a query that failed without one."""


class Paginate(msgspec.Struct, kw_only=True):
    """The way to the next page: results give its address, status the number of all entries."""

    next: Any = None
    total: int = 0


class QueryEcho(msgspec.Struct, kw_only=True):
    """A query, as the API understood it. Dates are null for sources without them."""

    start_date: Any = None
    end_date: Any = None
    ds_accounts: Any = None
    ds_segments: Any = None
    compare_type: Any = None
    fields: list[FieldEcho] = []
    settings: dict[str, Any] | list[Any] | None = None

    @property
    def has_no_headers(self) -> bool:
        """Return whether the API says of the result that it has no header row."""
        return isinstance(self.settings, dict) and self.settings.get("no_headers") is True


class ResultFacts(msgspec.Struct, kw_only=True):
    """Facts of a result about its own numbers; `total_rows` counts a header row ("Get data")."""

    total_rows: int | None = None
    total_columns: int | None = None
    results_url: str = ""
    run_seconds: float | None = None
    data_sampled: Any = None
    cache_used: Any = None
    cache_time: Any = None

    @property
    def is_sampled(self) -> bool:
        """Return whether figures are estimates, as a share or an object may state too."""
        return _is_affirmed(self.data_sampled)

    @property
    def is_cached(self) -> bool:
        """Return whether it came from the cache; a time of it says so where nothing else does."""
        used = self.cache_time if self.cache_used is None else self.cache_used
        return _is_affirmed(used)


def _is_affirmed(value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a fact is affirmed: not denied, and not left open."""
    if isinstance(value, (dict, list)):
        return any(map(_is_affirmed, value.values() if isinstance(value, dict) else value))
    word = value.strip().casefold() if isinstance(value, str) else value
    return bool(word) and word not in _NOT_SO


class BatchProgress(msgspec.Struct, kw_only=True):
    """The number of queries of a batch that have not begun."""

    queued: int = 0


class Workflow(msgspec.Struct, kw_only=True):
    """The license's queue, whoever fills it ("Get status")."""

    tasks_scheduled: int = 0
    tasks_running: int = 0


class Meta(msgspec.Struct, kw_only=True):
    """The part of every answer that states something about itself."""

    request_id: str = ""
    schedule_id: str | None = None
    status_code: str = ""
    progress: BatchProgress | None = None
    workflow: Workflow | None = None
    query: QueryEcho | None = None
    result: ResultFacts | None = None
    paginate: Paginate | None = None


class GoodEnvelope(msgspec.Struct, Generic[T], kw_only=True):
    """An answer as it should be; read at one go, because its data may be large."""

    meta: Meta = msgspec.field(default_factory=Meta)
    error: None = None
    errors: tuple[()] | None = None
    data: T


class Parts(msgspec.Struct, kw_only=True):
    """Any answer, nothing in it decoded yet."""

    meta: msgspec.Raw = msgspec.Raw(b"{}")
    error: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class Batch(msgspec.Struct, kw_only=True):
    """A query batch ("query_batch")."""

    batch_id: str


class BatchInformation(Batch, kw_only=True):
    """A query batch, retained for long after its status ("Get batch information")."""

    status_code: str = ""
    description: str | None = None
    schedule_time: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    cancel_time: str | None = None
    query_amount: int | None = None

    @property
    def is_stopped(self) -> bool:
        """Return whether the batch has ended, in whatever way."""
        return self.status_code.upper() == BATCH_STOPPED

    @property
    def story(self) -> str:
        """Return one line by which a person finds the batch at the vendor's."""
        times = (
            ("scheduled", self.schedule_time),
            ("started", self.start_time),
            ("ended", self.end_time),
            ("cancelled", self.cancel_time),
        )
        shown = ", ".join(f"{what} {time}" for what, time in times if time)
        amount = "an unknown number of" if self.query_amount is None else self.query_amount
        word = "query" if amount == 1 else "queries"
        return f"{self.batch_id} ({self.description or 'no description'}): {amount} {word}, {shown}"


class SplitInfo(msgspec.Struct, kw_only=True):
    """The accounts and days that the API split off; null or empty where it did not split."""

    ds_accounts: list[str | int] | str | int | None = None
    start_date: str | None = None
    end_date: str | None = None


class BatchQuery(msgspec.Struct, kw_only=True):
    """One query of a batch ("batch_query")."""

    schedule_id: str
    status_code: str
    split_info: SplitInfo | None = None
    error_info: Error | None = None
    result_info: ResultFacts | None = None

    @property
    def status(self) -> QueryStatus:
        """Return the status."""
        return QueryStatus.of(self.status_code)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Return the accounts of the query after splitting; none where accounts were not split."""
        accounts = (self.split_info and self.split_info.ds_accounts) or ()
        # They may come as one text, as a query may name them.
        ids = accounts if isinstance(accounts, list | tuple) else str(accounts).split(",")
        return tuple(str(each).strip() for each in ids)


def is_empty_answer(cells: Sequence[Cell]) -> bool:
    """Return whether the only row of a result says that there is none."""
    given = [each for each in cells if each not in (None, "")]
    word = str(given[0]).strip(" .!").casefold() if len(given) == 1 else ""
    return word == _EMPTY_ANSWER


def batch_id_of(schedule_id: str) -> str:
    """Return the query batch that a schedule id names; empty for that of a single query."""
    found = re.match(r"(qrb_\w+?)_query_\d", schedule_id)
    return found[1] if found else ""


def described(body: Mapping[str, Any], token: str) -> dict[str, Any]:
    """Return the body of "Start batch run" with a token in its description."""
    description = body.get("description") or "tap-supermetrics"
    return {**body, "description": f"{description} [{token}]"}


def batch_path(batch_id: str) -> str:
    """Return the path of one query batch."""
    return f"{BATCH_PATH}/{quote(batch_id, safe='')}"


def status_path(batch_id: str) -> str:
    """Return the path of the status of one query batch."""
    return f"{batch_path(batch_id)}/status"


def fields_parameters(ds_id: str, accounts: Sequence[str], logins: Sequence[str]) -> dict[str, str]:
    """Return parameters of "Get fields", which lists custom fields only with their logins."""
    custom = {"ds_accounts": _accounts(accounts), "ds_users": list(logins)}
    return as_json_parameter({"ds_id": ds_id} | (custom if accounts and logins else {}))


def page_of(offset: int, limit: int) -> dict[str, int]:
    """Return paging of "Get results" and "Get batch status"."""
    return {"offset": offset, "limit": limit}


def without_paging(address: str) -> str:
    """Return an address of results whose own paging parameters give way to ours."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address  # which the client refuses
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in page_of(0, 0)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def as_json_parameter(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters of a GET as the one `json` parameter that the docs favour."""
    return {"json": json.dumps(parameters, separators=(",", ":"))}


def batch_body(request: BatchRequest, reports: Mapping[str, Report]) -> dict[str, Any]:
    """Return the body of "Start batch run"."""
    policy = request.policy
    body: dict[str, Any] = {
        "queries": [item_parameters(item, reports[item.report]) for item in request.items],
        "split_accounts_policy": policy.split.accounts.value,
        "split_dates_policy": policy.split.dates.value,
        "timeout_minutes": policy.timeout_minutes,
        "query_concurrency": policy.query_concurrency,
        "query_output_format": "json",
        "add_exclude_account_errors": policy.add_exclude_account_errors,
        "add_clean_data_types": policy.add_clean_data_types,
    }
    return body | ({"description": policy.description} if policy.description else {})


def item_parameters(item: BatchItem | Query, report: Report) -> dict[str, Any]:
    """Return parameters of "Get data" for one item of a batch, or one query by itself.

    Rows come without the header row, and `max_rows` is always sent: left out, the API cuts a
    result off at 1,000 rows without a word (observed).
    """
    parameters: dict[str, Any] = {
        "ds_id": report.ds_id,
        "fields": list(report.fields),
        **report.parameters,
        "settings": {**report.parameters.get("settings", {}), "no_headers": True},
        "max_rows": report.max_rows,
    }
    if item.is_fresh:
        parameters["cache_minutes"] = 0
    if item.accounts:
        parameters["ds_accounts"] = _accounts(item.accounts)
    if report.date_range_type:
        parameters["date_range_type"] = report.date_range_type
    elif item.dates:
        parameters["start_date"] = item.dates.first.isoformat()
        parameters["end_date"] = item.dates.last.isoformat()
    return parameters


def request_hash(report: Report) -> str:
    """Return eight hex digits that change with all that is requested beside accounts and days.

    Retained results of an earlier run are of use only where the hash is the same.
    """
    item = BatchItem(report=report.name, accounts=(), dates=None)
    policy = report.policy
    added = policy.add_exclude_account_errors, policy.add_clean_data_types
    text = json.dumps([item_parameters(item, report), *added], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def query_parameters(query: Query, report: Report, policy: BatchPolicy) -> dict[str, Any]:
    """Return parameters of "Get data" for a query submitted by itself.

    What a batch adds to its queries is added here as far as it is known: which settings clean
    data types is not documented, and the tap converts values itself.
    """
    parameters = item_parameters(query, report)
    if policy.add_exclude_account_errors:
        parameters["settings"]["exclude_invalid_accounts"] = True
    return parameters


def async_body(parameters: Mapping[str, Any], schedule_id: str) -> dict[str, Any]:
    """Return a body of "Get data" that does not wait ("How to run an async query")."""
    return {**parameters, "sync_timeout": 0, "schedule_id": schedule_id}


def status_parameters(schedule_id: str) -> dict[str, Any]:
    """Return parameters of "Get status"; it answers with rows at the end: one is enough."""
    return {"schedule_id": schedule_id, "offset_start": 0, "offset_end": 0}


def results_address(schedule_id: str) -> str:
    """Return the address of results that come without their `results_url`."""
    return f"{RESULTS_PATH}?{urlencode({'schedule_id': schedule_id})}"


def _accounts(accounts: Sequence[str]) -> list[str] | str:
    """Return accounts as the API takes them: a team list by itself, not in a list of ids."""
    is_team_list = len(accounts) == 1 and is_list(accounts[0])
    return accounts[0] if is_team_list else list(accounts)
