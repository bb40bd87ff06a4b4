"""Failures on demand: what is hit, when, and what happens to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping  # noqa: TC003 - msgspec reads it at run time
from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - same
from typing import Literal, get_args

RequestEffect = Literal[
    "error", "delay", "delay_after", "reset_before", "reset_after", "truncate", "html", "expire"
]
QueryEffect = Literal[
    "fail_query", "end_query", "slow_query", "hang_query", "expire_query", "oversize"
]
Effect = Literal[RequestEffect, QueryEffect]

QUERY_EFFECTS = frozenset(get_args(QueryEffect))
EFFECTS = (*get_args(RequestEffect), *get_args(QueryEffect))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something to go wrong.

    Effects on requests (`method` and `path` choose them; so do the attributes of the query
    that the request names by `schedule_id`):

    - "error": answered with `status`, `code`, `headers`, not processed; `status=200` gives an error
      object inside an HTTP 200;
    - "delay", "delay_after": waits for `seconds` of real time before or after it is processed;
    - "reset_before", "reset_after": the connection breaks before or after it is processed;
    - "truncate": the body ends half-way, at `size` bytes if given;
    - "html": a page of a proxy with `status` instead of JSON, not processed;
    - "expire": the status and results that it asks for are gone.

    Effects on queries, as they start to run (the attributes of the query choose them):

    - "fail_query": fails with `status`, `code`, `message`, `description`;
    - "end_query": ends with the status code `code`, without result or error (PROCESS_EXITED,
      say, which the official command line client knows and no documentation);
    - "slow_query": takes `seconds` of emulated time;
    - "hang_query": never ends by itself;
    - "expire_query": its result is gone as soon as it is there;
    - "oversize": the first text of its first row is `size` characters long.

    Attributes:
        effect: What happens.
        method: Regular expression for the whole HTTP method; any when empty.
        path: Regular expression found in the path after the version ("query/batch$").
        ds_id: Data source of the query.
        account: An account of the query.
        day: A day within the query's date range.
        schedule_id: Regular expression found in the query's schedule id.
        after: Let so many matches pass first.
        times: How often it happens; None for always.
        status: HTTP status.
        code: Error code.
        message: Short wording; the code's own when empty.
        description: Detailed wording.
        headers: Further headers of the answer.
        seconds: See the effects.
        size: See the effects.
    """

    effect: Effect
    method: str = ""
    path: str = ""
    ds_id: str = ""
    account: str = ""
    day: date | None = None
    schedule_id: str = ""
    after: int = 0
    times: int | None = 1
    status: int = 500
    code: str = "INTERNAL_SERVER_ERROR"
    message: str = ""
    description: str = "Injected by the emulator."
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    size: int = 0

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ValueError(f"effect {self.effect!r}: expected one of {', '.join(EFFECTS)}")
        for text in (self.method, self.path, self.schedule_id):
            re.compile(text)

    @property
    def is_of_query(self) -> bool:
        """Return whether it happens to a query as it runs, not to a request."""
        return self.effect in QUERY_EFFECTS

    @property
    def names_a_query(self) -> bool:
        """Return whether it is chosen by attributes of a query."""
        return bool(self.ds_id or self.account or self.day or self.schedule_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The attributes of a query that faults are chosen by."""

    schedule_id: str
    ds_id: str
    accounts: tuple[str, ...]
    first: date | None
    last: date | None


def hits_query(fault: Fault, target: Target) -> bool:
    """Return whether the query is one that the fault is for."""
    if fault.ds_id and fault.ds_id != target.ds_id:
        return False
    if fault.account and fault.account not in target.accounts:
        return False
    if fault.day and not (
        target.first and target.last and target.first <= fault.day <= target.last
    ):
        return False
    return bool(re.search(fault.schedule_id, target.schedule_id))


def hits_request(fault: Fault, method: str, path: str, target: Target | None) -> bool:
    """Return whether the request is one that the fault is for."""
    if fault.method and not re.fullmatch(fault.method, method, re.IGNORECASE):
        return False
    if not re.search(fault.path, path):
        return False
    return not fault.names_a_query or (target is not None and hits_query(fault, target))


class Faults:
    """The faults in force, in order; of several that match, the first happens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: dict[int, int] = {}

    @property
    def all(self) -> tuple[Fault, ...]:
        """Return the faults injected since the last `clear`."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Put none in force."""
        with self._lock:
            self._faults.clear()
            self._seen.clear()

    def of_request(self, method: str, path: str, target: Target | None) -> Fault | None:
        """Return the fault that happens to a request, if any."""
        return self._first(
            lambda fault: not fault.is_of_query and hits_request(fault, method, path, target)
        )

    def of_query(self, target: Target) -> Fault | None:
        """Return the fault that happens to a query that starts to run, if any."""
        return self._first(lambda fault: fault.is_of_query and hits_query(fault, target))

    def _first(self, matches: Callable[[Fault], bool]) -> Fault | None:
        # Without the lock: there mostly are none, and every request asks.
        if not self._faults:
            return None
        with self._lock:
            for number, fault in enumerate(self._faults):
                # In this order: only a match counts towards `after` and `times`.
                if matches(fault) and self._is_due(number, fault):
                    return fault
        return None

    def _is_due(self, number: int, fault: Fault) -> bool:
        seen = self._seen[number] = self._seen.get(number, 0) + 1
        return seen > fault.after and (fault.times is None or seen <= fault.after + fault.times)
