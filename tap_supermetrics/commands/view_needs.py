"""The needs of the views: tables that are loaded, with columns as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.commands.views import LOG_COLUMNS, REPORT_COLUMNS, names_of_views
from tap_supermetrics.sync.discovery import discover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tap_supermetrics.commands.connection import Connection
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.singer.tables import Table


def day_columns(connection: Connection) -> dict[str, str]:
    """Return the column with the day of a row, by report; empty where none has it.

    Raises:
        TapError: as in a run before it plans.
    """
    schemas = discover(connection.lookups, connection.settings.reports)
    return {name: each.replication_key or each.day for name, each in schemas.items()}


def mistakes_in_views(
    settings: Settings,
    tables: Sequence[Table],
    days: Mapping[str, str],
    naming: Callable[[str], str] = str,
    longest_name: int = 255,
) -> Iterator[str]:
    """Yield why views would fail, or would find nothing, a line each.

    Args:
        settings: the configuration.
        tables: those of each stream.
        days: columns by report, of `day_columns`.
        naming: what the loader makes of a name.
        longest_name: bytes of the longest name that the warehouse has.
    """
    if not settings.query_log:
        yield "query_log: expected true: the views read the query log"
    for report in settings.reports:
        if not report.metadata_columns:
            yield f"{report.path}.metadata_columns: expected true: the views tell rows by them"
    needs: dict[str, Collection[str]] = {settings.query_log_name: LOG_COLUMNS}
    needs |= {name: (*REPORT_COLUMNS, day) for name, day in days.items()}
    for table in tables:
        yield from _lacks(table, needs.get(table.stream, ()))
        if table.is_filtered and table.stream not in days:
            yield f"stream_maps: {table.stream}: the views need all of the log; remove `__filter__`"
    yield from _clashes(settings, tables, days, naming, longest_name)


def notes_on_views(tables: Sequence[Table]) -> Iterator[str]:
    """Yield what views show that is no more at the source, a line each."""
    for table in tables:
        if table.is_filtered:
            yield (
                f"stream_maps: {table.stream}: where `__filter__` leaves out all rows of a newer "
                "reading, the older rows stay; set `filter` in the report instead"
            )


def _lacks(table: Table, needed: Collection[str]) -> Iterator[str]:
    """Yield which needed columns of a stream do not arrive, by the setting to change."""
    if not table.is_selected:
        yield f"--catalog: {table.stream} is not selected, but the views read its table"
    elif not table.names:
        yield f"stream_maps: {table.stream} is mapped to nothing, but the views read its table"
    elif deselected := [each for each in needed if each in table.deselected]:
        names = ", ".join(deselected)
        yield f"--catalog: {table.stream}: the views read what is deselected; select {names}"
    elif changed := [each for each in needed if each in table.changed]:
        yield (
            f"stream_maps: {table.stream}: the views read columns that are removed, renamed or "
            f"changed; keep as they are: {', '.join(changed)}"
        )


def _clashes(
    settings: Settings,
    tables: Sequence[Table],
    days: Mapping[str, str],
    naming: Callable[[str], str],
    longest_name: int,
) -> Iterator[str]:
    """Yield tables with the name of a view, as the loader and the warehouse spell both."""
    paths = {each.name: f"{each.path}.name" for each in settings.reports}
    reports = [each.names[0] for each in tables if each.names and each.stream in days]

    def spelt(name: str) -> str:
        return naming(name).casefold().encode()[:longest_name].decode(errors="ignore")

    views = {*map(spelt, names_of_views(reports))}
    for table in tables:
        for name in table.names:
            if spelt(name) in views:
                path = paths.get(table.stream, "query_log_name")
                where = path if name == table.stream else f"stream_maps: {table.stream}"
                yield f"{where}: {name} is the name of a view too; choose another one"
