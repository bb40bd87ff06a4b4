"""The same results by dlt, declared as its `rest_api` source.

`python -m tests.benchmarks.dlt_source URL RESULTS`: dlt's extract step, which writes the rows as
JSON lines into a folder of its own, as the tap writes them to stdout. What dlt does after that,
normalising and loading, is a target's work and left out. dlt is not among the project's
dependencies: `pip install dlt` first.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_resources

from tests.benchmarks.server import ACCOUNT, FIELDS, FIRST_DAY, PAGE_ROWS


def record(row: list[Any]) -> dict[str, Any]:
    return {"_sm_account_id": ACCOUNT, **dict(zip(FIELDS, row, strict=True))}


def resources(url: str, results: int, **table: Any) -> Any:  # noqa: ANN401 - dlt's own
    """Declare a resource for each result.

    Args:
        url: address of the server.
        results: how many.
        table: how dlt is to write the table.
    """
    days = [str(FIRST_DAY + timedelta(days=number)) for number in range(results)]
    return rest_api_resources(
        {
            "client": {"base_url": url},
            "resource_defaults": table,
            "resources": [
                {
                    "name": f"google_ads_{day}",
                    "table_name": "google_ads",
                    "endpoint": {
                        "path": "query/results",
                        "params": {"schedule_id": f"qrb_0_query_1_acc_1_{day}"},
                        "paginator": {
                            "type": "offset",
                            "limit": PAGE_ROWS,
                            "total_path": "meta.result.total_rows",
                        },
                        "data_selector": "data",
                    },
                    "processing_steps": [{"map": record}],
                }
                for day in days
            ],
        }
    )


def main(url: str, results: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("benchmark", pipelines_dir=folder, destination="filesystem")
        pipeline.extract(resources(url, results))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
