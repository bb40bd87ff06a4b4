"""`sql`: views for a warehouse, made from the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tap_supermetrics.commands.dialects import DIALECTS, NAMINGS
from tap_supermetrics.commands.views import SOURCE, Warehouse
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.sync.discovery import discover

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from tap_supermetrics.commands.connection import Connection

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
        type=int,
        default=3,
        metavar="N",
        help="an account without a success for more days is looked at (3)",
    )
    parser.add_argument(
        "--dbt", metavar="FOLDER", help="write models and sources of dbt there, instead of printing"
    )


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the views; or write them as models.

    Raises:
        SettingsError: a report lacks the columns that they need, or a file cannot be written.
    """
    settings = connection.settings
    schemas = discover(connection.lookups, settings.reports)
    lacking = [each.path for each in settings.reports if not each.metadata_columns]
    if lacking:
        raise SettingsError(
            [f"{path}.metadata_columns: expected true: views tell rows by them" for path in lacking]
        )
    warehouse = Warehouse(
        dialect=DIALECTS[args.dialect],
        schema=args.schema,
        naming=NAMINGS[args.naming],
        log=settings.query_log_name,
        silent_days=args.silent_days,
        is_dbt=args.dbt is not None,
    )
    reports = {name: schema.replication_key or schema.day for name, schema in schemas.items()}
    if args.dbt is None:
        for view, query in warehouse.views(reports):
            print(warehouse.statement(view, query))  # noqa: T201 - what the command is for
        return 0
    _write_models(Path(args.dbt), warehouse, reports)
    return 0


def _write_models(folder: Path, warehouse: Warehouse, reports: Mapping[str, str]) -> None:
    source = {
        "name": SOURCE,
        **({"schema": warehouse.schema} if warehouse.schema else {}),
        # The models name columns as the loader does, in quotes; so must dbt the tables.
        "quoting": {"identifier": True},
        "tables": [{"name": warehouse.naming(name)} for name in (*reports, warehouse.log)],
    }
    sources = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "supermetrics_sources.yml").write_text(sources, encoding="utf-8")
        for view, query in warehouse.views(reports):
            (folder / f"{warehouse.naming(view)}.sql").write_text(query, encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"--dbt: {folder} cannot be written ({error.strerror})"]) from None
