"""The two nights in docs/warehouse.md are what the tap, the views and DuckDB make of them.

`RENEW_DOCS=1 ./dev test tests/warehouse/test_page.py` writes them anew; read the difference.
"""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.house.generate import PROJECT
from tests.tap import Target, config_for, run, sync
from tests.warehouse.test_views import LOG, Duck, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PAGE: Final = PROJECT / "docs" / "warehouse.md"
BEGIN: Final = "<!-- nights: begin -->\n"
END: Final = "<!-- nights: end -->\n"
REPORT: Final = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Campaignname", "Cost"],
}
NIGHTS: Final = (
    ("Night 1", "2024-06-09", "Five days; nothing fails."),
    ("Night 2", "2024-06-10", "A new day, three days again; 8 June fails."),
    ("Night 2, tried again", "2024-06-10", "8 June fails once more."),
)
_SHOWN: Final = 'SELECT "Date", "Campaignname" FROM'
_COVERAGE: Final = "calendar_day, day_status, error_code, row_count FROM supermetrics_coverage"
QUERIES: Final[Mapping[str, Sequence[str]]] = {
    "The view has all rows but the one that is gone at the source": (
        "SELECT count(*) FROM ads",
        "SELECT count(*) FROM ads_current",
        f"{_SHOWN} ads EXCEPT {_SHOWN} ads_current",
    ),
    "The coverage: 8 June failed; its rows of the first night stay": (
        f"SELECT {_COVERAGE} ORDER BY calendar_day",
    ),
    "The health: what a person should look at": (
        "SELECT account_id, issue, detail FROM supermetrics_health ORDER BY 2, 3",
    ),
}


def test_the_page_shows_two_nights_as_they_are(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end

    told = f"{before}{BEGIN}\n{nights(tmp_path)}\n{END}{after}"

    if os.environ.get("RENEW_DOCS"):
        PAGE.write_text(told, encoding="utf-8")
    assert told == page


def nights(folder: Path) -> str:
    """The section as Markdown."""
    target, tables, parts = Target(), Tables(), list[str]()
    options = Options(clock_factor=500.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as emulator:
        for number, (name, last, happens) in enumerate(NIGHTS):
            days = {"start_date": "2024-06-05", "end_date": last, "lookback_days": 3}
            given = config_for(emulator, [REPORT], query_log=True, **days)
            ended = sync(given, folder, target)
            tables.read(ended.stdout)
            log = ended.stderr.partition("Summary: ")[2].splitlines()
            lines = [line.rpartition("|")[2].rstrip() for line in log[1:3]]
            summary = "\n".join([f"Summary: {log[0]}", *lines, f"exit code {ended.code}"])
            parts.append(f"**{name}.** {happens}\n\n```\n{summary}\n```\n")
            if not number:
                emulator.clock.advance(seconds=86_400)
                fault = Fault(
                    effect="fail_query", day=date(2024, 6, 8), code="QUERY_ERROR", times=None
                )
                emulator.inject(fault)
        views = run("sql", "--dialect", "duckdb", "--config", str(folder / "config.json"))
    assert views.code == 0, views.stderr
    lose_a_row(tables)
    duck = Duck()
    tables.into(duck, folder)
    duck.rows(views.stdout)
    for title, queries in QUERIES.items():
        shown = "\n".join(f"> {each}\n{rows(duck, each)}" for each in queries)
        parts.append(f"**{title}:**\n\n```\n{shown}\n```\n")
    return "\n".join(parts)


def lose_a_row(tables: Tables) -> None:
    """Add a row that the first night read, and the second one did not find any more."""
    there = next(row for row in tables.rows["ads"].values() if row["Date"] == "2024-06-09")
    first = min(each["fetched_at"] for each in tables.rows[LOG].values() if each["fetched_at"])
    gone = {"Campaignname": "gone", "_sm_fetched_at": first, "_sm_schedule_id": "old"}
    tables.rows["ads"]["gone",] = {**there, **gone}


def rows(duck: Duck, query: str) -> str:
    """The rows of a query, a line each."""
    return "\n".join(
        "  ".join("" if each is None else str(each) for each in row).rstrip()
        for row in duck.rows(query)
    )
