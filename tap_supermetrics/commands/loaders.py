"""Limits of loaders, and the names and keys of a report that exceed them.

Lengths of names are those of the databases (their documentation of identifiers); the effects on
hyphens, blank keys and rows read again were found by loading.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tap_supermetrics.records.kinds import ValueKind
from tap_supermetrics.records.names import as_targets_see

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_supermetrics.model import Report
    from tap_supermetrics.records.schema import RecordSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderLimits:
    """The limits of a loader on names and values.

    Attributes:
        name_bytes: longest name of a table or column.
        cuts_hyphens: whether it takes the part before a hyphen for a schema.
        refuses_blank_keys: whether a blank text in the key is null to it.
        has_keys: whether a row read again replaces the one before.
        refuses_long_columns: whether a column whose name is too long fails the load.
        note: what else to know; empty for nothing.
    """

    name_bytes: int = 63
    cuts_hyphens: bool = True
    refuses_blank_keys: bool = False
    has_keys: bool = True
    refuses_long_columns: bool = False
    note: str = ""


LOADERS: Final = {
    "target-postgres": LoaderLimits(refuses_long_columns=True),
    "pipelinewise-target-postgres": LoaderLimits(
        cuts_hyphens=False,
        refuses_blank_keys=True,
        note="control characters of texts, such as line breaks, become JSON escapes",
    ),
    "target-duckdb": LoaderLimits(
        refuses_blank_keys=True,
        note="version 0.8 loses the first row of a batch with DuckDB 1.3 or later; hold DuckDB "
        "below 1.3",
    ),
    "target-snowflake": LoaderLimits(name_bytes=255),
    "target-bigquery": LoaderLimits(name_bytes=300, cuts_hyphens=False),
    "target-redshift": LoaderLimits(name_bytes=127),
    "target-csv": LoaderLimits(
        name_bytes=200,
        cuts_hyphens=False,
        has_keys=False,
        note="its file is overwritten by each run unless its name holds `{timestamp}`",
    ),
    "target-s3": LoaderLimits(
        name_bytes=200,
        cuts_hyphens=False,
        has_keys=False,
        note="Parquet refuses columns of `format: time`; make them text by `types`; and times "
        "without offset become UTC",
    ),
    "target-jsonl": LoaderLimits(name_bytes=200, cuts_hyphens=False, has_keys=False),
}
"""Limits by the loader's name in Meltano; of another variant by its package."""


def limits_of(loader: str) -> LoaderLimits:
    """Return the limits of a loader; those of PostgreSQL, the strictest, where it is not known."""
    plain = loader.casefold().removeprefix("meltanolabs-")
    unknown = LoaderLimits(note="its limits are not known here; those of PostgreSQL were looked at")
    return LOADERS.get(plain, unknown)


def warnings_of(
    report: Report, schema: RecordSchema, limits: LoaderLimits
) -> Iterator[tuple[str, bool]]:
    """Yield what a loader would change, each with whether rows would be lost or refused."""
    if limits.cuts_hyphens and "-" in report.name:
        table = report.name.rpartition("-")[2]
        text = (
            f"{report.path}.name: its table is {table}; write `_` instead of `-` to keep it whole"
        )
        yield text, False
    yield from _long_names(report, schema.json_schema["properties"], limits)
    yield from _blank_keys(report, schema, limits)
    if not limits.has_keys:
        text = (
            "days read again stand beside the older ones; take the newest `_sm_fetched_at` of a key"
        )
        yield text, False
    if limits.note:
        yield limits.note, False


def _long_names(
    report: Report, columns: Iterable[str], limits: LoaderLimits
) -> Iterator[tuple[str, bool]]:
    """Yield names of tables and columns that are too long for the loader."""
    name_bytes = limits.name_bytes
    if len(report.name.encode()) > name_bytes:
        yield f"{report.path}.name: longer than {name_bytes} bytes, it is cut off", False
    shared: dict[str, list[str]] = defaultdict(list)
    for each in columns:
        shared[as_targets_see(each, name_bytes)].append(each)
    for names in shared.values():
        if len(names) > 1:
            text = (
                f"{report.path}.fields: {' and '.join(names)} become one column, as names are cut "
                f"off at {name_bytes} bytes; rename one by `stream_maps`"
            )
            yield text, True
        elif len(names[0].encode()) > name_bytes:
            effect = (
                "this loader fails; rename it by `stream_maps`"
                if limits.refuses_long_columns
                else "it is cut off"
            )
            text = f"{report.path}.fields: {names[0]} is longer than {name_bytes} bytes: {effect}"
            yield text, limits.refuses_long_columns


def _blank_keys(
    report: Report, schema: RecordSchema, limits: LoaderLimits
) -> Iterator[tuple[str, bool]]:
    """Yield text columns of the key whose blanks the loader refuses."""
    texts = [
        each.name
        for each in schema.fields
        if each.name in schema.key_properties and each.kind is ValueKind.TEXT
    ]
    if limits.refuses_blank_keys and texts and not report.blank_key_value:
        text = (
            f"{report.path}.blank_key_value: a blank {' or '.join(texts)} is null to this loader, "
            "which refuses it in a key; set it, for example to (none)"
        )
        yield text, True
