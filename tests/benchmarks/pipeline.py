"""Rows a second into PostgreSQL: 200,000 rows x 20 columns, through `meltano run`.

`python -m tests.benchmarks.pipeline` compares, in one run and by turns, whole pipelines from the
same results into one server: target-postgres as it comes, with fast settings, and by BATCH files;
and dlt's `rest_api` source with merge, which is installed into an environment of its own. The
values of all tables are compared. A round begins without tables.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import yaml
from psycopg import sql

from tests.benchmarks.processes import show
from tests.benchmarks.server import FIELDS, Server, serving
from tests.demo.pipeline import Pipeline
from tests.demo.processes import PROJECT
from tests.orchestrators.run import installed
from tests.postgres import Postgres, running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESULTS: Final = 2
DEFAULT, FAST = "target-postgres, as it comes", "target-postgres, fast settings"
BATCH, BATCH_FAST = "BATCH files", "BATCH files, fast settings"
DLT = "dlt, merge, {}"
AIM_OVER_DEFAULT: Final = 4
AIM_OVER_DLT: Final = 1.3
FAST_SETTINGS: Final = {"use_copy": True, "validate_records": False}
_DLT: Final = "dlt[postgres]>=1.4,<2"
_SCHEMAS: Final = ("tap_supermetrics", "dlt_marketing", "dlt_marketing_staging")


def by_meltano(
    folder: Path, source: Server, server: Postgres, loader: Mapping[str, Any], *, is_batch: bool
) -> str:
    """Load by the tap and target-postgres; return the schema of the table."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    (tap,) = project["plugins"]["extractors"]
    files = folder / "files"
    batch_config = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": files.as_uri()},
    }
    tap["config"] = source.config(RESULTS) | ({"batch_config": batch_config} if is_batch else {})
    (target,) = (
        each for each in project["plugins"]["loaders"] if each["name"] == "target-postgres"
    )
    target["config"] = dict(loader)
    del tap["pip_url"], target["pip_url"]
    project["plugins"]["loaders"] = [target]
    (folder / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    last = str(tap["config"]["end_date"])
    Pipeline(
        loader="target-postgres",
        memory=folder,
        project=folder,
        environment="dev",
        env=server.env,
    ).run(end_date=last)
    return _SCHEMAS[0]


def by_dlt(folder: Path, source: Server, server: Postgres, file_format: str) -> str:
    """Load by dlt; return the schema of the table."""
    python = installed("dlt", _DLT).with_name("python")
    place = f"{server.user}:{server.password}@{server.host}:{server.port}/{server.database}"
    line = [
        *(str(python), "-m", "tests.benchmarks.dlt_warehouse", source.url, str(RESULTS)),
        *(str(folder), file_format, _SCHEMAS[1]),
    ]
    given = {
        "DESTINATION__POSTGRES__CREDENTIALS": f"postgresql://{place}",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "HOME": str(folder),
    }
    subprocess.run(  # noqa: S603 - our own command
        line, cwd=PROJECT, check=True, env={**os.environ, **given}, stdout=subprocess.DEVNULL
    )
    return _SCHEMAS[1]


def fingerprint(server: Postgres, schema: str) -> tuple[int, str]:
    """Return how many rows a table has, and a hash of all their values."""
    names = sql.SQL(", ").join(
        sql.SQL("{}").format(sql.Identifier(each if schema == _SCHEMAS[0] else each.lower()))
        for each in FIELDS
    )
    query = sql.SQL("SELECT {} FROM {}").format(names, sql.Identifier(schema, "google_ads"))
    with _connected(server) as connection:
        rows = sorted(tuple(map(_plain, row)) for row in connection.execute(query))
    return len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()


def _plain(value: object) -> str:
    """Return a value as text, whatever type the loader made of it."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, date) else repr(float(str(value)))


def _connected(server: Postgres) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=server.database,
    )


def _empty(server: Postgres) -> None:
    with _connected(server) as connection:
        for each in _SCHEMAS:
            connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(each))
            )


def measured(rows: int, rounds: int) -> dict[str, float]:
    """Return the seconds of the best of some rounds, by contender.

    Raises:
        RuntimeError: two tables differ.
    """
    best: dict[str, float] = {}
    found: dict[str, tuple[int, str]] = {}
    with serving(rows // RESULTS) as source, running_postgres() as server:
        contenders: dict[str, Callable[[Path], str]] = {
            DEFAULT: lambda to: by_meltano(to, source, server, {}, is_batch=False),
            FAST: lambda to: by_meltano(to, source, server, FAST_SETTINGS, is_batch=False),
            BATCH: lambda to: by_meltano(to, source, server, {}, is_batch=True),
            BATCH_FAST: lambda to: by_meltano(to, source, server, FAST_SETTINGS, is_batch=True),
            DLT.format("insert_values"): lambda to: by_dlt(to, source, server, "insert_values"),
            DLT.format("csv"): lambda to: by_dlt(to, source, server, "csv"),
        }
        installed("dlt", _DLT)
        for _ in range(rounds):
            for name, load in contenders.items():
                _empty(server)
                folder = Path(tempfile.mkdtemp(prefix="pipeline-"))
                try:
                    begin = time.perf_counter()
                    schema = load(folder)
                    took = time.perf_counter() - begin
                    found[name] = fingerprint(server, schema)
                finally:
                    shutil.rmtree(folder)
                best[name] = min(took, best.get(name, took))
    if len({*found.values()}) != 1:
        raise RuntimeError(f"the tables differ: {found}")
    return best


def main() -> None:
    """Print the table, and how far BATCH is ahead."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    best = measured(given.rows, given.rounds)
    show(
        ["pipeline", "seconds", "rows/s", "as it comes = 1"],
        [
            [name, f"{took:.1f}", f"{given.rows / took:,.0f}", f"{best[DEFAULT] / took:.2f}"]
            for name, took in best.items()
        ],
    )
    batch = min(best[BATCH], best[BATCH_FAST])
    dlt = min(took for name, took in best.items() if name.startswith("dlt"))
    print(  # noqa: T201
        f"\nBATCH / as it comes: {best[DEFAULT] / batch:.1f} (aim {AIM_OVER_DEFAULT}); "
        f"BATCH / dlt's best: {dlt / batch:.2f} (aim {AIM_OVER_DLT}). All tables are equal."
    )


if __name__ == "__main__":
    main()
