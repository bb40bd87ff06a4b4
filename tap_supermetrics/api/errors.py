"""What the API refuses, and what becomes of it: one table by error code.

The HTTP status alone says little: permanent failures come as 500, hard quotas as 429, and errors
inside a 200 (Supermetrics docs, "Errors"; observed in public clients). So the code decides, and
the status only where there is no known code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final

from tap_supermetrics.dates import parse_date
from tap_supermetrics.errors import EXIT_FAILED, EXIT_REFUSED, TapError


class Fate(Enum):
    """What to do next."""

    RETRY = "repeat the request: the server is ill or busy"
    RESUBMIT = "send the query again: its results are gone or were never made"
    SPLIT = "send it as smaller ones: it is too large"
    LOSE = "lose this query, go on with the others"
    STOP = "stop everything: a person has to act"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of an error and what a person can do about it."""

    fate: Fate
    advice: str = ""


_CHECK_KEY: Final = "check `api_key`"
_NEW_KEY: Final = "make a new key at the vendor's Hub and set `api_key`"
_BUG: Final = "please report it to the project"
_LATER: Final = "if it lasts, ask the vendor's support with the request id"
_CHECK_REPORT: Final = (
    "check what the report asks for: `ds_id`, `fields`, `filter`, `settings`; if all is right, ask "
    "the vendor's support with the request id"
)

VERDICTS: Final[dict[str, Verdict]] = {
    # The key.
    "ACCESS_TOKEN_INVALID": Verdict(Fate.STOP, _NEW_KEY),
    "API_KEY_INVALID": Verdict(Fate.STOP, _CHECK_KEY),
    "API_KEY_REQUIRED": Verdict(Fate.STOP, _CHECK_KEY),
    "API_KEY_DISABLED": Verdict(Fate.STOP, "enable the key at the vendor's Hub"),
    "UNAUTHORIZED": Verdict(Fate.STOP, _CHECK_KEY),
    "ACCESS_DENIED_IP": Verdict(Fate.STOP, "add this machine's address to the key's list"),
    "ACCESS_DENIED_PERMISSIONS": Verdict(Fate.STOP, "give the key the scope to run queries"),
    "FORBIDDEN": Verdict(Fate.STOP, "give the key the scope to run queries"),
    "PERMISSION_ERROR": Verdict(Fate.STOP, "give the key the scope to run queries"),
    # The license and its quota. Repeating is useless and may cost.
    "API_ROW_QUOTA_EXCEEDED": Verdict(
        Fate.STOP, "the month's rows are used up: wait for the next period, or raise the quota"
    ),
    "LICENSE_ACCESS_DATA_SOURCE": Verdict(
        Fate.STOP, "license the data source, or remove the report from `queries`"
    ),
    "LICENSE_ACCOUNT_LIMIT_EXCEEDED": Verdict(
        Fate.STOP, "license more accounts, or name fewer in `ds_accounts`"
    ),
    "LICENSE_DAILY_QUERY_LIMIT_EXCEEDED": Verdict(
        Fate.STOP, "the day's queries are used up: run again tomorrow, it goes on from here"
    ),
    "LICENSE_EXPIRED": Verdict(Fate.STOP, "renew the license"),
    "LICENSE_NOT_FOUND": Verdict(Fate.STOP, "check that the key's team has a license"),
    "LICENSE_QUERIES_SUSPENDED": Verdict(Fate.STOP, "ask the vendor why queries are suspended"),
    "LICENSE_ROW_LIMIT_EXCEEDED": Verdict(Fate.STOP, "lower `max_rows` to what the license allows"),
    "LICENSE_HISTORICAL_RANGE_EXCEEDED": Verdict(
        Fate.SPLIT, "set `start_date` to the first day that the license allows"
    ),
    "START_DATE_HISTORICAL": Verdict(
        Fate.SPLIT, "set `start_date` to the first day that the data source has"
    ),
    # One query or its account.
    "QUERY_AUTH_UNAVAILABLE": Verdict(
        Fate.LOSE, "log in to the data source again at the vendor's Hub, or change `ds_user`"
    ),
    "QUERY_ACCOUNT_UNAVAILABLE": Verdict(
        Fate.LOSE,
        "remove the account from `ds_accounts`, connect it again, "
        "or set `add_exclude_account_errors`",
    ),
    "QUERY_ERROR": Verdict(
        Fate.LOSE, "the data source failed or does not license the account: see the description"
    ),
    "ACCOUNT_FILTER_INVALID": Verdict(Fate.LOSE, "check the filter in `ds_accounts`"),
    "ACCOUNT_FILTER_PATTERN_INVALID": Verdict(Fate.LOSE, "check the filter in `ds_accounts`"),
    "ACCOUNT_ID_INVALID": Verdict(Fate.LOSE, "check the ids in `ds_accounts`"),
    "ACCOUNT_REQUIRED": Verdict(Fate.LOSE, "set `ds_accounts`"),
    "ACCOUNTS_INVALID": Verdict(Fate.LOSE, "check `ds_accounts`"),
    "LIST_NOT_FOUND": Verdict(Fate.LOSE, "check the list named in `ds_accounts`"),
    "LOGIN_NOT_FOUND": Verdict(Fate.LOSE, "check `ds_user`"),
    "SETTING_KEY_INVALID": Verdict(
        Fate.LOSE, "the data source does not know this key: remove it from the report's `settings`"
    ),
    "BAD_REQUEST": Verdict(Fate.LOSE, "check the report's fields, filter and dates"),
    "UNPROCESSABLE_ENTITY": Verdict(Fate.LOSE, "check the report's fields, filter and dates"),
    "UNPROCESSABLE_CONTENT": Verdict(Fate.LOSE, "check the report's fields, filter and dates"),
    # Results that are not there (any more).
    "QUERY_RESULTS_UNAVAILABLE": Verdict(Fate.RESUBMIT, _LATER),
    "STATUS_NOT_FOUND": Verdict(Fate.RESUBMIT, _LATER),
    "BATCH_NOT_FOUND": Verdict(Fate.RESUBMIT, _LATER),
    "BATCH_STATUS_NOT_FOUND": Verdict(Fate.RESUBMIT, _LATER),
    # The query batch as a whole.
    "BATCH_QUERIES_LIMIT_EXCEEDED": Verdict(Fate.SPLIT, "name fewer accounts in `ds_accounts`"),
    "BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED": Verdict(Fate.STOP, "lower `query_concurrency`"),
    "BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED": Verdict(Fate.STOP, "lower `timeout_minutes`"),
    "BATCH_QUERY_OUTPUT_FORMAT_INVALID": Verdict(Fate.STOP, _BUG),
    "BATCH_QUERY_ITEM_SPLIT_FAILED": Verdict(Fate.LOSE, "check the report's dates and accounts"),
    "BATCH_QUERY_ITEM_TYPE_INVALID": Verdict(Fate.LOSE, _BUG),
    "BATCH_QUERY_ITEM_VALUE_INVALID": Verdict(Fate.LOSE, "check the report's settings"),
    "BATCH_CANCEL_FAILED": Verdict(Fate.RETRY, _LATER),
    "BATCH_CREATE_FAILED": Verdict(Fate.RETRY, _LATER),
    "BATCH_SEARCH_FAILED": Verdict(Fate.RETRY, _LATER),
    "BATCH_SPLIT_FAILED": Verdict(Fate.RETRY, _LATER),
    "BATCH_UPDATE_FAILED": Verdict(Fate.RETRY, _LATER),
    # The service.
    "ENDPOINT_NOT_FOUND": Verdict(Fate.STOP, "check `api_url`"),
    "NOT_FOUND": Verdict(Fate.STOP, "check `api_url`"),
    "TOO_MANY_REQUESTS": Verdict(Fate.RETRY, "lower `requests_per_second`"),
    "INTERNAL_SERVER_ERROR": Verdict(Fate.RETRY, _LATER),
    "SERVICE_UNAVAILABLE": Verdict(Fate.RETRY, _LATER),
    "CONFLICT_ERROR": Verdict(Fate.RETRY, _LATER),
    "DUPLICATION_FAILED": Verdict(Fate.RETRY, _LATER),
    # What the tap itself finds; no codes of the API's.
    "CONNECTION_FAILED": Verdict(Fate.RETRY, "check the network, the proxy and `api_url`"),
    "CERTIFICATE_INVALID": Verdict(
        Fate.STOP,
        "check `api_url`; where a proxy of your own stands between, name its certificates in the "
        "environment variable REQUESTS_CA_BUNDLE",
    ),
    "ANSWER_INVALID": Verdict(Fate.RETRY, "check `api_url`; " + _LATER),
    "ADDRESS_REFUSED": Verdict(Fate.STOP, "set `api_url` to the host that serves your account"),
    "QUERY_UNFINISHED": Verdict(
        Fate.RESUBMIT, "raise `timeout_minutes`, or ask for fewer days in a query"
    ),
    "QUERY_MISSING": Verdict(
        Fate.RESUBMIT,
        "check `end_date` and `timezone`: the API may not have this day yet; else report it to the "
        "project",
    ),
    "RESULT_INCOMPLETE": Verdict(Fate.RESUBMIT, _LATER),
    "RESULT_CUT_OFF": Verdict(
        Fate.SPLIT,
        "raise `max_rows`, or ask for fewer dimensions, or for fewer days in a query: one day of "
        "one account cannot be split",
    ),
    "RESULT_MISMATCH": Verdict(Fate.LOSE, _BUG),
    "TYPE_MISMATCH": Verdict(
        Fate.LOSE, "set the field's type in `types`, or `on_type_mismatch: null`"
    ),
    "FIELD_NOT_LISTED": Verdict(
        Fate.LOSE, "ask for the field by its listed id, or set its type in `types`"
    ),
    "QUERY_STUCK": Verdict(Fate.LOSE, _LATER),
    "KEY_NOT_UNIQUE": Verdict(
        Fate.LOSE, "add the dimensions that tell rows apart to `key_properties`, or leave it out"
    ),
    "ACCOUNT_EXCLUDED": Verdict(
        Fate.LOSE, "connect the account again, or remove it from `ds_accounts`"
    ),
    "RUN_BUDGET_USED": Verdict(Fate.LOSE, "run again: it goes on from here"),
    "START_UNREADABLE": Verdict(Fate.STOP, "set `mode: async`, and please tell the project"),
    "STATUS_UNREADABLE": Verdict(Fate.LOSE, "set `mode: async`, and please tell the project"),
    "BATCH_STUCK": Verdict(Fate.LOSE, _LATER),
}
"""By error code: every documented or observed code of the API, and those of the tap itself."""

NO_BATCHES: Final = frozenset(
    {
        "ENDPOINT_NOT_FOUND",
        "NOT_FOUND",
        "ACCESS_DENIED_PERMISSIONS",
        "PERMISSION_ERROR",
        "FORBIDDEN",
        "START_UNREADABLE",
        "STATUS_UNREADABLE",
    }
)
"""Errors that mean, where query batches are concerned, that this key has none, or none to use."""
_UNKNOWN_LICENSE: Final = Verdict(Fate.STOP, "see the vendor's page about the license")
_ILL_SERVER: Final = Verdict(Fate.RETRY, _LATER)
_REFUSED: Final = Verdict(Fate.LOSE, _CHECK_REPORT)
_KEY_REFUSED: Final = Verdict(Fate.STOP, _CHECK_KEY)
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_SERVER: Final = 500


def verdict_on(code: str, status: int, *, is_of_query: bool = False) -> Verdict:
    """The fate of an error, known or not.

    Args:
        code: the API's error code; empty when the answer had none.
        status: the HTTP status, or the one that the error itself names.
        is_of_query: whether it is of one query, whose status says nothing of the API key.
    """
    if code in VERDICTS:
        return VERDICTS[code]
    if code.startswith(("LICENSE_", "API_KEY_", "ACCESS_DENIED_")):
        return _UNKNOWN_LICENSE
    is_refused = status == _UNAUTHORIZED or (not code and status == _FORBIDDEN)
    if is_refused and not is_of_query:
        return _KEY_REFUSED
    return _ILL_SERVER if status >= _SERVER or status == _TOO_MANY else _REFUSED


class ApiError(TapError):
    """The API refused, failed, or answered what cannot be used.

    Attributes:
        code: the API's error code, or one of the tap's own; empty when there was none.
        status: the HTTP status; 0 when no answer came.
        request_id: the API's id of the request, for its support; empty when unknown.
        fate: what to do next.
        retry_after_s: how long the server asks to wait, in seconds; 0 when it does not.
        is_answer_lost: whether the request may have been carried out although no answer came.
    """

    def __init__(  # noqa: PLR0913 - an error carries what is known of it
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        request_id: str = "",
        retry_after_s: float = 0.0,
        is_answer_lost: bool = False,
        is_of_query: bool = False,
    ) -> None:
        verdict = verdict_on(code, status, is_of_query=is_of_query)
        known = [f"HTTP {status}"] if status else []
        known += [f"request {_one_line(request_id)}"] if request_id else []
        details = f" ({', '.join(known)})" if known else ""
        advice = f" What to do: {verdict.advice}." if verdict.advice else ""
        named = " ".join(code.split()) or "no error code"
        super().__init__(f"{named}: {_one_line(message)}{details}.{advice}")
        self.code = code
        self.status = status
        self.request_id = request_id
        self.fate = verdict.fate
        self.retry_after_s = retry_after_s
        self.is_answer_lost = is_answer_lost
        self.exit_code = EXIT_REFUSED if verdict.fate is Fate.STOP else EXIT_FAILED


_OUTAGES: Final = frozenset({"CONNECTION_FAILED", "SERVICE_UNAVAILABLE", "TOO_MANY_REQUESTS"})
_OF_GATEWAYS: Final = frozenset({429, 502, 503, 504, *range(520, 525), 530})
"""Statuses of proxies; above 519, those of Cloudflare, to which the vendor's addresses belong."""


def is_outage(error: ApiError) -> bool:
    """Whether the service is not there just now for whatever is asked, and may be in a while."""
    return error.code in _OUTAGES or (not error.code and error.status in _OF_GATEWAYS)


_TOO_EARLY: Final = frozenset({"START_DATE_HISTORICAL", "LICENSE_HISTORICAL_RANGE_EXCEEDED"})
_OF_ACCOUNT: Final = frozenset(
    {"ACCOUNT_EXCLUDED", "QUERY_ACCOUNT_UNAVAILABLE", "QUERY_AUTH_UNAVAILABLE"}
)
"""Errors that every query for the same account would meet."""


def is_too_early(error: ApiError) -> bool:
    """Whether an error means that there are no days so far back.

    Where a batch splits by days, the same words have come under another code.
    """
    said = str(error).casefold()
    is_of_split = error.code == "BATCH_QUERY_ITEM_SPLIT_FAILED" and "histor" in said
    return error.code in _TOO_EARLY or is_of_split or "historical start date" in said


def may_be_split(error: ApiError) -> bool:
    """Whether an error says that parts of a query may succeed where the whole failed."""
    return error.fate is Fate.SPLIT or is_too_early(error)


def is_of_account(error: ApiError) -> bool:
    """Whether every query for the same account would meet an error.

    An account that the license does not cover is told by the text only: it is not one of the
    "prioritised accounts" (observed).
    """
    is_barred = re.search("prioriti[sz]ed account", str(error), re.IGNORECASE)
    return error.code in _OF_ACCOUNT or is_barred is not None


def may_be_too_large(error: ApiError) -> bool:
    """Whether an error gives no reason, so that parts of a long query may succeed.

    A query for two years failed with a plain 500 where pieces of 90 days worked (observed).
    """
    may_be = error.code in {"QUERY_ERROR", "INTERNAL_SERVER_ERROR"}
    return may_be and not is_of_account(error)


def first_day_given(error: ApiError, refused: date, last: date = date.max) -> date:
    """The first day that the API may give, after it refused one day as too far back.

    Args:
        error: the refusal; its text has been seen to name the earliest day, and may name others.
        refused: the refused day.
        last: the last day that is wanted; a later one is another, such as the end of a license.
    """
    words = re.findall(r"\b\d{4}-\d{2}-\d{2}\b", str(error))
    later = (day for word in words if (day := _day(word)) and refused < day <= last)
    return min(later, default=refused + timedelta(days=1))


def _day(word: str) -> date | None:
    try:
        return parse_date(word)
    except ValueError:
        return None


def _one_line(message: str) -> str:
    return " ".join(message.split()).rstrip(".")
