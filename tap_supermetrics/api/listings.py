"""Every spelling of what the API lists beside queries: accounts and segments of a data source.

Sources: Supermetrics docs, "Get accounts" and "Get segments".
"""

from __future__ import annotations

from typing import Final

import msgspec

from tap_supermetrics.api.wire import as_json_parameter

SEGMENTS_PATH: Final = "query/segments"
ACCOUNTS_PATH: Final = "query/accounts"
MAX_AGE_MINUTES: Final = 1440
"""Greatest age of a list of accounts or segments that can be asked for ("Get accounts")."""
MIN_AGE_MINUTES: Final = 60
"""Smallest age of such a list that can be asked for."""


class AccountInfo(msgspec.Struct, kw_only=True):
    """An account that a login can read ("Get accounts")."""

    account_id: str | int
    account_name: str = ""

    @property
    def id(self) -> str:
        """The id as text; ids of digits only have been seen as numbers elsewhere."""
        return str(self.account_id).strip()


class LoginAccounts(msgspec.Struct, kw_only=True):
    """A login and its accounts; an account may stand under several logins."""

    ds_user: str | int = ""
    display_name: str | None = None
    accounts: list[AccountInfo] = []

    @property
    def shown(self) -> str:
        """The login as people know it."""
        login, name = str(self.ds_user), self.display_name
        return f"{login} ({name})" if name and name != login else login


class SegmentInfo(msgspec.Struct, kw_only=True):
    """A segment of a login ("Get segments")."""

    segment_id: str | int


class LoginSegments(msgspec.Struct, kw_only=True):
    """The segments of a login."""

    segments: list[SegmentInfo] = []


def logins_parameters(ds_id: str, ds_users: object, cache_minutes: int) -> dict[str, str]:
    """Return parameters of "Get accounts" and "Get segments"; `ds_users` may be empty.

    Without `cache_minutes`, the lists may be of any age: "defaults to none for last fetched
    information".
    """
    asked = {"ds_id": ds_id, "cache_minutes": cache_minutes}
    return as_json_parameter(asked | ({"ds_users": ds_users} if ds_users else {}))
