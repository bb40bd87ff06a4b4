"""Connections to the API, whose answers are bounded in time and memory whatever a server sends.

This is the only module that touches the network. The key goes into the Authorization header and
nowhere else.
"""

from __future__ import annotations

import errno
import io
import logging
import re
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from tap_supermetrics.api.answers import DamagedAnswer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.redaction import without_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import ExitStack
    from socket import socket

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 120.0
"""Longest wait for the next byte of an answer."""
ANSWER_TIMEOUT_S: Final = 900.0
"""Longest time that one whole answer may take, from its first line to its last."""
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Largest answer, packed or unpacked: 6.7 kB for each row of a page of the default size."""
LONG_BYTES: Final = 1024 * 1024
"""Answers that are larger are read a few at a time, by all threads together."""
LARGE_BYTES: Final = 16 * 1024 * 1024
"""Answers that are larger are read one at a time."""
MAX_RETRY_AFTER_S: Final = 3600.0
"""Longest wait that a server can request: results are not retained for longer ("Result expiry")."""
CHUNK_BYTES: Final = 64 * 1024
VERSION: Final = version("tap-supermetrics")
"""Version of the tap."""
USER_AGENT: Final = f"tap-supermetrics/{VERSION} (+singer)"
"""The vendor's support finds our requests by it."""
PLAIN_CHUNK_BYTES: Final = 256 * 1024

_FEW_LONG: Final = threading.BoundedSemaphore(4)
_ONE_LARGE: Final = threading.Lock()
_INTERIM: Final = range(102, 200)
_CONTINUE: Final = 100
_DEPTH: Final = 10
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_NOT_TRUSTED: Final = ("CERTIFICATE_VERIFY_FAILED", "NO_CERTIFICATE_OR_CRL_FOUND")
"""OpenSSL's words for certificates that cannot be trusted or read: a retry would not help."""
_NEVER_SENT: Final = (
    requests.exceptions.SSLError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ProxyError,
)
"""Failures before any of a request could reach the API."""
_USED_UP: Final = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
"""Errors of this machine, which has no files, memory or ports left."""

# It would print the faults of a server's headers, over several lines, whatever they contain.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; parameters go into the address, the body is sent as JSON."""

    method: str
    url: str
    parameters: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came, unpacked, not yet decoded.

    Attributes:
        retry_after_s: how long the server asks to wait, in seconds; 0 when it does not.
        allowance: how many requests are allowed, and how many of them are left; None when the
            server does not say.
        latency_s: how long it took until the answer began, in seconds.
    """

    status: int
    body: bytearray
    retry_after_s: float = 0.0
    allowance: tuple[int, int] | None = None
    latency_s: float = 0.0


class Connections:
    """Connections with one key, for one thread: it shares no cookies with others."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self._session = requests.Session()
        self._session.auth = _Bearer(api_key)
        self._session.headers["User-Agent"] = USER_AGENT
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter())

    def send(self, request: Request, reading: ExitStack) -> Reply:
        """Send a request and read its answer.

        Args:
            request: the request.
            reading: closed when the answer was read; a large one makes others wait until then.

        Raises:
            ApiError: no whole answer came.
            DamagedAnswer: it does not unpack, or is larger, or takes longer, than any good one.
        """
        try:
            sent_at = time.monotonic()
            response = reading.enter_context(self._request(request))
            latency_s = time.monotonic() - sent_at
            return Reply(
                status=response.status_code,
                body=_body(response, reading),
                retry_after_s=_retry_after_s(response),
                allowance=_allowance(response),
                latency_s=latency_s,
            )
        except urllib3.exceptions.DecodeError as error:
            raise DamagedAnswer(f"it does not unpack: {[*_causes(error)][-1]}") from None
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise _connection_error(error, self._api_key) from None

    def _request(self, request: Request) -> requests.Response:
        """Send a request; return its answer with only the head read."""
        is_json = request.body is not None
        try:
            return self._session.request(
                request.method,
                request.url,
                params=request.parameters,
                data=msgspec.json.encode(request.body) if is_json else None,
                headers={"Content-Type": "application/json"} if is_json else None,
                timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S),
                # A redirect may lead to another origin, which must not get the key.
                allow_redirects=False,
                # Not read by `requests`, which knows no bounds, but by `_body`.
                stream=True,
            )
        except ValueError as error:
            if any(isinstance(each, urllib3.exceptions.InvalidHeader) for each in _causes(error)):
                raise  # It is the answer's.
            message = f"no request can be made: {type(error).__name__}: {error}"
            raise ApiError("REQUEST_INVALID", without_key(message, self._api_key)) from None


class _Bearer(AuthBase):
    """Sets the header itself, so that no `.netrc` can replace it."""

    def __init__(self, api_key: str) -> None:
        self._header = f"Bearer {api_key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _BoundedBytes(io.RawIOBase):
    """The bytes of one answer, within the bounds of its time and its size."""

    def __init__(self, raw: io.RawIOBase, sock: socket) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + ANSWER_TIMEOUT_S
        self._left = MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any buffer
        """Read some bytes, unless the answer has used up its time or its size."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0 or self._left <= 0:
            raise _endless()
        # The socket's own time begins anew with each byte that comes.
        self._sock.settimeout(min(left_s, SILENCE_TIMEOUT_S))
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            # It was the deadline of the whole answer that ran out, not the wait for a byte.
            if left_s < SILENCE_TIMEOUT_S:
                raise _endless() from None
            raise
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that is bounded from its first byte on, headers and all."""

    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(sock, *args, **options)
        # `http.client` reads the headers from `fp` before anybody else can bound them.
        self.fp = io.BufferedReader(_BoundedBytes(self.fp.detach(), sock))

    def _read_status(self) -> tuple[str, int, str]:
        """Return the first line; `begin` skips 100 Continue, but not 103 Early Hints."""
        version, status, reason = super()._read_status()  # type: ignore[misc] # it is there
        return version, _CONTINUE if status in _INTERIM else status, reason


class _Http(urllib3.connection.HTTPConnection):
    response_class = _Response


class _Https(urllib3.connection.HTTPSConnection):
    response_class = _Response


class _Adapter(HTTPAdapter):
    """Makes connections whose answers are bounded, straight or through a proxy."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _Https if pool.scheme == "https" else _Http
        return pool


def _body(response: requests.Response, reading: ExitStack) -> bytearray:
    """Return the unpacked body of an answer; a large one has to wait for its turn."""
    body, size_before = bytearray(), 0
    # A packed body may unpack to a thousand times as much at once.
    size = CHUNK_BYTES if "Content-Encoding" in response.headers else PLAIN_CHUNK_BYTES
    # Whatever has come, not whole chunks: of a body that trickles, none is ever whole.
    while chunk := response.raw.read1(size, decode_content=True):
        if len(body) + len(chunk) > MAX_ANSWER_BYTES:
            raise _endless()
        body += chunk
        for most, turns in ((LONG_BYTES, _FEW_LONG), (LARGE_BYTES, _ONE_LARGE)):
            if size_before <= most < len(body):
                # Only once it has grown so large: short answers do not wait.
                reading.enter_context(turns)
        size_before = len(body)
    return body


def _endless() -> DamagedAnswer:
    return DamagedAnswer(
        f"it did not end within {MAX_ANSWER_BYTES >> 20} MiB and {ANSWER_TIMEOUT_S:.0f} s; lower "
        "`page_size`"
    )


def _retry_after_s(response: requests.Response) -> float:
    """Return what the server asks to wait, in seconds; 0 when it does not say.

    A date is counted from the server's own, so that no clock but its counts (RFC 9110).
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        until, since = (
            parsedate_to_datetime(text) for text in (value, response.headers.get("Date", ""))
        )
        wait_s = (until - since).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def _allowance(response: requests.Response) -> tuple[int, int] | None:
    """Return the values of the rate headers; the API's schema lists them on every endpoint."""
    counts = [response.headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining")]
    if not all(_COUNT.fullmatch(each) for each in counts):
        return None
    limit, left = map(int, counts)
    return limit, left


def _connection_error(error: Exception, key: str) -> ApiError:
    causes = [*_causes(error)]
    return ApiError(
        _code_of(causes),
        without_key(f"{type(causes[-1]).__name__}: {causes[-1]}", key),
        may_have_run=not any(isinstance(each, _NEVER_SENT) for each in causes),
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the nearest first."""
    for _ in range(_DEPTH):
        if error is None:
            return
        yield error
        # `requests` and `urllib3` put what really happened there, and not into the cause.
        parts = [getattr(error, "reason", None), *error.args[:2]]
        inner = next((each for each in parts if isinstance(each, BaseException)), None)
        error = inner or error.__cause__ or error.__context__


def _code_of(causes: Sequence[BaseException]) -> str:
    # That a bundle of certificates is not there is a bare OSError of requests', without a number.
    has_no_bundle = type(causes[0]) is OSError and causes[0].errno is None
    text = " ".join(map(str, causes))
    if has_no_bundle or any(each in text for each in _NOT_TRUSTED):
        return "CERTIFICATE_INVALID"
    if any(isinstance(each, OSError) and each.errno in _USED_UP for each in causes):
        return "SYSTEM_LIMIT"
    return "CONNECTION_FAILED"
