"""Endpoints beside queries: team lists, the history of queries, addresses of queries.

Sources: Supermetrics docs, "Manage team lists", "Get list data for account IDs", "Get query
history" and "Convert query". Names that these do not show follow the pattern of the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tap_supermetrics.emulator.batch_requests import parsed_url
from tap_supermetrics.emulator.clock import instant, iso
from tap_supermetrics.emulator.envelopes import Endpoints
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.parameters import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_supermetrics.emulator.incoming import Outgoing
    from tap_supermetrics.emulator.parameters import Params
    from tap_supermetrics.emulator.queries import EmulatedQuery
    from tap_supermetrics.emulator.results import Call
    from tap_supermetrics.emulator.world import TeamList


class Management(Endpoints):
    """Answers requests about what a team keeps."""

    def team_lists(self, _call: Call) -> Outgoing:
        """Tell all team lists, without what is in them."""
        return self._envelopes.json(
            {}, [self._shown(each) for each in self._engine.world.team_lists]
        )

    def team_list(self, call: Call) -> Outgoing:
        """Tell one team list."""
        return self._envelopes.json({}, self._shown(self._list(call)))

    def team_list_accounts(self, call: Call) -> Outgoing:
        """Tell who is in a team list: one text, ids separated by line feeds."""
        return self._envelopes.json({}, "\n".join(self._list(call).accounts))

    def history(self, call: Call) -> Outgoing:
        """Tell the queries of the team, by whatever key, the newest first."""
        now = self._engine.clock.now()
        asked = _HistoryAsked.of(call.params, now)
        seen = now.timestamp() - self._engine.options.history_lag_seconds
        with self._engine.changed:
            self._engine.advance()
            named = [each for each in self._engine.register.queries if each.arrived <= seen]
        found = [each for each in reversed(named) if asked.fits(each)]
        meta = {
            "filter": {"since": asked.since.isoformat(), "until": asked.until.isoformat()},
            "paginate": {"offset": asked.offset, "limit": asked.limit, "total": len(found)},
        }
        page = found[asked.offset : asked.offset + asked.limit]
        return self._envelopes.json(meta, [_entry(each) for each in page])

    def convert(self, call: Call) -> Outgoing:
        """Tell what addresses of queries ask for, of version 1 or 2."""
        urls = call.params.get("urls")
        if not isinstance(urls, list) or not urls:
            raise RefusalError("BAD_REQUEST", "Parameter urls must be a list.")
        return self._envelopes.json({}, [_converted(str(each)) for each in urls])

    def _list(self, call: Call) -> TeamList:
        for each in self._engine.world.team_lists:
            if each.id == call.ids[0]:
                return each
        raise RefusalError("LIST_NOT_FOUND", f"There is no list {call.ids[0]}.")

    def _shown(self, one: TeamList) -> dict[str, Any]:
        source = self._engine.world.sources.get(one.ds_id)
        return {
            "@type": "team_list",
            "list_id": one.id,
            "list_slug": one.slug,
            "list_name": one.slug.capitalize(),
            "list_type": "account_ids",
            "ds_id": one.ds_id,
            "ds_name": source.name if source else "",
            "show_in_products": ["API"],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _HistoryAsked:
    """A request for the history: which queries, and which of them to show."""

    sources: frozenset[str]
    statuses: frozenset[str]
    since: datetime
    until: datetime
    offset: int
    limit: int

    @classmethod
    def of(cls, params: Params, now: datetime) -> _HistoryAsked:
        sources = _words(params, "ds_ids")
        if not sources:
            raise RefusalError("DATA_SOURCE_REQUIRED", "Parameter ds_ids is required.")
        limit = whole_number(params, "limit", 100) or 1
        return cls(
            sources=sources,
            statuses=_words(params, "status_codes"),
            since=_time(str(params.get("since") or "1 day ago"), now),
            until=_time(str(params.get("until") or "0 minutes ago"), now),
            offset=whole_number(params, "offset", 0) or 0,
            limit=min(limit, 1000),
        )

    def fits(self, query: EmulatedQuery) -> bool:
        """Return whether a query is asked for."""
        is_of_status = not self.statuses or query.code in self.statuses
        is_of_time = self.since.timestamp() <= query.arrived <= self.until.timestamp()
        return query.target.ds_id in self.sources and is_of_status and is_of_time


_VERSION_1: Mapping[str, str] = MappingProxyType(
    {
        "dataSource": "ds_id",
        "dsUser": "ds_user",
        "filters": "filter",
        "maxResults": "max_rows",
        "dateRangeType": "date_range_type",
        "start-date": "start_date",
        "end-date": "end_date",
    }
)
"""Names of version 1 that public client code shows, and what they are in version 2."""


def _converted(url: str) -> dict[str, Any]:
    try:
        params = _read(url)
    except RefusalError as error:
        return {"url": url, "error": {**error.payload(), "code": "URL_INCOMPLETE"}}
    uri = f"/query/data/json?{urlencode({'json': json.dumps(params)})}"
    return {"url": url, "result": {"uri": uri, "params": params}}


def _read(url: str) -> dict[str, Any]:
    asked = parsed_url(url)
    sent = dict(parse_qsl(urlsplit(url).query))
    params = _of_version_1(sent) if "dataSource" in sent else asked
    if not params.get("ds_id") or not params.get("fields"):
        raise RefusalError("URL_INCOMPLETE", "The URL has no data source or no fields.")
    return {name: value for name, value in params.items() if name != "api_key"}


def _of_version_1(sent: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = {new: sent[old] for old, new in _VERSION_1.items() if old in sent}
    try:
        profiles = json.loads(sent.get("profiles", "[]"))
        accounts = [str(each["ID"]) for each in profiles]
    except (ValueError, TypeError, KeyError):
        raise RefusalError("URL_INCOMPLETE", "profiles is not a list of objects.") from None
    names = [sent.get(each, "") for each in ("dimensions", "metrics")]
    return {**params, "ds_accounts": accounts, "fields": ",".join(filter(None, names))}


def _words(params: Params, name: str) -> frozenset[str]:
    value = params.get(name) or ""
    words = value if isinstance(value, list) else str(value).split(",")
    return frozenset(str(each).strip().upper() for each in words if str(each).strip())


def _time(text: str, now: datetime) -> datetime:
    """Return a time from ISO 8601, a date, or words ("10 minutes ago")."""
    found = re.fullmatch(r"(\d{1,6}) (minute|hour|day|week)s? ago", text.strip().lower())
    try:
        return now - timedelta(**{f"{found[2]}s": int(found[1])}) if found else instant(text)
    except (ValueError, OverflowError):
        raise RefusalError("PARAMETER_INVALID", f'"{text}" is not a time.') from None


def _entry(query: EmulatedQuery) -> dict[str, Any]:
    ended = query.code in {"SUCCESS", "FAILURE"}
    seconds = round((query.ended or 0.0) - (query.started or 0.0), 3)
    return {
        "@type": "query_history",
        "schedule_time": iso(query.arrived),
        "schedule_id": query.schedule_id,
        "status_code": query.code,
        "app_id": "API",
        "ds_id": query.target.ds_id,
        "total_rows": (query.table.total if query.table else 0) if ended else None,
        "run_seconds": seconds if ended else None,
    }
