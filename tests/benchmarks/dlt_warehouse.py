"""The same results by dlt's `rest_api` source into PostgreSQL, merged by key.

`python -m tests.benchmarks.dlt_warehouse URL RESULTS FOLDER FORMAT DATASET`, with the address of
the server in a variable of dlt. dlt is not among the project's dependencies.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import dlt

from tests.benchmarks.dlt_source import resources
from tests.benchmarks.server import FRACTIONS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = ("_sm_account_id", "Date", *TEXTS)
# Else a whole number among fractions gets a column of its own.
COLUMNS = {name: {"data_type": "double"} for name in FRACTIONS}


def main(arguments: Sequence[str]) -> None:
    url, results, folder, file_format, dataset = arguments
    pipeline = dlt.pipeline(
        "benchmark",
        pipelines_dir=folder,
        destination="postgres",
        dataset_name=dataset,
    )
    merged = resources(
        url, int(results), primary_key=[*KEY], columns=COLUMNS, write_disposition="merge"
    )
    pipeline.run(merged, loader_file_format=file_format)


if __name__ == "__main__":
    main(sys.argv[1:])
