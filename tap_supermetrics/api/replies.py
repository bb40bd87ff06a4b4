"""Replies translated into answers, or into the errors that they report, without the key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from tap_supermetrics.api.answers import Answer, DamagedAnswer, RefusedAnswer, read_answer
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.redaction import LONGEST_SEARCHED, without_key

if TYPE_CHECKING:
    from tap_supermetrics.api import wire
    from tap_supermetrics.api.connection import Reply
    from tap_supermetrics.api.retry import Service

T = TypeVar("T")

SHOWN: Final = 60
"""Characters shown of a server's text."""

_REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})
_ERRORS: Final = 400
_OF_KEY: Final = frozenset({401, 403})
_OF_PROXY: Final = 407
_START: Final = 4096
_START_OF_JSON: Final = b"{"
_START_OF_PAGE: Final = b"<"
_BEFORE_JSON: Final = b"\xef\xbb\xbf\0 \t\r\n"


class Replies:
    """Translates replies, with regard to what the service has shown before.

    Args:
        api_key: the key; removed from all texts.
        service: what its answers have shown so far.
    """

    def __init__(self, api_key: str, service: Service) -> None:
        self._api_key = api_key
        self._service = service

    def answer(self, reply: Reply, to: type[T]) -> Answer[T]:
        """Return the answer in a reply.

        Raises:
            ApiError: it refuses.
            DamagedAnswer: it cannot be read.
        """
        if reply.status in _REDIRECTS:
            message = "the API redirects to another address, which is not followed"
            # The address is right where others were answered there.
            code = "REQUEST_BLOCKED" if self._service.is_there else "ADDRESS_REFUSED"
            raise ApiError(code, message, status=reply.status)
        try:
            answer = read_answer(reply.body, to, is_error=reply.status >= _ERRORS)
        except RefusedAnswer as refused:
            error, request_id = refused.error, refused.request_id
            raise self.refusal(error, reply.status, request_id, reply.retry_after_s) from None
        self._service.answered(to)
        return replace(answer, latency_s=reply.latency_s, size=len(reply.body))

    def damage(
        self, damaged: DamagedAnswer, reply: Reply, damages: set[tuple[int, str]]
    ) -> ApiError:
        """Return the error of an answer that cannot be read, with the start of its text.

        Args:
            damaged: why it cannot be read.
            reply: the answer.
            damages: those of the tries before, by size and cause; this one is added.
        """
        damage = len(reply.body), damaged.cause
        code = _code_of_damage(reply, is_again=damage in damages)
        is_page = _begins_with(_START_OF_PAGE, reply.body)
        code = self._code_or_blocked(code, reply.status, is_page=is_page)
        damages.add(damage)
        # Cut after the key was removed: half a key is still a secret.
        start = self.without_key(reply.body[:_START].decode(errors="replace"))[:SHOWN]
        got = f"got {start!r} ({damaged.cause})" if reply.status else f"but {damaged.cause}"
        return ApiError(
            code,
            self.without_key(f"expected JSON as documented, {got}"),
            status=reply.status,
            request_id=self.without_key(damaged.request_id),
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
        """Return an error that the API reported, without the key wherever it stands."""
        parts = [part for part in (error.message, error.description) if part and part != error.code]
        code = self.without_key(error.code).upper()
        return ApiError(
            code if is_of_query else self._code_or_blocked(code, status),
            self.without_key(": ".join(parts)) or "the API gives no reason",
            status=status,
            request_id=self.without_key(request_id),
            retry_after_s=retry_after_s,
            is_of_query=is_of_query,
        )

    def _code_or_blocked(self, code: str, status: int, *, is_page: bool = False) -> str:
        """Return the code of an error; not each 401 or 403 without one refuses the key.

        A firewall or a proxy may refuse a single request so, or the address that it comes from,
        with a page. And a key that was taken before is good.
        """
        is_not_of_key = status in _OF_KEY and (is_page or self._service.is_there)
        is_blocked = is_not_of_key or status == _OF_PROXY
        return code or ("REQUEST_BLOCKED" if is_blocked else "")

    def without_key(self, text: str) -> str:
        """Return the beginning of a text, without the key."""
        # Only the beginning of an endless text is shown.
        return without_key(text[:LONGEST_SEARCHED], self._api_key)


def _code_of_damage(reply: Reply, *, is_again: bool) -> str:
    """Return the code of a damaged answer.

    A proxy's page says more by its status than by its text, and may go away; but a body that begins
    as JSON, or has no end, is the API's own, and one that came twice will come a third time.
    """
    if reply.status >= _ERRORS:
        return ""
    is_own = _begins_with(_START_OF_JSON, reply.body)
    return "ANSWER_UNREADABLE" if is_own and is_again else "ANSWER_INVALID"


def _begins_with(start: bytes, body: bytes | bytearray) -> bool:
    return body[:_START].lstrip(_BEFORE_JSON).startswith(start)
