"""Endpoints of single queries, and of results (Supermetrics docs, "Async queries")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_supermetrics.emulator import answers
from tap_supermetrics.emulator.batch_requests import (
    FORMATS,
    Surroundings,
    check_emulated,
    target_of,
)
from tap_supermetrics.emulator.encoding import size_of
from tap_supermetrics.emulator.envelopes import Endpoints
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.parameters import (
    Params,
    generated_schedule_id,
    question,
    source_of,
    users_of,
    whole_number,
)
from tap_supermetrics.emulator.queries import EmulatedQuery, Status
from tap_supermetrics.emulator.results import Page, Results, inclusive

if TYPE_CHECKING:
    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.envelopes import Envelopes
    from tap_supermetrics.emulator.incoming import Outgoing
    from tap_supermetrics.emulator.results import Call

MAX_SYNC_S = 1800
"""Longest `sync_timeout`, and the default (Supermetrics docs, "Short URLs")."""

MAX_DUPLICATES = 10
"""Requests that may wait for a query that another one runs (Supermetrics docs, "Usage limits")."""


class QueryEndpoints(Endpoints):
    """Answers requests about queries and their results."""

    def __init__(self, engine: Engine, envelopes: Envelopes) -> None:
        super().__init__(engine, envelopes)
        self._results_of = Results(envelopes.meta)

    def data(self, call: Call) -> Outgoing:
        """Run a query, or join one that runs."""
        if call.ids[0] not in FORMATS:
            raise RefusalError("ENDPOINT_NOT_FOUND", f"There is no {call.method} {call.path}.")
        check_emulated(call.ids[0])
        try:
            seconds = whole_number(call.params, "sync_timeout", MAX_SYNC_S)
            query = self._submitted(call)
            if seconds:
                self._wait(query, min(seconds, MAX_SYNC_S))
            return self._answer(call, query, self._engine.options.unfinished_status)
        except RefusalError as error:
            raise self._of_query(error) from None

    def _of_query(self, error: RefusalError) -> RefusalError:
        if self._engine.options.errors_in_200:
            error.status = 200
        return error

    def _submitted(self, call: Call) -> EmulatedQuery:
        """Return the query that answers a request: one under way with the same id, or a new one."""
        around = Surroundings.of(self._engine)
        # Before it is taken: what is wrong with it is told in this very answer.
        question(call.params, around.world, around.options, around.now)
        schedule_id = self._schedule_id(call.params)
        self._check_login(call.params)
        # Looked up and submitted at one go: else two requests for one id would run it twice.
        with self._engine.changed:
            known = self._engine.query(schedule_id, call.key)
            if known and self._is_joined(known, call.params):
                return known
            query = EmulatedQuery(
                schedule_id=schedule_id,
                params=call.params,
                key=call.key,
                target=target_of(schedule_id, call.params, around),
            )
            self._engine.submit(query)
        return query

    def _schedule_id(self, params: Params) -> str:
        """Return the id of a run; the API's schema allows 50 characters, generated ids have 64."""
        is_kept = self._engine.options.schedule_id_sent == "kept"
        sent = params.get("schedule_id") if is_kept else None
        if sent is None or sent == "":
            return generated_schedule_id(params)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", str(sent)):
            raise RefusalError("SCHEDULE_ID_INVALID", "Letters, digits, - and _ are allowed.")
        return str(sent)

    def _check_login(self, params: Params) -> None:
        source = source_of(params, self._engine.world, self._engine.options)
        known = {login.user.lower() for login in source.logins}
        if not users_of(params) <= known:
            raise RefusalError("QUERY_AUTH_UNAVAILABLE", f"No usable login for {source.name}.")

    def _is_joined(self, known: EmulatedQuery, params: Params) -> bool:
        if known.is_over:
            return (
                self._engine.options.same_schedule_id == "return" and known.status is Status.SUCCESS
            )
        same = generated_schedule_id(known.params) == generated_schedule_id(params)
        if not same and self._engine.options.schedule_id_conflict == "refuse":
            raise RefusalError("CONFLICT_ERROR", "This schedule_id is running another query.")
        return True

    def _wait(self, query: EmulatedQuery, seconds: int) -> None:
        if query.waiting > MAX_DUPLICATES and self._engine.options.eleventh_duplicate == "refuse":
            raise RefusalError("TOO_MANY_REQUESTS", "Too many requests wait for this query.")
        self._engine.wait(query, seconds)

    def _answer(self, call: Call, query: EmulatedQuery, unfinished: int) -> Outgoing:
        with self._engine.changed:
            self._engine.advance()
            if query.error:
                error = query.error
                raise RefusalError(
                    error.code, error.description, status=error.status, message=error.message
                )
            if query.status is not Status.SUCCESS:
                return self._envelopes.json(
                    answers.unfinished(query, self._engine.workload), [], unfinished
                )
        if query.is_gone:
            raise RefusalError("QUERY_RESULTS_UNAVAILABLE", "No results found for this query.")
        return self._results_of.answer(call, query, inclusive(call.params), self._engine.options)

    def status(self, call: Call) -> Outgoing:
        """Tell the state of a query."""
        query = self._engine.query(_required_id(call.params), call.key)
        if query is None or not self._engine.register.has_status(query):
            raise RefusalError(
                "STATUS_NOT_FOUND", status=self._engine.options.status_not_found_status
            )
        try:
            return self._answer(call, query, self._engine.options.status_unfinished_status)
        except RefusalError as error:
            raise self._of_query(error) from None

    def results(self, call: Call) -> Outgoing:
        """Tell the rows of a query that succeeded."""
        query = self._engine.query(_required_id(call.params), call.key)
        if (
            query is None
            or query.status is not Status.SUCCESS
            or not self._engine.register.has_results(query)
        ):
            raise RefusalError("QUERY_RESULTS_UNAVAILABLE", "No results found for this query.")
        first = whole_number(call.params, "offset", 0) or 0
        self._check_offset(first, query)
        limit = self._page_limit(call.params)
        page = Page(first=first, last=limit and first + limit, names=("offset", "limit"))
        if not self._engine.options.results_paging:
            page = Page(names=("offset", "limit"))
        return self._results_of.answer(call, query, page, self._engine.options)

    def _check_offset(self, first: int, query: EmulatedQuery) -> None:
        """Refuse an offset behind the last row, where such are refused; a first page there is."""
        options = self._engine.options
        if not first or options.results_behind_end == "empty" or first < size_of(query, options):
            return
        if options.results_behind_end == "none":
            raise RefusalError("QUERY_RESULTS_UNAVAILABLE", "No results found for this offset.")
        raise RefusalError("PARAMETER_INVALID", f"offset {first} is behind the last row.")

    def _page_limit(self, params: Params) -> int | None:
        limit, longest = whole_number(params, "limit", None), self._engine.options.results_limit_max
        if not longest or limit is None:
            return limit
        if limit > longest and self._engine.options.results_limit_over_maximum == "refuse":
            raise RefusalError("PARAMETER_INVALID", f"limit may be {longest} at most.")
        return min(limit, longest)


def _required_id(params: Params) -> str:
    schedule_id = params.get("schedule_id")
    if not schedule_id:
        raise RefusalError("SCHEDULE_ID_REQUIRED", "Parameter schedule_id is required.")
    return str(schedule_id)
