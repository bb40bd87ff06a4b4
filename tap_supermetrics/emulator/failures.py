"""The API's errors: code, HTTP status and wording."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusalError(Exception):
    """An answer with an `error` object.

    Args:
        code: The API's error code.
        description: The detailed wording, if any.
        status: The HTTP status; that of the code when None. A code that is in no list is a 500.
        message: The short wording; that of the code when empty, else the code itself.
        headers: Further HTTP headers of the answer.
    """

    def __init__(
        self,
        code: str,
        description: str = "",
        *,
        status: int | None = None,
        message: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.status = status or int(STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR))
        self.message = message or _MESSAGES.get(code, code)
        self.headers = headers

    def payload(self, *, with_status: bool = False) -> dict[str, object]:
        """Return the `error` object; `error_info` of a batch query holds the status as well."""
        shown: dict[str, object] = {"status": self.status} if with_status else {}
        shown |= {"code": self.code, "message": self.message}
        return shown | {"description": self.description} if self.description else shown


_BAD, _FORBIDDEN, _MISSING = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
)

STATUSES: Mapping[str, HTTPStatus] = MappingProxyType(
    {
        # Supermetrics docs, "Batch queries (Preview)", "Errors". The rest of BATCH_* are 500.
        "BATCH_NOT_FOUND": _MISSING,
        "BATCH_QUERIES_LIMIT_EXCEEDED": _BAD,
        "BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED": _BAD,
        "BATCH_QUERY_ITEM_SPLIT_FAILED": _BAD,
        "BATCH_QUERY_ITEM_TYPE_INVALID": _BAD,
        "BATCH_QUERY_ITEM_VALUE_INVALID": _BAD,
        "BATCH_QUERY_OUTPUT_FORMAT_INVALID": _BAD,
        "BATCH_STATUS_NOT_FOUND": _MISSING,
        "BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED": _BAD,
        # Supermetrics docs, "Errors".
        "ACCOUNT_FILTER_INVALID": _BAD,
        "ACCOUNT_FILTER_PATTERN_INVALID": _BAD,
        "ACCOUNT_REQUIRED": _BAD,
        "API_KEY_INVALID": HTTPStatus.UNAUTHORIZED,
        "API_KEY_REQUIRED": HTTPStatus.UNAUTHORIZED,
        "LICENSE_HISTORICAL_RANGE_EXCEEDED": _FORBIDDEN,
        "LIST_NOT_FOUND": _MISSING,
        "QUERY_AUTH_UNAVAILABLE": _FORBIDDEN,
        "QUERY_RESULTS_UNAVAILABLE": _MISSING,
        # Seen in public client code.
        "ENDPOINT_NOT_FOUND": _MISSING,
        "SETTING_KEY_INVALID": _BAD,
        "START_DATE_HISTORICAL": _BAD,
        "TOO_MANY_REQUESTS": HTTPStatus.TOO_MANY_REQUESTS,
        # The codes of these request errors are not public: they follow the pattern of the others.
        "BAD_REQUEST": _BAD,
        "COMPARE_TYPE_INVALID": _BAD,
        "CONFLICT_ERROR": HTTPStatus.CONFLICT,
        "DATA_SOURCE_INVALID": _BAD,
        "DATA_SOURCE_REQUIRED": _BAD,
        "DATE_RANGE_TYPE_INVALID": _BAD,
        "END_DATE_INVALID": _BAD,
        "FIELDS_REQUIRED": _BAD,
        "FORBIDDEN": _FORBIDDEN,
        "FORMAT_NOT_EMULATED": HTTPStatus.NOT_IMPLEMENTED,
        "FIELD_INVALID": _BAD,
        "FILTER_INVALID": _BAD,
        "ORDER_ROWS_INVALID": _BAD,
        "PARAMETER_INVALID": _BAD,
        "SCHEDULE_ID_INVALID": _BAD,
        "SCHEDULE_ID_REQUIRED": _BAD,
        "SETTING_VALUE_INVALID": _BAD,
        "START_DATE_INVALID": _BAD,
        "START_DATE_REQUIRED": _BAD,
    }
)

# "Short localized error message or the error code when localization is not available"
# (Supermetrics docs, "Batch queries (Preview)", "error").
_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "API_KEY_INVALID": "API key is not valid",
        "API_KEY_REQUIRED": "API key is required",
        "QUERY_ACCOUNT_UNAVAILABLE": "Account is not available",
        "QUERY_AUTH_UNAVAILABLE": "Authentication is not available",
        "SETTING_KEY_INVALID": "Setting key is not valid",
        "TOO_MANY_REQUESTS": "Rate limit exceeded. Retry later.",
    }
)
