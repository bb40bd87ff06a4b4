"""Requests to the API: authorised, paced, retried, translated into values or `ApiError`.

Requests go to the configured origin and nowhere else, with no key in their address.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

import backoff

from tap_supermetrics.api import wire
from tap_supermetrics.api.answers import Answer, DamagedAnswer, RefusedAnswer, read_answer
from tap_supermetrics.api.connection import Connections, Reply, Request
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.retry import RateLimit, RetryPolicy, RetryState, Service, log_retry
from tap_supermetrics.redaction import (
    LONGEST_SEARCHED,
    address_without_key,
    readable,
    shows_key,
    without_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_REDIRECTS: Final = range(300, 400)
_ERRORS: Final = 400
_OF_KEY: Final = frozenset({401, 403})
_SHOWN: Final = 60
_START: Final = 4096
_START_OF_JSON: Final = b"{"
_BEFORE_JSON: Final = b"\xef\xbb\xbf\0 \t\r\n"
_NO_REPLY: Final = Reply(status=0, body=bytearray(_START_OF_JSON))
"""Stands for an answer that does not end or unpack."""


def _nothing() -> None:
    """Return nothing: there is no other answer than that of a request."""


@dataclass(slots=True, kw_only=True)
class Transport:
    """Requests of one key to one origin. Safe to use from several threads.

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

    def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        address: str,
        to: type[T],
        parameters: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        instead: Callable[[], Answer[T] | None] = _nothing,
    ) -> Answer[T]:
        """Send a request until it succeeds, or its error says that this is useless.

        Args:
            method: the HTTP method.
            address: a path below `api_url`, or a whole address of the same origin.
            to: the type of the answer's data.
            parameters: of the address.
            body: sent as JSON.
            instead: called before what may have been carried out is sent again; gives the answer
                that was lost, or None.

        Raises:
            ApiError: it was refused, or failed for good.
        """
        url = self.checked_url(address)
        request = Request(method=method, url=url, parameters=parameters, body=body)
        state = RetryState(self.retry, self.service, to, is_start=address == wire.BATCH_PATH)
        # Of this request: the same damage twice is no accident of the line.
        damages: set[tuple[int, str]] = set()
        retrying = backoff.on_exception(
            self.retry.waits,
            ApiError,
            # The waits are drawn at random already; `backoff` would add to them.
            jitter=None,
            giveup=state.is_over,
            on_backoff=log_retry,
            logger=None,
        )

        def send() -> Answer[T]:
            # Looked for before it is sent again: the start before may have worked.
            return (state.has_lost and instead()) or self._send(request, to, damages)

        answer: Answer[T] = retrying(send)()
        return answer

    def checked_url(self, address: str) -> str:
        """Return the whole address, of the configured origin and without the key.

        Raises:
            ApiError: ADDRESS_REFUSED.
        """
        try:
            url = urljoin(f"{self.api_url}/", address_without_key(address, self.api_key))
            ours, theirs = _origin(self.api_url), _origin(url)
            # Of the address as it came: `urljoin` drops tabs and line breaks in silence.
            is_clean = address.isprintable() and not shows_key(url, self.api_key)
        except ValueError:
            is_clean = False
        if not is_clean:
            shown = readable(self._without_key(address))[:_SHOWN]
            raise ApiError("ADDRESS_REFUSED", f"the API named {shown!r} as an address")
        if ours != theirs:
            raise ApiError(
                "ADDRESS_REFUSED",
                f"the API named an address at {theirs}, expected {ours}; the key is not sent there",
            )
        return url

    def _send(self, request: Request, to: type[T], damages: set[tuple[int, str]]) -> Answer[T]:
        self.rate_limit.wait()
        try:
            return self._exchange(request, to, damages)
        except ApiError as error:
            # Its frames would hold the whole answer for as long as somebody keeps it.
            error.__context__ = None
            raise error.with_traceback(None) from None

    def _exchange(self, request: Request, to: type[T], damages: set[tuple[int, str]]) -> Answer[T]:
        """Send a request once, and read its answer within the bounds of a large one."""
        reply = _NO_REPLY
        # Left only when the answer is decoded: until then a large one keeps others waiting.
        with ExitStack() as reading:
            try:
                reply = self._connections().send(request, reading)
                # Before the answer is read: one that refuses tells the allowance too.
                if reply.allowance:
                    self.rate_limit.allow(*reply.allowance)
                return self._answer(reply, to)
            except DamagedAnswer as damaged:
                raise self._damage(damaged, reply, damages) from None

    def _connections(self) -> Connections:
        # A session of `requests` must not be shared between threads.
        if not hasattr(self._threads, "connections"):
            self._threads.connections = Connections(self.api_key)
        connections: Connections = self._threads.connections
        return connections

    def _answer(self, reply: Reply, to: type[T]) -> Answer[T]:
        """Return what a reply gives, or raise the error that it tells."""
        if reply.status in _REDIRECTS:
            message = "the API redirects to another address, which is not followed"
            raise ApiError("ADDRESS_REFUSED", message, status=reply.status)
        try:
            answer = read_answer(reply.body, to, is_error=reply.status >= _ERRORS)
        except RefusedAnswer as refused:
            error, request_id = refused.error, refused.request_id
            raise self.refusal(error, reply.status, request_id, reply.retry_after_s) from None
        self.service.answered(to)
        return replace(answer, latency_s=reply.latency_s, size=len(reply.body))

    def _damage(
        self, damaged: DamagedAnswer, reply: Reply, damages: set[tuple[int, str]]
    ) -> ApiError:
        """Return the error of an answer that cannot be read, with the start of its text."""
        damage = len(reply.body), damaged.cause
        code = _code_of_damage(reply, is_again=damage in damages)
        code = self._code_told(code, reply.status)
        damages.add(damage)
        # Cut after the key was taken out: half a key is still a secret.
        start = self._without_key(reply.body[:_START].decode(errors="replace"))[:_SHOWN]
        got = f"got {start!r} ({damaged.cause})" if reply.status else f"but {damaged.cause}"
        return ApiError(
            code,
            self._without_key(f"expected JSON as documented, {got}"),
            status=reply.status,
            request_id=self._without_key(damaged.request_id),
            retry_after_s=reply.retry_after_s,
        )

    def refusal(
        self,
        error: wire.Error,
        status: int,
        request_id: str = "",
        retry_after_s: float = 0.0,
        *,
        is_of_query: bool = False,
    ) -> ApiError:
        """Return an error that the API told, without the key wherever it stands."""
        said = [part for part in (error.message, error.description) if part and part != error.code]
        code = self._without_key(error.code).upper()
        return ApiError(
            code if is_of_query else self._code_told(code, status),
            self._without_key(": ".join(said)) or "the API gives no reason",
            status=status,
            request_id=self._without_key(request_id),
            retry_after_s=retry_after_s,
            is_of_query=is_of_query,
        )

    def _code_told(self, code: str, status: int) -> str:
        """Return the code of an error; without one, a key that was taken before is not refused.

        A firewall or a proxy refuses so what it does not like about a single request.
        """
        return code or ("REQUEST_BLOCKED" if status in _OF_KEY and self.service.is_there else "")

    def _without_key(self, text: str) -> str:
        # Of a text without end, no more than the beginning is shown.
        return without_key(text[:LONGEST_SEARCHED], self.api_key)


def _origin(url: str) -> str:
    """Return scheme, host and port as they compare; a user's name makes another origin.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    own_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(own_port)}"


def _code_of_damage(reply: Reply, *, is_again: bool) -> str:
    """Return the code of a damaged answer.

    A proxy's page says more by its status than by its text, and may go away; but what begins as
    JSON, or has no end, is the API's own, and what came twice will come a third time.
    """
    if reply.status >= _ERRORS:
        return ""
    is_own = reply.body[:_START].lstrip(_BEFORE_JSON).startswith(_START_OF_JSON)
    return "ANSWER_UNREADABLE" if is_own and is_again else "ANSWER_INVALID"
