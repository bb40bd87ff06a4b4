"""The same results by the vendor's own Python client, as a script would use it.

`python -m tests.benchmarks.official URL RESULTS ROWS`: a line of JSON for each row, without schema
or state. The client knows no results, pages or batches: it asks for the rows of one day at a time,
whole.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import supermetrics

from tests.benchmarks.server import ACCOUNT, API_KEY, FIELDS, FIRST_DAY


def main(url: str, results: int, rows: int) -> None:
    with supermetrics.SupermetricsClient(api_key=API_KEY, base_url=url) as client:
        for number in range(results):
            day = str(FIRST_DAY + timedelta(days=number))
            answer = client.queries.execute(
                ds_id="AW",
                ds_accounts=[ACCOUNT],
                fields=list(FIELDS),
                start_date=day,
                end_date=day,
                max_rows=rows,
            )
            for row in answer.data:
                record = {"_sm_account_id": ACCOUNT, **dict(zip(FIELDS, row, strict=True))}
                sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
