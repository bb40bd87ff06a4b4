"""The loaders that are tried: how each is told where to load, and what it holds afterwards."""

from __future__ import annotations

import contextlib
import csv
import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from tests.demo import processes
from tests.orchestrators.run import installed
from tests.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.postgres import Postgres

Stored = dict[str, Any]
SCHEMA = "tap_supermetrics"
BUCKET = "marketing"
_READ_DUCKDB = f"""
import duckdb, json, sys
warehouse = duckdb.connect(sys.argv[1], read_only=True)
table = warehouse.table(f"{SCHEMA}.{{sys.argv[2]}}")
print(json.dumps([dict(zip(table.columns, row)) for row in table.fetchall()], default=str))
"""
_READ_S3 = f"""
import boto3, io, json, sys
import pyarrow.parquet as parquet
s3 = boto3.resource("s3", endpoint_url=sys.argv[1], region_name="eu-north-1",
                    aws_access_key_id="x", aws_secret_access_key="x")
bucket = s3.Bucket("{BUCKET}")
if sys.argv[2] == "":
    bucket.create(CreateBucketConfiguration={{"LocationConstraint": "eu-north-1"}})
bodies = [each.get()["Body"].read() for each in bucket.objects.all() if sys.argv[2] in each.key]
rows = [row for body in bodies for row in parquet.read_table(io.BytesIO(body)).to_pylist()]
print(json.dumps(rows, default=str))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a loader loads to: what Meltano tells it, and how a table is read afterwards."""

    env: Mapping[str, str]
    read: Callable[[str], Sequence[Stored]]


def _as_it_is(_kind: str, value: object) -> object:
    return value


def _escaped(_kind: str, value: object) -> object:
    """Return a text whose control characters are written as JSON writes them."""
    escapes = {number: json.dumps(chr(number))[1:-1] for number in range(32)}
    return value.translate(escapes) if isinstance(value, str) else value


def _with_offset(kind: str, value: object) -> object:
    return f"{value}+00:00" if value and kind == "string.time.datetime" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """A loader with its settings.

    Attributes:
        name: in `meltano.yml`, where its version is pinned.
        place: makes an empty place to load to; given a folder and the loader's Python.
        env: settings that are not its defaults.
        lowers_names: whether it writes names of columns in lower case.
        blanks_are_null: whether a blank text and null cannot be told apart.
        becomes: what it is known to make of a value, by data type; the same if nothing is known.
        types: `types` of the report, without which it cannot load.
        label: for the name of a test, where one loader is tried twice.
    """

    name: str
    place: Callable[[ExitStack, Path, Path], Place]
    env: Mapping[str, str] = field(default_factory=dict)
    lowers_names: bool = False
    blanks_are_null: bool = False
    becomes: Callable[[str, object], object] = _as_it_is
    types: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.label}"


def _postgres(name: str, database: str) -> Callable[[ExitStack, Path, Path], Place]:
    def place(stack: ExitStack, _folder: Path, _python: Path) -> Place:
        server = stack.enter_context(running_postgres())
        given = {"host": server.host, "port": server.port, "user": server.user}
        given |= {"password": server.password, database: server.database}
        env = {f"{name}_{key.upper()}": str(value) for key, value in given.items()}
        return Place(env=env, read=lambda table: _rows(server, table))

    return place


def _rows(server: Postgres, table: str) -> Sequence[Stored]:
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, table))
    with psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=server.database,
    ) as connection:
        return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _duckdb(_stack: ExitStack, folder: Path, python: Path) -> Place:
    file = folder / "warehouse.duckdb"
    return Place(
        env={"TARGET_DUCKDB_PATH": str(file)},
        read=lambda table: _read(python, _READ_DUCKDB, str(file), table),
    )


def _csv(_stack: ExitStack, folder: Path, _python: Path) -> Place:
    def read(stream: str) -> Sequence[Stored]:
        rows: list[Stored] = []
        for file in folder.glob(f"{stream}-*.csv"):
            with file.open(encoding="utf-8", newline="") as lines:
                rows += csv.DictReader(lines)
        return rows

    return Place(env={"TARGET_CSV_OUTPUT_PATH": str(folder)}, read=read)


def _jsonl(_stack: ExitStack, folder: Path, _python: Path) -> Place:
    def read(stream: str) -> Sequence[Stored]:
        # Not `splitlines`: a text may hold U+2028.
        lines = (folder / f"{stream}.jsonl").read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    return Place(env={"TARGET_JSONL_DESTINATION_PATH": str(folder)}, read=read)


def _s3(stack: ExitStack, _folder: Path, python: Path) -> Place:
    # Not beside the loader: what it brings makes the checks of the loader's records stricter.
    address = stack.enter_context(_running_moto(installed("moto_server", "moto[server]==5.1.*")))
    _read(python, _READ_S3, address, "")
    aws = {
        "ACCESS_KEY_ID": "x",
        "SECRET_ACCESS_KEY": "x",
        "REGION": "eu-north-1",
        "BUCKET": BUCKET,
        "ENDPOINT_OVERRIDE": address,
    }
    return Place(
        env={f"TARGET_S3_CLOUD_PROVIDER_AWS_AWS_{name}": value for name, value in aws.items()},
        read=lambda stream: _read(python, _READ_S3, address, stream),
    )


@contextlib.contextmanager
def _running_moto(program: Path) -> Iterator[str]:
    """Run a stand-in for S3."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with processes.started((str(program), "-p", str(port)), {}) as moto:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert moto.poll() is None, "moto_server ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"


def _read(python: Path, script: str, *arguments: str) -> Sequence[Stored]:
    """Return what a script prints that runs in the environment of the loader."""
    line = [str(python), "-W", "ignore", "-c", script, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    rows: Sequence[Stored] = json.loads(done.stdout)
    return rows


_POSTGRES = Loader(name="target-postgres", place=_postgres("TARGET_POSTGRES", "database"))
EVERYDAY = (
    _POSTGRES,
    Loader(
        name="target-postgres",
        label=", fast settings",
        place=_POSTGRES.place,
        env={"TARGET_POSTGRES_USE_COPY": "true", "TARGET_POSTGRES_VALIDATE_RECORDS": "false"},
    ),
)
"""Tried by each `./dev test`: they are installed with the tests."""
OTHERS = (
    Loader(
        name="pipelinewise-target-postgres",
        place=_postgres("PIPELINEWISE_TARGET_POSTGRES", "dbname"),
        lowers_names=True,
        becomes=_escaped,
    ),
    Loader(name="target-duckdb", place=_duckdb, lowers_names=True),
    Loader(name="target-csv", place=_csv, blanks_are_null=True),
    Loader(name="target-jsonl", place=_jsonl),
    Loader(
        name="target-s3",
        place=_s3,
        becomes=_with_offset,
        types={"Time of day": "string.text.value"},
    ),
)
"""Tried by `./dev loaders`, each in an environment of its own."""
HERE = Path(sys.executable)
