"""A coverage-guided fuzzer on what decodes answers: whatever comes, records or an `ApiError`.

Run apart from the tests, because atheris has no wheels for every Python:

    pip install atheris
    python -m tests.attack.fuzz -runs=1000000

It goes on until the runs are done or something else than an `ApiError` is raised, which it prints
with the bytes that did it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore] # installed by hand

with atheris.instrument_imports(include=["tap_supermetrics"]):
    import msgspec

    from tap_supermetrics.api import fields, listings, wire
    from tap_supermetrics.api.answers import DamagedAnswer, RefusedAnswer, read_answer
    from tap_supermetrics.api.client import Client
    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.api.retry import RateLimit
    from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID
    from tap_supermetrics.records.convert import Mismatches, RecordReader
    from tap_supermetrics.records.encode import LineFormat
    from tap_supermetrics.records.schema import record_schema
    from tap_supermetrics.settings import Settings

TYPES = {
    "Date": "string.time.date",
    "Name": "string.text.value",
    "Started": "string.time.datetime",
    "Hour": "string.time.hm",
    "Clicks": "int.number.value",
    "Cost": "float.currency.value",
    "Active": "bool",
}
KINDS: tuple[Any, ...] = (
    list[fields.FieldInfo],
    list[listings.LoginAccounts],
    list[wire.BatchQuery],
    list[msgspec.Raw],
    wire.Batch,
)
CLIENT = Client(api_url="http://localhost", api_key="api_0123456789", rate_limit=RateLimit(1000))
CONFIG = {
    "api_key": "api_0123456789",
    "queries": [{"name": "ads", "ds_id": "AW", "fields": [*TYPES], "start_date": "2024-01-01"}],
}
(REPORT,) = Settings.from_config(CONFIG).reports
SCHEMA = record_schema(
    REPORT,
    [
        fields.FieldInfo(
            field_id=name, field_type="dim" if name in {"Date", "Name"} else "met", data_type=kind
        )
        for name, kind in TYPES.items()
    ],
)
ECHO = [fields.FieldEcho(id=name, data_column=place) for place, name in enumerate(TYPES)]
METADATA = {ACCOUNT_ID: "1", DATE: None, FETCHED_AT: "", SCHEDULE_ID: ""}


def one_input(data: bytes) -> None:
    """Read the same bytes as every answer, and as a block of rows."""
    is_error = data[:1] == b"\xff"
    for kind in KINDS:
        with suppress(DamagedAnswer, RefusedAnswer):
            read_answer(bytearray(data), kind, is_error=is_error)
    line_format = LineFormat(
        stream="ads",
        version=None,
        is_selected=lambda _: True,
        clock=lambda: datetime(2024, 3, 1, tzinfo=timezone.utc),
    )
    for mismatches in (Mismatches(are_refused=True), Mismatches()):
        with suppress(ApiError):
            reader = RecordReader(SCHEMA, ECHO, METADATA, mismatches)
            for lines in line_format.lines(reader, [data]):
                for line in lines.data.splitlines():
                    msgspec.json.decode(line)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
