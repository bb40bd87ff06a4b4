"""How long the view of current rows takes, against a plain scan of the table, in DuckDB.

python -m tests.benchmarks.views [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import duckdb

from tap_supermetrics.commands.views import DIALECTS, NAMINGS, Warehouse

ACCOUNTS, DAYS, ROWS_A_DAY = 400, 375, 13.34
AGGREGATE = 'SELECT "Date", SUM("Clicks") FROM {} GROUP BY ALL'


def main() -> None:
    """Print the medians of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    database = duckdb.connect()
    _fill(database)
    warehouse = Warehouse(
        dialect=DIALECTS["duckdb"],
        schema="",
        naming=NAMINGS["as-is"],
        log="supermetrics_query_log",
        silent_days=3,
    )
    for view, query in warehouse.views({"ads": "Date"}):
        database.execute(warehouse.statement(view, query))
    taken: dict[str, list[float]] = {"ads": [], "ads_current": []}
    for _ in range(rounds):
        for table, times in taken.items():
            began = time.perf_counter()
            database.execute(AGGREGATE.format(table)).fetchall()
            times.append(time.perf_counter() - began)
    plain, view_s = (statistics.median(times) for times in taken.values())
    sys.stdout.write(f"table {plain:.3f} s, view {view_s:.3f} s: {view_s / plain:.1f} x\n")


def _fill(database: duckdb.DuckDBPyConnection) -> None:
    """Make two million rows of 150,000 queries, each in the log once."""
    queries = f"""SELECT a AS account, DATE '2024-01-01' + d AS day FROM range({ACCOUNTS}) AS x(a)
        CROSS JOIN (SELECT CAST(range AS INTEGER) AS d FROM range({DAYS}))"""
    moment = "2025-02-01T04:00:00.000+00:00"
    database.execute(f"""CREATE TABLE ads AS SELECT account || '' AS _sm_account_id,
        'qrb_' || account || '_' || day AS _sm_schedule_id, '{moment}' AS _sm_fetched_at,
        day AS "Date", 'campaign ' || n AS "Campaign", n AS "Clicks"
        FROM ({queries}) CROSS JOIN range(14) AS r(n)
        WHERE n < {ROWS_A_DAY} + (hash(account || day || n) % 100) / 100.0 - 1""")
    database.execute(f"""CREATE TABLE supermetrics_query_log AS SELECT 'ads' AS report,
        account || '' AS account_id, day AS first_day, day AS last_day, day AS last_whole_day,
        'success' AS status, 13 AS row_count, 'qrb_' || account || '_' || day AS schedule_id,
        '{moment}' AS fetched_at, '{moment}' AS logged_at, NULL::VARCHAR AS error_code,
        false AS data_sampled, false AS cache_used, NULL::VARCHAR AS cache_time, '1' AS run_id
        FROM ({queries})""")
    counts = database.execute(
        "SELECT (SELECT COUNT(*) FROM ads), (SELECT COUNT(*) FROM supermetrics_query_log)"
    ).fetchone()
    sys.stdout.write(f"rows and log records: {counts}\n")


if __name__ == "__main__":
    main()
