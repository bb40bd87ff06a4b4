"""`fields DS_ID [SEARCH]`: the fields of a data source, for `fields` of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_supermetrics.commands.output import print_json, print_table, warn_of_no_match

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from tap_supermetrics.api.fields import FieldInfo
    from tap_supermetrics.commands.connection import Connection

ABOUT = "list the fields of a data source, for `fields` of a report"
_TYPES = {"dim": "dimension", "met": "metric"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("source", metavar="DS_ID", help="id of a data source, such as AW")
    parser.add_argument(
        "search", metavar="SEARCH", nargs="?", default="", help="part of id or name"
    )


def run(args: argparse.Namespace, connection: Connection) -> int:
    """Print the fields; with a search, those that match best come first."""
    matching = found(connection.client.fields(args.source), args.search)
    if args.format == "json":
        print_json([_as_json(each) for each in matching])
    else:
        heads = ("FIELD ID", "NAME", "TYPE", "DATA TYPE", "GROUP", "NOTE")
        print_table(heads, map(_as_row, matching))
    if args.search and not matching:
        warn_of_no_match(args.search)
    return 0


def found(listed: Iterable[FieldInfo], search: str) -> list[FieldInfo]:
    """Return the fields that match a search, those that match best first."""
    ranked = [
        (rank, each) for each in listed if (rank := _rank(each, search.casefold())) is not None
    ]
    return [each for _, each in sorted(ranked, key=lambda pair: pair[0])]


def _rank(field: FieldInfo, search: str) -> int | None:
    """Return how well a field matches, 0 the best; None where it does not."""
    texts = field.field_id.casefold(), field.field_name.casefold()
    matches = (
        search in texts,
        any(each.startswith(search) for each in texts),
        any(search in each for each in texts),
        all(word in " ".join(texts) for word in search.split()),
    )
    return next((rank for rank, is_match in enumerate(matches) if is_match), None)


def _as_json(field: FieldInfo) -> dict[str, object]:
    return {
        "field_id": field.field_id,
        "field_name": field.field_name,
        "field_type": field.field_type,
        "data_type": field.data_type,
        "group_name": field.group_name,
        "is_filterable": field.is_filterable,
        "is_non_aggregatable": field.is_non_aggregatable,
        "report_types": _report_types(field),
    }


def _as_row(field: FieldInfo) -> tuple[str, ...]:
    kind = _TYPES.get(field.field_type, field.field_type)
    special = "; ".join(_special(field))
    return field.field_id, field.field_name, kind, field.data_type, field.group_name, special


def _special(field: FieldInfo) -> Iterator[str]:
    """Yield what distinguishes a field from most others."""
    if field.is_non_aggregatable:
        yield "not to be summed"
    if not field.is_filterable:
        yield "not in filters"
    if (types := _report_types(field)) not in ([], ["Default"]):
        yield f"only with fields of {' or '.join(types)}"


def _report_types(field: FieldInfo) -> list[str]:
    types = field.report_types
    return [*map(str, types)] if isinstance(types, list) else []
