"""Requests to the API: authorised, paced, retried, bounded, translated into values or `ApiError`.

This is the only module that touches the network. The key goes into the Authorization header of
requests to the configured origin and nowhere else.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urljoin, urlsplit

import backoff
import msgspec
import requests
import urllib3
from requests.auth import AuthBase

from tap_supermetrics.api import lenient, wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import Patience, RateLimit, RetryPolicy, Service, log_retry
from tap_supermetrics.redaction import without_key

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_TIMEOUT_S: Final = 120.0
"""Longest wait for the next byte of an answer."""
ANSWER_TIMEOUT_S: Final = 900.0
"""Longest time that one whole answer may take."""
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""Largest answer, unpacked: 25 kB for each row of a page of the default size."""
CHUNK_BYTES: Final = 256 * 1024

_FINDING_OUT: Final = threading.Lock()
_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}
_PARTS: Final = msgspec.json.Decoder(wire.Parts)
_REDIRECTS: Final = range(300, 400)
_ERRORS: Final = 400
_NOT_TRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL says of a certificate that nobody vouches for: trying again would not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """A good answer: what it says about itself, and its data."""

    meta: wire.Meta
    data: T


class _Bearer(AuthBase):
    """Sets the header itself, so that no `.netrc` can replace it."""

    def __init__(self, api_key: str) -> None:
        self._header = f"Bearer {api_key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


@dataclass(slots=True, kw_only=True)
class Transport:
    """Sends requests of one key to one origin. Safe to use from several threads.

    Attributes:
        api_url: base address, without a slash at the end.
        api_key: the key; never shown.
        retry: how failed requests are repeated.
        service: what its answers have shown so far.
    """

    api_url: str
    api_key: str = field(repr=False)
    rate_limit: RateLimit
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    service: Service = field(default_factory=Service)
    _threads: threading.local = field(default_factory=threading.local, repr=False)

    def request(
        self,
        method: str,
        address: str,
        to: type[T],
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer[T]:
        """Send a request until it succeeds, or its error says that this is useless.

        Args:
            method: the HTTP method.
            address: a path below `api_url`, or a whole address of the same origin.
            to: the type of the answer's data.
            parameters: of the address.
            body: sent as JSON.

        Raises:
            ApiError: it was refused, or failed for good.
        """
        url = self.checked_url(address)
        patience = Patience(self.retry, self.service, to, is_start=address == wire.BATCH_PATH)
        retrying = backoff.on_exception(
            self.retry.waits,
            ApiError,
            jitter=None,
            giveup=patience.is_over,
            on_backoff=log_retry,
            logger=None,
        )
        answer: Answer[T] = retrying(self._send)(method, url, to, parameters, body)
        return answer

    def checked_url(self, address: str) -> str:
        """The whole address, which must be of the configured origin: the key goes nowhere else.

        Raises:
            ApiError: ADDRESS_REFUSED.
        """
        try:
            url = urljoin(f"{self.api_url}/", address)
            ours, theirs = _origin(self.api_url), _origin(url)
        except ValueError:
            shown = self._without_key(address)[:60]
            raise ApiError("ADDRESS_REFUSED", f"the API named {shown!r} as an address") from None
        if ours != theirs:
            raise ApiError(
                "ADDRESS_REFUSED",
                f"the API named an address at {self._without_key(theirs)}, expected {ours}; "
                "the key is not sent there",
            )
        return url

    def _send(
        self,
        method: str,
        url: str,
        to: type[T],
        parameters: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> Answer[T]:
        self.rate_limit.wait()
        try:
            with self._session().request(
                method,
                url,
                params=parameters,
                data=None if body is None else msgspec.json.encode(body),
                headers={"Content-Type": "application/json"} if body is not None else None,
                timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._answer(response, _bounded_body(response), to)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._connection_error(error) from None

    def _session(self) -> requests.Session:
        """A session for each thread: they share no connections and no cookies."""
        if not hasattr(self._threads, "session"):
            self._threads.session = requests.Session()
            self._threads.session.auth = _Bearer(self.api_key)
        session: requests.Session = self._threads.session
        return session

    def _answer(self, response: requests.Response, body: bytearray, to: type[T]) -> Answer[T]:
        status, retry_after_s = response.status_code, _retry_after_s(response)
        if status in _REDIRECTS:
            raise ApiError(
                "ADDRESS_REFUSED",
                "the API redirects to another address, which is not followed",
                status=status,
            )
        if status < _ERRORS:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                good = _decoder(to).decode(body)
                self.service.answered(to)
                return Answer(meta=good.meta, data=good.data)
        mended = lenient.mended(body)
        envelope = self._envelope(mended, status, retry_after_s)
        request_id = envelope.meta.request_id
        error = envelope.error or lenient.problem_of(mended)
        if error is not None or status >= _ERRORS:
            raise self.refusal(error or wire.Error(), status, request_id, retry_after_s)
        try:
            data = lenient.decoded(envelope.data, to)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"expected data as documented, got other ({error})"
            raise ApiError(
                "ANSWER_INVALID", message, status=status, request_id=request_id
            ) from None
        self.service.answered(to)
        return Answer(meta=envelope.meta, data=data)

    def _envelope(self, body: bytes, status: int, retry_after_s: float) -> wire.Envelope:
        try:
            parts = _PARTS.decode(body)
            return wire.Envelope(
                meta=lenient.decoded(parts.meta, wire.Meta),
                error=lenient.decoded(parts.error, wire.Error | None),  # type: ignore[arg-type]  # a union is no type to mypy
                data=parts.data,
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if salvaged := lenient.error_of(body):
                return wire.Envelope(error=salvaged)
            # Cut after the key was taken out: half a key is still a secret.
            start = self._without_key(body[:4096].decode(errors="replace"))[:60]
            raise ApiError(
                # A proxy's page says more by its status than by its text.
                "ANSWER_INVALID" if status < _ERRORS else "",
                f"expected JSON as documented, got {start!r} ({error})",
                status=status,
                retry_after_s=retry_after_s,
            ) from None

    def refusal(
        self,
        error: wire.Error,
        status: int,
        request_id: str = "",
        retry_after_s: float = 0.0,
        *,
        is_of_query: bool = False,
    ) -> ApiError:
        """An error that the API told, without the key wherever it stands."""
        said = [part for part in (error.message, error.description) if part and part != error.code]
        return ApiError(
            self._without_key(error.code).upper(),
            self._without_key(": ".join(said)) or "the API gives no reason",
            status=status,
            request_id=self._without_key(request_id),
            retry_after_s=retry_after_s,
            is_of_query=is_of_query,
        )

    def _connection_error(self, error: Exception) -> ApiError:
        return ApiError(
            "CERTIFICATE_INVALID" if _NOT_TRUSTED in str(error) else "CONNECTION_FAILED",
            self._without_key(f"{type(error).__name__}: {error}"),
            may_have_run=not _was_never_sent(error),
        )

    def _without_key(self, text: str) -> str:
        return without_key(text, self.api_key)


def _decoder(to: type[T]) -> msgspec.json.Decoder[wire.GoodEnvelope[T]]:
    """Reads good answers with data of a type.

    msgspec finds out about a type when it first meets it, and a second thread that meets it
    meanwhile crashes the process. So one thread at a time finds out.
    """
    with _FINDING_OUT:
        if to not in _DECODERS:
            _DECODERS[to] = msgspec.json.Decoder(wire.GoodEnvelope[to])  # type: ignore[valid-type] # made at run time
        return _DECODERS[to]


def _origin(url: str) -> str:
    """Scheme, host and port as they compare; a user's name makes another origin.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    own_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(own_port)}"


def _was_never_sent(error: Exception) -> bool:
    """Whether a request failed before any of it could reach the API."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError) or (
        isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ProxyError)
    )


def _bounded_body(response: requests.Response) -> bytearray:
    """The unpacked body; neither endless nor a bomb.

    Raises:
        ApiError: ANSWER_INVALID when it is larger, or takes longer, than any good answer.
    """
    deadline, body = time.monotonic() + ANSWER_TIMEOUT_S, bytearray()
    # Whatever has come, not whole chunks: of a body that trickles, none is ever whole.
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
            raise ApiError(
                "ANSWER_INVALID",
                f"an answer did not end within {MAX_ANSWER_BYTES >> 20} MiB "
                f"and {ANSWER_TIMEOUT_S:.0f} s; lower `page_size`",
                status=response.status_code,
            )
    return body


def _retry_after_s(response: requests.Response) -> float:
    """What the server asks to wait, in seconds; 0 when it does not say.

    A date is counted from the server's own, so that no clock but its counts (RFC 9110).
    """
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until, since = (
            parsedate_to_datetime(text) for text in (value, response.headers.get("Date", ""))
        )
        return max((until - since).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0
