"""Results a second from an API that is far away, at 15 requests a second, the default.

`python -m tests.benchmarks.latency` has the emulator begin answers after 0, 200, 400 and 800 ms,
and prints how many results were fetched in a second, from the first to the last of them, the most
memory that the tap held, and the most threads that it had.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, Final

from tap_supermetrics.emulator import Emulator, Options
from tests.benchmarks.processes import show
from tests.tap import command, config_for

RATE: Final = 15
AIM: Final = "at least 11 at 800 ms"
AIM_MIB: Final = 100
FIRST: Final = date(2023, 1, 1)
CLOCK_FACTOR: Final = 500.0
REPORT: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Campaignname", "Device", "Cost", "Clicks"],
}


def measured(latency_s: float, results: int) -> tuple[float, float, int]:
    """Return results a second, the peak of memory in MiB, and the most threads."""
    options = Options(
        clock_factor=CLOCK_FACTOR,
        now="2024-06-10T04:00:00+00:00",
        min_seconds=1.0,
        max_seconds=2.0,
        latency_seconds=latency_s,
        batch_start_seconds=0.0,
        # Hours pass while the results of a batch are fetched.
        results_retention_seconds=1e6,
        batch_status_retention_seconds=1e6,
    )
    with Emulator(options=options) as emulator, tempfile.TemporaryDirectory() as folder:
        last = FIRST + timedelta(days=results - 1)
        dates = {"start_date": str(FIRST), "end_date": str(last)}
        config = config_for(emulator, [REPORT], **dates) | {"requests_per_second": RATE}
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config))
        threads, peak_mib = _run(file)
        fetched = [each for each in emulator.requests if each.path.endswith("query/results")]
    times = sorted(each.at / CLOCK_FACTOR for each in fetched)
    if len(times) != results:
        raise RuntimeError(f"expected {results} results, {len(times)} were fetched")
    return (len(times) - 1) / (times[-1] - times[0]), peak_mib, threads


def _run(config: Path) -> tuple[int, float]:
    line = command("--config", str(config))
    most = [0]
    with Popen(line, stdout=DEVNULL, stderr=DEVNULL) as process:  # noqa: S603 - our own command
        threading.Thread(target=_watch, args=(process.pid, most), daemon=True).start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the tap ended with {process.returncode}")
    return most[0], usage.ru_maxrss / 1024


def _watch(pid: int, most: list[int]) -> None:
    tasks = Path(f"/proc/{pid}/task")
    while tasks.exists():
        try:
            most[0] = max(most[0], len(os.listdir(tasks)))  # noqa: PTH208 - they come and go
        except OSError:
            return
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=300)
    parser.add_argument("--ms", type=int, nargs="+", default=[0, 200, 400, 800])
    given = parser.parse_args()
    table = []
    for ms in given.ms:
        rate, peak_mib, threads = measured(ms / 1000, given.results)
        print(f"{ms} ms: {rate:.1f} results a second", file=sys.stderr)  # noqa: T201
        table.append([f"{ms} ms", f"{rate:.1f}", f"{peak_mib:.0f} MiB", threads])
    headers = ["latency", f"results/s ({AIM})", f"peak memory (aim < {AIM_MIB} MiB)", "threads"]
    show(headers, table)


if __name__ == "__main__":
    main()
