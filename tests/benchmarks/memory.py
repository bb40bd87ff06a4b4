"""Peak memory: one result of a million rows, and a thousand results of a thousand rows.

`python -m tests.benchmarks.memory` reads each once as fast as possible and once as a slow target
does, and prints the most memory that the tap ever held, and what it held in the middle of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Final

from tests.benchmarks.processes import show
from tests.benchmarks.server import serving

AIM_MIB: Final = 90
CHUNK: Final = 1 << 20


def peak(config: dict[str, object], bytes_per_s: float | None) -> tuple[int, float, float]:
    """Bytes written, and the peak of memory after a fifth of the run and at its end, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config))
        line = [sys.executable, "-m", "tap_supermetrics", "--config", str(file)]
        peaks: list[float] = []
        total, started = 0, time.monotonic()
        with Popen(line, stdout=PIPE, stderr=DEVNULL) as process:  # noqa: S603 - our own command
            assert process.stdout
            while chunk := os.read(process.stdout.fileno(), CHUNK):
                total += len(chunk)
                peaks.append(_peak_mib(process.pid))
                if bytes_per_s:
                    time.sleep(max(0.0, started + total / bytes_per_s - time.monotonic()))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the tap ended with {process.returncode}")
    return total, peaks[len(peaks) // 5], usage.ru_maxrss / 1024


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) / 1024 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=float, default=20.0, help="MB/s that a slow target reads")
    given = parser.parse_args()
    table = []
    for results, rows in ((1, 999_999), (1_000, 1_000)):
        for name, speed in (("fast", None), ("slow", given.slow * 1e6)):
            with serving(rows) as server:
                total, early, end = peak(server.config(results), speed)
            table.append(
                [
                    f"{results:,} x {rows:,} rows",
                    name,
                    f"{total / 1e6:,.0f} MB",
                    f"{early:.0f} MiB",
                    f"{end:.0f} MiB",
                ]
            )
    show(
        ["results", "target", "written", "peak after a fifth", f"peak (aim < {AIM_MIB} MiB)"], table
    )


if __name__ == "__main__":
    main()
