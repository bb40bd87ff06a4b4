"""Nights in a row, drawn at random: other settings, faults, kills, budgets, days left out.

Nobody thinks of every way in which one night can spoil the next. So whole weeks are drawn, and
after each night it is compared what a target holds with what is true.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.emulator.clock import instant
from tap_supermetrics.extraction import doubts, ways
from tests.attack import driver
from tests.attack.driver import ADS, DAY, Killed, attempt, options, some
from tests.tap import config_for, days_covered, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.attack.driver import Attempt
    from tests.tap import Key, Values

Day = tuple[str, date]
"""Account and day."""

pytestmark = pytest.mark.timeout(300)

NAME: Final = "google_ads"
ACCOUNTS: Final = ("4713896205", "8820145937", "5096627718")
END_DATES: Final = {"today": 0, "yesterday": 1, "2 days ago": 2}
NIGHTS: Final = 10
CALM: Final = 0.7
KILLED: Final = -9
ROWS: Final = 6 * 14
"""The rows of an account in the longest range of days that is asked."""
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"effect": "error", "path": "query/batch$", "code": "BATCH_CREATE_FAILED"},
    {"effect": "error", "path": "query/batch$", "code": "ACCESS_DENIED_PERMISSIONS", "status": 403},
    {"effect": "error", "path": "query/batch$", "code": "API_ROW_QUOTA_EXCEEDED", "status": 429},
    {"effect": "error", "path": "status$", "code": "INTERNAL_SERVER_ERROR", "times": 3},
    {"effect": "error", "path": "query/results", "code": "STATUS_NOT_FOUND", "status": 404},
    {"effect": "reset_after", "path": "query/batch$"},
    {"effect": "reset_after", "path": "query/results", "after": 2},
    {"effect": "truncate", "path": "query/results"},
    {"effect": "html", "path": "status$", "status": 502},
    {"effect": "fail_query", "code": "QUERY_ERROR"},
    {"effect": "fail_query", "code": "QUERY_ERROR", "times": None, "account": ACCOUNTS[0]},
    {"effect": "fail_query", "code": "QUERY_ACCOUNT_UNAVAILABLE", "account": ACCOUNTS[1]},
    {"effect": "expire_query"},
    {"effect": "end_query", "code": "PROCESS_EXITED"},
    {"effect": "expire", "path": "status$"},
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with Emulator(options=options()) as running:
        yield running


@pytest.fixture
def emulator(shared: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator whose clock is the tap's."""
    shared.reset()
    shared.clock.set(instant(driver.NOW))
    for module in ("tap_supermetrics.sync.run", "tests.attack.driver"):
        monkeypatch.setattr(f"{module}.utc_now", shared.clock.now)
    # Else nothing is ever given up, with so few days.
    monkeypatch.setitem(doubts.DOUBT_LIMITS, Reach.ACCOUNT, doubts.DoubtLimit(failures=2, probes=1))
    return shared


@dataclass(slots=True)
class Nights:
    """A report that is loaded night by night, as a target and the state keep it.

    Attributes:
        draw: decides everything.
        rows: what the target holds, by key.
        bookmarks: the state.
        settings: of the report, as they are tonight.
        told: what was true whenever a run asked, with the day of asking.
        due: account and day -> since when it is to be read again.
        log: what was done, for a failure to tell.
    """

    emulator: Emulator
    draw: random.Random
    rows: dict[Key, Values] = field(default_factory=dict)
    bookmarks: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    told: list[tuple[date, dict[Key, Values]]] = field(default_factory=list)
    due: dict[Day, date] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def today(self) -> date:
        return self.emulator.today

    @property
    def report(self) -> dict[str, Any]:
        return {**ADS, **self.settings}

    @property
    def wanted(self) -> set[Day]:
        """Accounts and days that the settings name, today among them."""
        first = date.fromisoformat(self.settings["start_date"])
        last = self.today - END_DATES[self.settings["end_date"]] * DAY
        return {
            (account, day) for account in self.report["ds_accounts"] for day in _to(first, last)
        }

    def partition(self, key: str) -> set[Day]:
        """Accounts and days that the state keeps as `covered`, `stale` or `settled`."""
        bookmark = self.bookmarks.get(NAME, {})
        ranges = {
            each["context"]["account_id"]: each.get(key, [])
            for each in bookmark.get("partitions", [])
        }
        return {
            (account, day)
            for account, each in (days_covered(bookmark) if key == "covered" else ranges).items()
            for first, last in each
            for day in _to(date.fromisoformat(first), date.fromisoformat(last))
        }

    @property
    def lookback(self) -> set[Day]:
        """Accounts and days that are to be read again tonight."""
        days, covered = self.settings["lookback_days"], self.partition("covered")
        last = self.today - END_DATES[self.settings["end_date"]] * DAY
        # Days after the last wanted one were wanted by another run.
        wanted = {(a, d) for a, d in covered if d <= last}
        newest = {account: max(d for a, d in wanted if a == account) for account, _ in wanted}
        reached = {(a, d - n * DAY) for a, d in newest.items() for n in range(days)} & covered
        settled = {(a, d) for a, d in self.partition("settled") if (last - d).days >= days}
        return reached - settled

    def change_settings(self) -> None:
        """Some settings as a user may change them from one night to the next."""
        draw = self.draw
        choices: dict[str, Callable[[], object]] = {
            "start_date": lambda: str(self.today - draw.randint(3, 14) * DAY),
            "ds_accounts": lambda: sorted(draw.sample(ACCOUNTS, draw.randint(1, 3))),
            "end_date": lambda: draw.choice([*END_DATES]),
            "lookback_days": lambda: draw.randint(0, 4),
            "split_dates_policy": lambda: draw.choice(["day", "none"]),
            "max_days_per_query": lambda: draw.randint(1, 9),
            "backfill_days_per_query": lambda: draw.choice([1, 1, 3, 7]),
            "backfill_order": lambda: draw.choice(["oldest", "newest"]),
            "require_fresh_days": lambda: draw.randint(0, 2),
            "refresh_after_hours": lambda: draw.choice([0, 0, 30]),
            "page_size": lambda: draw.choice([1, 7, 10_000]),
            "max_rows": lambda: draw.choice([1_000_000, 1_000_000, 20]),
        }
        for name in choices if not self.settings else draw.sample([*choices], draw.randint(0, 3)):
            self.settings[name] = choices[name]()

    def night(self, *, is_calm: bool = False) -> None:
        """A run, under drawn circumstances unless it is calm, and what must be true after it."""
        draw = self.draw
        top: dict[str, Any] = {
            "mode": draw.choice(["auto", "auto", "batch", "async"]),
            "max_running_batches": draw.choice([1, 2]),
            "max_queries_per_run": None if is_calm else draw.choice([None, None, 1, 5, 12]),
            "max_rows_per_run": None if is_calm else draw.choice([None, None, 10]),
        }
        kill = None if is_calm or draw.random() < CALM else draw.randint(1, 40)
        faults = [] if is_calm else draw.sample(FAULTS, draw.choice([0, 0, 1, 2]))
        self.log.append(f"{self.today}: {self.settings} {top} kill {kill} {faults}")
        wanted, covered, lookback = self.wanted, self.partition("covered"), self.lookback
        needed = (wanted - covered) | (wanted & (self.partition("stale") | lookback))
        before = len(self.emulator.queries)
        done = self.attempt(top, kill, faults)
        asked = self.emulator.queries[before:]
        self.log.append(f"    {done.code} {done.message} {done.bookmarks}")

        self.check_rows()
        is_planned = any(line.startswith("Plan:") for line in done.log)
        if is_planned and done.code != KILLED and not self.settings["refresh_after_hours"]:
            self.due |= dict.fromkeys(lookback & wanted, self.today)
        if not faults and self.settings["max_rows"] > ROWS:
            days = sum(len(_to(q.first, q.last)) for q in asked if q.first and q.last)
            assert days <= len(needed), "quota was burned for nothing"
        if top["max_queries_per_run"] and "reset_after" not in str(faults):
            assert len(asked) <= top["max_queries_per_run"], "the budget was exceeded"
        if is_calm:
            assert done.code == 0, "\n".join(done.log)
            assert {each for each in wanted if each[1] < self.today} <= self.partition("covered")
            self.check_age(wanted)

    def attempt(
        self, top: dict[str, Any], kill: int | None, faults: Sequence[dict[str, Any]]
    ) -> Attempt:
        """A run, killed after so many records if at all; what came stays in the target."""
        self.emulator.clear_faults()
        for fault in faults:
            self.emulator.inject(Fault(**fault))
        first = self.today - 40 * DAY
        true = truth(self.emulator, ADS, first, self.today, accounts=ACCOUNTS)
        self.told.append((self.today, true))
        config = config_for(self.emulator, [self.report], requests_per_second=1000, **top)
        with pytest.MonkeyPatch.context() as patch:
            if kill:
                patch.setattr(ways, "cancel_batches", lambda *_: None)
            done = attempt(config, self.bookmarks, keep=self.keep(kill))
        self.bookmarks = done.bookmarks
        return done

    def keep(self, kill: int | None) -> Callable[[Key, Values], None]:
        count = itertools.count(1)

        def keep(key: Key, values: Values) -> None:
            self.rows[key] = values
            if next(count) == kill:
                raise Killed

        return keep

    def check_rows(self) -> None:
        """Every row was true when it was asked, and whatever is called done is whole."""
        for key, row in self.rows.items():
            assert any(true.get(key) == row for _, true in self.told), f"{row} is not true"
        done = self.partition("covered")
        for key in self.told[-1][1]:
            assert _day(key) not in done or key in self.rows, f"{key} is called done and missing"

    def check_age(self, wanted: set[Day]) -> None:
        """No row was read before its day was over, or before it was due again."""
        for key, row in self.rows.items():
            account, day = _day(key)
            since = max(day + DAY, self.due.get((account, day), day))
            ages = (true[key] == row for asked_on, true in self.told if asked_on >= since)
            is_old = (account, day) in wanted and day < self.today and not any(ages)
            assert not is_old, f"{row} was read before {since}"


def _to(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def _day(key: Key) -> Day:
    return key[0], date.fromisoformat(key[1])


@pytest.mark.parametrize("seed", some(range(300), 12))
def test_whatever_the_nights_were_like_nothing_is_missing_doubled_or_asked_in_vain(
    seed: int, emulator: Emulator
) -> None:
    nights = Nights(emulator, random.Random(seed))  # noqa: S311 - reproducible, guards nothing
    try:
        for _ in range(NIGHTS):
            nights.change_settings()
            nights.night()
            if nights.draw.random() < 0.8:
                emulator.clock.advance(86_400.0 * nights.draw.choice([1, 1, 1, 2]))
            day = nights.today - nights.draw.randint(0, 9) * DAY
            emulator.changes.restate("AW", nights.draw.choice(ACCOUNTS), day)
        nights.night(is_calm=True)
        emulator.clock.advance(timedelta(hours=24).total_seconds())
        nights.night(is_calm=True)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *nights.log])) from None
