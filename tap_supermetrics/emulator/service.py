"""The endpoints of the API.

Those of the documents "Async queries" and "Batch queries (Preview)", and those that a tap needs
beside them. Not here: saved queries and their short addresses, logins, data
sources and their settings, and OAuth. They answer ENDPOINT_NOT_FOUND.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from tap_supermetrics.emulator import answers
from tap_supermetrics.emulator.batch_requests import (
    FORMATS,
    Surroundings,
    check_emulated,
    parsed_batch,
    target_of,
)
from tap_supermetrics.emulator.blocks import mixed
from tap_supermetrics.emulator.encoding import json_bytes
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.incoming import Incoming, Outgoing
from tap_supermetrics.emulator.management import Management
from tap_supermetrics.emulator.parameters import (
    Params,
    account_ids,
    generated_schedule_id,
    question,
    source_of,
    whole_number,
)
from tap_supermetrics.emulator.queries import EmulatedBatch, EmulatedQuery, Status
from tap_supermetrics.emulator.results import Call, Page, Results, inclusive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.emulator.answers import Answer
    from tap_supermetrics.emulator.clock import Clock
    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.options import Options

PREFIXES = ("/enterprise/v2/", "/v2/")
"""The paths that the API is served under: documented, and used by the official SDK."""

OUTPUTS = {"pbijson": "json"}
"""What the Power BI connector calls a format."""

REQUESTS_PER_HOUR = 5000
"""The requests that are counted where no limit is set: the example of the API's schema."""

MAX_DUPLICATES = 10
"""Requests that may wait for a query that another one runs (Supermetrics docs, "Usage limits")."""


class Service:
    """Answers requests below `PREFIXES`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._numbers = itertools.count(1)
        self._results_of = Results(self._meta)
        self._recent: deque[float] = deque(maxlen=10_000)
        self._lock = threading.Lock()
        management = Management(engine, clock, self._json)
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[[Call], Outgoing]], ...] = (
            ("POST", re.compile(r"query/batch"), self._batch_start),
            ("GET", re.compile(r"query/batch/([^/]+)"), self._batch_information),
            ("DELETE", re.compile(r"query/batch/([^/]+)"), self._batch_cancel),
            ("GET", re.compile(r"query/batch/([^/]+)/status"), self._batch_status),
            ("GET|POST", re.compile(r"query/data/(\w+)"), self._data),
            ("GET", re.compile(r"query/status"), self._status),
            ("GET", re.compile(r"query/results"), self._results),
            ("GET", re.compile(r"query/fields"), self._fields),
            ("GET", re.compile(r"query/accounts"), self._accounts),
            ("GET", re.compile(r"query/segments"), self._segments),
            ("GET", re.compile(r"me"), management.me),
            ("POST", re.compile(r"query/convert"), management.convert),
            ("GET", re.compile(r"query/history"), management.history),
            ("GET", re.compile(r"team/lists"), management.team_lists),
            ("GET", re.compile(r"team/list/([^/]+)"), management.team_list),
            (
                "GET",
                re.compile(r"team/list/([^/]+)/data/account_ids"),
                management.team_list_accounts,
            ),
        )

    @property
    def options(self) -> Options:
        """The options in force."""
        return self._engine.options

    def handle(self, request: Incoming, path: str, params: Params, key: str) -> Outgoing:
        """Answer a request; `path` is that below the prefix.

        Raises:
            RefusalError: The answer is an error.
        """
        answer, ids = self._route(request.method, path)
        self._authenticate(key)
        headers = self._limit_rate()
        host = request.headers.get("host", "localhost")
        prefix = request.path.removesuffix(path).rstrip("/")
        base_url = f"http://{host}{prefix}"
        call = Call(
            method=request.method,
            base_url=base_url,
            path=path,
            params={name: value for name, value in params.items() if name != "api_key"},
            key=key,
            ids=ids,
        )
        try:
            answered = answer(call)
        except RefusalError as error:
            error.headers = {**headers, **error.headers}
            raise
        answered.headers = {**headers, **answered.headers}
        if "pretty" in params and isinstance(answered.body, bytes):
            answered.body = msgspec.json.format(answered.body)
        return answered

    def failure(self, error: RefusalError) -> Outgoing:
        """The answer that says what went wrong."""
        body = {"meta": self._meta(), "error": error.payload()}
        return Outgoing(
            status=error.status, body=json_bytes(body, self.options), headers=error.headers
        )

    def _route(self, method: str, path: str) -> tuple[Callable[[Call], Outgoing], tuple[str, ...]]:
        for methods, pattern, answer in self._routes:
            match = pattern.fullmatch(path)
            if match and method in methods.split("|"):
                return answer, match.groups()
        raise RefusalError("ENDPOINT_NOT_FOUND", f"There is no {method} {path}.")

    def _authenticate(self, key: str) -> None:
        if not key:
            raise RefusalError("API_KEY_REQUIRED")
        if key not in {self.options.api_key, self.options.other_api_key}:
            raise RefusalError("API_KEY_INVALID")

    def _limit_rate(self) -> dict[str, str]:
        """Count a request; return the headers that tell how many are left."""
        limit, period_s = self.options.requests_per_second, 1.0
        if not limit:
            limit, period_s = REQUESTS_PER_HOUR, 3600.0
        now = time.monotonic()
        with self._lock:
            while self._recent and now - self._recent[0] >= period_s:
                self._recent.popleft()
            is_over = len(self._recent) >= limit and self.options.requests_per_second > 0
            if not is_over:
                self._recent.append(now)
            headers = self._rate_headers(limit)
        if is_over:
            headers |= {"Retry-After": "1"} if self.options.retry_after else {}
            raise RefusalError("TOO_MANY_REQUESTS", headers=headers)
        return headers

    def _rate_headers(self, limit: int) -> dict[str, str]:
        if not self.options.rate_headers:
            return {}
        left = max(limit - len(self._recent), 0)
        return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(left)}

    def _id(self, length: int) -> str:
        number = next(self._numbers)
        digits = "".join(f"{mixed(self.options.seed, number, part):016x}" for part in range(2))
        return digits[:length]

    def _meta(self, **more: object) -> Answer:
        return {"request_id": self._id(32), **more}

    def _json(self, meta: Answer, data: object, status: int = 200) -> Outgoing:
        body = {"meta": {"request_id": self._id(32), **meta}, "data": data}
        return Outgoing(status=status, body=json_bytes(body, self.options))

    def _around(self) -> Surroundings:
        return Surroundings(world=self._engine.world, options=self.options, now=self._clock.now())

    # Batches

    def _batch_start(self, call: Call) -> Outgoing:
        batch = parsed_batch(call.params, f"qrb_{self._id(12)}", call.key, self._around())
        self._engine.submit_batch(batch)
        return self._json({}, answers.batch_information(batch, call.base_url), 201)

    def _batch_information(self, call: Call) -> Outgoing:
        return self._json({}, answers.batch_information(self._batch(call), call.base_url))

    def _batch_cancel(self, call: Call) -> Outgoing:
        batch = self._batch(call)
        if not self._engine.keeps_status(batch):
            raise RefusalError("BATCH_STATUS_NOT_FOUND")
        self._engine.cancel(batch)
        return self._json({}, answers.batch_information(batch, call.base_url))

    def _batch_status(self, call: Call) -> Outgoing:
        batch = self._batch(call)
        if not self._engine.keeps_status(batch) or not self._has_status(batch):
            raise RefusalError("BATCH_STATUS_NOT_FOUND")
        offset = whole_number(call.params, "offset", 0) or 0
        limit = min(1000, max(1, whole_number(call.params, "limit", 100) or 1))
        with self._engine.changed:
            meta = {
                "status_code": batch.status.value,
                "progress": answers.batch_progress(batch),
                "paginate": {"offset": offset, "limit": limit, "total": len(batch.queries)},
            }
            data = [
                answers.batch_query(query, call.base_url, self.options)
                for query in batch.queries[offset : offset + limit]
            ]
        return self._json(meta, data)

    def _has_status(self, one: EmulatedBatch | EmulatedQuery) -> bool:
        return self._clock.seconds() >= one.arrived + self.options.status_ready_after_seconds

    def _has_results(self, query: EmulatedQuery) -> bool:
        ready_after = self.options.results_ready_after_seconds
        return self._clock.seconds() >= (query.ended or 0.0) + ready_after

    def _batch(self, call: Call) -> EmulatedBatch:
        batch = self._engine.batch(call.ids[0])
        if batch is None or batch.key != call.key:
            raise RefusalError("BATCH_NOT_FOUND")
        return batch

    # Single queries

    def _data(self, call: Call) -> Outgoing:
        output = OUTPUTS.get(call.ids[0], call.ids[0])
        check_emulated(output)
        if output not in FORMATS:
            raise RefusalError("ENDPOINT_NOT_FOUND", f"There is no {call.method} {call.path}.")
        call = dataclasses.replace(call, ids=(output,))
        try:
            seconds = self._sync_seconds(call.params)
            query = self._submitted(call)
            if seconds:
                self._wait(query, seconds)
            return self._answer(call, query, self.options.unfinished_status, call.ids[0])
        except RefusalError as error:
            raise self._of_query(error) from None

    def _of_query(self, error: RefusalError) -> RefusalError:
        if self.options.errors_in_200:
            error.status = 200
        return error

    def _sync_seconds(self, params: Params) -> int:
        longest = self.options.max_sync_seconds
        name = "sync_timeout" if "sync_timeout" in params else "sync"
        seconds = whole_number(params, name, longest) or 0
        if seconds > longest and self.options.sync_timeout_over_maximum == "refuse":
            raise RefusalError("PARAMETER_INVALID", f"sync_timeout may be {longest} at most.")
        return min(seconds, longest)

    def _submitted(self, call: Call) -> EmulatedQuery:
        """The query that answers a request: one under way with the same id, or a new one."""
        around = self._around()
        question(call.params, around.world, around.options, around.now)
        schedule_id = self._schedule_id(call.params)
        self._check_login(call.params)
        with self._engine.changed:
            known = self._engine.query(schedule_id, call.key)
            if known and self._is_joined(known, call.params):
                return known
            query = EmulatedQuery(
                schedule_id=schedule_id,
                params=call.params,
                key=call.key,
                target=target_of(schedule_id, call.params, around),
                output=call.ids[0],
            )
            self._engine.submit(query)
        return query

    def _schedule_id(self, params: Params) -> str:
        """The id of a run; the API's schema allows 50 characters, generated ids have 64."""
        sent = params.get("schedule_id")
        if sent is None or sent == "":
            return generated_schedule_id(params)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", str(sent)):
            raise RefusalError("SCHEDULE_ID_INVALID", "Letters, digits, - and _ are allowed.")
        return str(sent)

    def _check_login(self, params: Params) -> None:
        source = source_of(params, self._engine.world, self.options)
        known = {login.user.lower() for login in source.logins}
        if not _users(params) <= known:
            raise RefusalError("QUERY_AUTH_UNAVAILABLE", f"No usable login for {source.name}.")

    def _is_joined(self, known: EmulatedQuery, params: Params) -> bool:
        if known.is_over:
            return self.options.same_schedule_id == "return" and known.status is Status.SUCCESS
        same = generated_schedule_id(known.params) == generated_schedule_id(params)
        if not same and self.options.schedule_id_conflict == "refuse":
            raise RefusalError("CONFLICT_ERROR", "This schedule_id is running another query.")
        return True

    def _wait(self, query: EmulatedQuery, seconds: int) -> None:
        if query.waiting > MAX_DUPLICATES and self.options.eleventh_duplicate == "refuse":
            raise RefusalError("TOO_MANY_REQUESTS", "Too many requests wait for this query.")
        self._engine.wait(query, seconds)

    def _answer(self, call: Call, query: EmulatedQuery, unfinished: int, output: str) -> Outgoing:
        with self._engine.changed:
            self._engine.advance()
            if query.error:
                error = query.error
                raise RefusalError(
                    error.code, error.description, status=error.status, message=error.message
                )
            if query.status is not Status.SUCCESS:
                return self._json(answers.unfinished(query, self._engine.workload), [], unfinished)
        if query.is_gone:
            raise RefusalError("QUERY_RESULTS_UNAVAILABLE", "No results found for this query.")
        return self._results_of.answer(call, query, inclusive(call.params), output, self.options)

    def _status(self, call: Call) -> Outgoing:
        query = self._engine.query(_required_id(call.params), call.key)
        if query is None or not self._has_status(query):
            raise RefusalError("STATUS_NOT_FOUND", status=self.options.status_not_found_status)
        try:
            return self._answer(call, query, self.options.status_unfinished_status, "json")
        except RefusalError as error:
            raise self._of_query(error) from None

    def _results(self, call: Call) -> Outgoing:
        query = self._engine.query(_required_id(call.params), call.key)
        if query is None or query.status is not Status.SUCCESS or not self._has_results(query):
            raise RefusalError("QUERY_RESULTS_UNAVAILABLE", "No results found for this query.")
        first = whole_number(call.params, "offset", 0) or 0
        limit = self._page_limit(call.params)
        page = Page(first=first, last=limit and first + limit, names=("offset", "limit"))
        if not self.options.results_paging or query.output != "json":
            page = Page(names=("offset", "limit"))
        return self._results_of.answer(call, query, page, query.output, self.options)

    def _page_limit(self, params: Params) -> int | None:
        limit, longest = whole_number(params, "limit", None), self.options.results_limit_max
        if not longest or limit is None:
            return limit
        if limit > longest and self.options.results_limit_over_maximum == "refuse":
            raise RefusalError("PARAMETER_INVALID", f"limit may be {longest} at most.")
        return min(limit, longest)

    # What can be queried

    def _fields(self, call: Call) -> Outgoing:
        source = source_of(call.params, self._engine.world, self.options)
        # Custom fields are those of accounts, which take logins to be read ("Get fields").
        is_of_accounts = call.params.get("ds_accounts") and _users(call.params)
        accounts = account_ids(call.params, source, self._engine.world) if is_of_accounts else ()
        return self._json({}, answers.fields_of(source, accounts))

    def _accounts(self, call: Call) -> Outgoing:
        world = self._engine.world
        source = source_of(call.params, world, self.options)
        minutes = _cache_minutes(call.params)
        age = self.options.accounts_age
        is_fresh = minutes is not None and minutes < age
        cached = self._clock.seconds() - (0 if is_fresh else age * 60)
        listing = answers.Listing(
            world=world, users=_users(call.params), cached=cached, is_fresh=is_fresh
        )
        data = answers.accounts_of(source, listing)
        return self._json({"query": {"cache_minutes": minutes}}, data)

    def _segments(self, call: Call) -> Outgoing:
        source = source_of(call.params, self._engine.world, self.options)
        minutes = _cache_minutes(call.params)
        return self._json({"query": {"cache_minutes": minutes}}, answers.segments_of(source.logins))


def _cache_minutes(params: Params) -> int | None:
    """Clamped to 60..1440 (Supermetrics docs, "Get accounts")."""
    minutes = whole_number(params, "cache_minutes", None)
    return None if minutes is None else min(1440, max(60, minutes))


def _users(params: Params) -> frozenset[str]:
    value = params.get("ds_users") or params.get("ds_user") or []
    users = value if isinstance(value, list) else str(value).split(",")
    return frozenset(str(user).strip().lower() for user in users if str(user).strip())


def _required_id(params: Params) -> str:
    schedule_id = params.get("schedule_id")
    if not schedule_id:
        raise RefusalError("SCHEDULE_ID_REQUIRED", "Parameter schedule_id is required.")
    return str(schedule_id)
