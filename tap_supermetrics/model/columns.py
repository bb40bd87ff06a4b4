"""The columns that the tap adds to each record, beside the fields of the report."""

from __future__ import annotations

from typing import Final

METADATA_PREFIX: Final = "_sm_"
"""No field of a report begins so."""
ACCOUNT_ID: Final = f"{METADATA_PREFIX}account_id"
DATE: Final = f"{METADATA_PREFIX}date"
FETCHED_AT: Final = f"{METADATA_PREFIX}fetched_at"
SCHEDULE_ID: Final = f"{METADATA_PREFIX}schedule_id"
DIMENSIONS: Final = f"{METADATA_PREFIX}dimensions"
METADATA_COLUMNS: Final = (ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID, DIMENSIONS)
