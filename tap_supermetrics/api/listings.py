"""Every spelling of what the API lists beside queries: accounts, segments, team lists, the history.

Sources: Supermetrics docs, "Get accounts", "Get segments", "Manage team lists", "Get list data for
account IDs", "Get query history" and "Convert query".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from tap_supermetrics.api.entries import FOR_PEOPLE, Entry
from tap_supermetrics.api.wire import Error, as_json_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SEGMENTS_PATH: Final = "query/segments"
TEAM_LISTS_PATH: Final = "team/lists"
ACCOUNTS_PATH: Final = "query/accounts"
CONVERT_PATH: Final = "query/convert"
HISTORY_PATH: Final = "query/history"
MAX_ADDRESS: Final = 8_000
"""Letters of the longest address that is requested."""
HISTORY_PAGE: Final = 1000
"""Most entries of a page of the history."""
ACCOUNT_IDS: Final = "account_ids"
"""The type of a team list of accounts."""
MAX_LIST_LENGTH: Final = 1_000_000
"""Ten times the text of the longest team list ("Get list data for account IDs")."""
MAX_AGE_MINUTES: Final = 1440
"""Greatest age of a list of accounts or segments that can be requested ("Get accounts")."""
MIN_AGE_MINUTES: Final = 60
"""Smallest age of such a list that can be requested."""


class AccountInfo(Entry, kw_only=True):
    """An account that a login can read ("Get accounts")."""

    account_id: str | int
    account_name: str = ""
    group_name: Annotated[str | None, FOR_PEOPLE] = ""

    @property
    def id(self) -> str:
        """Return the id as text; ids of digits only have been seen as numbers elsewhere."""
        return str(self.account_id).strip()


class LoginAccounts(Entry, kw_only=True):
    """A login and its accounts; an account may stand under several logins."""

    ds_user: str | int = ""
    display_name: Annotated[str | None, FOR_PEOPLE] = None
    accounts: list[AccountInfo] = msgspec.field(default_factory=list)

    @property
    def shown(self) -> str:
        """Return the login as people know it."""
        login, name = str(self.ds_user), self.display_name
        return f"{login} ({name})" if name and name != login else login


class SegmentInfo(Entry, kw_only=True):
    """A segment of a login ("Get segments")."""

    segment_id: str | int


class LoginSegments(Entry, kw_only=True):
    """The segments of a login."""

    segments: list[SegmentInfo] = msgspec.field(default_factory=list)


def logins_parameters(ds_id: str, ds_users: object, cache_minutes: int) -> dict[str, str]:
    """Return parameters of "Get accounts" and "Get segments"; `ds_users` may be empty.

    Without `cache_minutes`, the lists may be of any age: "defaults to none for last fetched
    information".
    """
    parameters = {"ds_id": ds_id, "cache_minutes": cache_minutes}
    return as_json_parameter(parameters | ({"ds_users": ds_users} if ds_users else {}))


class TeamListInfo(Entry, kw_only=True):
    """A team list; without a data source it belongs to all of them."""

    list_id: str
    list_slug: str
    list_type: str = ""
    ds_id: str | None = None

    def serves(self, ds_id: str, slug: str) -> bool:
        """Return whether a query of a data source that names this slug may mean this list."""
        is_of_source = not self.ds_id or self.ds_id.casefold() == ds_id.casefold()
        has_accounts = self.list_type in {"", ACCOUNT_IDS}
        return is_of_source and has_accounts and self.list_slug == slug


def team_list_path(list_id: str) -> str:
    """Return the path of the account ids of a team list."""
    return f"team/list/{quote(list_id, safe='')}/data/{ACCOUNT_IDS}"


def team_list_ids(text: str) -> tuple[str, ...]:
    """Return the ids in a team list, which come as one text, one in a line; each once.

    Raises:
        ValueError: the text is much longer than that of any list.
    """
    if len(text) > MAX_LIST_LENGTH:
        raise ValueError(f"a list has {len(text):,} characters")
    ids = (each.strip() for each in re.split(r"[\r\n\0,;]", text))
    return tuple(dict.fromkeys(each for each in ids if each))


class ConvertedQuery(msgspec.Struct, kw_only=True):
    """Parameters of "Get data" that request what an address requests."""

    params: dict[str, Any]


class Converted(msgspec.Struct, kw_only=True):
    """An address, as the API reads it, or why it does not."""

    result: ConvertedQuery | None = None
    error: Error | None = None

    @property
    def reason(self) -> str:
        """Return the reason of the API against an address."""
        parts = self.error and (self.error.code, self.error.message, self.error.description)
        return ": ".join(dict.fromkeys(filter(None, parts or ()))) or "without a reason"


def is_of_query(address: Any, schedule_id: str) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a value is an address of a query's results, and names no other query."""
    if not isinstance(address, str) or not address.startswith(("http", "/")):
        return False
    # No server takes a longer one; made into a request, it would be in memory several times over.
    if len(address) > MAX_ADDRESS:
        return False
    try:
        parameters = dict(parse_qsl(urlsplit(address).query))
    except ValueError:
        return False
    return parameters.get("schedule_id", schedule_id) == schedule_id


def convert_body(addresses: Sequence[str]) -> dict[str, Any]:
    """Return the body of "Convert query"."""
    return {"urls": list(addresses)}


class HistoryEntry(Entry, kw_only=True):
    """A recent query of anyone in the team."""

    schedule_id: str


def sources_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the data sources of the body of "Start batch run", each once."""
    return tuple(dict.fromkeys(str(each["ds_id"]) for each in body.get("queries", ())))


def history_parameters(ds_ids: Iterable[str], hours: int, page: int) -> dict[str, Any]:
    """Return parameters of a page, from 0, of "Get query history" of the last hours."""
    since = "1 hour ago" if hours == 1 else f"{hours} hours ago"
    paging = {"offset": page * HISTORY_PAGE, "limit": HISTORY_PAGE}
    return as_json_parameter({"ds_ids": ",".join(ds_ids), "since": since} | paging)
