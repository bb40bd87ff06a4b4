"""A backfill as large as any: memory, files, threads and state are watched while it goes."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.extraction.fetch_places import MOST_PLACES
from tests.attack.driver import LAST, options
from tests.tap import command, config_for

ACCOUNTS: Final = ("4713896205", "8820145937", "7391084456", "5096627718")
DAYS_PER_REPORT: Final = 250
ROWS_PER_QUERY: Final = 114
"""About as many as the terms of a day are, with the emulator's option below."""
SAMPLE_S: Final = 0.25


@dataclass(slots=True)
class Soak:
    """What was seen of one long run.

    Attributes:
        memory_mib: resident memory, sampled.
        files: open files and sockets, sampled.
        threads: threads, sampled.
        state_bytes: size of each STATE message.
    """

    queries: int = 0
    rows: int = 0
    seconds: float = 0.0
    code: int = 0
    stderr: str = ""
    memory_mib: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    state_bytes: list[int] = field(default_factory=list)
    rows_expected: int = 0

    def growth_mib(self) -> float:
        """How much more the last third took, at most, than the middle third."""
        third = max(len(self.memory_mib) // 3, 1)
        return max(self.memory_mib[-third:]) - max(self.memory_mib[third : 2 * third] or [0.0])

    @property
    def faults(self) -> list[str]:
        """What is not as promised."""
        found = []
        if self.code:
            found.append(f"exit {self.code}: {self.stderr[-300:]}")
        if self.rows != self.rows_expected:
            found.append(f"{self.rows_expected - self.rows} rows lost")
        if self.growth_mib() > 25:
            found.append(f"memory grew by {self.growth_mib():.0f} MiB")
        if max(self.files, default=0) > 200:
            found.append(f"{max(self.files)} files were open")
        if max(self.threads, default=0) > MOST_PLACES + 8:
            found.append(f"{max(self.threads)} threads")
        return found


def soak(queries: int) -> Soak:
    """A backfill of about so many queries, of a hundred rows each."""
    seen = Soak()
    reports = _reports(queries)
    quick = options(
        clock_factor=2000.0,
        min_seconds=1.0,
        max_seconds=20.0,
        terms_per_campaign=ROWS_PER_QUERY // 6,
        license_concurrency=100,
        # An hour is two seconds here; how long results live is attacked elsewhere.
        results_retention_seconds=1e6,
        batch_status_retention_seconds=1e6,
    )
    with tempfile.TemporaryDirectory() as name, Emulator(options=quick) as emulator:
        config = config_for(
            emulator,
            reports,
            start_date=str(LAST - timedelta(days=DAYS_PER_REPORT - 1)),
            end_date=str(LAST),
            requests_per_second=1000,
            query_concurrency=50,
        )
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(config))
        _run(folder, seen)
        seen.queries = len(emulator.queries)
        seen.rows_expected = sum(query.rows or 0 for query in emulator.queries)
    return seen


def _reports(queries: int) -> list[dict[str, Any]]:
    count = max(1, round(queries / (len(ACCOUNTS) * DAYS_PER_REPORT)))
    return [
        {
            "name": f"terms_{number}",
            "ds_id": "AW",
            "ds_accounts": list(ACCOUNTS),
            "fields": ["Date", "Campaignname", "SearchTerm", "Cost", "Clicks"],
        }
        for number in range(count)
    ]


def _run(folder: Path, seen: Soak) -> None:
    begun = time.monotonic()
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(  # noqa: S603 - our own command
            command("--config", str(folder / "config.json")),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "TAP_SUPERMETRICS_LOGLEVEL": "WARNING"},
        ) as process,
    ):
        watcher = threading.Thread(target=_watch, args=(process, seen), daemon=True)
        watcher.start()
        assert process.stdout
        for line in process.stdout:
            # Not parsed: the reader must not be slower than the writer.
            if line.startswith(b'{"type":"RECORD"'):
                seen.rows += 1
            elif line.startswith(b'{"type":"STATE"'):
                seen.state_bytes.append(len(line))
        seen.code = process.wait()
        watcher.join()
    seen.seconds = time.monotonic() - begun
    seen.stderr = (folder / "stderr").read_text()


def _watch(process: subprocess.Popen[bytes], seen: Soak) -> None:
    place = Path(f"/proc/{process.pid}")
    while process.poll() is None and place.exists():
        try:
            status = (place / "status").read_text()
            files = len(list((place / "fd").iterdir()))
        except OSError:  # it has just ended
            return
        facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if "VmRSS" in facts:
            seen.memory_mib.append(int(facts["VmRSS"].split()[0]) / 1024)
            seen.threads.append(int(facts["Threads"]))
            seen.files.append(files)
        time.sleep(SAMPLE_S)
