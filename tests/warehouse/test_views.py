"""The views: rows that are gone at the source are hidden, good ones never; days are told apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
import psycopg
import pytest
import sqlglot
import yaml

from tap_supermetrics.commands.dialects import DIALECTS, NAMINGS
from tap_supermetrics.commands.views import Warehouse
from tap_supermetrics.emulator import Emulator, Fault, Options
from tap_supermetrics.sync.query_log import SCHEMA
from tests.postgres import running_postgres
from tests.tap import Target, config_for, run, sync

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Of fakesnow, where it is installed.
pytestmark = pytest.mark.filterwarnings("ignore:Arrow output")
LOG = "supermetrics_query_log"
DAY = date(2024, 6, 1)
ADS = ("_sm_account_id", "_sm_schedule_id", "_sm_fetched_at", "Date", "Campaign", "Clicks")
_TYPES = {"integer": "BIGINT", "number": "DOUBLE PRECISION", "boolean": "BOOLEAN"}


class Database(Protocol):
    """What runs SQL, and gives the rows of a query."""

    def rows(self, query: str) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Duck:
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()


@dataclass(frozen=True)
class Pg:
    connection: psycopg.Connection[tuple[Any, ...]]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        done = self.connection.execute(query.encode())
        return done.fetchall() if done.description else []


class ClickHouse:
    """ClickHouse in this process, where chdb is installed: half a gigabyte."""

    _KINDS: Final = {
        "VARCHAR": "String",
        "BIGINT": "Int64",
        "DOUBLE PRECISION": "Float64",
        "BOOLEAN": "Bool",
        "DATE": "Date",
    }

    def __init__(self) -> None:
        self._session = pytest.importorskip("chdb.session").Session()
        self._session.query("CREATE DATABASE IF NOT EXISTS warehouse")
        self._session.query("USE warehouse")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if query.startswith("CREATE TABLE"):
            for kind, own in self._KINDS.items():
                query = query.replace(f'" {kind}', f'" Nullable({own})')
            query += " ENGINE = MergeTree ORDER BY tuple()"
        found = str(self._session.query(query, "JSONCompact"))
        return [tuple(row) for row in json.loads(found)["data"]] if found.strip() else []


@dataclass(frozen=True)
class Snowflake:
    """What stands in for Snowflake, where fakesnow is installed."""

    connection: Any

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def clickhouse() -> ClickHouse:
    return ClickHouse()


@pytest.fixture(scope="module")
def snowflake() -> Iterator[Snowflake]:
    fakesnow = pytest.importorskip("fakesnow")
    connector = pytest.importorskip("snowflake.connector")
    with fakesnow.patch():
        yield Snowflake(connector.connect(database="warehouse", schema="marketing"))


@pytest.fixture(scope="module")
def server() -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with (
        running_postgres() as running,
        psycopg.connect(
            host=running.host,
            port=running.port,
            user=running.user,
            password=running.password,
            dbname=running.database,
            autocommit=True,
            prepare_threshold=None,
        ) as connection,
    ):
        yield connection


@dataclass
class Stored:
    """A report and the log as a loader stores them, and the views over them."""

    database: Database
    warehouse: Warehouse

    def begin(self, day_type: str = "DATE") -> None:
        """Make empty tables."""
        for view in ("ads_current", "supermetrics_coverage", "supermetrics_health"):
            self.database.rows(f'DROP VIEW IF EXISTS "{view}"')
        types = {"Date": day_type, "Clicks": "BIGINT"}
        columns = ", ".join(f'"{name}" {types.get(name, "VARCHAR")}' for name in ADS)
        self.database.rows('DROP TABLE IF EXISTS "ads"')
        self.database.rows(f'CREATE TABLE "ads" ({columns})')
        columns = ", ".join(
            f'"{name}" {_column_type(each, day_type)}'
            for name, each in SCHEMA["properties"].items()
        )
        self.database.rows(f'DROP TABLE IF EXISTS "{LOG}"')
        self.database.rows(f'CREATE TABLE "{LOG}" ({columns})')

    def make_views(self, day: str = "Date") -> None:
        for view, query in self.warehouse.views({"ads": day}):
            self.database.rows(self.warehouse.statement(view, query))

    def load(self, night: int, account: str, day: int, *campaigns: str, clicks: int = 1) -> str:
        """Load the rows of a query, as a loader does by their key; return the schedule id."""
        schedule_id, when = f"{night}-{account}-{day}", str(DAY + timedelta(days=day))
        for campaign in campaigns:
            self.database.rows(
                f'DELETE FROM "ads" WHERE "_sm_account_id" = \'{account}\' '
                f"AND \"Date\" = '{when}' AND \"Campaign\" = '{campaign}'"
            )
            values = (account, schedule_id, fetched(night), when, campaign, clicks)
            self.database.rows(f'INSERT INTO "ads" VALUES ({_literals(values)})')
        return schedule_id

    def log(
        self,
        night: int,
        account: str,
        first: int | None,
        last: int | None = None,
        **of: Any,  # noqa: ANN401 - any column
    ) -> None:
        """Log a query."""
        days = {} if first is None else {"first_day": first, "last_day": last or first}
        values: dict[str, Any] = {
            "id": f"{night}-{account}-{first}-{of.get('status')}",
            "report": "ads",
            "account_id": account,
            "status": "success",
            "row_count": 1,
            "schedule_id": f"{night}-{account}-{first}",
            "fetched_at": fetched(night),
            "logged_at": fetched(night),
            "run_id": str(night),
            **{name: str(DAY + timedelta(days=day)) for name, day in days.items()},
            **({"last_whole_day": str(DAY + timedelta(days=days["last_day"]))} if days else {}),
            **of,
        }
        names = ", ".join(f'"{name}"' for name in values)
        self.database.rows(
            f'INSERT INTO "{LOG}" ({names}) VALUES ({_literals(tuple(values.values()))})'
        )

    def shown(self) -> set[tuple[str, str]]:
        """Campaigns that the view shows, with the end of their day."""
        found = self.database.rows('SELECT "Date", "Campaign" FROM "ads_current"')
        return {(str(day)[8:10], campaign) for day, campaign in found}

    def coverage(self) -> dict[tuple[str, str], str]:
        found = self.database.rows(
            'SELECT account_id, calendar_day, day_status FROM "supermetrics_coverage"'
        )
        return {(account, str(day)[8:10]): status for account, day, status in found}

    def health(self) -> set[tuple[str, str]]:
        found = self.database.rows('SELECT account_id, issue FROM "supermetrics_health"')
        return {(account, issue) for account, issue in found}


def fetched(night: int) -> str:
    return f"2024-07-{night:02d}T04:00:00.000+00:00"


def _literals(values: tuple[Any, ...]) -> str:
    return ", ".join(
        f"'{each}'" if isinstance(each, str) else "NULL" if each is None else str(each)
        for each in values
    )


def _column_type(schema: Mapping[str, Any], day_type: str) -> str:
    if schema.get("format") == "date":
        return day_type
    return _TYPES.get(schema["type"][0], "VARCHAR")


def warehouse(dialect: str, **changes: Any) -> Warehouse:  # noqa: ANN401 - any attribute
    given: dict[str, Any] = {
        "dialect": DIALECTS[dialect],
        "schema": "",
        "naming": NAMINGS["as-is"],
        "log": LOG,
        "silent_days": 3,
    }
    return Warehouse(**given | changes)


@pytest.fixture(params=["duckdb", "postgres", "clickhouse", "snowflake"])
def stored(request: pytest.FixtureRequest) -> Stored:
    database: Database = Duck()
    if request.param in {"clickhouse", "snowflake"}:
        database = request.getfixturevalue(request.param)
    if request.param == "postgres":
        database = Pg(request.getfixturevalue("server"))
    given = Stored(database, warehouse(request.param))
    given.begin()
    return given


def two_nights(stored: Stored) -> None:
    """In the second night, campaign b of the first day is gone, and nobody read the second day."""
    stored.load(1, "1", 0, "a", "b")
    stored.load(1, "1", 1, "c")
    stored.load(2, "1", 0, "a")


ALL = {("01", "a"), ("01", "b"), ("02", "c")}
LEFT = {("01", "a"), ("02", "c")}


@pytest.mark.parametrize("nights", [(1, 2), (2,)], ids=["whole log", "second night only"])
def test_a_row_that_the_newer_reading_lacks_is_hidden(
    stored: Stored, nights: tuple[int, ...]
) -> None:
    two_nights(stored)
    for night in nights:
        stored.log(night, "1", 0, row_count=2 if night == 1 else 1)
    if 1 in nights:
        stored.log(1, "1", 1)
    stored.make_views()
    assert stored.shown() == LEFT


@pytest.mark.parametrize("nights", [(), (1,)], ids=["no log", "late log"])
def test_without_the_newer_record_nothing_is_hidden(
    stored: Stored, nights: tuple[int, ...]
) -> None:
    two_nights(stored)
    for night in nights:
        stored.log(night, "1", 0, row_count=2)
    stored.make_views()
    assert stored.shown() == ALL


def test_a_log_that_comes_before_its_rows_hides_nothing(stored: Stored) -> None:
    stored.load(1, "1", 0, "a", "b")
    stored.log(1, "1", 0, row_count=2)
    stored.log(2, "1", 0)
    stored.make_views()
    assert stored.shown() == {("01", "a"), ("01", "b")}
    stored.load(2, "1", 0, "a")
    assert stored.shown() == {("01", "a")}


def test_rows_of_a_query_that_was_emitted_twice_come_once(stored: Stored) -> None:
    """A killed run left some of them with the time of its own."""
    stored.load(1, "1", 0, "a", "b")
    stored.database.rows(
        f"INSERT INTO \"ads\" VALUES ('1', '1-1-0', '{fetched(2)}', '{DAY}', 'c', 1)"
    )
    stored.log(3, "1", 0)
    stored.load(3, "1", 0, "d")
    stored.make_views()
    found = stored.database.rows('SELECT "Campaign" FROM "ads_current"')
    assert found == [("d",)]
    stored.database.rows('DELETE FROM "ads" WHERE "Campaign" = \'d\'')
    assert len(stored.database.rows('SELECT "Campaign" FROM "ads_current"')) == 3


def test_a_day_that_became_empty_is_empty(stored: Stored) -> None:
    two_nights(stored)
    stored.log(3, "1", 0, row_count=0)
    stored.make_views()
    assert stored.shown() == {("02", "c")}


@pytest.mark.parametrize("status", ["failed", "excluded"])
def test_a_newer_failure_hides_nothing(stored: Stored, status: str) -> None:
    two_nights(stored)
    stored.log(1, "1", 0, row_count=2)
    stored.log(3, "1", 0, status=status, row_count=None, schedule_id=None, fetched_at=None)
    stored.make_views()
    assert stored.shown() == ALL


def test_a_query_over_several_days_hides_in_all_of_them(stored: Stored) -> None:
    two_nights(stored)
    wide = stored.load(3, "1", 0, "a")
    stored.log(3, "1", 0, 5, schedule_id=wide)
    stored.make_views()
    assert stored.shown() == {("01", "a")}


def test_a_day_that_became_empty_within_several_stays_empty(stored: Stored) -> None:
    """The rows of its other days were replaced since, so that nothing of its query is left."""
    stored.load(1, "1", 0, "gone")
    stored.load(1, "1", 1, "there")
    stored.load(3, "1", 1, "there")
    for night, first, rows in ((1, 0, "1,1"), (2, 0, "0,1"), (3, 1, "1,1")):
        stored.log(night, "1", first, first + 1, row_count=2, rows_by_day=rows)
    stored.make_views()
    assert stored.shown() == {("02", "there")}


def test_of_split_halves_each_hides_in_its_own_days(stored: Stored) -> None:
    two_nights(stored)
    half = stored.load(3, "1", 0, "a")
    stored.log(3, "1", 0, 0, schedule_id=half)
    stored.log(3, "1", 1, 5, row_count=None, status="failed", fetched_at=None)
    stored.make_views()
    assert stored.shown() == LEFT


def test_accounts_do_not_hide_each_others_rows(stored: Stored) -> None:
    two_nights(stored)
    stored.log(3, "2", 0, row_count=0)
    stored.log(3, "1,2", 0, row_count=0)
    stored.make_views()
    assert stored.shown() == ALL
    stored.load(1, "1,2", 3, "both")
    stored.log(4, "1,2", 3, row_count=0)
    assert stored.shown() == ALL


def test_of_a_report_that_is_read_whole_the_newest_reading_counts(stored: Stored) -> None:
    two_nights(stored)
    stored.log(1, "1", None, schedule_id="1-1-0")
    stored.make_views(day="")
    assert stored.shown() == ALL
    stored.log(2, "1", None, schedule_id="2-1-0")
    assert stored.shown() == {("01", "a")}
    stored.log(3, "1", None, status="failed", row_count=None, schedule_id=None, fetched_at=None)
    assert stored.shown() == {("01", "a")}


def test_days_that_are_stored_as_texts_are_understood(stored: Stored) -> None:
    stored.begin(day_type="VARCHAR")
    two_nights(stored)
    stored.log(2, "1", 0)
    stored.make_views()
    assert stored.shown() == LEFT
    assert stored.coverage() == {("1", "01"): "done"}


def test_coverage_tells_done_empty_failed_partial_and_missing_days(stored: Stored) -> None:
    stored.log(1, "1", 0)
    stored.log(1, "1", 1, row_count=0)
    stored.log(1, "1", 3, status="failed", row_count=None, error_code="QUERY_ERROR")
    stored.log(1, "1", 4, 6)
    stored.log(1, "1", 7, last_whole_day=None)
    stored.log(1, "2", 2)
    stored.log(2, "2", 2, status="excluded", row_count=None)
    stored.make_views()
    assert stored.coverage() == {
        ("1", "01"): "done",
        ("1", "02"): "empty",
        ("1", "03"): "missing",
        ("1", "04"): "failed",
        ("1", "05"): "done",
        ("1", "06"): "done",
        ("1", "07"): "done",
        ("1", "08"): "partial",
        ("2", "03"): "excluded",
    }
    found = stored.database.rows(
        "SELECT error_code FROM \"supermetrics_coverage\" WHERE day_status = 'failed'"
    )
    assert found == [("QUERY_ERROR",)]


def test_of_a_query_over_several_days_each_has_its_own_rows(stored: Stored) -> None:
    """An older log does not tell them: there, an empty day is done, and its rows are null."""
    stored.log(1, "1", 0, 3, row_count=13, rows_by_day="3,0,10,0")
    stored.log(1, "2", 0, 1, row_count=0, rows_by_day="0,0")
    stored.log(1, "3", 0, 1, row_count=5)
    stored.log(1, "4", 0, 1, row_count=0)
    stored.log(1, "5", 0, 2, row_count=4, rows_by_day="4")
    stored.make_views()
    found = stored.database.rows(
        'SELECT account_id, day_status, row_count FROM "supermetrics_coverage" '
        "ORDER BY account_id, calendar_day"
    )
    assert [(account, status, rows) for account, status, rows in found] == [
        ("1", "done", 3),
        ("1", "empty", 0),
        ("1", "done", 10),
        ("1", "empty", 0),
        ("2", "empty", 0),
        ("2", "empty", 0),
        ("3", "done", None),
        ("3", "done", None),
        ("4", "empty", 0),
        ("4", "empty", 0),
        ("5", "done", 4),
        ("5", "done", None),
        ("5", "done", None),
    ]


def test_health_sees_few_rows_within_a_query_over_several_days(stored: Stored) -> None:
    stored.log(1, "fell", 0, 8, row_count=803, rows_by_day="100," * 8 + "3")
    stored.log(1, "steady", 0, 8, row_count=850, rows_by_day="100," * 8 + "50")
    stored.log(1, "untold", 0, 8, row_count=803)
    stored.make_views()
    found = {each for each in stored.health() if each[1] == "few rows"}
    assert found == {("fell", "few rows")}


def test_health_names_what_a_person_should_look_at(stored: Stored) -> None:
    """Each account has one trouble; all are silent, as the log ends in 2024."""
    for night in (1, 2):
        stored.log(night, "twice", 0, status="failed", row_count=None, error_code="QUERY_ERROR")
    stored.log(1, "once", 0, status="failed", row_count=None)
    stored.log(2, "once", 0)
    stored.log(1, "estimated", 0, data_sampled=True)
    # The log knows by the clock of the report's `timezone` whether the day was over.
    stored.log(1, "early", 0, cache_used=True, last_whole_day=None)
    stored.log(1, "cached", 0, cache_used=True)
    for day in range(9):
        stored.log(1, "fell", day, row_count=100 if day < 8 else 3)
        stored.log(1, "steady", day, row_count=100 if day < 8 else 50)
    stored.make_views()
    found = stored.health()
    silent = {each for each in found if each[1] == "no success for days"}
    assert {account for account, _ in silent} == {
        "twice", "once", "estimated", "early", "cached", "fell", "steady"
    }  # fmt: skip
    assert found - silent == {
        ("twice", "failed twice"),
        ("estimated", "estimated"),
        ("early", "cached before its day was over"),
        ("fell", "few rows"),
    }


def test_a_report_that_is_read_whole_is_in_coverage_and_health(stored: Stored) -> None:
    nothing: dict[str, Any] = {"row_count": None, "fetched_at": None, "schedule_id": None}
    stored.log(1, "well", None, cache_used=True)
    stored.log(1, "twice", None)
    for night in (2, 3):
        stored.log(night, "twice", None, status="failed", error_code="QUERY_ERROR", **nothing)
    stored.log(1, "again", None, status="failed", **nothing)
    stored.log(2, "again", None, row_count=0, data_sampled=True)
    stored.make_views()
    found = stored.database.rows(
        'SELECT account_id, calendar_day, day_status, row_count FROM "supermetrics_coverage"'
    )
    assert sorted(found) == [
        ("again", None, "empty", 0),
        ("twice", None, "failed", None),
        ("well", None, "done", 1),
    ]
    issues = {each for each in stored.health() if each[1] != "no success for days"}
    assert issues == {("twice", "failed twice"), ("again", "estimated")}


@pytest.mark.parametrize("first", [0, None], ids=["a success before", "none ever"])
def test_an_account_is_silent_only_after_some_days(stored: Stored, first: int | None) -> None:
    today = datetime.now(timezone.utc).date()
    for account, days_ago in (("since long", 9), ("just now", 1)):
        moment = f"{today - timedelta(days=days_ago)}T04:00:00.000+00:00"
        times: dict[str, Any] = {
            "logged_at": moment,
            "fetched_at": None if first is None else moment,
        }
        status = "failed" if first is None else "success"
        stored.log(1, account, 0, status=status, **times)
    stored.make_views()
    assert {each for each in stored.health() if each[1] == "no success for days"} == {
        ("since long", "no success for days")
    }


@pytest.mark.parametrize("day", ["Date", ""], ids=["rows tell their day", "rows tell no day"])
def test_what_left_a_moving_range_stays(stored: Stored, day: str) -> None:
    """As with `last_7_days`: the newest reading says nothing of the days before its range."""
    stored.load(1, "1", 0, "left", "gone")
    stored.load(2, "1", 1, "in both")
    stored.load(3, "1", 2, "vanished")
    stored.load(4, "1", 2, "new")
    for night, first, last in ((1, 0, 0), (2, 0, 1), (3, 1, 2), (4, 1, 2)):
        stored.log(
            night,
            "1",
            None,
            schedule_id=f"{night}-1-{(0, 1, 2, 2)[night - 1]}",
            range_start=str(DAY + timedelta(days=first)),
            range_end=str(DAY + timedelta(days=last)),
        )
    stored.make_views(day=day)
    # By day, all days of each range are replaced; else only readings within a newer range are.
    expected = {("03", "new")} | (set() if day else {("02", "in both")})
    assert stored.shown() == expected


@pytest.mark.parametrize("day", ["Date", ""], ids=["rows tell their day", "rows tell no day"])
def test_a_range_whose_days_nobody_tells_hides_nothing(stored: Stored, day: str) -> None:
    """It may be any days: what left a moving range must stay."""
    stored.load(1, "1", 0, "left")
    stored.load(2, "1", 1, "new")
    for night in (1, 2):
        stored.log(night, "1", None, schedule_id=f"{night}-1-{night - 1}")
    stored.warehouse = replace(stored.warehouse, ranges={"ads"})
    stored.make_views(day=day)
    assert stored.shown() == {("01", "left"), ("02", "new")}


@pytest.mark.parametrize("name", ["log", "days", "newest", "loaded", "ranked", "answers"])
def test_a_report_may_be_called_as_a_part_of_a_view(name: str) -> None:
    text = warehouse("duckdb").current(name, "Date")
    assert not re.search(rf"(?<!\w){name} AS ", text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("naming", NAMINGS)
def test_every_dialect_can_read_its_views(dialect: str, naming: str) -> None:
    """BigQuery and Redshift cannot be run here, the others perhaps: all their SQL is parsed."""
    given = warehouse(dialect, schema="marketing", naming=NAMINGS[naming])
    for day in ("Date", ""):
        for view, query in given.views({"ads": day}):
            (parsed,) = sqlglot.parse(given.statement(view, query), dialect=dialect)
            assert isinstance(parsed, sqlglot.exp.Create)
            tables = {each.name for each in parsed.find_all(sqlglot.exp.Table)}
            assert NAMINGS[naming](LOG) in tables


class Tables:
    """Records by stream and key, all columns of them, as a loader that replaces by key has them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self._keys: dict[str, list[str]] = {}

    def read(self, stdout: str) -> None:
        for message in map(json.loads, stdout.splitlines()):
            if message["type"] == "SCHEMA":
                self._keys[message["stream"]] = message["key_properties"]
            elif message["type"] == "RECORD":
                stream, record = message["stream"], message["record"]
                key = tuple(record[name] for name in self._keys[stream])
                self.rows.setdefault(stream, {})[key] = record

    def into(self, database: Database, folder: Path) -> None:
        for stream, rows in self.rows.items():
            file = folder / f"{stream}.json"
            file.write_text(json.dumps([*rows.values()]))
            database.rows(f"CREATE TABLE \"{stream}\" AS SELECT * FROM read_json('{file}')")


def test_two_nights_of_the_tap_leave_what_the_source_has(tmp_path: Path) -> None:
    """Night 2 has rows that vanished, and a day that failed; the SQL is the command's own."""
    report = {
        "name": "ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205"],
        "fields": ["Date", "Campaignname", "Cost"],
    }
    options = Options(clock_factor=500.0, now="2024-06-10T04:00:00+00:00")
    target, tables = Target(), Tables()
    with Emulator(options=options) as emulator:
        for last, code in ("2024-06-09", 0), ("2024-06-10", 3):
            days = {"start_date": "2024-06-05", "end_date": last, "lookback_days": 3}
            given = config_for(emulator, [report], query_log=True, **days)
            ended = sync(given, tmp_path, target)
            assert ended.code == code, ended.stderr
            tables.read(ended.stdout)
            emulator.clock.advance(seconds=86_400)
            emulator.inject(
                Fault(effect="fail_query", day=date(2024, 6, 8), code="QUERY_ERROR", times=None)
            )
        done = run("sql", "--dialect", "duckdb", "--config", str(tmp_path / "config.json"))
    assert done.code == 0, done.stderr
    # What the source no longer has: a row of the first night under a name of its own.
    gone = next(row for row in tables.rows["ads"].values() if row["Date"] == "2024-06-09")
    first = min(each["fetched_at"] for each in tables.rows[LOG].values() if each["fetched_at"])
    ghost = {**gone, "Campaignname": "gone", "_sm_fetched_at": first, "_sm_schedule_id": "old"}
    tables.rows["ads"]["ghost",] = ghost
    duck = Duck()
    tables.into(duck, tmp_path)
    duck.rows(done.stdout)
    shown = duck.rows('SELECT "Date", "Campaignname" FROM ads_current')
    assert len(shown) == len(tables.rows["ads"]) - 1
    assert "gone" not in {campaign for _, campaign in shown}
    statuses = dict(duck.rows("SELECT calendar_day, day_status FROM supermetrics_coverage"))
    assert {str(day): status for day, status in statuses.items()} == {
        **{f"2024-06-{day:02d}": "done" for day in (5, 6, 7, 9, 10)},
        "2024-06-08": "failed",
    }


def test_models_of_dbt_are_written_with_their_sources(tmp_path: Path) -> None:
    with Emulator() as emulator:
        report = {"name": "ads", "ds_id": "AW", "ds_accounts": ["4713896205"]}
        report["fields"] = ["Date", "Cost"]
        given = config_for(emulator, [report], start_date="2024-06-01", query_log=True)
        (tmp_path / "config.json").write_text(json.dumps(given))
        line = ("--dialect", "snowflake", "--naming", "upper", "--schema", "RAW")
        folder = tmp_path / "models"
        where = ("--config", str(tmp_path / "config.json"), "--dbt", str(folder))
        done = run("sql", *line, *where)
        refused = run("sql", *line, *where[:-1], str(tmp_path / "config.json"))
        assert not emulator.queries
    assert (done.code, done.stdout) == (0, ""), done.stderr
    assert {each.name for each in folder.iterdir()} == {
        "supermetrics_sources.yml",
        "ADS_CURRENT.sql",
        "SUPERMETRICS_COVERAGE.sql",
        "SUPERMETRICS_HEALTH.sql",
    }
    sources = yaml.safe_load((folder / "supermetrics_sources.yml").read_text())
    assert sources["sources"][0]["schema"] == "RAW"
    model = (folder / "ADS_CURRENT.sql").read_text()
    for each in sources["sources"][0]["tables"]:
        assert f"{{{{ source('supermetrics', '{each['name']}') }}}}" in model
    assert "CREATE" not in model
    assert refused.code == 1
    assert "--dbt: " in refused.stderr
    assert "Traceback" not in refused.stderr
