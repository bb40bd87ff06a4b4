"""The fate and the reach of the errors of the API: one table by error code.

The HTTP status alone says little: permanent failures come as 500, hard quotas as 429, and errors
inside a 200 (Supermetrics docs, "Errors"; observed in public clients). So the code decides, the
text where it alone shows it, and the status only where there is no known code.
"""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import Final


class Fate(Enum):
    """The next step after an error."""

    RETRY = "repeat the request: the server is ill or busy"
    RESUBMIT = "send the query again: its results are gone or were never made"
    SPLIT = "send it as smaller ones: it is too large"
    FAIL = "let this query fail, go on with the others"
    STOP = "stop everything: a person has to act"


class Reach(Enum):
    """The queries that would meet an error too, beside the one that met it."""

    QUERY = "this query only"
    HISTORY = "days of this account up to a first day that the API gives"
    ACCOUNT = "every query of the same report and account"
    REPORT = "every query of the same report, whatever its account"
    SOURCE = "every report of the same data source"
    ENDPOINT = "what is sent to this endpoint: with RESUBMIT this query only, else everything"
    SERVICE = "whatever is sent now"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row of the error table.

    Attributes:
        fate: what to do next.
        reach: which other queries would meet the error.
        advice: what a person can do about it.
        has_reason: whether the API states why; where it does not, a smaller query may succeed.
        is_outage: whether the service is away just now, and may be back in some minutes.
        may_have_run: whether the request may have been carried out all the same.
        is_missing: whether what was requested is not there: it expired, or is too young.
        is_of_item: whether an item of a batch is refused, for its form or for what it says.
        is_of_api: whether the API says so; else this machine or its settings are why.
        max_submissions: how often one query is submitted before it has failed.
    """

    fate: Fate
    reach: Reach
    advice: str
    _: KW_ONLY
    has_reason: bool = True
    is_outage: bool = False
    may_have_run: bool = False
    is_missing: bool = False
    is_of_item: bool = False
    is_of_api: bool = True
    max_submissions: int = 3


RETRY, RESUBMIT, SPLIT, FAIL, STOP = Fate
QUERY, HISTORY, ACCOUNT, REPORT, SOURCE, ENDPOINT, SERVICE = Reach
_CHECK_KEY: Final = "check `api_key`"
_NEW_KEY: Final = "make a new key at the vendor's Hub and set `api_key`"
_BUG: Final = "please report it to the project"
_FEWER_REQUESTS: Final = (
    "lower `requests_per_second`, or have fewer pipelines use the key at the same time"
)
_LATER: Final = "if it lasts, ask the vendor's support with the request id"
_CHECK_REPORT: Final = (
    "check what the report asks for: `ds_id`, `fields`, `filter`, `settings`; if all is right, ask "
    "the vendor's support with the request id"
)
_TOO_EARLY: Final = Verdict(
    SPLIT, HISTORY, "set `start_date` to the first day that the source and license give"
)
_ACCOUNTS_REQUIRED: Final = Verdict(FAIL, REPORT, "set `ds_accounts`")
_NO_ACCOUNT: Final = Verdict(
    FAIL, ACCOUNT, "prioritise the account at the vendor's Hub, or remove it from `ds_accounts`"
)
_NO_SOURCE: Final = Verdict(
    FAIL, SOURCE, "check the report's `ds_id` against the vendor's list of data sources"
)
# Like damage that stays, what is never there is paid for twice at most.
_NOT_THERE: Final = Verdict(RESUBMIT, QUERY, _LATER, is_missing=True, max_submissions=2)
_NO_REPORT: Final = Verdict(FAIL, REPORT, _CHECK_REPORT)
_NO_DAY: Final = Verdict(
    FAIL,
    QUERY,
    "leave such rows out by `filter`; or set `replication_key: _sm_date`, and the field's type to "
    "string.text.value in `types`: each row then is of the day that was asked for",
)
_WRONG_ACCOUNT: Final = Verdict(
    RESUBMIT,
    QUERY,
    "in `ds_accounts`, use the spelling that `tap-supermetrics accounts` lists; if it is that, ask "
    "the vendor's support with the request id",
    max_submissions=2,
)
_WRONG_DAY: Final = Verdict(FAIL, QUERY, "set `replication_key` to the day, or to _sm_date")
_TOO_LARGE: Final = Verdict(FAIL, QUERY, "lower `page_size`", may_have_run=True)
_NO_KEY: Final = Verdict(FAIL, QUERY, "make it a text in `types`, or change `key_properties`")

VERDICTS: Final[dict[str, Verdict]] = {
    # The key.
    "ACCESS_TOKEN_INVALID": Verdict(STOP, SERVICE, _NEW_KEY),
    "API_KEY_INVALID": Verdict(STOP, SERVICE, _CHECK_KEY),
    "API_KEY_REQUIRED": Verdict(STOP, SERVICE, _CHECK_KEY),
    "API_KEY_DISABLED": Verdict(STOP, SERVICE, "enable the key at the vendor's Hub"),
    "UNAUTHORIZED": Verdict(STOP, SERVICE, _CHECK_KEY),
    "ACCESS_DENIED_IP": Verdict(STOP, SERVICE, "add this machine's address to the key's list"),
    "ACCESS_DENIED_PERMISSIONS": Verdict(STOP, ENDPOINT, "give the key the scope to run queries"),
    "FORBIDDEN": Verdict(STOP, ENDPOINT, "give the key the scope to run queries"),
    "PERMISSION_ERROR": Verdict(STOP, ENDPOINT, "give the key the scope to run queries"),
    # The license and its quota. Repeating is useless and may cost.
    "API_ROW_QUOTA_EXCEEDED": Verdict(
        STOP, SERVICE, "the month's rows are used up: wait for the next period, or raise the quota"
    ),
    "LICENSE_ACCESS_DATA_SOURCE": Verdict(
        FAIL, SOURCE, "license the data source, or remove its reports from `queries`"
    ),
    "LICENSE_ACCOUNT_LIMIT_EXCEEDED": Verdict(
        FAIL, ACCOUNT, "license more accounts, or leave this one out of `ds_accounts`"
    ),
    # Each data source has a limit of its own (Supermetrics docs, "Errors").
    "LICENSE_DAILY_QUERY_LIMIT_EXCEEDED": Verdict(
        FAIL,
        SOURCE,
        "the day's queries of this data source are used up: run again tomorrow",
    ),
    "LICENSE_EXPIRED": Verdict(STOP, SERVICE, "renew the license"),
    "LICENSE_NOT_FOUND": Verdict(STOP, SERVICE, "check that the key's team has a license"),
    "LICENSE_QUERIES_SUSPENDED": Verdict(STOP, SERVICE, "ask the vendor why queries are suspended"),
    # Of this query, or of the license: the documents do not say.
    "LICENSE_ROW_LIMIT_EXCEEDED": Verdict(
        FAIL,
        QUERY,
        "ask for fewer dimensions, leave rows out by `filter`, or license more rows",
        has_reason=False,
    ),
    "LICENSE_HISTORICAL_RANGE_EXCEEDED": _TOO_EARLY,
    "START_DATE_HISTORICAL": _TOO_EARLY,
    # One query or its account.
    "QUERY_AUTH_UNAVAILABLE": Verdict(
        FAIL, ACCOUNT, "log in to the data source again at the vendor's Hub, or change `ds_user`"
    ),
    "QUERY_ACCOUNT_UNAVAILABLE": Verdict(
        FAIL,
        ACCOUNT,
        "remove the account from `ds_accounts`, connect it again, "
        "or set `add_exclude_account_errors`",
    ),
    "QUERY_ERROR": Verdict(
        FAIL, QUERY, "the data source failed: see the description", has_reason=False
    ),
    "ACCOUNT_FILTER_INVALID": Verdict(FAIL, REPORT, "check the filter in `ds_accounts`"),
    "ACCOUNT_FILTER_PATTERN_INVALID": Verdict(FAIL, REPORT, "check the filter in `ds_accounts`"),
    "ACCOUNT_ID_INVALID": Verdict(FAIL, ACCOUNT, "check the ids in `ds_accounts`"),
    "ACCOUNT_REQUIRED": _ACCOUNTS_REQUIRED,
    "ACCOUNTS_INVALID": Verdict(FAIL, ACCOUNT, "check `ds_accounts`"),
    "LIST_NOT_FOUND": Verdict(FAIL, REPORT, "check the list named in `ds_accounts`"),
    "LOGIN_NOT_FOUND": Verdict(FAIL, REPORT, "check `ds_user`"),
    "SETTING_KEY_INVALID": Verdict(
        FAIL,
        REPORT,
        "the data source does not know this key: remove it from the report's `settings`",
    ),
    "FIELD_INVALID": Verdict(FAIL, REPORT, "check the report's `fields`"),
    "DATA_SOURCE_INVALID": _NO_SOURCE,
    "BAD_REQUEST": Verdict(FAIL, QUERY, "check the report's fields, filter and dates"),
    "UNPROCESSABLE_ENTITY": Verdict(FAIL, QUERY, "check the report's fields, filter and dates"),
    "UNPROCESSABLE_CONTENT": Verdict(FAIL, QUERY, "check the report's fields, filter and dates"),
    # Results that are not there: any more, or yet.
    "QUERY_RESULTS_UNAVAILABLE": _NOT_THERE,
    "STATUS_NOT_FOUND": _NOT_THERE,
    "BATCH_NOT_FOUND": _NOT_THERE,
    "BATCH_STATUS_NOT_FOUND": _NOT_THERE,
    # The query batch as a whole.
    "BATCH_QUERIES_LIMIT_EXCEEDED": Verdict(SPLIT, QUERY, "name fewer accounts in `ds_accounts`"),
    "BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED": Verdict(STOP, SERVICE, "lower `query_concurrency`"),
    "BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED": Verdict(STOP, SERVICE, "lower `timeout_minutes`"),
    "BATCH_QUERY_OUTPUT_FORMAT_INVALID": Verdict(STOP, SERVICE, _BUG),
    "BATCH_QUERY_ITEM_SPLIT_FAILED": Verdict(FAIL, QUERY, "check the report's dates and accounts"),
    "BATCH_QUERY_ITEM_TYPE_INVALID": Verdict(FAIL, QUERY, _BUG, is_of_item=True),
    "BATCH_QUERY_ITEM_VALUE_INVALID": Verdict(
        FAIL, QUERY, "check the report's settings", is_of_item=True
    ),
    **{
        f"BATCH_{each}_FAILED": Verdict(RETRY, QUERY, _LATER)
        for each in ("CANCEL", "CREATE", "SEARCH", "SPLIT", "UPDATE")
    },
    # The service.
    "ENDPOINT_NOT_FOUND": Verdict(STOP, ENDPOINT, "check `api_url`", is_of_api=False),
    "NOT_FOUND": Verdict(STOP, ENDPOINT, "check `api_url`", is_of_api=False),
    "TOO_MANY_REQUESTS": Verdict(RETRY, SERVICE, _FEWER_REQUESTS, is_outage=True),
    "INTERNAL_SERVER_ERROR": Verdict(RETRY, QUERY, _LATER, has_reason=False),
    "SERVICE_UNAVAILABLE": Verdict(RETRY, SERVICE, _LATER, is_outage=True),
    "CONFLICT_ERROR": Verdict(RETRY, QUERY, _LATER),
    "DUPLICATION_FAILED": Verdict(RETRY, QUERY, _LATER),
    # The tap's own codes.
    "CONNECTION_FAILED": Verdict(
        RETRY, SERVICE, "check the network, the proxy and `api_url`", is_outage=True
    ),
    "CERTIFICATE_INVALID": Verdict(
        STOP,
        SERVICE,
        "check `api_url`; where a proxy of your own stands between, name its certificates in the "
        "environment variable REQUESTS_CA_BUNDLE",
        is_of_api=False,
    ),
    "ANSWER_INVALID": Verdict(
        RETRY,
        SERVICE,
        "check `api_url`, and what stands between, such as a proxy; " + _LATER,
        may_have_run=True,
        max_submissions=1,  # It says nothing of the query, which is paid.
    ),
    "ANSWER_UNREADABLE": Verdict(
        FAIL, QUERY, "send this to the vendor's support", may_have_run=True
    ),
    "SYSTEM_LIMIT": Verdict(
        RETRY, SERVICE, "raise what the system allows: open files (`ulimit -n`), memory, ports"
    ),
    "REQUEST_INVALID": Verdict(
        STOP,
        SERVICE,
        "check `api_url`, `api_key`, and the proxy that the environment names (HTTPS_PROXY)",
        is_of_api=False,
    ),
    "REQUEST_BLOCKED": Verdict(
        RETRY,
        SERVICE,
        "find out what stands between and refuses this request, such as a firewall or a proxy: it "
        "is not the key; " + _LATER,
        max_submissions=1,  # It says nothing of the query, which may be paid.
    ),
    "ADDRESS_REFUSED": Verdict(
        STOP, SERVICE, "set `api_url` to the host that serves your account", is_of_api=False
    ),
    "QUERY_UNFINISHED": Verdict(
        RESUBMIT, ENDPOINT, "raise `timeout_minutes`, or ask for fewer days in a query"
    ),
    # Another run may submit it: in this one, what somebody cancelled is not paid again.
    "QUERY_CANCELLED": Verdict(
        RESUBMIT,
        QUERY,
        "find out who cancels its query batches at the vendor's; run again to go on from here",
        max_submissions=1,
    ),
    "QUERY_MISSING": Verdict(
        RESUBMIT,
        ENDPOINT,
        "check `end_date` and `timezone`: the API may not have this day yet; else report it to the "
        "project",
    ),
    "RESULT_INCOMPLETE": Verdict(RESUBMIT, QUERY, _LATER, max_submissions=2),
    "RESULT_CUT_OFF": Verdict(
        SPLIT,
        QUERY,
        "raise `max_rows`, or ask for fewer dimensions, or for fewer days in a query: one day of "
        "one account cannot be split",
    ),
    "RESULT_MISMATCH": Verdict(RESUBMIT, QUERY, _BUG, max_submissions=2),
    "DAY_NOT_YET": Verdict(FAIL, QUERY, "set `end_date: yesterday`, or `timezone` to the source's"),
    "DAY_NOT_GIVEN": Verdict(
        FAIL, QUERY, "set `start_date` to the first day that the source gives"
    ),
    "TYPE_MISMATCH": Verdict(
        FAIL, QUERY, "set the field's type in `types`, or `on_type_mismatch: null`"
    ),
    "FIELD_NOT_LISTED": Verdict(
        FAIL, REPORT, "ask for the field by its listed id, or set its type in `types`"
    ),
    "QUERY_STUCK": Verdict(FAIL, QUERY, _LATER),
    "STREAM_MAP_FAILED": Verdict(
        FAIL,
        QUERY,
        "have the expression in `stream_maps` take every value, such as 0 and null: "
        "`Cost / Clicks if Clicks else None`",
    ),
    "KEY_NOT_UNIQUE": Verdict(
        FAIL, QUERY, "add a dimension that tells rows apart to `fields`, or `key_properties` if set"
    ),
    "ACCOUNT_EXCLUDED": Verdict(
        FAIL, ACCOUNT, "connect the account again, or remove it from `ds_accounts`"
    ),
    "ACCOUNT_LEFT_OUT": Verdict(
        FAIL,
        ACCOUNT,
        "connect the account again, or remove it from `ds_accounts`; with "
        "`split_accounts_policy: all` the others of a report do not wait for it",
    ),
    "RUN_BUDGET_USED": Verdict(FAIL, SERVICE, "run again: it goes on from here"),
    "START_UNREADABLE": Verdict(
        STOP, ENDPOINT, "set `mode: async`, and please tell the project", may_have_run=True
    ),
    "STATUS_UNREADABLE": Verdict(FAIL, ENDPOINT, "set `mode: async`, and please tell the project"),
    "BATCH_STUCK": Verdict(FAIL, QUERY, _LATER),
}
"""By error code: every documented or observed code of the API, and those of the tap itself."""
_BY_TEXT: Final[tuple[tuple[str, str, Verdict], ...]] = (
    ("ANSWER_UNREADABLE", "; lower `page_size`\\)?$", _TOO_LARGE),
    # Where a batch splits by days, a day that is too early comes under the code of the split.
    ("BATCH_QUERY_ITEM_SPLIT_FAILED", "histor", _TOO_EARLY),
    ("", "historical start date", _TOO_EARLY),
    ("TYPE_MISMATCH", "^field .* of the key, the day of its row, is ", _NO_DAY),
    ("TYPE_MISMATCH", "^field .* of the key is ", _NO_KEY),
    ("RESULT_MISMATCH", "so it is not the day of the row$", _WRONG_DAY),
    ("RESULT_MISMATCH", "^asked for account ", _WRONG_ACCOUNT),
    ("", "ds_accounts is required", _ACCOUNTS_REQUIRED),
    # An account that the license does not cover comes as a bare QUERY_ERROR (observed).
    ("", "prioriti[sz]ed account", _NO_ACCOUNT),
)
"""By code, where one is named, and by what the text says, in any case; but STOP stays STOP."""
_BY_FAMILY: Final[dict[str, Verdict]] = {
    "LICENSE_": Verdict(STOP, SERVICE, "see the vendor's page about the license"),
    "API_KEY_": Verdict(STOP, SERVICE, _CHECK_KEY),
    "ACCESS_DENIED_": Verdict(STOP, SERVICE, _CHECK_KEY),
}
"""By how an unknown code begins."""
_BY_FAMILY_REFUSED: Final[dict[str, Verdict]] = {
    "DATA_SOURCE_": _NO_SOURCE,
    "DATE_RANGE_": Verdict(FAIL, REPORT, "check the report's `date_range_type`"),
    "FIELD": Verdict(FAIL, REPORT, "check the report's `fields`"),
    "FILTER_": Verdict(FAIL, REPORT, "check the report's `filter`"),
    "ORDER_": Verdict(FAIL, REPORT, "check the report's `order_rows`"),
    "SEGMENT": Verdict(FAIL, REPORT, "check the report's `ds_segments`"),
    **dict.fromkeys(("SETTING_", "COMPARE_"), _NO_REPORT),
}
"""By how an unknown code begins, unless its status says that the server is ill."""
_OF_LOGIN: Final = re.compile(r"(API_KEY|ACCESS)_\w+|FORBIDDEN|PERMISSION_ERROR|UNAUTHORIZED")
"""Refusals of one query, whose batch the key was good enough for: of the source's own login."""
_KEY_REFUSED: Final = Verdict(STOP, SERVICE, _CHECK_KEY)
_REFUSED: Final = Verdict(FAIL, QUERY, _CHECK_REPORT)
_ILL_SERVER: Final = Verdict(RETRY, QUERY, _LATER)
_ILL_GATEWAY: Final = Verdict(RETRY, SERVICE, _LATER, may_have_run=True)
_AWAY: Final = Verdict(RETRY, SERVICE, _LATER, is_outage=True)
_CUT_OFF: Final = Verdict(RETRY, SERVICE, _LATER, is_outage=True, may_have_run=True)
_BY_STATUS: Final[dict[int, Verdict]] = {
    403: _KEY_REFUSED,
    # These say that the service was not reached, or took nothing.
    **dict.fromkeys((503, 521, 522, 523, 530), _AWAY),
    429: Verdict(RETRY, SERVICE, _FEWER_REQUESTS, is_outage=True),
    **dict.fromkeys((502, 504, 520, 524), _CUT_OFF),
}
"""By HTTP status where there is no code. Above 519: Cloudflare, which serves the vendor's hosts."""
_NOT_YET: Final = re.compile(
    r"(QUERY|BATCH|RESULTS?|STATUS|SCHEDULE)(_\w+)?_"
    r"(NOT_(FOUND|READY|FINISHED|AVAILABLE)|UNKNOWN|PENDING|EXPIRED)"
)
"""Unknown codes by which what the API made may not be there."""
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_SERVER: Final = 500


def verdict_on(code: str, status: int, text: str = "", *, is_of_query: bool = False) -> Verdict:
    """Return the row for an error, known or not.

    Args:
        code: the API's error code; empty when the answer had none.
        status: the HTTP status, or the one that the error itself names.
        text: what the error says.
        is_of_query: whether it is of one query, whose status says nothing of the API key.
    """
    if is_of_query and _OF_LOGIN.fullmatch(code):
        return VERDICTS["QUERY_AUTH_UNAVAILABLE"]
    by_code = VERDICTS.get(code) or _by_family(code, status)
    if is_of_query and by_code and code not in VERDICTS and by_code.reach in {SOURCE, SERVICE}:
        # A guess from one query: others have to show whether they meet it too.
        by_code = replace(by_code, fate=FAIL, reach=QUERY)
    verdict = by_code or _by_status(code, status, is_of_query=is_of_query)
    # A text must not soften an error that stops everything.
    return verdict if verdict.fate is Fate.STOP else _by_text(code, text) or verdict


def _by_text(code: str, text: str) -> Verdict | None:
    for of_code, pattern, verdict in _BY_TEXT:
        if of_code in {"", code} and re.search(pattern, text, re.IGNORECASE):
            return verdict
    return None


def _by_family(code: str, status: int) -> Verdict | None:
    families = _BY_FAMILY if _is_ill(status) else _BY_FAMILY | _BY_FAMILY_REFUSED
    return next((row for start, row in families.items() if code.startswith(start)), None)


def _by_status(code: str, status: int, *, is_of_query: bool) -> Verdict:
    if status == _UNAUTHORIZED and not is_of_query:
        return _KEY_REFUSED
    if _NOT_YET.fullmatch(code):
        return _NOT_THERE
    if code or is_of_query:
        return _ILL_SERVER if _is_ill(status) else _REFUSED
    return _BY_STATUS.get(status, _ILL_GATEWAY if status >= _SERVER else _REFUSED)


def _is_ill(status: int) -> bool:
    return status >= _SERVER or status == _TOO_MANY
