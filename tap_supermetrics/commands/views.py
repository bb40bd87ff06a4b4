"""Views over what a loader made of reports and of the query log, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.model.columns import ACCOUNT_ID, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.words import with_parted_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SOURCE: Final = "supermetrics"
"""Name of the tables' source in models of dbt."""
USUAL_DAYS: Final = 7
"""So many days with rows tell what is usual for an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The spellings of a warehouse that differ from others'.

    Attributes:
        quote: around a name.
        add_days: a day some days later, of `$day` and `$count`.
        today: the current day.
        create: the beginning of a statement that makes a view.
        day: a value as a day, of `$value`.
        text: the type of short texts.
    """

    quote: str = '"'
    add_days: str = "($day + $count)"
    today: str = "CURRENT_DATE"
    create: str = "CREATE OR REPLACE VIEW"
    day: str = "CAST($value AS DATE)"
    text: str = "VARCHAR(100)"


DIALECTS: Final[Mapping[str, Dialect]] = {
    "postgres": Dialect(),
    "duckdb": Dialect(add_days="CAST($day + $count AS DATE)"),
    "snowflake": Dialect(add_days="DATEADD(day, $count, $day)"),
    "bigquery": Dialect(quote="`", add_days="DATE_ADD($day, INTERVAL $count DAY)", text="STRING"),
    "redshift": Dialect(add_days="CAST(DATEADD(day, $count, $day) AS DATE)"),
    "clickhouse": Dialect(
        quote="`",
        add_days="addDays($day, $count)",
        today="today()",
        day="toDate32OrNull(substring(toString($value), 1, 10))",
    ),
}
"""Warehouses by name."""
NAMINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "as-is": lambda name: name,
    "lower": str.lower,
    "upper": str.upper,
    "snake": lambda name: with_parted_words(name).lower(),
}
"""How loaders name tables and columns."""

# An answer whose rows are not in the table yet must not hide those that are. Its id is looked up by
# a join: of a subquery beside an OR, PostgreSQL reads all ids anew for each record of the log.
# `place`: where a LEFT JOIN finds nothing, ClickHouse gives zeros and not nulls.
_HAS_ROWS: Final = """\
    loaded AS (SELECT DISTINCT t.$_sm_schedule_id AS loaded_id, 1 AS place FROM $table AS t),
    log AS (
        SELECT l.*
        FROM $log_table AS l
        LEFT JOIN loaded AS i ON i.loaded_id = l.$schedule_id
        WHERE l.$report = $report_text
            AND (l.$status <> 'success' OR l.$row_count = 0 OR i.place = 1)
    )"""
_CURRENT_BY_DAY: Final = (
    "WITH\n"
    + _HAS_ROWS
    + """,
    days AS (SELECT DISTINCT $row_day AS loaded_day FROM $table AS t),
    answers AS (
        SELECT l.$account_id AS account_id, $log_first AS answered_day,
            l.$schedule_id AS schedule_id, l.$fetched_at AS fetched_at
        FROM log AS l
        WHERE l.$status = 'success' AND $log_first = $log_last
        UNION ALL
        SELECT l.$account_id, d.loaded_day, l.$schedule_id, l.$fetched_at
        FROM log AS l
        CROSS JOIN days AS d
        WHERE l.$status = 'success' AND $log_first < $log_last
            AND d.loaded_day >= $log_first AND d.loaded_day <= $log_last
    ),
    ranked AS (
        SELECT a.account_id, a.answered_day, a.schedule_id, a.fetched_at,
            ROW_NUMBER() OVER (
                PARTITION BY a.account_id, a.answered_day ORDER BY a.fetched_at DESC
            ) AS place
        FROM answers AS a
    ),
    newest AS (SELECT * FROM ranked AS r WHERE r.place = 1)
SELECT t.*
FROM $table AS t
LEFT JOIN newest AS n ON n.account_id = t.$_sm_account_id AND n.answered_day = $row_day
WHERE n.place IS NULL OR n.place = 0
    OR t.$_sm_schedule_id = n.schedule_id OR t.$_sm_fetched_at >= n.fetched_at
"""
)
_CURRENT_WHOLE: Final = (
    "WITH\n"
    + _HAS_ROWS
    + """,
    readings AS (
        SELECT l.$account_id AS account_id, l.$run_id AS run_id, MIN(l.$fetched_at) AS begun_at
        FROM log AS l
        GROUP BY l.$account_id, l.$run_id
        HAVING SUM(CASE WHEN l.$status = 'success' THEN 0 ELSE 1 END) = 0
    ),
    newest AS (
        SELECT r.account_id, MAX(r.begun_at) AS begun_at, 1 AS place
        FROM readings AS r
        GROUP BY r.account_id
    )
SELECT t.*
FROM $table AS t
LEFT JOIN newest AS n ON n.account_id = t.$_sm_account_id
WHERE n.place IS NULL OR n.place = 0 OR t.$_sm_fetched_at >= n.begun_at
"""
)
_DAYS: Final = """\
WITH
    digits AS (
        SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8
        UNION ALL SELECT 9
    ),
    numbers AS (
        SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n
        FROM digits AS a
        CROSS JOIN digits AS b
        CROSS JOIN digits AS c
        CROSS JOIN digits AS d
    ),
    log AS (
        SELECT l.$report AS report, l.$account_id AS account_id, $log_first AS first_day,
            $log_last AS last_day, $log_whole AS whole_day, l.$status AS status,
            l.$row_count AS row_count, l.$error_code AS error_code, l.$fetched_at AS fetched_at,
            l.$logged_at AS logged_at, l.$data_sampled AS data_sampled,
            l.$cache_used AS cache_used, $log_cached AS cached_day
        FROM $log_table AS l
    ),
    single_days AS (
        SELECT l.*, l.first_day AS log_day FROM log AS l WHERE l.first_day = l.last_day
    ),
    several_days AS (
        SELECT l.*, $day_of_several AS log_day
        FROM log AS l
        CROSS JOIN numbers AS x
        WHERE l.first_day < l.last_day AND $day_of_several <= l.last_day
    ),
    all_days AS (SELECT * FROM single_days UNION ALL SELECT * FROM several_days),
    ranked AS (
        SELECT d.*,
            ROW_NUMBER() OVER (
                PARTITION BY d.report, d.account_id, d.log_day ORDER BY d.logged_at DESC
            ) AS place
        FROM all_days AS d
    )"""
_COVERAGE: Final = (
    _DAYS
    + """,
    newest AS (SELECT * FROM ranked AS r WHERE r.place = 1),
    loaded AS (
        SELECT r.report AS report, r.account_id AS account_id, r.log_day AS log_day,
            MAX(r.fetched_at) AS loaded_at
        FROM ranked AS r
        WHERE r.status = 'success'
        GROUP BY r.report, r.account_id, r.log_day
    ),
    spans AS (
        SELECT l.report AS report, l.account_id AS account_id, MIN(l.first_day) AS first_day,
            MAX(l.last_day) AS last_day
        FROM log AS l
        WHERE l.first_day IS NOT NULL
        GROUP BY l.report, l.account_id
    ),
    calendar AS (
        SELECT s.report AS report, s.account_id AS account_id, $day_of_span AS calendar_day
        FROM spans AS s
        CROSS JOIN numbers AS x
        WHERE $day_of_span <= s.last_day
    )
SELECT c.report AS report, c.account_id AS account_id, c.calendar_day AS calendar_day,
    CASE
        WHEN n.place IS NULL OR n.place = 0 THEN 'missing'
        WHEN n.status <> 'success' THEN n.status
        WHEN n.whole_day IS NULL OR n.whole_day < c.calendar_day THEN 'partial'
        WHEN n.row_count = 0 THEN 'empty'
        ELSE 'done'
    END AS day_status,
    n.error_code AS error_code, n.row_count AS row_count, d.loaded_at AS loaded_at
FROM calendar AS c
LEFT JOIN newest AS n
    ON n.report = c.report AND n.account_id = c.account_id AND n.log_day = c.calendar_day
LEFT JOIN loaded AS d
    ON d.report = c.report AND d.account_id = c.account_id AND d.log_day = c.calendar_day
"""
)
_HEALTH: Final = (
    _DAYS
    + """,
    newest AS (SELECT * FROM ranked AS r WHERE r.place = 1),
    usual AS (
        SELECT n.report AS report, n.account_id AS account_id, AVG(n.row_count) AS usual_rows
        FROM newest AS n
        WHERE n.status = 'success' AND n.first_day = n.last_day AND n.row_count > 0
        GROUP BY n.report, n.account_id
        HAVING COUNT(*) >= $usual_days
    ),
    silent AS (
        SELECT l.report AS report, l.account_id AS account_id,
            MAX(CASE WHEN l.status = 'success' THEN $fetched_day END) AS succeeded_on
        FROM log AS l
        GROUP BY l.report, l.account_id
    )
SELECT a.report AS report, a.account_id AS account_id, a.log_day AS log_day,
    'failed twice' AS issue, a.error_code AS detail
FROM ranked AS a
INNER JOIN ranked AS b
    ON b.report = a.report AND b.account_id = a.account_id AND b.log_day = a.log_day
WHERE a.place = 1 AND b.place = 2 AND a.status = 'failed' AND b.status = 'failed'
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'estimated', NULL
FROM newest AS n
WHERE n.status = 'success' AND n.data_sampled
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'cached before its day was over', NULL
FROM newest AS n
WHERE n.status = 'success' AND n.cache_used AND n.cached_day <= n.log_day
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'few rows', CAST(n.row_count AS $text)
FROM newest AS n
INNER JOIN usual AS u ON u.report = n.report AND u.account_id = n.account_id
WHERE n.status = 'success' AND n.first_day = n.last_day AND n.row_count * 5 < u.usual_rows
UNION ALL
SELECT s.report, s.account_id, s.succeeded_on, 'no success for days', NULL
FROM silent AS s
WHERE s.succeeded_on IS NULL OR $silent_until < $today
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """The place of the tables, and the spelling of their names.

    Attributes:
        dialect: of the SQL.
        schema: of all tables; empty for that of the session.
        naming: what the loader makes of a name.
        log: name of the query log's stream.
        silent_days: after so many days without a success an account is looked at.
        is_dbt: whether tables are named as sources of dbt.
    """

    dialect: Dialect
    schema: str
    naming: Callable[[str], str]
    log: str
    silent_days: int
    is_dbt: bool = False

    def column(self, name: str) -> str:
        """Return a column or a view as SQL names it."""
        return self._quoted(self.naming(name))

    def table(self, name: str) -> str:
        """Return a table as SQL names it."""
        if self.is_dbt:
            return f"{{{{ source('{SOURCE}', '{self.naming(name)}') }}}}"
        schema = f"{self._quoted(self.schema)}." if self.schema else ""
        return schema + self.column(name)

    def current(self, report: str, day: str) -> str:
        """Return the query of the rows of a report that are still there.

        A row is hidden if a newer successful query, of another schedule id, covers its account and
        day, and that query's rows are in the table or it had none. Of a report that is read whole,
        the newest reading without a failure counts.

        Args:
            report: its name.
            day: the column that holds the day of a row; empty for a report that is read whole.
        """
        names = {
            "table": self.table(report),
            "report_text": "'" + report.replace("'", "''") + "'",
            "row_day": self._day(f"t.{self.column(day)}") if day else "",
        }
        return self._filled(_CURRENT_BY_DAY if day else _CURRENT_WHOLE, names)

    def coverage(self) -> str:
        """Return the query of what became of each day of each account, by the query log."""
        return self._filled(_COVERAGE, {})

    def health(self) -> str:
        """Return the query of what a person should look at, by the query log."""
        return self._filled(_HEALTH, {})

    def statement(self, view: str, query: str) -> str:
        """Return the statement that makes a view of a query."""
        return f"{self.dialect.create} {self.table(view)} AS\n{query.rstrip()};\n"

    def views(self, reports: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Return all views, each with its query.

        Args:
            reports: by name, the column that holds the day of a row; empty: read whole.
        """
        for name, day in reports.items():
            yield f"{name}_current", self.current(name, day)
        yield "supermetrics_coverage", self.coverage()
        yield "supermetrics_health", self.health()

    def _filled(self, text: str, names: Mapping[str, str]) -> str:
        columns = [
            "report",
            "account_id",
            "status",
            "row_count",
            "schedule_id",
            "fetched_at",
            "logged_at",
            "run_id",
            "error_code",
            "data_sampled",
            "cache_used",
        ]
        values: dict[str, Any] = {name: self.column(name) for name in columns}
        values |= {name: self.column(name) for name in (ACCOUNT_ID, FETCHED_AT, SCHEDULE_ID)}
        logged = {
            "log_first": "first_day",
            "log_last": "last_day",
            "log_whole": "last_whole_day",
            "log_cached": "cache_time",
        }
        values |= {key: self._day(f"l.{self.column(name)}") for key, name in logged.items()}
        values |= {
            "log_table": self.table(self.log),
            "fetched_day": self._day("l.fetched_at"),
            "day_of_several": self._later("l.first_day", "x.n"),
            "day_of_span": self._later("s.first_day", "x.n"),
            "silent_until": self._later("s.succeeded_on", str(self.silent_days)),
            "today": self.dialect.today,
            "usual_days": USUAL_DAYS,
            "text": self.dialect.text,
        }
        return Template(text).substitute(values | dict(names))

    def _quoted(self, name: str) -> str:
        mark = self.dialect.quote
        return f"{mark}{name.replace(mark, mark * 2)}{mark}"

    def _day(self, value: str) -> str:
        return Template(self.dialect.day).substitute(value=value)

    def _later(self, day: str, count: str) -> str:
        return Template(self.dialect.add_days).substitute(day=day, count=count)
