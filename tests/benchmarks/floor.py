"""The least that Python can do: results by HTTP, decoded and encoded by msgspec, and no more.

`python -m tests.benchmarks.floor URL RESULTS ROWS`: the same lines as the tap's go to stdout.
"""

from __future__ import annotations

import http.client
import sys
from datetime import date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import msgspec

BLOCK = 64 * 1024
PAGE_ROWS = 10_000
TYPES: list[Any] = [date, *[str] * 6, *[int | None] * 6, *[int | float | None] * 7]
TEXTS = ["Campaignname", "Adgroupname", "Device", "Network", "Country", "Keyword"]
WHOLE = ["Impressions", "Clicks", "Conversions", "Views", "Engagements", "Interactions"]
FRACTIONS = ["Cost", "Ctr", "Cpc", "Cpm", "Value", "Roas", "Share"]
METADATA = ["_sm_account_id", "_sm_date", "_sm_fetched_at", "_sm_schedule_id"]
NAMES = [*METADATA, "Date", *TEXTS, *WHOLE, *FRACTIONS]


class Message(msgspec.Struct, gc=False):
    type: str
    stream: str
    record: Any
    time_extracted: datetime


def main(url: str, results: int, rows: int) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    record = msgspec.defstruct(
        "Record",
        [
            (f"_{n}", kind, msgspec.field(name=name))
            for n, (name, kind) in enumerate(zip(NAMES, [str] * 4 + TYPES, strict=True))
        ],
        gc=False,
    )
    decode = msgspec.json.Decoder(list[tuple[tuple(TYPES)]]).decode  # type: ignore[misc]
    encode = msgspec.json.Encoder().encode_lines
    for number in range(results):
        day = str(date(2024, 1, 1) + timedelta(days=number))
        schedule_id = f"qrb_0_query_1_acc_1_{day}"
        now = datetime.now(tz=timezone.utc)
        shared = ("4713896205", day, now.isoformat(timespec="milliseconds"), schedule_id)
        for offset in range(0, rows, PAGE_ROWS):
            connection.request(
                "GET",
                f"{parts.path}/query/results?schedule_id={schedule_id}&offset={offset}&limit={PAGE_ROWS}",
            )
            response = connection.getresponse()
            rest = b""
            while not (start := rest.find(b'"data":[') + 1):
                rest += response.read(BLOCK)
            rest = rest[start + 7 :]
            while True:
                chunk = response.read(BLOCK)
                if chunk:
                    cut = (rest := rest + chunk).rfind(b"],[")
                    block, rest = b"[" + rest[: cut + 1] + b"]", rest[cut + 2 :]
                else:
                    block = b"[" + rest.rstrip(b"}")
                sys.stdout.buffer.write(
                    encode(
                        [
                            Message("RECORD", "google_ads", record(*shared, *row), now)
                            for row in decode(block)
                        ]
                    )
                )
                if not chunk:
                    break


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
