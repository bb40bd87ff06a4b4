"""Views over the tables of reports and of the query log, as SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.model.columns import ACCOUNT_ID, FETCHED_AT, SCHEDULE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tap_supermetrics.commands.dialects import Dialect

SOURCE: Final = "supermetrics"
"""Name of the tables' source in models of dbt."""
USUAL_DAYS: Final = 7
"""How many days with rows show what is usual for an account."""
REPORT_COLUMNS: Final = (ACCOUNT_ID, FETCHED_AT, SCHEDULE_ID)
"""Columns of each report that the views read, beside its day."""
_LOGGED: Final = (
    "report",
    "account_id",
    "status",
    "row_count",
    "rows_by_day",
    "schedule_id",
    "fetched_at",
    "logged_at",
    "error_code",
    "data_sampled",
    "cache_used",
)
_LOGGED_DAYS: Final = {
    "log_first": "first_day",
    "log_last": "last_day",
    "log_from": "range_start",
    "log_until": "range_end",
    "log_whole": "last_whole_day",
}
LOG_COLUMNS: Final = (*_LOGGED, *_LOGGED_DAYS.values())
"""Columns of the query log that the views read."""

# The days of a range, by its length: with any other condition than that the lengths are equal,
# PostgreSQL reads the whole log for each of the 10,000 numbers.
_STEPS: Final = """\
    _sm_digits AS (
        SELECT 0 AS n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
        UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8
        UNION ALL SELECT 9
    ),
    _sm_numbers AS (
        SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n
        FROM _sm_digits AS a
        CROSS JOIN _sm_digits AS b
        CROSS JOIN _sm_digits AS c
        CROSS JOIN _sm_digits AS d
    ),
    _sm_steps AS (
        SELECT h.length AS length, x.n AS n
        FROM _sm_lengths AS h
        INNER JOIN _sm_numbers AS x ON x.n <= h.length
    )"""
# An answer whose rows are not in the table yet must not hide those that are. Its id is looked up by
# a join: of a subquery beside an OR, PostgreSQL reads all ids anew for each record of the log.
# `place`: where a LEFT JOIN finds nothing, ClickHouse gives zeros and not nulls.
_ANSWERS: Final = """\
    _sm_loaded AS $once(
        SELECT DISTINCT t.$_sm_schedule_id AS loaded_id, 1 AS place FROM $table AS t
    ),
    _sm_log AS $once(
        SELECT l.$account_id AS account_id, COALESCE($log_first, $log_from) AS first_day,
            COALESCE($log_last, $log_until) AS last_day, l.$schedule_id AS schedule_id,
            l.$fetched_at AS fetched_at, l.$rows_by_day AS rows_by_day, i.place AS has_rows,
            CASE WHEN l.$row_count = 0 OR i.place = 1 THEN 1 ELSE 0 END AS counts
        FROM $log_table AS l
        LEFT JOIN _sm_loaded AS i ON i.loaded_id = l.$schedule_id
        WHERE l.$report = $report_text AND l.$status = 'success'
    ),
    _sm_of_all_days AS (
        SELECT l.account_id AS account_id, l.schedule_id AS schedule_id,
            l.fetched_at AS fetched_at,
            ROW_NUMBER() OVER (PARTITION BY l.account_id ORDER BY l.fetched_at DESC) AS place
        FROM _sm_log AS l
        WHERE l.first_day IS NULL AND l.counts = 1$and_has_no_range
    )"""
# Of several days, one without rows is answered though all rows of the others were replaced since.
_CURRENT_BY_DAY: Final = (
    "WITH\n"
    + _ANSWERS
    + """,
    _sm_days AS (SELECT DISTINCT $row_day AS loaded_day FROM $table AS t),
    _sm_lengths AS (
        SELECT DISTINCT $log_length AS length FROM _sm_log AS l WHERE l.first_day < l.last_day
    ),
"""
    + _STEPS
    + """,
    _sm_answers AS (
        SELECT l.account_id AS account_id, l.first_day AS answered_day,
            l.schedule_id AS schedule_id, l.fetched_at AS fetched_at
        FROM _sm_log AS l
        WHERE l.first_day = l.last_day AND l.counts = 1
        UNION ALL
        SELECT l.account_id, $day_of_several, l.schedule_id, l.fetched_at
        FROM _sm_log AS l
        INNER JOIN _sm_steps AS s ON s.length = $log_length
        WHERE l.first_day < l.last_day AND (l.counts = 1 OR $rows_of_day = 0)
        UNION ALL
        SELECT l.account_id, d.loaded_day, l.schedule_id, l.fetched_at
        FROM _sm_of_all_days AS l
        CROSS JOIN _sm_days AS d
        WHERE l.place = 1
    ),
    _sm_ranked AS (
        SELECT a.account_id, a.answered_day, a.schedule_id, a.fetched_at,
            ROW_NUMBER() OVER (
                PARTITION BY a.account_id, a.answered_day ORDER BY a.fetched_at DESC
            ) AS place
        FROM _sm_answers AS a
    ),
    _sm_newest AS (SELECT * FROM _sm_ranked AS r WHERE r.place = 1)
SELECT t.*
FROM $table AS t
LEFT JOIN _sm_newest AS n ON n.account_id = t.$_sm_account_id AND n.answered_day = $row_day
WHERE n.place IS NULL OR n.place = 0
    OR t.$_sm_schedule_id = n.schedule_id OR t.$_sm_fetched_at >= n.fetched_at
"""
)
# Rows without a day have the days of their query. A query for all days replaces all before it.
_CURRENT_WHOLE: Final = (
    "WITH\n"
    + _ANSWERS
    + """,
    _sm_replaced AS (
        SELECT DISTINCT o.schedule_id AS schedule_id, 1 AS place
        FROM _sm_log AS o
        INNER JOIN _sm_log AS w ON w.account_id = o.account_id
        WHERE o.has_rows = 1 AND w.counts = 1 AND w.fetched_at > o.fetched_at
            AND w.first_day <= o.first_day AND w.last_day >= o.last_day
    ),
    _sm_newest AS (SELECT * FROM _sm_of_all_days AS r WHERE r.place = 1)
SELECT t.*
FROM $table AS t
LEFT JOIN _sm_newest AS n ON n.account_id = t.$_sm_account_id
LEFT JOIN _sm_replaced AS x ON x.schedule_id = t.$_sm_schedule_id
WHERE (x.place IS NULL OR x.place = 0)
    AND (
        n.place IS NULL OR n.place = 0
        OR t.$_sm_schedule_id = n.schedule_id OR t.$_sm_fetched_at >= n.fetched_at
    )
"""
)
_DAYS: Final = (
    """\
WITH
    _sm_log AS (
        SELECT l.$report AS report, l.$account_id AS account_id, $log_first AS first_day,
            $log_last AS last_day, $log_whole AS whole_day, l.$status AS status,
            l.$row_count AS row_count, l.$rows_by_day AS rows_by_day,
            l.$error_code AS error_code, l.$fetched_at AS fetched_at,
            l.$logged_at AS logged_at, l.$data_sampled AS data_sampled,
            l.$cache_used AS cache_used
        FROM $log_table AS l
    ),
    _sm_spans AS (
        SELECT l.report AS report, l.account_id AS account_id, MIN(l.first_day) AS first_day,
            MAX(l.last_day) AS last_day
        FROM _sm_log AS l
        WHERE l.first_day IS NOT NULL
        GROUP BY l.report, l.account_id
    ),
    _sm_lengths AS (
        SELECT DISTINCT u.length AS length
        FROM (
            SELECT $log_length AS length FROM _sm_log AS l WHERE l.first_day < l.last_day
            UNION ALL
            SELECT $log_length AS length FROM _sm_spans AS l
        ) AS u
    ),
"""
    + _STEPS
    + """,
    _sm_single_days AS (
        SELECT l.*, l.first_day AS log_day, l.row_count AS day_rows
        FROM _sm_log AS l
        WHERE l.first_day = l.last_day OR l.first_day IS NULL
    ),
    _sm_several_days AS (
        SELECT l.*, $day_of_several AS log_day,
            CASE WHEN l.row_count = 0 THEN 0 ELSE $rows_of_day END AS day_rows
        FROM _sm_log AS l
        INNER JOIN _sm_steps AS s ON s.length = $log_length
        WHERE l.first_day < l.last_day
    ),
    _sm_all_days AS (SELECT * FROM _sm_single_days UNION ALL SELECT * FROM _sm_several_days),
    _sm_ranked AS (
        SELECT d.*,
            ROW_NUMBER() OVER (
                PARTITION BY d.report, d.account_id, d.log_day ORDER BY d.logged_at DESC
            ) AS place
        FROM _sm_all_days AS d
    )"""
)
_COVERAGE: Final = (
    _DAYS
    + """,
    _sm_newest AS (SELECT * FROM _sm_ranked AS r WHERE r.place = 1),
    _sm_loaded AS (
        SELECT r.report AS report, r.account_id AS account_id, r.log_day AS log_day,
            MAX(r.fetched_at) AS loaded_at
        FROM _sm_ranked AS r
        WHERE r.status = 'success'
        GROUP BY r.report, r.account_id, r.log_day
    ),
    _sm_calendar AS (
        SELECT l.report AS report, l.account_id AS account_id, $day_of_several AS calendar_day
        FROM _sm_spans AS l
        INNER JOIN _sm_steps AS s ON s.length = $log_length
    )
SELECT c.report AS report, c.account_id AS account_id, c.calendar_day AS calendar_day,
    CASE
        WHEN n.place IS NULL OR n.place = 0 THEN 'missing'
        WHEN n.status <> 'success' THEN n.status
        WHEN n.whole_day IS NULL OR n.whole_day < c.calendar_day THEN 'partial'
        WHEN n.day_rows = 0 THEN 'empty'
        ELSE 'done'
    END AS day_status,
    n.error_code AS error_code, n.day_rows AS row_count, d.loaded_at AS loaded_at
FROM _sm_calendar AS c
LEFT JOIN _sm_newest AS n
    ON n.report = c.report AND n.account_id = c.account_id AND n.log_day = c.calendar_day
LEFT JOIN _sm_loaded AS d
    ON d.report = c.report AND d.account_id = c.account_id AND d.log_day = c.calendar_day
UNION ALL
SELECT n.report, n.account_id, n.log_day,
    CASE
        WHEN n.status <> 'success' THEN n.status
        WHEN n.day_rows = 0 THEN 'empty'
        ELSE 'done'
    END,
    n.error_code, n.day_rows, d.loaded_at
FROM _sm_newest AS n
LEFT JOIN _sm_loaded AS d
    ON d.report = n.report AND d.account_id = n.account_id AND d.log_day IS NULL
WHERE n.log_day IS NULL
"""
)
_HEALTH: Final = (
    _DAYS
    + """,
    _sm_newest AS (SELECT * FROM _sm_ranked AS r WHERE r.place = 1),
    _sm_usual AS (
        SELECT n.report AS report, n.account_id AS account_id, AVG(n.day_rows) AS usual_rows
        FROM _sm_newest AS n
        WHERE n.status = 'success' AND n.day_rows > 0
        GROUP BY n.report, n.account_id
        HAVING COUNT(*) >= $usual_days
    ),
    _sm_silent AS (
        SELECT l.report AS report, l.account_id AS account_id, MIN($logged_day) AS begun_on,
            MAX(CASE WHEN l.status = 'success' THEN $fetched_day END) AS succeeded_on
        FROM _sm_log AS l
        GROUP BY l.report, l.account_id
    )
SELECT a.report AS report, a.account_id AS account_id, a.log_day AS log_day,
    'failed twice' AS issue, MAX(CASE WHEN a.place = 1 THEN a.error_code END) AS detail
FROM _sm_ranked AS a
WHERE a.place <= 2
GROUP BY a.report, a.account_id, a.log_day
HAVING SUM(CASE WHEN a.status = 'failed' THEN 1 ELSE 0 END) = 2
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'estimated', NULL
FROM _sm_newest AS n
WHERE n.status = 'success' AND n.data_sampled
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'cached before its day was over', NULL
FROM _sm_newest AS n
WHERE n.status = 'success' AND n.cache_used AND n.log_day IS NOT NULL
    AND (n.whole_day IS NULL OR n.whole_day < n.log_day)
UNION ALL
SELECT n.report, n.account_id, n.log_day, 'few rows', CAST(n.day_rows AS $text)
FROM _sm_newest AS n
INNER JOIN _sm_usual AS u ON u.report = n.report AND u.account_id = n.account_id
WHERE n.status = 'success' AND n.day_rows * 5 < u.usual_rows
UNION ALL
SELECT s.report, s.account_id, s.succeeded_on, 'no success for days', NULL
FROM _sm_silent AS s
WHERE $silent_until < $today
"""
)


def names_of_views(tables: Iterable[str]) -> Iterator[str]:
    """Return the names of the views over the tables of reports and over the log, in order."""
    yield from (f"{each}_current" for each in tables)
    yield from ("supermetrics_coverage", "supermetrics_health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """The place of the tables, and the spelling of their names.

    Attributes:
        dialect: of the SQL.
        schema: of all tables; empty for that of the session.
        naming: what the loader makes of a name.
        log: table of the query log.
        silent_days: after how many days without a success an account is named.
        is_dbt: whether tables are named as sources of dbt.
        tables: of reports, by name, where the table has another name.
        ranges: reports that read a range of the API's. An answer that does not tell which days that
            was says nothing of any day.
    """

    dialect: Dialect
    schema: str
    naming: Callable[[str], str]
    log: str
    silent_days: int
    is_dbt: bool = False
    tables: Mapping[str, str] = field(default_factory=dict)
    ranges: Collection[str] = ()

    def column(self, name: str) -> str:
        """Return the SQL of a column's or a view's name."""
        return self._quoted(self.naming(name))

    def table(self, name: str) -> str:
        """Return the SQL of a table's name."""
        if self.is_dbt:
            text = self.naming(name).replace("\\", "\\\\").replace("'", "\\'")
            return f"{{{{ source('{SOURCE}', '{text}') }}}}"
        schema = f"{self._quoted(self.schema)}." if self.schema else ""
        return schema + self.column(name)

    def current(self, report: str, day: str) -> str:
        """Return the query of the rows of a report that are still at the source.

        A row is hidden if a newer successful query, of another schedule id, covers its account and
        day, and that query's rows are in the table, or it had none, or none of that day. Rows
        without a day have the days of their query.

        Args:
            report: its name.
            day: the column with the day of a row; empty where none has it.
        """
        names = {
            "table": self.table(self.tables.get(report, report)),
            "report_text": "'" + report.replace("'", "''") + "'",
            "row_day": self._day(f"t.{self.column(day)}") if day else "",
            "and_has_no_range": " AND 1 = 0" if report in self.ranges else "",
        }
        return self._filled(_CURRENT_BY_DAY if day else _CURRENT_WHOLE, names)

    def coverage(self) -> str:
        """Return the query of the status of each day of each account, by the query log."""
        return self._filled(_COVERAGE, {})

    def health(self) -> str:
        """Return the query of issues that need a person, by the query log."""
        return self._filled(_HEALTH, {})

    def statement(self, view: str, query: str) -> str:
        """Return the statement that makes a view of a query."""
        return f"{self.dialect.create} {self.table(view)} AS\n{query.rstrip()};\n"

    def views(self, reports: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield all views, each with its query.

        Args:
            reports: by name, the column with the day of a row; empty where none has it.
        """
        tables = [self.tables.get(name, name) for name in reports]
        currents = (self.current(name, day) for name, day in reports.items())
        yield from zip(
            names_of_views(tables), (*currents, self.coverage(), self.health()), strict=True
        )

    def _filled(self, text: str, names: Mapping[str, str]) -> str:
        values: dict[str, Any] = {name: self.column(name) for name in (*_LOGGED, *REPORT_COLUMNS)}
        values |= {key: self._day(f"l.{self.column(name)}") for key, name in _LOGGED_DAYS.items()}
        values |= {
            "log_table": self.table(self.log),
            "fetched_day": self._day("l.fetched_at"),
            "logged_day": self._day("l.logged_at"),
            "day_of_several": self._later("l.first_day", "s.n"),
            "rows_of_day": self._part("l.rows_by_day", "s.n"),
            "log_length": Template(self.dialect.length).substitute(
                first="l.first_day", last="l.last_day"
            ),
            "silent_until": self._later(
                "COALESCE(s.succeeded_on, s.begun_on)", str(self.silent_days)
            ),
            "once": self.dialect.once,
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

    def _part(self, texts: str, place: str) -> str:
        return Template(self.dialect.part).substitute(texts=texts, place=place)

    def _later(self, day: str, count: str) -> str:
        return Template(self.dialect.add_days).substitute(day=day, count=count)
