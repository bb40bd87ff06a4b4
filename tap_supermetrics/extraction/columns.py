"""Which column of a result is which field, where the API does not say so itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tap_supermetrics.api.fields import FieldEcho

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_supermetrics.model import Report

logger = logging.getLogger(__name__)


def columns_of(
    report: Report, told: Sequence[FieldEcho], width: int | None
) -> tuple[FieldEcho, ...]:
    """Return the fields of a result, each with its column.

    An answer without `meta.query.fields`, or without their `data_column`, is read in the order in
    which the fields were asked for; but only where it has one column for each of them. A field that
    is split by column has none, so some with and some without are left as they are.

    Args:
        report: what was asked.
        told: the fields, as the answer repeats them.
        width: how many columns the first row has; None without rows.
    """
    if any(each.data_column is not None for each in told):
        return tuple(told)
    fields = told or [FieldEcho(id=name) for name in report.fields]
    # To guess would put numbers under wrong names; without columns, the query fails aloud.
    if width not in {None, len(fields)}:
        return tuple(told)
    if width is not None:
        text = "%s: a result does not tell its columns; they are read in the order of `fields`"
        logger.warning(text, report.name)
    return tuple(
        msgspec.structs.replace(each, data_column=place) for place, each in enumerate(fields)
    )
