"""The answer that holds rows: which of them, in what envelope.

Source: Supermetrics docs, "Get data", "Get query results", "Pagination".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tap_supermetrics.emulator import answers
from tap_supermetrics.emulator.encoding import chunks, encoded, header_of, json_bytes, size_of
from tap_supermetrics.emulator.incoming import Outgoing
from tap_supermetrics.emulator.parameters import Params, whole_number
from tap_supermetrics.emulator.tables import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_supermetrics.emulator.answers import Answer
    from tap_supermetrics.emulator.options import Options
    from tap_supermetrics.emulator.queries import EmulatedQuery

RESULTS = "query/results"
STREAMED_ROWS = 20_000
"""Larger answers are sent in pieces."""

CACHED_BYTES = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to an endpoint, authenticated.

    Attributes:
        method: HTTP method.
        base_url: Address up to the version.
        path: Path below that.
        params: Decoded parameters without the key.
        key: The API key.
        ids: The variable parts of the path.
    """

    method: str
    base_url: str
    path: str
    params: Params
    key: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a result to send: rows `first` to before `last` (None for all)."""

    first: int = 0
    last: int | None = None
    names: tuple[str, str] = ("offset_start", "offset_end")


def inclusive(params: Params) -> Page:
    """Return the page from `offset_start` to `offset_end`, which is included."""
    first = whole_number(params, "offset_start", 0) or 0
    last = whole_number(params, "offset_end", None)
    return Page(first=first, last=None if last is None else last + 1)


class Results:
    """Writes results, and keeps the pages written last.

    Args:
        meta: Makes the `meta` of an envelope from its own keys.
    """

    def __init__(self, meta: Callable[..., Answer]) -> None:
        self._meta = meta
        self._pages: Cache[bytes] = Cache(CACHED_BYTES, len)

    def answer(self, call: Call, query: EmulatedQuery, page: Page, options: Options) -> Outgoing:
        """Return a part of the rows of a query that succeeded."""
        size = size_of(query, options)
        if header_of(query, options) and options.header_on_every_page:
            size -= 1
        last = size if page.last is None else min(page.last, size)
        rows = encoded(chunks(query, page.first, last, options), options)
        meta = self._page_meta(call, query, page, (last, size), options)
        head, foot = b'{"meta":' + json_bytes(meta, options) + b',"data":', b"}"
        if last - page.first > STREAMED_ROWS:
            return Outgoing(body=chain((head,), rows, (foot,)))
        key = (query, page.first, last, options)
        return Outgoing(body=head + self._pages.get(key, lambda: b"".join(rows)) + foot)

    def _page_meta(
        self, call: Call, query: EmulatedQuery, page: Page, ends: tuple[int, int], options: Options
    ) -> Answer:
        meta = self._meta(**answers.finished(query, options))
        if options.results_total == "page":
            meta["result"]["total_rows"] = max(0, ends[0] - page.first)
        elif options.results_total == "none":
            del meta["result"]["total_rows"]
        if call.path == RESULTS:
            _thin(meta, options)
        meta["paginate"] = _paginate(call, page, ends, options)
        return meta


def _thin(meta: Answer, options: Options) -> None:
    """Take out what an answer may not repeat of its query."""
    if options.echo == "none":
        del meta["query"]
    elif options.echo == "thin":
        del meta["query"]["fields"]
    elif options.echo == "no_columns":
        for each in meta["query"].get("fields", ()):
            del each["data_column"]


def _paginate(
    call: Call, page: Page, ends: tuple[int, int], options: Options
) -> Mapping[str, str | None]:
    linked = call.method == "GET" or options.paginate_next_after_post
    if page.last is None or not linked:
        return {"prev": None, "next": None}
    length = page.last - page.first
    has_next = options.results_next == "given" or call.path != RESULTS
    return {
        "prev": _url(call, page, max(0, page.first - length), length) if page.first else None,
        "next": _url(call, page, page.last, length) if ends[0] < ends[1] and has_next else None,
    }


def _url(call: Call, page: Page, first: int, length: int) -> str:
    begin, end = page.names
    until = length if end == "limit" else first + length - 1
    params = {**call.params, begin: first, end: until}
    # Lists and objects cannot stand in an address by themselves.
    if any(isinstance(value, (list, dict)) for value in params.values()):
        params = {"json": msgspec.json.encode(params).decode()}
    return f"{call.base_url}/{call.path}?{urlencode(params)}"
