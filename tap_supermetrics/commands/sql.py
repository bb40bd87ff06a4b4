"""`sql`: views for a warehouse, made from the settings."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tap_supermetrics.commands.connection import collected_warnings
from tap_supermetrics.commands.dialects import DIALECTS, NAMINGS
from tap_supermetrics.commands.view_needs import day_columns, mistakes_in_views, notes_on_views
from tap_supermetrics.commands.views import SOURCE, Warehouse
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.sync.query_log import SCHEMA

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from tap_supermetrics.commands.connection import Connection

FORMATS: Final = ("sql", "dbt")
MODELS: Final = "models"
MAX_SILENT_DAYS: Final = 10_000
ABOUT = "print views: rows that are still there, which days are done, what to look at"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--dialect", choices=[*DIALECTS], required=True)
    parser.add_argument("--schema", default="", help="schema (dataset, database) of the tables")
    parser.add_argument(
        "--naming",
        choices=[*NAMINGS],
        default="as-is",
        help="what the loader makes of the names of tables and columns",
    )
    parser.add_argument(
        "--silent-days",
        type=_days_of,
        default=3,
        metavar="N",
        help="an account without a success for more days is looked at (3)",
    )
    parser.add_argument(
        "--catalog", help="file with the catalog that a run is given: it may leave columns out"
    )
    parser.add_argument(
        "--dbt",
        metavar="FOLDER",
        help=f"write models and sources of dbt there, as `--format dbt` does into `{MODELS}`",
    )


def _days_of(text: str) -> int:
    with suppress(ValueError):
        if 0 <= (days := int(text)) <= MAX_SILENT_DAYS:
            return days
    raise ArgumentTypeError(f"expected days from 0 to {MAX_SILENT_DAYS:,}, got {text!r}")


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the views; or write them as models.

    Raises:
        SettingsError: a table or column is missing, or a file cannot be written.
    """
    settings = connection.settings
    reports = day_columns(connection)
    with collected_warnings():
        # `check` prints what is doubtful for a run.
        tables = connection.begin({}, args.catalog).tables
    naming, dialect = NAMINGS[args.naming], DIALECTS[args.dialect]
    if mistakes := [*mistakes_in_views(settings, tables, reports, naming, dialect.longest_name)]:
        raise SettingsError(mistakes)
    for note in notes_on_views(tables):
        sys.stderr.write(f"note: {note}\n")
    folder = args.dbt or (MODELS if args.format == "dbt" else None)
    names = {each.stream: each.names[0] for each in tables}
    warehouse = Warehouse(
        dialect=dialect,
        schema=args.schema,
        naming=naming,
        log=names[settings.query_log_name],
        tables=names,
        silent_days=args.silent_days,
        is_dbt=folder is not None,
        ranges={each.name for each in settings.reports if each.date_range_type},
    )
    if folder is None:
        for view, query in warehouse.views(reports):
            print(warehouse.statement(view, query))  # noqa: T201 - the output of the command
        return 0
    _write_models(Path(folder), warehouse, reports)
    return 0


def _write_models(folder: Path, warehouse: Warehouse, reports: Mapping[str, str]) -> None:
    tables: list[dict[str, Any]] = [
        {"name": warehouse.naming(warehouse.tables.get(name, name))} for name in reports
    ]
    columns = [
        {"name": warehouse.naming(name), "description": each["description"]}
        for name, each in SCHEMA["properties"].items()
    ]
    tables.append({"name": warehouse.naming(warehouse.log), "columns": columns})
    source = {
        "name": SOURCE,
        # Without one, dbt takes the name of the source for it.
        "schema": warehouse.schema or "{{ target.schema }}",
        # The models name columns as the loader does, in quotes; so must dbt the tables.
        "quoting": {"identifier": True},
        "tables": tables,
    }
    sources = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "supermetrics_sources.yml").write_text(sources, encoding="utf-8")
        for view, query in warehouse.views(reports):
            (folder / f"{warehouse.naming(view)}.sql").write_text(query, encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"--dbt: {folder} cannot be written ({error.strerror})"]) from None
