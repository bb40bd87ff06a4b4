"""How long the view of current rows takes, against a plain scan of the table.

python -m tests.benchmarks.views [--rounds 5] [--postgres]

Two million rows, each query with a moment of its own; first each day was asked once, then each of
the last 30 days was read again on 30 nights, and a few rows are gone at the source. All is timed by
turns. Beside the view stand what it cannot do without: to look at each row's id once, and to look
up each row's account and day once.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import psycopg

from tap_supermetrics.commands.dialects import DIALECTS, NAMINGS
from tap_supermetrics.commands.views import Warehouse
from tests.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[str], list[tuple[Any, ...]]]

LOG: Final = "supermetrics_query_log"
ACCOUNTS, DAYS, ROWS_A_DAY = 400, 375, 13.34
LOOKBACK: Final = 30
BY_DAY: Final = 'SELECT "Date", SUM("Clicks") FROM {} GROUP BY 1'
BY_CAMPAIGN: Final = """SELECT _sm_account_id, "Campaign", date_trunc('month', "Date"),
    SUM("Clicks") FROM {} GROUP BY 1, 2, 3"""
TIMED: Final = {
    "by day": {
        "plain scan": BY_DAY.format("ads"),
        "view": BY_DAY.format("ads_current"),
        "each row's id once": "SELECT COUNT(DISTINCT _sm_schedule_id) FROM ads",
        "each row's account and day once": BY_DAY.format(
            'ads INNER JOIN asked ON account_id = _sm_account_id AND first_day = "Date"'
        ),
    },
    "what the log tells": {
        "scan of the log": f"SELECT status, COUNT(*) FROM {LOG} GROUP BY 1",
        "coverage": "SELECT day_status, COUNT(*) FROM supermetrics_coverage GROUP BY 1",
        "health": "SELECT issue, COUNT(*) FROM supermetrics_health GROUP BY 1",
    },
    "by account, campaign and month": {
        "plain scan": BY_CAMPAIGN.format("ads"),
        "view": BY_CAMPAIGN.format("ads_current"),
    },
}
"""Queries by the question that they answer; the first of each is what the others are held to."""


def main() -> None:
    """Print the medians for both sets of data, and their ratios to the plain scan."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true", help="in PostgreSQL, not in DuckDB")
    args = parser.parse_args()
    dialect = "postgres" if args.postgres else "duckdb"
    for title, nights in ("each day asked once", 0), (f"last {LOOKBACK} days read again", LOOKBACK):
        source = _filled(nights)
        with _postgres(source) if args.postgres else _duckdb(source) as run:
            _measure(run, dialect, title, args.rounds)


def _measure(run: Run, dialect: str, title: str, rounds: int) -> None:
    warehouse = Warehouse(
        dialect=DIALECTS[dialect],
        schema="",
        naming=NAMINGS["as-is"],
        log=LOG,
        silent_days=3,
    )
    for view, query in warehouse.views({"ads": "Date"}):
        run(warehouse.statement(view, query))
    run(f"CREATE TABLE asked AS SELECT DISTINCT account_id, first_day FROM {LOG}")
    counts = [run(f"SELECT COUNT(*) FROM {name}")[0][0] for name in ("ads", "ads_current", LOG)]
    rows, shown, records = counts
    sys.stdout.write(f"{dialect}, {title}: {rows:,} rows, {shown:,} shown, {records:,} records\n")
    for question, queries in TIMED.items():
        sys.stdout.write(f"  {question}\n")
        taken: dict[str, list[float]] = {name: [] for name in queries}
        for _ in range(rounds):
            for name, query in queries.items():
                began = time.perf_counter()
                run(query)
                taken[name].append(time.perf_counter() - began)
        medians = [statistics.median(times) for times in taken.values()]
        for name, median in zip(taken, medians, strict=True):
            sys.stdout.write(f"    {name:32} {median:7.3f} s {median / medians[0]:6.1f} x\n")


@contextlib.contextmanager
def _duckdb(source: duckdb.DuckDBPyConnection) -> Iterator[Run]:
    yield lambda query: source.execute(query).fetchall()


@contextlib.contextmanager
def _postgres(source: duckdb.DuckDBPyConnection) -> Iterator[Run]:
    """Copy the tables into a server of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() as server,
        psycopg.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            dbname=server.database,
            autocommit=True,
        ) as connection,
    ):

        def run(query: str) -> list[tuple[Any, ...]]:
            done = connection.execute(query.encode())
            return done.fetchall() if done.description else []

        for table in ("ads", LOG):
            described = source.execute(f"DESCRIBE {table}").fetchall()
            columns = ", ".join(f'"{name}" {kind}' for name, kind, *_ in described)
            run(f"CREATE TABLE {table} ({columns})")
            file = Path(folder) / "rows.csv"
            source.execute(f"COPY {table} TO '{file}' (HEADER false)")
            with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy:
                copy.write(file.read_bytes())
        run("VACUUM ANALYZE")
        yield run


def _filled(nights: int) -> duckdb.DuckDBPyConnection:
    """Return a database with what a loader that replaces by key has after so many nights.

    Args:
        nights: on each of them, each of the last 30 days was read again. Of one answer in fifty, a
            row has since vanished at the source.
    """
    database = duckdb.connect()
    database.execute(f"""CREATE TABLE {LOG} AS
        WITH asked AS (
            SELECT CAST(a AS VARCHAR) AS account_id, CAST(n AS INTEGER) AS night,
                CAST(DATE '2024-01-01' + d AS DATE) AS first_day
            FROM range({ACCOUNTS}) AS x(a)
            CROSS JOIN (SELECT CAST(range AS INTEGER) AS d FROM range({DAYS})) AS y
            CROSS JOIN range({nights + 1}) AS z(n)
            WHERE n = 0 OR d - n BETWEEN {DAYS - LOOKBACK - nights} AND {DAYS - nights - 1}
        )
        SELECT 'ads' AS report, account_id, first_day, first_day AS last_day,
            'success' AS status, 13 AS row_count,
            'qrb_' || md5(account_id || first_day || night) || '_query_1' AS schedule_id,
            strftime(
                TIMESTAMP '2025-02-01 04:00:00' + INTERVAL (night) DAY
                + INTERVAL (hash(account_id, first_day, night) % 3600000) MILLISECOND,
                '%Y-%m-%dT%H:%M:%S.%g+00:00'
            ) AS fetched_at, CAST(night AS VARCHAR) AS run_id, fetched_at AS logged_at,
            first_day AS last_whole_day, NULL::VARCHAR AS rows_by_day, NULL::DATE AS range_start,
            NULL::DATE AS range_end, NULL::VARCHAR AS error_code, false AS data_sampled,
            false AS cache_used
        FROM asked
        ORDER BY night, account_id, first_day""")
    database.execute(f"""CREATE TABLE ads AS
        WITH ranked AS (
            SELECT *, ROW_NUMBER() OVER (
                PARTITION BY account_id, first_day ORDER BY fetched_at DESC
            ) AS place
            FROM {LOG}
        )
        SELECT account_id AS _sm_account_id, schedule_id AS _sm_schedule_id,
            fetched_at AS _sm_fetched_at, first_day AS "Date", 'campaign ' || n AS "Campaign",
            n AS "Clicks"
        FROM ranked
        CROSS JOIN range(14) AS r(n)
        WHERE place = 1
            AND n < {ROWS_A_DAY} + (hash(account_id || first_day || n) % 100) / 100.0 - 1
        UNION ALL
        SELECT account_id, schedule_id, fetched_at, first_day, 'gone ' || run_id, 1
        FROM ranked
        WHERE place > 1 AND hash(schedule_id) % 50 = 0
        ORDER BY 3, 1, 4""")
    return database


if __name__ == "__main__":
    main()
