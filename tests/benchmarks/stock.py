"""The same results by what the SDK gives: a `RESTStream` as its template makes it.

`python -m tests.benchmarks.stock --config FILE`, with `url`, `results` and `rows`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseOffsetPaginator
from singer_sdk.streams import RESTStream

from tests.benchmarks.server import ACCOUNT, DATA_TYPES, FIELDS, FIRST_DAY, PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context

TYPES = {"string": th.StringType, "int": th.IntegerType, "float": th.NumberType}


class Pages(BaseOffsetPaginator):
    def has_more(self, response: requests.Response) -> bool:
        total = response.json()["meta"]["result"]["total_rows"]
        return bool(self.current_value + PAGE_ROWS < total)


class Results(RESTStream[int]):
    name = "google_ads"
    path = "/query/results"
    primary_keys = ("_sm_account_id", "Date")
    replication_key = "Date"
    is_sorted = True
    schema = th.PropertiesList(
        th.Property("_sm_account_id", th.StringType),
        th.Property("_sm_date", th.DateType),
        th.Property("_sm_fetched_at", th.DateTimeType),
        th.Property("_sm_schedule_id", th.StringType),
        th.Property("Date", th.DateType),
        *(th.Property(name, TYPES[DATA_TYPES[name].partition(".")[0]]) for name in FIELDS[1:]),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return str(self.config["url"])

    @property
    def partitions(self) -> list[dict[str, Any]]:
        days = (FIRST_DAY + timedelta(days=n) for n in range(self.config["results"]))
        return [{"day": str(day)} for day in days]

    def get_new_paginator(self) -> BaseOffsetPaginator:
        return Pages(start_value=0, page_size=PAGE_ROWS)

    def get_url_params(
        self, context: Context | None, next_page_token: int | None
    ) -> dict[str, Any]:
        day = (context or {})["day"]
        return {
            "schedule_id": f"qrb_0_query_1_acc_1_{day}",
            "offset": next_page_token or 0,
            "limit": PAGE_ROWS,
        }

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        answer = response.json()
        query = answer["meta"]["query"]
        shared = {
            "_sm_account_id": ACCOUNT,
            "_sm_date": query["start_date"],
            "_sm_fetched_at": str(date(2024, 6, 1)),
            "_sm_schedule_id": answer["meta"]["schedule_id"],
        }
        for row in answer["data"]:
            yield shared | dict(zip(FIELDS, row, strict=True))


class TapStock(Tap):
    name = "tap-stock"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType),
        th.Property("results", th.IntegerType),
    ).to_dict()

    def discover_streams(self) -> list[Results]:
        return [Results(self)]


if __name__ == "__main__":
    TapStock.cli()
