"""HTTP/1.1 over a socket: requests in, answers out, connections that break on demand."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tap_supermetrics.emulator.incoming import Incoming, Outgoing

Respond = Callable[[Incoming], Outgoing]

_LENGTH = re.compile(r"[0-9]{1,12}")
_COMPRESSED_FROM = 1_000
_LEVEL = 1
_PIECE = 256 * 1024
_POLL_S = 0.02


class Server(ThreadingHTTPServer):
    """A server whose connections can all be closed.

    Args:
        host: Address to listen on.
        port: Port; 0 for any free one.
        respond: Answers a request; called from several threads.
    """

    daemon_threads = True
    # The library's 5 would refuse some of many connections that begin at once.
    request_queue_size = 128

    def __init__(self, host: str, port: int, respond: Respond) -> None:
        self.respond = respond
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((host, port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)

    @property
    def origin(self) -> str:
        """Return scheme, host and port."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """Serve a connection in a thread of its own."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the base class
        """Close a connection that was served."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """Report a mistake of the emulator; a client that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Close every connection, and stop listening."""
        self.shutdown()
        with self._guard:
            for connection in self._connections:
                _quietly(lambda one=connection: one.shutdown(socket.SHUT_RDWR))  # type: ignore[misc]  # binds it
        self.server_close()
        self._thread.join()


def _quietly(close: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # the other side was faster
        close()


class Handler(BaseHTTPRequestHandler):
    """Reads requests of one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    # Pieces are written one by one: Nagle's algorithm would hold the later ones back.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Answer a request of any method."""
        path, _, query = self.path.partition("?")
        told = self.headers.get("content-length") or "0"
        if not _LENGTH.fullmatch(told):
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        length = int(told)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Incoming(
            method=self.command,
            path=path,
            query=query,
            headers=headers,
            body=self.rfile.read(length) if length else b"",
        )
        answer = self.server.respond(request)
        if answer.is_reset:
            self._reset()
        else:
            self._write(answer, gzipped="gzip" in headers.get("accept-encoding", ""))

    do_POST = do_GET  # noqa: N815 - the names that the base class looks for
    do_DELETE = do_GET  # noqa: N815 - same
    do_PUT = do_GET  # noqa: N815 - same
    do_PATCH = do_GET  # noqa: N815 - same
    do_HEAD = do_GET  # noqa: N815 - same

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request, or too long, as everything else is refused."""
        self.close_connection = True  # What follows of it on this connection is no request.
        damage = message or explain or _phrase(code)
        request = Incoming(
            method=self.command or "", path="", query="", headers={}, body=b"", damage=damage
        )
        self._write(self.server.respond(request), gzipped=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Keep quiet: the emulator has its own log."""

    def _write(self, answer: Outgoing, *, gzipped: bool) -> None:
        body = answer.body
        if isinstance(body, bytes) and gzipped and len(body) >= _COMPRESSED_FROM:
            # Without the time, the same answer has the same bytes.
            body = gzip.compress(body, _LEVEL, mtime=0)
        elif isinstance(body, bytes):
            gzipped = False
        if isinstance(body, bytes):
            head = self._head(answer, f"Content-Length: {len(body)}", gzipped=gzipped)
            self._send_whole(head, body, answer.cut)
        else:
            self.wfile.write(self._head(answer, "Transfer-Encoding: chunked", gzipped=gzipped))
            self._send_pieces(_compressed(body) if gzipped else body)

    def _send_whole(self, head: bytes, body: bytes, cut: int | None) -> None:
        if cut is None:
            self.wfile.write(head + (b"" if self.command == "HEAD" else body))
            return
        self.wfile.write(head + body[: cut or len(body) // 2])
        # The head has promised more, so that the client sees an answer that was cut off.
        self.close_connection = True

    def _send_pieces(self, pieces: Iterator[bytes]) -> None:
        held = b""
        for piece in pieces:
            held += piece
            if len(held) >= _PIECE:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(held), held))
                held = b""
        # A piece of no bytes is the end, by the rules of chunked answers.
        last = b"%x\r\n%b\r\n" % (len(held), held) if held else b""
        self.wfile.write(last + b"0\r\n\r\n")

    def _head(self, answer: Outgoing, length: str, *, gzipped: bool) -> bytes:
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {answer.content_type}",
            "Vary: Accept-Encoding",
            length,
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        lines += ["Content-Encoding: gzip"] if gzipped else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

    def _reset(self) -> None:
        # To linger for 0 seconds makes the system send a reset instead of a proper end.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.server.shutdown_request(self.connection)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()
