"""Answers requests: the fault that is due, the service, the log."""

from __future__ import annotations

import re
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.incoming import Outgoing, Request, decoded, key_of
from tap_supermetrics.emulator.service import PREFIXES, Service

if TYPE_CHECKING:
    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.faults import Fault, Faults
    from tap_supermetrics.emulator.incoming import Incoming
    from tap_supermetrics.emulator.parameters import Params

LOGGED = 200_000
"""How many requests the log holds; older ones are forgotten."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
"""The names of this machine."""

_HTML = b"<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"


class Gateway:
    """Stands before the service.

    Args:
        engine: Runs queries.
        faults: Those in force.
        is_local: Whether only this machine is listened to.

    Attributes:
        log: The requests that were answered.
        crashes: Mistakes of the emulator itself, each answered with an error.
    """

    def __init__(self, engine: Engine, faults: Faults, *, is_local: bool) -> None:
        self._engine = engine
        self._faults = faults
        self._service = Service(engine)
        self._is_local = is_local
        self.log: deque[Request] = deque(maxlen=LOGGED)
        self.crashes: list[str] = []

    def respond(self, request: Incoming) -> Outgoing:
        """Answer a request, and log it."""
        begun, at = time.perf_counter(), self._engine.clock.seconds()
        time.sleep(self._engine.options.latency_seconds)
        params, error = self._params(request)
        fault = self._fault(request, params)
        answer, error = self._answer(request, params, error, fault)
        auth, _ = key_of(request, params)
        headers = {k: v for k, v in request.headers.items() if k != "authorization"}
        self.log.append(
            Request(
                method=request.method,
                path=request.path,
                params={name: value for name, value in params.items() if name != "api_key"},
                auth=auth,
                headers=headers,
                status=0 if answer.is_reset else answer.status,
                error_code=error.code if error else None,
                fault=fault.effect if fault else None,
                at=at,
                real_seconds=time.perf_counter() - begun,
            )
        )
        return answer

    def _params(self, request: Incoming) -> tuple[Params, RefusalError | None]:
        try:
            return decoded(request), None
        except RefusalError as error:
            return {}, error

    def _fault(self, request: Incoming, params: Params) -> Fault | None:
        query = self._engine.register.latest(str(params.get("schedule_id")))
        target = query.target if query else None
        return self._faults.of_request(request.method, _below(request.path), target)

    def _answer(
        self, request: Incoming, params: Params, error: RefusalError | None, fault: Fault | None
    ) -> tuple[Outgoing, RefusalError | None]:
        try:
            if fault and (instead := self._before(fault, request, params)):
                return instead, None
            return _after(fault, self._handled(request, params, error)), None
        except RefusalError as raised:
            return _after(fault, self._service.envelopes.failure(raised)), raised
        except Exception:  # noqa: BLE001 - whatever was sent, no connection is dropped
            self.crashes.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            failed = RefusalError("INTERNAL_SERVER_ERROR", "A mistake of the emulator.")
            return self._service.envelopes.failure(failed), failed

    def _handled(self, request: Incoming, params: Params, error: RefusalError | None) -> Outgoing:
        if error:
            raise error
        if request.damage:
            raise RefusalError("BAD_REQUEST", request.damage)
        self._check_host(request)
        _, key = key_of(request, params)
        return self._service.handle(request, _below(request.path), params, key)

    def _check_host(self, request: Incoming) -> None:
        """Refuse a page of the web whose name was made to mean this machine (DNS rebinding)."""
        host = re.sub(r":\d*$", "", request.headers.get("host", "localhost"))
        if self._is_local and host.lower() not in LOCAL_HOSTS:
            raise RefusalError("FORBIDDEN", "This emulator is asked by names of this machine only.")

    def _before(self, fault: Fault, request: Incoming, params: Params) -> Outgoing | None:
        """Return what a fault does before the request is processed, or instead."""
        match fault.effect:
            case "error":
                raise RefusalError(
                    fault.code,
                    fault.description,
                    status=fault.status,
                    message=fault.message,
                    headers=fault.headers,
                )
            case "html":
                return Outgoing(status=fault.status, body=_HTML, content_type="text/html")
            case "reset_before":
                return Outgoing(is_reset=True)
            case "delay":
                time.sleep(fault.seconds)
            case "expire":
                self._expire(request, params)
            case _:
                pass
        return None

    def _expire(self, request: Incoming, params: Params) -> None:
        query = self._engine.register.latest(str(params.get("schedule_id")))
        if query:
            query.is_gone = True
        parts = _below(request.path).split("/")
        batch = (
            self._engine.batch(parts[2]) if parts[:2] == ["query", "batch"] and parts[2:] else None
        )
        if batch:
            batch.is_gone = True


def _below(path: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if path.startswith(prefix)), "/")
    return path.removeprefix(prefix)


def _after(fault: Fault | None, answer: Outgoing) -> Outgoing:
    if fault and fault.effect == "reset_after":
        return Outgoing(is_reset=True)
    if fault and fault.effect == "delay_after":
        time.sleep(fault.seconds)
    if fault and fault.effect == "truncate":
        if not isinstance(answer.body, bytes):
            answer.body = b"".join(answer.body)
        answer.cut = fault.size
    return answer
