"""The emulator as an object: start it, look into it, make it fail."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING

from tap_supermetrics.emulator import control
from tap_supermetrics.emulator.clock import Clock, instant
from tap_supermetrics.emulator.engine import Engine
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.faults import Fault, Faults
from tap_supermetrics.emulator.incoming import Incoming, Outgoing, Request, decoded, key_of
from tap_supermetrics.emulator.options import Options
from tap_supermetrics.emulator.queries import BatchRecord, QueryRecord
from tap_supermetrics.emulator.server import Server
from tap_supermetrics.emulator.service import PREFIXES, Service
from tap_supermetrics.emulator.world import World

if TYPE_CHECKING:
    from datetime import date
    from types import TracebackType

    from tap_supermetrics.emulator.parameters import Params

LOGGED = 200_000
"""How many requests the log holds; older ones are forgotten."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")
"""The names of this machine."""

_HTML = b"<html><head><title>Error</title></head><body><h1>Error</h1></body></html>"


class Emulator:
    """A Supermetrics API on a local port.

    Use it as a context manager, or call `start` and `stop`.

    Args:
        options: Limits, durations, data and the choices where the real API is not known.
        host: Address to listen on.
        port: Port; 0 for any free one.

    Attributes:
        clock: The emulated time.
        crashes: Mistakes of the emulator itself, each answered with an error.
    """

    def __init__(
        self, *, options: Options | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        options = options or Options()
        self._faults = Faults()
        self.clock = Clock(instant(options.now), options.clock_factor)
        world = World(seed=options.seed, terms_per_campaign=options.terms_per_campaign)
        self._first_world = world
        self._engine = Engine(options, world, self.clock, self._faults)
        self._service = Service(self._engine, self.clock)
        self._log: deque[Request] = deque(maxlen=LOGGED)
        self._is_local = host in LOCAL_HOSTS
        self.crashes: list[str] = []
        self._server = Server(host, port, self.respond)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> Emulator:  # noqa: PYI034 - `Self` is not in Python 3.10
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Break all connections and stop answering."""
        self._engine.close()
        self._server.stop()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def url(self) -> str:
        """The address of the API, version included."""
        return f"{self.origin}/enterprise/v2"

    @property
    def api_key(self) -> str:
        """A key that is accepted."""
        return self.options.api_key

    @property
    def options(self) -> Options:
        """The options in force."""
        return self._engine.options

    @property
    def world(self) -> World:
        """The data, as they are now."""
        return self._engine.world

    @property
    def today(self) -> date:
        """The emulated day in UTC, which decides what has settled."""
        return self.clock.now().date()

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests answered, the control plane's left out."""
        return tuple(self._log)

    @property
    def queries(self) -> tuple[QueryRecord, ...]:
        """All queries performed, after splitting, in the order of their arrival."""
        with self._engine.changed:
            self._engine.advance()
            return tuple(QueryRecord.of(query) for query in self._engine.queries)

    @property
    def batches(self) -> tuple[BatchRecord, ...]:
        """All batches, in the order of their arrival."""
        with self._engine.changed:
            self._engine.advance()
            return tuple(BatchRecord.of(batch) for batch in self._engine.batches)

    @property
    def peak_running_batches(self) -> int:
        """The most batches that ran at once."""
        return self._engine.peak_running_batches

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults in force."""
        return self._faults.all

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Put no fault in force."""
        self._faults.clear()

    def clear_requests(self) -> None:
        """Forget the log of requests."""
        self._log.clear()

    def change_options(self, **changes: object) -> None:
        """Change options while running; seed, time and search terms stay as they are."""
        self._engine.options = dataclasses.replace(self.options, **changes)  # type: ignore[arg-type]  # its own names

    def drop_account(self, ds_id: str, account: str) -> None:
        """Make an account unavailable, and unlisted."""
        gone = self.world.gone | {(ds_id, account)}
        self._engine.world = dataclasses.replace(self.world, gone=gone)

    def unlicense_account(self, ds_id: str, account: str) -> None:
        """Make any query of an account fail; it stays listed."""
        unlicensed = self.world.unlicensed | {(ds_id, account)}
        self._engine.world = dataclasses.replace(self.world, unlicensed=unlicensed)

    def restore_account(self, ds_id: str, account: str) -> None:
        """Undo `drop_account` and `unlicense_account`; old lists do not name it yet."""
        key = {(ds_id, account)}
        self._engine.world = dataclasses.replace(
            self.world,
            gone=self.world.gone - key,
            unlicensed=self.world.unlicensed - key,
            came={**self.world.came, (ds_id, account): self.clock.seconds()},
        )

    def restate(self, ds_id: str, account: str, day: date) -> None:
        """Change all measures of an account on a day, for queries that run from now on."""
        revisions = self.world.restated
        key = (ds_id, account, day)
        restated = {**revisions, key: revisions.get(key, 0) + 1}
        self._engine.world = dataclasses.replace(self.world, restated=restated)

    def change_list(self, ds_id: str, slug: str, *accounts: str) -> None:
        """Make a team list have these accounts; without a data source it is of all of them."""
        lists = {**self.world.lists, (ds_id, slug): accounts}
        self._engine.world = dataclasses.replace(self.world, lists=lists)

    def reset(self) -> None:
        """Forget requests, queries, batches, faults and changes of the data."""
        self._engine.reset()
        self._engine.world = self._first_world
        self._faults.clear()
        self._log.clear()

    def respond(self, request: Incoming) -> Outgoing:
        """Answer a request, with the fault that is due, and log it."""
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request)
        begun, at = time.perf_counter(), self.clock.seconds()
        time.sleep(self.options.latency_seconds)
        params, error = self._params(request)
        fault = self._fault(request, params)
        answer, error = self._answer(request, params, error, fault)
        auth, _ = key_of(request, params)
        headers = {k: v for k, v in request.headers.items() if k != "authorization"}
        self._log.append(
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
        query = self._engine.latest(str(params.get("schedule_id")))
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
            return _after(fault, self._service.failure(raised)), raised
        except Exception:  # noqa: BLE001 - whatever was sent, no connection is dropped
            self.crashes.append(f"{request.method} {request.path}\n{traceback.format_exc()}")
            failed = RefusalError("INTERNAL_SERVER_ERROR", "A mistake of the emulator.")
            return self._service.failure(failed), failed

    def _handled(self, request: Incoming, params: Params, error: RefusalError | None) -> Outgoing:
        if error:
            raise error
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
        query = self._engine.latest(str(params.get("schedule_id")))
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
    if fault and fault.effect == "truncate":
        if not isinstance(answer.body, bytes):
            answer.body = b"".join(answer.body)
        answer.cut = fault.size
    return answer
