"""The control plane: what a test in any language needs, as JSON over HTTP.

GET    /emulator/            the addresses below
GET    /emulator/requests    the log of requests; DELETE forgets it
GET    /emulator/queries     every query performed, after splitting
GET    /emulator/batches     every batch; peak_running_batches, max_queries
GET    /emulator/clock       the emulated time
POST   /emulator/clock       {"advance": seconds} or {"set": "<ISO 8601>"}
GET    /emulator/faults      the faults in force; DELETE clears them
POST   /emulator/faults      a fault: the attributes of `Fault`
GET    /emulator/options     the options in force
POST   /emulator/options     {name: value} to change
POST   /emulator/world       {"gone"|"back"|"unlicensed": [ds_id, account]},
                             {"restate": [ds_id, account, "YYYY-MM-DD"]} or
                             {"list": [ds_id, slug, account, ...]}
POST   /emulator/reset       forget requests, queries, batches, faults and changes of data
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from tap_supermetrics.emulator.clock import instant
from tap_supermetrics.emulator.faults import Fault
from tap_supermetrics.emulator.incoming import Incoming, Outgoing
from tap_supermetrics.emulator.options import Options, check_value

if TYPE_CHECKING:
    from tap_supermetrics.emulator.emulator import Emulator

PREFIX = "/emulator/"
EFFECTS: Mapping[str, str] = {
    "error": "a request is answered with status, code and headers",
    "delay": "a request waits for so many real seconds before it is processed",
    "delay_after": "a request is processed, and answered so many real seconds later",
    "reset_before": "the connection breaks before a request is processed",
    "reset_after": "the connection breaks after a request is processed",
    "truncate": "the body ends half-way, or at so many bytes (size)",
    "html": "a page of a proxy instead of JSON",
    "expire": "the status and results that a request asks for are gone",
    "fail_query": "a query fails with status, code, message, description",
    "end_query": "a query ends with a status code, without result or error",
    "slow_query": "a query takes so many emulated seconds",
    "hang_query": "a query never ends by itself",
    "expire_query": "a result is gone as soon as it is there",
    "oversize": "the first text of a result is so many characters long (size)",
}
"""What a fault does, by its `effect`; the whole story is told by `Fault`."""

Body = Mapping[str, Any]
Action = Callable[["Emulator", Body], object]


def answer(emulator: Emulator, request: Incoming) -> Outgoing:
    """Answer a request to the control plane; errors are plain texts."""
    action = _ACTIONS.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if action is None:
        return _json({"error": f"unknown; there are {', '.join(map(' '.join, _ACTIONS))}"}, 404)
    try:
        body = json.loads(request.body or b"{}")
        return _json(action(emulator, body))
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)


def _json(value: object, status: int = 200) -> Outgoing:
    return Outgoing(status=status, body=msgspec.json.encode(value))


def _index(emulator: Emulator, _body: Body) -> object:
    return {
        "url": emulator.url,
        "endpoints": [f"{method} {PREFIX}{path}" for method, path in _ACTIONS],
        "fault_effects": EFFECTS,
    }


def _requests(emulator: Emulator, _body: Body) -> object:
    return [dataclasses.asdict(request) for request in emulator.requests]


def _queries(emulator: Emulator, _body: Body) -> object:
    return [dataclasses.asdict(query) for query in emulator.queries]


def _batches(emulator: Emulator, _body: Body) -> object:
    batches = emulator.batches
    return {
        "peak_running_batches": emulator.peak_running_batches,
        "max_queries": max((batch.amount for batch in batches), default=0),
        "batches": [dataclasses.asdict(batch) for batch in batches],
    }


def _clock(emulator: Emulator, _body: Body) -> object:
    return {"now": emulator.clock.now().isoformat(), "factor": emulator.clock.factor}


def _move_clock(emulator: Emulator, body: Body) -> object:
    if "set" in body:
        emulator.clock.set(instant(str(body["set"])))
    else:
        emulator.clock.advance(float(body["advance"]))
    return _clock(emulator, body)


def _faults(emulator: Emulator, _body: Body) -> object:
    return [dataclasses.asdict(fault) for fault in emulator.faults]


def _inject(emulator: Emulator, body: Body) -> object:
    known = {field.name for field in dataclasses.fields(Fault)}
    if not set(body) <= known:
        raise ValueError(f"expected some of {', '.join(sorted(known))}")
    emulator.inject(msgspec.convert(body, Fault, strict=False))
    return _faults(emulator, body)


def _options(emulator: Emulator, _body: Body) -> object:
    return dataclasses.asdict(emulator.options)


def _change_options(emulator: Emulator, body: Body) -> object:
    known = dataclasses.asdict(emulator.options)
    if not set(body) <= set(known):
        raise ValueError(f"expected some of {', '.join(known)}")
    # Only to check the types, which `dataclasses.replace` does not look at.
    msgspec.convert({**known, **body}, Options)
    for name, value in body.items():
        check_value(name, value)
    emulator.change_options(**body)
    return _options(emulator, body)


def _change_world(emulator: Emulator, body: Body) -> object:
    changes: dict[str, Callable[..., None]] = {
        "gone": emulator.changes.drop_account,
        "back": emulator.changes.restore_account,
        "unlicensed": emulator.changes.unlicense_account,
        "list": emulator.changes.change_list,
        "restate": lambda ds_id, account, day: emulator.changes.restate(
            ds_id, account, date.fromisoformat(day)
        ),
    }
    for name, arguments in body.items():
        changes[name](*arguments)
    return {"changed": list(body)}


def _clear_faults(emulator: Emulator, _body: Body) -> object:
    emulator.clear_faults()
    return []


def _clear_requests(emulator: Emulator, _body: Body) -> object:
    emulator.clear_requests()
    return []


def _reset(emulator: Emulator, _body: Body) -> object:
    emulator.reset()
    return {"reset": True}


_ACTIONS: Mapping[tuple[str, str], Action] = {
    ("GET", ""): _index,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _clear_requests,
    ("GET", "queries"): _queries,
    ("GET", "batches"): _batches,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _move_clock,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _inject,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "options"): _options,
    ("POST", "options"): _change_options,
    ("POST", "world"): _change_world,
    ("POST", "reset"): _reset,
}
