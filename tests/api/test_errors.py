from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.api.errors import ApiError, may_be_too_large
from tap_supermetrics.api.verdicts import VERDICTS, Fate, Reach, verdict_on
from tap_supermetrics.errors import EXIT_FAILED, EXIT_REFUSED
from tap_supermetrics.extraction.history import first_day_given

DOCUMENTED: list[tuple[str, int, Fate]] = [
    # The key.
    ("ACCESS_TOKEN_INVALID", 401, Fate.STOP),
    ("API_KEY_INVALID", 401, Fate.STOP),
    ("API_KEY_REQUIRED", 401, Fate.STOP),
    ("ACCESS_DENIED_IP", 403, Fate.STOP),
    ("ACCESS_DENIED_PERMISSIONS", 403, Fate.STOP),
    ("API_KEY_DISABLED", 403, Fate.STOP),
    # The license: two of them come as 500 or 429, which repeating does not heal.
    ("LICENSE_ACCESS_DATA_SOURCE", 500, Fate.FAIL),
    ("LICENSE_ACCESS_DATA_SOURCE", 403, Fate.FAIL),
    ("LICENSE_ACCOUNT_LIMIT_EXCEEDED", 403, Fate.FAIL),
    ("LICENSE_DAILY_QUERY_LIMIT_EXCEEDED", 429, Fate.FAIL),
    ("LICENSE_EXPIRED", 403, Fate.STOP),
    ("LICENSE_HISTORICAL_RANGE_EXCEEDED", 403, Fate.SPLIT),
    ("LICENSE_QUERIES_SUSPENDED", 403, Fate.STOP),
    ("LICENSE_ROW_LIMIT_EXCEEDED", 403, Fate.FAIL),
    ("LICENSE_NOT_FOUND", 500, Fate.STOP),
    ("API_ROW_QUOTA_EXCEEDED", 429, Fate.STOP),
    # The request.
    ("ACCOUNT_FILTER_INVALID", 400, Fate.FAIL),
    ("ACCOUNT_FILTER_PATTERN_INVALID", 400, Fate.FAIL),
    ("ACCOUNT_ID_INVALID", 400, Fate.FAIL),
    ("ACCOUNT_REQUIRED", 400, Fate.FAIL),
    ("ACCOUNTS_INVALID", 400, Fate.FAIL),
    ("COMPARE_END_DATE_INVALID", 400, Fate.FAIL),
    ("COMPARE_END_DATE_REQUIRED", 400, Fate.FAIL),
    ("START_DATE_HISTORICAL", 400, Fate.SPLIT),
    ("SETTING_KEY_INVALID", 400, Fate.FAIL),
    # The data source.
    ("QUERY_AUTH_UNAVAILABLE", 403, Fate.FAIL),
    ("QUERY_ACCOUNT_UNAVAILABLE", 500, Fate.FAIL),
    ("QUERY_ERROR", 500, Fate.FAIL),
    # Results and status.
    ("QUERY_RESULTS_UNAVAILABLE", 404, Fate.RESUBMIT),
    ("STATUS_NOT_FOUND", 400, Fate.RESUBMIT),
    ("STATUS_NOT_FOUND", 404, Fate.RESUBMIT),
    ("ENDPOINT_NOT_FOUND", 404, Fate.STOP),
    # Query batches.
    ("BATCH_CANCEL_FAILED", 500, Fate.RETRY),
    ("BATCH_CREATE_FAILED", 500, Fate.RETRY),
    ("BATCH_SEARCH_FAILED", 500, Fate.RETRY),
    ("BATCH_SPLIT_FAILED", 500, Fate.RETRY),
    ("BATCH_UPDATE_FAILED", 500, Fate.RETRY),
    ("BATCH_NOT_FOUND", 404, Fate.RESUBMIT),
    ("BATCH_STATUS_NOT_FOUND", 404, Fate.RESUBMIT),
    ("BATCH_QUERIES_LIMIT_EXCEEDED", 400, Fate.SPLIT),
    ("BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED", 400, Fate.STOP),
    ("BATCH_QUERY_ITEM_SPLIT_FAILED", 400, Fate.FAIL),
    ("BATCH_QUERY_ITEM_TYPE_INVALID", 400, Fate.FAIL),
    ("BATCH_QUERY_ITEM_VALUE_INVALID", 400, Fate.FAIL),
    ("BATCH_QUERY_OUTPUT_FORMAT_INVALID", 400, Fate.STOP),
    ("BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED", 400, Fate.STOP),
    # Management.
    ("LIST_NOT_FOUND", 404, Fate.FAIL),
    ("LOGIN_NOT_FOUND", 404, Fate.FAIL),
    ("LINK_NOT_FOUND", 404, Fate.FAIL),
    ("LOGIN_SEARCH_FAILED", 500, Fate.RETRY),
    ("LINK_UPDATE_FAILED", 500, Fate.RETRY),
    ("LINK_LIMIT_EXCEEDED", 403, Fate.FAIL),
    # The newer, generic set.
    ("BAD_REQUEST", 400, Fate.FAIL),
    ("UNAUTHORIZED", 401, Fate.STOP),
    ("FORBIDDEN", 403, Fate.STOP),
    ("PERMISSION_ERROR", 403, Fate.STOP),
    ("NOT_FOUND", 404, Fate.STOP),
    ("CONFLICT_ERROR", 409, Fate.RETRY),
    ("UNPROCESSABLE_ENTITY", 422, Fate.FAIL),
    ("UNPROCESSABLE_CONTENT", 422, Fate.FAIL),
    ("TOO_MANY_REQUESTS", 429, Fate.RETRY),
    ("INTERNAL_SERVER_ERROR", 500, Fate.RETRY),
    ("DUPLICATION_FAILED", 500, Fate.RETRY),
    ("SERVICE_UNAVAILABLE", 503, Fate.RETRY),
]

UNKNOWN: list[tuple[str, int, Fate]] = [
    ("SOMETHING_NEW", 200, Fate.FAIL),
    ("SOMETHING_NEW", 400, Fate.FAIL),
    ("SOMETHING_NEW", 401, Fate.STOP),
    ("SOMETHING_NEW", 403, Fate.FAIL),
    ("SOMETHING_NEW", 404, Fate.FAIL),
    ("SOMETHING_NEW", 429, Fate.RETRY),
    ("SOMETHING_NEW", 500, Fate.RETRY),
    ("SOMETHING_NEW", 503, Fate.RETRY),
    ("LICENSE_SOMETHING_NEW", 429, Fate.STOP),
    ("LICENSE_SOMETHING_NEW", 500, Fate.STOP),
    ("API_KEY_SOMETHING_NEW", 403, Fate.STOP),
    ("ACCESS_DENIED_SOMETHING_NEW", 403, Fate.STOP),
    ("", 200, Fate.FAIL),
    ("", 400, Fate.FAIL),
    ("", 401, Fate.STOP),
    ("", 403, Fate.STOP),
    ("", 404, Fate.FAIL),
    ("", 429, Fate.RETRY),
    ("", 500, Fate.RETRY),
    ("", 502, Fate.RETRY),
    ("", 504, Fate.RETRY),
]


@pytest.mark.parametrize(("code", "status", "fate"), DOCUMENTED)
def test_a_documented_error_has_its_fate(code: str, status: int, fate: Fate) -> None:
    assert ApiError(code, "no", status=status).fate is fate


@pytest.mark.parametrize(("code", "status", "fate"), UNKNOWN)
def test_an_unknown_error_has_a_fate_by_its_family_or_status(
    code: str, status: int, fate: Fate
) -> None:
    assert ApiError(code, "no", status=status).fate is fate


@pytest.mark.parametrize("code", {code for code, _, _ in DOCUMENTED} & set(VERDICTS))
def test_the_status_does_not_change_the_fate_of_a_known_code(code: str) -> None:
    assert len({verdict_on(code, status).fate for status in (0, 200, 400, 403, 429, 500)}) == 1


REACHES: list[tuple[str, Reach]] = [
    ("QUERY_ERROR", Reach.QUERY),
    ("BAD_REQUEST", Reach.QUERY),
    ("UNPROCESSABLE_ENTITY", Reach.QUERY),
    ("INTERNAL_SERVER_ERROR", Reach.QUERY),
    ("KEY_NOT_UNIQUE", Reach.QUERY),
    ("START_DATE_HISTORICAL", Reach.HISTORY),
    ("LICENSE_HISTORICAL_RANGE_EXCEEDED", Reach.HISTORY),
    ("ACCOUNT_EXCLUDED", Reach.ACCOUNT),
    ("ACCOUNT_LEFT_OUT", Reach.ACCOUNT),
    ("ACCOUNT_ID_INVALID", Reach.ACCOUNT),
    ("QUERY_ACCOUNT_UNAVAILABLE", Reach.ACCOUNT),
    ("QUERY_AUTH_UNAVAILABLE", Reach.ACCOUNT),
    ("ACCOUNT_FILTER_INVALID", Reach.REPORT),
    ("COMPARE_END_DATE_INVALID", Reach.REPORT),
    ("FIELD_INVALID", Reach.REPORT),
    ("FIELDS_REQUIRED", Reach.REPORT),
    ("FILTER_INVALID", Reach.REPORT),
    ("LIST_NOT_FOUND", Reach.REPORT),
    ("LOGIN_NOT_FOUND", Reach.REPORT),
    ("ORDER_ROWS_INVALID", Reach.REPORT),
    ("SETTING_KEY_INVALID", Reach.REPORT),
    ("SETTING_VALUE_INVALID", Reach.REPORT),
    ("DATA_SOURCE_INVALID", Reach.SOURCE),
    ("DATA_SOURCE_REQUIRED", Reach.SOURCE),
    ("LICENSE_ACCESS_DATA_SOURCE", Reach.SOURCE),
    ("LICENSE_DAILY_QUERY_LIMIT_EXCEEDED", Reach.SOURCE),
    ("LICENSE_ACCOUNT_LIMIT_EXCEEDED", Reach.ACCOUNT),
    ("LICENSE_ROW_LIMIT_EXCEEDED", Reach.QUERY),
    ("ACCESS_DENIED_PERMISSIONS", Reach.ENDPOINT),
    ("ENDPOINT_NOT_FOUND", Reach.ENDPOINT),
    ("FORBIDDEN", Reach.ENDPOINT),
    ("NOT_FOUND", Reach.ENDPOINT),
    ("PERMISSION_ERROR", Reach.ENDPOINT),
    ("QUERY_MISSING", Reach.ENDPOINT),
    ("QUERY_UNFINISHED", Reach.ENDPOINT),
    ("START_UNREADABLE", Reach.ENDPOINT),
    ("STATUS_UNREADABLE", Reach.ENDPOINT),
    ("ANSWER_INVALID", Reach.SERVICE),
    ("API_KEY_INVALID", Reach.SERVICE),
    ("API_ROW_QUOTA_EXCEEDED", Reach.SERVICE),
    ("CONNECTION_FAILED", Reach.SERVICE),
    ("LICENSE_EXPIRED", Reach.SERVICE),
    ("LICENSE_SOMETHING_NEW", Reach.SERVICE),
    ("SERVICE_UNAVAILABLE", Reach.SERVICE),
    ("TOO_MANY_REQUESTS", Reach.SERVICE),
]


@pytest.mark.parametrize(("code", "reach"), REACHES)
def test_an_error_reaches_as_far_as_its_cause(code: str, reach: Reach) -> None:
    assert ApiError(code, "no", status=400).reach is reach


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("code", ["FIELD_LOOKUP_FAILED", "DATA_SOURCE_BUSY", "FILTER_TIMEOUT"])
def test_an_unknown_error_of_an_ill_server_is_of_one_query(code: str, status: int) -> None:
    error = ApiError(code, "no", status=status)
    assert (error.fate, error.reach) == (Fate.RETRY, Reach.QUERY)


@pytest.mark.parametrize(
    "code", ["API_KEY_INVALID", "ACCESS_DENIED_PERMISSIONS", "FORBIDDEN", "UNAUTHORIZED"]
)
def test_what_refuses_one_query_of_a_batch_is_not_the_key(code: str) -> None:
    """The key was good enough for the batch: it is the login of the data source."""
    error = ApiError(code, "no", status=403, is_of_query=True)
    assert (error.fate, error.reach) == (Fate.FAIL, Reach.ACCOUNT)
    assert "log in to the data source again" in str(error)
    assert ApiError(code, "no", status=403).fate is Fate.STOP


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_an_unknown_error_of_a_query_is_of_that_query(status: int) -> None:
    for code in ("", "SOMETHING_NEW"):
        assert ApiError(code, "no", status=status, is_of_query=True).reach is Reach.QUERY


BY_TEXT: list[tuple[str, str, Fate, Reach]] = [
    ("QUERY_ERROR", "Historical start date is 2020-01-01", Fate.SPLIT, Reach.HISTORY),
    ("SOMETHING_NEW", "no historical start date", Fate.SPLIT, Reach.HISTORY),
    ("BATCH_QUERY_ITEM_SPLIT_FAILED", "START_DATE_HISTORICAL", Fate.SPLIT, Reach.HISTORY),
    ("BATCH_QUERY_ITEM_SPLIT_FAILED", "no such account", Fate.FAIL, Reach.QUERY),
    ("QUERY_ERROR", "a historical mistake", Fate.FAIL, Reach.QUERY),
    ("QUERY_ERROR", "not listed as prioritised accounts", Fate.FAIL, Reach.ACCOUNT),
    ("QUERY_ERROR", "not a Prioritized Account", Fate.FAIL, Reach.ACCOUNT),
    ("API_KEY_INVALID", "historical start date", Fate.STOP, Reach.SERVICE),
]


@pytest.mark.parametrize(("code", "text", "fate", "reach"), BY_TEXT)
def test_the_text_decides_where_the_code_does_not_tell(
    code: str, text: str, fate: Fate, reach: Reach
) -> None:
    error = ApiError(code, text, status=500)
    assert (error.fate, error.reach) == (fate, reach)
    assert (error.fate is Fate.SPLIT) == (reach is Reach.HISTORY)
    assert error.reach is reach


@pytest.mark.parametrize(
    ("code", "text", "may_be"),
    [
        ("QUERY_ERROR", "failed", True),
        ("INTERNAL_SERVER_ERROR", "failed", True),
        ("QUERY_ERROR", "not a prioritised account", False),
        ("SERVICE_UNAVAILABLE", "failed", False),
        ("FIELD_INVALID", "failed", False),
    ],
)
def test_what_fails_without_a_reason_may_be_too_large(code: str, text: str, may_be: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert may_be_too_large(ApiError(code, text, status=500)) is may_be


@pytest.mark.parametrize("code", sorted(VERDICTS))
def test_what_any_request_would_meet_is_told_by_its_reach(code: str) -> None:
    verdict = VERDICTS[code]
    if verdict.is_outage:
        assert (verdict.fate, verdict.reach) == (Fate.RETRY, Reach.SERVICE)
    if verdict.fate is Fate.STOP:
        assert verdict.reach in {Reach.SERVICE, Reach.ENDPOINT}


@pytest.mark.parametrize("code", sorted(VERDICTS))
def test_every_known_error_says_what_to_do(code: str) -> None:
    advice = VERDICTS[code].advice
    assert advice
    assert not advice.endswith(".")
    assert str(ApiError(code, "no")).endswith(f" What to do: {advice}.")


@pytest.mark.parametrize(("code", "status", "fate"), UNKNOWN)
def test_every_unknown_error_says_what_to_do(code: str, status: int, fate: Fate) -> None:
    assert verdict_on(code, status).fate is fate
    assert verdict_on(code, status).advice


def test_a_message_names_code_reason_status_request_and_what_to_do() -> None:
    error = ApiError("LICENSE_EXPIRED", "It ended.", status=403, request_id="f3Kq_0aZb7VtYx29")
    assert str(error) == (
        "LICENSE_EXPIRED: It ended (HTTP 403, request f3Kq_0aZb7VtYx29). "
        "What to do: renew the license."
    )


def test_a_message_leaves_out_what_is_not_known() -> None:
    assert str(ApiError("LICENSE_EXPIRED", "It ended")) == (
        "LICENSE_EXPIRED: It ended. What to do: renew the license."
    )
    assert str(ApiError("", "a page", status=502)).startswith("no error code: a page (HTTP 502).")


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.sampled_from([0, 200, 400, 401, 403, 429, 500]),
    st.text(max_size=20),
)
def test_a_message_is_one_line_whatever_the_api_says(
    code: str, message: str, status: int, request_id: str
) -> None:
    error = ApiError(code, message, status=status, request_id=request_id)
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("API_KEY_INVALID", EXIT_REFUSED),
        ("API_ROW_QUOTA_EXCEEDED", EXIT_REFUSED),
        ("QUERY_ERROR", EXIT_FAILED),
        ("CONNECTION_FAILED", EXIT_FAILED),
    ],
)
def test_what_a_person_has_to_mend_has_an_exit_code_of_its_own(code: str, exit_code: int) -> None:
    assert ApiError(code, "no").exit_code == exit_code


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Earliest supported historical start date for X is 2023-05-15.", date(2023, 5, 15)),
        ("From 2023-05-15, not 2020-01-01", date(2023, 5, 15)),
        ("Earlier than 2019-01-01 is not possible", date(2020, 1, 2)),
        ("Too far back", date(2020, 1, 2)),
        ("Too far back, see 2023-99-99", date(2020, 1, 2)),
    ],
)
def test_the_first_day_given_is_the_one_named_or_the_next(message: str, expected: date) -> None:
    error = ApiError("START_DATE_HISTORICAL", message)
    assert first_day_given(error, date(2020, 1, 1)) == expected


def test_a_day_later_than_all_that_are_wanted_is_not_the_first_day_given() -> None:
    error = ApiError("LICENSE_HISTORICAL_RANGE_EXCEEDED", "the license ends on 2025-01-31")
    assert first_day_given(error, date(2020, 1, 1), date(2024, 6, 9)) == date(2020, 1, 2)
