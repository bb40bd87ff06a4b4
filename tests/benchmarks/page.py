"""The page of `report_dir`: its size, and how long it takes to be made and to be used in a browser.

`python -m tests.benchmarks.page` makes a page of one report of 3,000 accounts and 400 days; with
`--screenshots FOLDER` it writes pictures of that and of a small one, in light and dark.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from tap_supermetrics.page.days import read, written
from tap_supermetrics.page.document import html_of
from tap_supermetrics.page.run_json import AccountCalendar, Failure, ReportPart, RunJson
from tests.benchmarks.processes import show
from tests.browser import running_browser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

ACCOUNTS: Final = 3_000
DAYS: Final = 400
NIGHTS: Final = 60
NOW: Final = datetime(2024, 6, 10, 4, 12, tzinfo=timezone.utc)
LAST: Final = date(2024, 6, 9)
SHOPS: Final = (
    "Nordic Outdoor",
    "Pets Plus",
    "Müller & Söhne",
    "City Bikes",
    "Garden World",
    "Kaffee",
)
MAX_BYTES: Final = 3_000_000
MAX_READY_S: Final = 2.0


def letters(random: Random, days: int, *, is_sparse: bool = False) -> str:
    """Days as they may be: sometimes a gap, sometimes no rows, sometimes estimates."""
    found = [*"d" * days]
    if is_sparse:
        found = ["e" if random.random() < 0.5 else "d" for _ in range(days)]
    for letter, chance, longest in (("p", 0.1, 20), ("e", 0.3, 9), ("s", 0.1, 3), ("m", 0.06, 5)):
        if random.random() < chance:
            length = random.randint(1, longest)
            place = random.randrange(days - length)
            found[place : place + length] = letter * length
    if random.random() < 0.05:
        found[-1] = "f"
    return "".join(found)


def report(
    name: str, ds_id: str, accounts: int, days: int, *, is_sparse: bool = False
) -> ReportPart:
    """A report with the days of its accounts."""
    random = Random(name)  # noqa: S311 - an example
    calendars = [
        AccountCalendar(
            account_id=f"{random.randrange(10**9, 10**10)}",
            account_name=f"{SHOPS[number % len(SHOPS)]} {number + 1}",
            days=written(letters(random, days, is_sparse=is_sparse)),
        )
        for number in range(accounts)
    ]
    return counted(
        ReportPart(
            name=name,
            ds_id=ds_id,
            first=str(LAST - timedelta(days=days - 1)),
            last=str(LAST),
            accounts=calendars,
        )
    )


def counted(part: ReportPart) -> ReportPart:
    every = "".join(read(each.days) for each in part.accounts)
    part.days_missing = every.count("m") + every.count("f")
    part.days_failed, part.days_stale = every.count("f"), every.count("s")
    part.days_done = len(every) - part.days_missing - part.days_stale
    return part


def runs(reports: Sequence[ReportPart], nights: int) -> list[RunJson]:
    """Nights up to now, the newest first."""
    random = Random(nights)  # noqa: S311 - an example
    accounts = sum(len(each.accounts) for each in reports)
    told = []
    for night in range(nights):
        started = NOW - timedelta(days=night, minutes=12)
        failed = random.choice([0, 0, 0, 0, 2]) if night else sum(r.days_failed for r in reports)
        lost = "1 query failed" if failed == 1 else f"{failed:,} queries failed"
        told.append(
            RunJson(
                run_id=f"{night:08x}",
                tap_version="0.1.0",
                started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
                ended_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
                seconds=random.uniform(200, 900),
                exit_code=3 if failed else 0,
                message=f"{lost}, all else arrived" if failed else "",
                requests=accounts * 4 + random.randrange(90),
                queries=accounts * 4 + failed,
                queries_failed=failed,
                rows=int(accounts * random.uniform(300, 420)),
                reports=[*reports] if not night else [],
                failures=[failure(each) for each in reports if each.days_failed]
                if not night
                else [],
            )
        )
    return told


def failure(part: ReportPart) -> Failure:
    return Failure(
        report=part.name,
        account_id=part.accounts[0].account_id,
        days=part.last or "",
        queries=part.days_failed,
        code="QUERY_ACCOUNT_UNAVAILABLE",
        message="Account is not available",
        advice="remove the account from `ds_accounts`, connect it again, or set "
        "`add_exclude_account_errors`",
    )


def small() -> str:
    reports = [
        report("google_ads", "AW", 24, 380),
        report("facebook_ads", "FA", 12, 380),
        report("web_traffic", "GAWA", 8, 200, is_sparse=True),
    ]
    return html_of(runs(reports, NIGHTS), NOW)


def large(*, is_sparse: bool = False) -> list[RunJson]:
    return runs([report("google_ads", "AW", ACCOUNTS, DAYS, is_sparse=is_sparse)], NIGHTS)


def seconds_until_used(browser: Browser, file: Path) -> tuple[float, float]:
    """Seconds until the page is drawn, and until an account that is searched for is open."""
    page = browser.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    ready = float(page.evaluate("Number(document.documentElement.dataset.ready) / 1000"))
    began = time.monotonic()
    page.get_by_label("Find an account").first.fill("pets plus 2990")
    page.locator(".account").first.click()
    page.locator("tr:not([hidden]) > td > div > .wide > .days").first.wait_for()
    used = time.monotonic() - began
    page.close()
    return ready, used


def take_pictures(browser: Browser, folder: Path, html: str, name: str, *schemes: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "index.html")
        file.write_text(html, encoding="utf-8")
        for scheme in schemes:
            page = browser.new_page(
                viewport={"width": 1180, "height": 1300},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready]")
            page.locator(".account").first.click()
            page.screenshot(path=folder / f"page-{name}{scheme}.png")
            page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    rows = []
    with running_browser() as browser, tempfile.TemporaryDirectory() as folder:
        for name, is_sparse in (("gaps here and there", False), ("every second day empty", True)):
            told = large(is_sparse=is_sparse)
            began = time.monotonic()
            html = html_of(told, NOW)
            made = time.monotonic() - began
            file = Path(folder, "index.html")
            file.write_text(html, encoding="utf-8")
            ready, used = seconds_until_used(browser, file)
            size = f"{len(html.encode()) / 1e6:.2f} MB"
            rows.append([name, size, f"{made:.2f} s", f"{ready:.2f} s", f"{used:.2f} s"])
        if given.screenshots:
            take_pictures(browser, given.screenshots, small(), "", "light", "dark")
            take_pictures(
                browser, given.screenshots, html_of(large(), NOW), "3000-accounts-", "light"
            )
    heads = [
        f"{ACCOUNTS:,} accounts, {DAYS} days",
        "size",
        "made in",
        "drawn after",
        "found and open",
    ]
    show(heads, rows)


if __name__ == "__main__":
    main()
