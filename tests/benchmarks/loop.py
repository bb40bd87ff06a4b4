"""The same results by a plain loop over `requests`, as a script would do it.

`python -m tests.benchmarks.loop URL RESULTS`: a line of JSON for each row, without schema or state.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import requests

from tests.benchmarks.server import ACCOUNT, FIELDS, FIRST_DAY, PAGE_ROWS


def main(url: str, results: int) -> None:
    session = requests.Session()
    for number in range(results):
        day = FIRST_DAY + timedelta(days=number)
        schedule_id, offset, total = f"qrb_0_query_1_acc_1_{day}", 0, 1
        while offset < total:
            page = {"schedule_id": schedule_id, "offset": offset, "limit": PAGE_ROWS}
            answer = session.get(f"{url}/query/results", params=page, timeout=60).json()  # type: ignore[arg-type] # numbers are fine
            total = answer["meta"]["result"]["total_rows"]
            offset += len(answer["data"])
            for row in answer["data"]:
                record = {"_sm_account_id": ACCOUNT, **dict(zip(FIELDS, row, strict=True))}
                sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
