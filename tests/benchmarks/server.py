"""A server that speaks enough of the API to be read from, and costs almost nothing itself.

Its answers are bytes prepared beforehand. Every query has succeeded at once, and all results have
the same rows, each with its own day. `python -m tests.benchmarks.server ROWS` prints its address
and serves until its stdin ends.
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cache, lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

API_KEY: Final = "api_k3y_of_the_benchmarks"
ACCOUNT: Final = "4713896205"
FIRST_DAY: Final = date(2024, 1, 1)
PAGE_ROWS: Final = 10_000

TEXTS: Final = (
    "Campaignname",
    "Adgroupname",
    "Device",
    "Network",
    "Country",
    "Keyword",
)
WHOLE: Final = ("Impressions", "Clicks", "Conversions", "Views", "Engagements", "Interactions")
FRACTIONS: Final = ("Cost", "Ctr", "Cpc", "Cpm", "Value", "Roas", "Share")
FIELDS: Final = ("Date", *TEXTS, *WHOLE, *FRACTIONS)
DATA_TYPES: Final = {
    "Date": "string.time.date",
    **dict.fromkeys(TEXTS, "string.text.value"),
    **dict.fromkeys(WHOLE, "int.number.value"),
    **dict.fromkeys(FRACTIONS, "float.number.value"),
}
_TYPES: Final = {
    name: {"field_type": "dim" if name in {"Date", *TEXTS} else "met", "data_type": data_type}
    for name, data_type in DATA_TYPES.items()
}


def row(draw: random.Random, number: int) -> list[str | int | float]:
    """One row of 20 columns: a date, 6 texts, 13 numbers."""
    return [
        str(FIRST_DAY),
        f"{draw.choice(['Brand', 'Generic', 'Shopping'])} | {draw.randrange(99)}",
        f"Group {draw.randrange(10_000)}",
        draw.choice(["Computers", "Mobile phones", "Tablets"]),
        draw.choice(["Search", "Display", "YouTube"]),
        draw.choice(["Finland", "Côte d'Ivoire", "United States", "Germany"]),
        f"buy shoes {number}",
        *(draw.randrange(100_000) for _ in WHOLE),
        *(round(draw.random() * 1000, 2) for _ in FRACTIONS),
    ]


@cache
def _rows(count: int) -> bytes:
    draw = random.Random(count)  # noqa: S311 - reproducible, guards nothing
    rows = [row(draw, number) for number in range(count)]
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()[1:]


@lru_cache(maxsize=20)
def _rows_of_page(day: str, offset: int, count: int) -> bytes:
    dated = _rows(count).replace(b'"%b"' % str(FIRST_DAY).encode(), b'"%b"' % day.encode())
    return dated.replace(b"buy shoes", b"buy %d" % offset)


def page_at(day: str, offset: int, count: int) -> list[bytes]:
    """A page as a JSON array, in pieces. All pages of a day are alike but for their keywords."""
    if not count:
        return [b"[]"]
    first = [day, *row(random.Random(offset), offset)[1:-1], offset]  # noqa: S311 - same
    start = json.dumps(first, separators=(",", ":"), ensure_ascii=False).encode()
    rest = _rows_of_page(day, offset, count - 1) if count > 1 else b"]"
    return [b"[" + start, b"," if count > 1 else b"", rest]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rows = 0
    batches: Final[dict[str, list[dict[str, Any]]]] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        parameters = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/query/fields"):
            self._answer(
                {}, [{"field_id": name, "field_name": name, **_TYPES[name]} for name in FIELDS]
            )
        elif parts.path.endswith("/query/accounts"):
            accounts = [{"account_id": ACCOUNT, "account_name": "Shop", "group_name": ""}]
            self._answer({}, [{"ds_user": "", "accounts": accounts}])
        elif match := re.search(r"/query/batch/(\w+)/status$", parts.path):
            queries = self.batches[match[1]]
            progress = {"queued": 0, "running": 0, "success": len(queries), "failure": 0}
            paginate = {"offset": 0, "limit": 100, "total": len(queries)}
            self._answer(
                {"status_code": "STOPPED", "progress": progress, "paginate": paginate}, queries
            )
        elif match := re.search(r"/query/batch/(\w+)$", parts.path):
            amount = len(self.batches[match[1]])
            told = {"batch_id": match[1], "status_code": "STOPPED", "query_amount": amount}
            self._answer({}, told)
        else:
            self._result(parameters)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        batch_id = f"qrb_{len(self.batches)}"
        self.batches[batch_id] = [
            self._query(batch_id, number, account, day)
            for number, item in enumerate(body["queries"], 1)
            for account in _listed(item["ds_accounts"])
            for day in _days(item["start_date"], item["end_date"])
        ]
        amount = len(self.batches[batch_id])
        self._answer({}, {"batch_id": batch_id, "status_code": "RUNNING", "query_amount": amount})

    def do_DELETE(self) -> None:
        self._answer({}, {"batch_id": "", "status_code": "STOPPED"})

    def _query(self, batch_id: str, number: int, account: str, day: str) -> dict[str, Any]:
        schedule_id = f"{batch_id}_query_{number}_acc_{account}_{day}"
        address = f"http://{self.headers['Host']}/v2/query/results?schedule_id={schedule_id}"
        return {
            "schedule_id": schedule_id,
            "status_code": "SUCCESS",
            "split_info": {"ds_accounts": [account], "start_date": day, "end_date": day},
            "result_info": {"total_rows": self.rows, "results_url": address},
        }

    def _result(self, parameters: dict[str, str]) -> None:
        limit = parameters.get("limit") or parameters.get("max_rows") or PAGE_ROWS
        offset = int(parameters.get("offset", 0))
        count = max(0, min(int(limit), self.rows - offset))
        schedule_id = parameters.get("schedule_id") or parameters["start_date"]
        day = schedule_id.rpartition("_")[2]
        fields = [
            {"id": name, "field_id": name, "field_name": name, "data_column": place, **_TYPES[name]}
            for place, name in enumerate(FIELDS)
        ]
        meta = {
            "schedule_id": schedule_id,
            "status_code": "SUCCESS",
            "query": {"start_date": day, "end_date": day, "fields": fields},
            "result": {"total_rows": self.rows},
            "paginate": {"prev": None, "next": None},
        }
        self._send(meta, page_at(day, offset, count))

    def _answer(self, meta: dict[str, Any], data: object) -> None:
        self._send(meta, [json.dumps(data).encode()])

    def _send(self, meta: dict[str, Any], data: list[bytes]) -> None:
        pieces = [b'{"meta":' + json.dumps(meta).encode() + b',"data":', *data, b"}"]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _listed(value: str | list[str]) -> list[str]:
    """Lists come as texts too."""
    return value.split(",") if isinstance(value, str) else value


def _days(first: str, last: str) -> Iterator[str]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day.isoformat()
        day += timedelta(days=1)


class Server:
    """The server as a process of its own.

    Attributes:
        url: base address of the API.
        rows: rows of each result.
    """

    def __init__(self, url: str, rows: int) -> None:
        self.url = url
        self.rows = rows

    def config(self, results: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
        """Settings of the tap that ask for so many results, of one day each."""
        return {
            "api_key": API_KEY,
            "api_url": self.url,
            "requests_per_second": 1000,
            "start_date": FIRST_DAY.isoformat(),
            "end_date": (FIRST_DAY + timedelta(days=results - 1)).isoformat(),
            "queries": [
                {
                    "name": "google_ads",
                    "ds_id": "AW",
                    "ds_accounts": [ACCOUNT],
                    "fields": list(FIELDS),
                }
            ],
            **changes,
        }


@contextmanager
def serving(rows: int) -> Iterator[Server]:
    """A server in a process of its own, with so many rows in each result."""
    line = [sys.executable, "-m", "tests.benchmarks.server", str(rows)]
    with Popen(line, stdin=PIPE, stdout=PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout
        assert process.stdin
        yield Server(process.stdout.readline().strip(), rows)
        process.stdin.close()


def main(rows: int) -> None:
    _Handler.rows = rows
    page_at(str(FIRST_DAY), 0, min(rows, PAGE_ROWS))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}/v2", flush=True)  # noqa: T201
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
