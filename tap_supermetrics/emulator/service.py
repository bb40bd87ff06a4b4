"""The endpoints of the API.

Those of the documents "Async queries" and "Batch queries (Preview)", and those that a tap needs
beside them. Not here: saved queries and their short addresses, logins, data
sources and their settings, and OAuth. They answer ENDPOINT_NOT_FOUND.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tap_supermetrics.emulator.batch_endpoints import BatchEndpoints
from tap_supermetrics.emulator.envelopes import Envelopes
from tap_supermetrics.emulator.failures import RefusalError
from tap_supermetrics.emulator.listing_endpoints import ListingEndpoints
from tap_supermetrics.emulator.management import Management
from tap_supermetrics.emulator.query_endpoints import QueryEndpoints
from tap_supermetrics.emulator.rates import Rates
from tap_supermetrics.emulator.results import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.emulator.engine import Engine
    from tap_supermetrics.emulator.incoming import Incoming, Outgoing
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.parameters import Params

PREFIXES = ("/enterprise/v2/", "/v2/")
"""The paths that the API is served under: documented, and used by the official SDK."""


class Service:
    """Answers requests below `PREFIXES`."""

    def __init__(self, engine: Engine) -> None:
        envelopes = Envelopes(engine)
        self._engine = engine
        self._rates = Rates(engine)
        self.envelopes = envelopes
        batches = BatchEndpoints(engine, envelopes)
        queries = QueryEndpoints(engine, envelopes)
        listings = ListingEndpoints(engine, envelopes)
        management = Management(engine, envelopes)
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[[Call], Outgoing]], ...] = (
            ("POST", re.compile(r"query/batch"), batches.start),
            ("GET", re.compile(r"query/batch/([^/]+)"), batches.information),
            ("DELETE", re.compile(r"query/batch/([^/]+)"), batches.cancel),
            ("GET", re.compile(r"query/batch/([^/]+)/status"), batches.status),
            ("GET|POST", re.compile(r"query/data/(\w+)"), queries.data),
            ("GET", re.compile(r"query/status"), queries.status),
            ("GET", re.compile(r"query/results"), queries.results),
            ("GET", re.compile(r"query/fields"), listings.fields),
            ("GET", re.compile(r"query/accounts"), listings.accounts),
            ("GET", re.compile(r"query/segments"), listings.segments),
            ("POST", re.compile(r"query/convert"), management.convert),
            ("GET", re.compile(r"query/history"), management.history),
            ("GET", re.compile(r"team/lists"), management.team_lists),
            ("GET", re.compile(r"team/list/([^/]+)"), management.team_list),
            (
                "GET",
                re.compile(r"team/list/([^/]+)/data/account_ids"),
                management.team_list_accounts,
            ),
        )

    @property
    def options(self) -> Options:
        """Return the options in force."""
        return self._engine.options

    def handle(self, request: Incoming, path: str, params: Params, key: str) -> Outgoing:
        """Answer a request; `path` is that below the prefix.

        Raises:
            RefusalError: The answer is an error.
        """
        answer, ids = self._route(request.method, path)
        self._authenticate(key)
        headers = self._rates.count()
        host = request.headers.get("host", "localhost")
        prefix = request.path.removesuffix(path).rstrip("/")
        base_url = f"http://{host}{prefix}"
        call = Call(
            method=request.method,
            base_url=base_url,
            path=path,
            params={name: value for name, value in params.items() if name != "api_key"},
            key=key,
            ids=ids,
        )
        try:
            answered = answer(call)
        except RefusalError as error:
            error.headers = {**headers, **error.headers}
            raise
        answered.headers = {**headers, **answered.headers}
        if "pretty" in params and isinstance(answered.body, bytes):
            answered.body = msgspec.json.format(answered.body)
        return answered

    def _route(self, method: str, path: str) -> tuple[Callable[[Call], Outgoing], tuple[str, ...]]:
        for methods, pattern, answer in self._routes:
            match = pattern.fullmatch(path)
            if match and method in methods.split("|"):
                return answer, match.groups()
        raise RefusalError("ENDPOINT_NOT_FOUND", f"There is no {method} {path}.")

    def _authenticate(self, key: str) -> None:
        if not key:
            raise RefusalError("API_KEY_REQUIRED")
        if key not in {self.options.api_key, self.options.other_api_key}:
            raise RefusalError("API_KEY_INVALID")
