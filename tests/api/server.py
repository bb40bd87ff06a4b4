"""A server that answers as a test says, for what no faithful emulator would do."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Handler(BaseHTTPRequestHandler):
    """Hands every request to the test."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(
            Received(method=self.command, path=self.path, headers=headers, body=body)
        )
        self.server.answer(self)

    do_POST = do_GET  # noqa: N815 - the names that the base class looks for
    do_DELETE = do_GET  # noqa: N815 - same

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        pass

    def reply(
        self, body: bytes | str, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """A whole answer."""
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    answer: Callable[[Handler], None]
    requests: list[Received]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@dataclass(kw_only=True)
class Running:
    """A server that runs, and what it was asked."""

    url: str
    requests: list[Received] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Handler], None]) -> Iterator[Running]:
    """Answer every request by calling `answer` with its handler."""
    server = _Server(("127.0.0.1", 0), Handler)
    running = Running(url=f"http://127.0.0.1:{server.server_port}")
    server.answer, server.requests = answer, running.requests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
