"""Requests to the API: authorised, paced, retried, translated into values or `ApiError`.

Requests go to the configured origin and nowhere else, with no key in their address.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urljoin, urlsplit

from tap_supermetrics.api.answers import Answer, DamagedAnswer
from tap_supermetrics.api.connection import Connections, Reply, Request
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.replies import SHOWN, Replies
from tap_supermetrics.api.retry import RateLimit, RetryPolicy, RetryState, Service, repeated
from tap_supermetrics.redaction import address_without_key, readable, shows_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_NO_REPLY: Final = Reply(status=0, body=bytearray(b"{"))
"""Stands for an answer that does not end or unpack."""


@dataclass(slots=True, kw_only=True)
class Transport:
    """Requests of one key to one origin. Safe to use from several threads.

    Attributes:
        api_url: base address, without a slash at the end.
        api_key: the key; never shown.
        retry: how failed requests are repeated.
        service: what its answers have shown so far.
        replies: translates its answers.
    """

    api_url: str
    api_key: str = field(repr=False)
    rate_limit: RateLimit
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    service: Service = field(default_factory=Service)
    replies: Replies = field(init=False, repr=False)
    _threads: threading.local = field(default_factory=threading.local, repr=False)

    def __post_init__(self) -> None:
        self.replies = Replies(self.api_key, self.service)

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
        request = Request(
            method=method, url=self.checked_url(address), parameters=parameters, body=body
        )
        state = RetryState(self.retry, self.service, to)
        return repeated(self.sender(request, to), self.retry, state.count_failure)

    def sender(self, request: Request, to: type[T]) -> Callable[[], Answer[T]]:
        """Return what sends a request once, and raises `ApiError`; a further call is a retry."""
        # Of this request: the same damage twice is no accident of the line.
        return partial(self._send, request, to, set())

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
            shown = readable(self.replies.without_key(address))[:SHOWN]
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
            # Its frames would keep the whole answer in memory as long as the error.
            error.__context__ = None
            raise error.with_traceback(None) from None

    def _exchange(self, request: Request, to: type[T], damages: set[tuple[int, str]]) -> Answer[T]:
        """Send a request once, and read its answer within the bounds of a large one."""
        reply = _NO_REPLY
        # Left only when the answer is decoded: until then a large one makes others wait.
        with ExitStack() as reading:
            try:
                reply = self._connections().send(request, reading)
                # Before the answer is read: a refusal states the allowance too.
                if reply.allowance:
                    self.rate_limit.allow(*reply.allowance)
                return self.replies.answer(reply, to)
            except DamagedAnswer as damaged:
                raise self.replies.damage(damaged, reply, damages) from None

    def _connections(self) -> Connections:
        # A session of `requests` must not be shared between threads.
        if not hasattr(self._threads, "connections"):
            self._threads.connections = Connections(self.api_key)
        connections: Connections = self._threads.connections
        return connections


def _origin(url: str) -> str:
    """Return scheme, host and port as they compare; a user's name makes another origin.

    Raises:
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    own_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(own_port)}"
