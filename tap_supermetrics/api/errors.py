"""An error of the API, as its caller meets it."""

from __future__ import annotations

from typing import Final

from tap_supermetrics.api.verdicts import Fate, Reach, verdict_on
from tap_supermetrics.errors import EXIT_FAILED, EXIT_REFUSED, TapError
from tap_supermetrics.redaction import readable

_LONG_WAIT_S: Final = 60.0
"""Shortest wait worth a word, as a run may rather end than wait for it."""
_GONE: Final = frozenset({404, 410, 425})


class ApiError(TapError):
    """The API refused, failed, or gave an answer that cannot be used.

    Attributes:
        code: the API's error code, or one of the tap's own; empty when there was none.
        message: what happened, without what to do.
        status: the HTTP status; 0 when no answer came.
        request_id: the API's id of the request, for its support; empty when unknown.
        verdict: its row of the error table.
        retry_after_s: how long the server asks to wait, in seconds; 0 when it does not.
        may_have_run: whether the request may have been carried out although no good answer came.
    """

    def __init__(  # noqa: PLR0913 - an error carries what is known of it
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        request_id: str = "",
        retry_after_s: float = 0.0,
        may_have_run: bool = False,
        is_of_query: bool = False,
    ) -> None:
        code, request_id = readable(code), readable(request_id)
        verdict = verdict_on(code, status, message, is_of_query=is_of_query)
        known = [f"HTTP {status}"] if status else []
        known += [f"request {request_id}"] if request_id else []
        known += [f"asks to wait {retry_after_s:,.0f} s"] if retry_after_s >= _LONG_WAIT_S else []
        details = f" ({', '.join(known)})" if known else ""
        # Also of the tap's own words: what the tap shows of an answer may contain the key.
        text = readable(message).rstrip(".")
        named = code or "no error code"
        super().__init__(f"{named}: {text}{details}. What to do: {verdict.advice}.")
        self.code = code
        self.message = text
        self.status = status
        self.request_id = request_id
        self.verdict = verdict
        self.retry_after_s = retry_after_s
        self.may_have_run = may_have_run or verdict.may_have_run
        is_refusal = verdict.fate is Fate.STOP and verdict.is_of_api
        self.exit_code = EXIT_REFUSED if is_refusal else EXIT_FAILED

    @property
    def fate(self) -> Fate:
        """Return what to do next."""
        return self.verdict.fate

    @property
    def reach(self) -> Reach:
        """Return which other queries would meet this error."""
        return self.verdict.reach

    @property
    def refuses_everything(self) -> bool:
        """Return whether all else would be refused too: by the key, the license, the quota."""
        return self.fate is Fate.STOP and self.reach is not Reach.ENDPOINT

    def raise_if_it_refuses_everything(self) -> None:
        """Accept an error of one request: a key that may not read a list may still run queries.

        Raises:
            ApiError: this one, if all else would be refused too.
        """
        if self.refuses_everything:
            raise self

    @property
    def is_not_there(self) -> bool:
        """Return whether a batch, a query or its results are not there, by code or bare status.

        It is too young, or gone. `verdict.is_missing` goes by the code alone.
        """
        return self.verdict.is_missing or self.status in _GONE


def may_be_too_large(error: ApiError) -> bool:
    """Return whether an error gives no reason, so that parts of a long query may succeed.

    A query for two years failed with a plain 500 where pieces of 90 days worked (observed).
    """
    return not error.verdict.has_reason
