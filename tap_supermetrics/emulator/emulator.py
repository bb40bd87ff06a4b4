"""The emulator as an object: start it, look into it, make it fail."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tap_supermetrics.emulator import control
from tap_supermetrics.emulator.changes import Changes
from tap_supermetrics.emulator.clock import Clock, instant
from tap_supermetrics.emulator.engine import Engine
from tap_supermetrics.emulator.faults import Fault, Faults
from tap_supermetrics.emulator.gateway import LOCAL_HOSTS, Gateway
from tap_supermetrics.emulator.options import Options
from tap_supermetrics.emulator.queries import BatchRecord, QueryRecord
from tap_supermetrics.emulator.server import Server
from tap_supermetrics.emulator.world import World

if TYPE_CHECKING:
    from datetime import date
    from types import TracebackType

    from tap_supermetrics.emulator.incoming import Incoming, Outgoing, Request


class Emulator:
    """A Supermetrics API on a local port.

    Use it as a context manager, or call `start` and `stop`.

    Args:
        options: Limits, durations, data and the choices where the real API is not known.
        host: Address to listen on.
        port: Port; 0 for any free one.

    Attributes:
        clock: The emulated time.
        changes: Changes the data.
    """

    def __init__(
        self, *, options: Options | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        options = options or Options()
        self._faults = Faults()
        self.clock = Clock(instant(options.now), options.clock_factor)
        world = World(seed=options.seed, terms_per_campaign=options.terms_per_campaign)
        self._engine = Engine(options, world, self.clock, self._faults)
        self._gateway = Gateway(self._engine, self._faults, is_local=host in LOCAL_HOSTS)
        self.changes = Changes(self._engine.execution, self.clock)
        self._server = Server(host, port, self.respond)

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
        self._server.start()

    def stop(self) -> None:
        """Break all connections and stop answering."""
        self._engine.close()
        self._server.stop()

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        return self._server.origin

    @property
    def url(self) -> str:
        """Return the address of the API, version included."""
        return f"{self.origin}/enterprise/v2"

    @property
    def api_key(self) -> str:
        """Return a key that is accepted."""
        return self.options.api_key

    @property
    def options(self) -> Options:
        """Return the options in force."""
        return self._engine.options

    @property
    def world(self) -> World:
        """Return the data, as they are now."""
        return self._engine.world

    @property
    def today(self) -> date:
        """Return the emulated day in UTC, which decides what has settled."""
        return self.clock.now().date()

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return all requests answered, the control plane's left out."""
        return tuple(self._gateway.log)

    @property
    def crashes(self) -> list[str]:
        """Return the mistakes of the emulator itself, each answered with an error."""
        return self._gateway.crashes

    @property
    def queries(self) -> tuple[QueryRecord, ...]:
        """Return all queries performed, after splitting, in the order of their arrival."""
        with self._engine.changed:
            self._engine.advance()
            return tuple(QueryRecord.of(query) for query in self._engine.register.queries)

    @property
    def batches(self) -> tuple[BatchRecord, ...]:
        """Return all batches, in the order of their arrival."""
        with self._engine.changed:
            self._engine.advance()
            return tuple(BatchRecord.of(batch) for batch in self._engine.register.batches)

    @property
    def peak_running_batches(self) -> int:
        """Return the most batches that ran at once."""
        return self._engine.peak_running_batches

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults in force."""
        return self._faults.all

    def inject(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Put no fault in force."""
        self._faults.clear()

    def clear_requests(self) -> None:
        """Forget the log of requests."""
        self._gateway.log.clear()

    def change_options(self, **changes: object) -> None:
        """Change options while running; seed, time and search terms stay as they are."""
        self._engine.execution.options = dataclasses.replace(self.options, **changes)  # type: ignore[arg-type]  # its own names

    def reset(self) -> None:
        """Forget requests, queries, batches, faults and changes of the data."""
        self._engine.reset()
        self.changes.reset()
        self._faults.clear()
        self._gateway.log.clear()

    def respond(self, request: Incoming) -> Outgoing:
        """Answer a request, with the fault that is due, and log it."""
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request)
        return self._gateway.respond(request)
