"""A server between the tap and the emulator that lies on demand, down to the bytes on the wire."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.emulator.incoming import Incoming

if TYPE_CHECKING:
    from types import TracebackType

    from tap_supermetrics.emulator import Emulator

Bytes = bytes | Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A request and what an honest server says to it."""

    request: Incoming
    status: int
    body: bytes


Lie = Callable[[Said], Bytes]
"""Makes the whole answer, status line and headers included."""
START: Final = "POST .*query/batch$"
STATUS: Final = "GET .*query/batch/.*/status"
RESULTS: Final = "GET .*query/results"
FIELDS: Final = "GET .*query/fields"
ACCOUNTS: Final = "GET .*query/accounts"
CANCEL: Final = "DELETE .*"
ALL: Final = (START, STATUS, RESULTS, FIELDS, ACCOUNTS)


@dataclass(slots=True)
class Liar:
    """Serves the emulator's answers at an address of its own, but for the lies.

    Attributes:
        emulator: the honest one; it runs.
        requests: method and path of every request, with its query.
        authorizations: what the Authorization headers held.
    """

    emulator: Emulator
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    _lies: list[list[Any]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Liar:  # noqa: PYI034 - Self came with Python 3.11
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Base address of the API."""
        return f"{self.origin}/enterprise/v2"

    def tell(self, where: str, lie: Lie, times: int | None = None) -> None:
        """Answer requests whose `METHOD path` match with a lie, for always or so many times."""
        self._lies.append([re.compile(where), lie, times])

    def forget(self) -> None:
        """Be honest again, and forget the past."""
        self._lies.clear()
        self.requests.clear()
        self.authorizations.clear()

    def count(self, where: str) -> int:
        """How many requests matched."""
        return sum(bool(re.match(where, each)) for each in list(self.requests))

    def answer(self, request: Incoming) -> Bytes:
        """What is said, as bytes on the wire."""
        line = f"{request.method} {request.path}"
        self.requests.append(line + (f"?{request.query}" if request.query else ""))
        self.authorizations.append(request.headers.get("authorization", ""))
        honest = self.emulator.respond(request)
        body = honest.body if isinstance(honest.body, bytes) else b"".join(honest.body)
        for each in self._lies:
            where, lie, times = each
            if where.match(line) and times != 0:
                each[2] = None if times is None else times - 1
                told: Bytes = lie(Said(request=request, status=honest.status, body=body))
                return told
        return http(body, honest.status)


def _handler(liar: Liar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("content-length") or 0)
            request = Incoming(
                method=self.command,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length) if length else b"",
            )
            self.close_connection = True
            told = liar.answer(request)
            with contextlib.suppress(OSError):  # the tap hung up
                for piece in [told] if isinstance(told, bytes) else told:
                    self.wfile.write(piece)

        do_POST = do_GET  # noqa: N815 - the names that the base class looks for
        do_DELETE = do_GET  # noqa: N815 - same

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
            pass

    return Handler


def http(body: bytes, status: int = 200, **headers: str) -> bytes:
    """An answer on the wire; `content_encoding="gzip"` and the like become headers."""
    return head(status, content_length=str(len(body)), **headers) + body


def head(status: int = 200, **headers: str) -> bytes:
    """Status line and headers."""
    lines = [f"HTTP/1.1 {status} So", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def always(wire: bytes) -> Lie:
    """The same answer to everything."""
    return lambda _: wire


def changed(change: Callable[[Any], Any]) -> Lie:
    """The honest answer with its JSON changed: in place, or by what `change` returns."""

    def lie(said: Said) -> bytes:
        answer = json.loads(said.body)
        result = change(answer)
        told = answer if result is None else result
        return http(json.dumps(told).encode(), said.status)

    return lie


def at(path: str, value: Any) -> Lie:  # noqa: ANN401 - any JSON
    """The honest answer with the value at a path (`meta.paginate.total`, `data.0`) replaced.

    `...` as the value takes the key away.
    """

    def change(answer: Any) -> None:  # noqa: ANN401 - any JSON
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            answer = answer[part]
        if value is ...:
            del answer[last]
        else:
            answer[last] = value

    def tolerant(answer: Any) -> None:  # noqa: ANN401 - any JSON
        with contextlib.suppress(LookupError, TypeError):  # an answer without that place
            change(answer)

    return changed(tolerant)
