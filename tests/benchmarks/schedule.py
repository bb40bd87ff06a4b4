"""Wall time against the shortest possible, and requests: drawn loads on the emulator.

`python -m tests.benchmarks.schedule` runs the tap over loads whose durations are drawn, and
compares with two schedules without any delay: every place of the license busy until nothing is
left, and what the API's limits allow, two batches of at most 100 queries at a time, whose places
stay empty while the last queries of a batch run. Before, it shows by simulation what the ways to
pack queries into batches would take.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tap_supermetrics.emulator import Emulator, Options
from tests.benchmarks.processes import run, show
from tests.tap import config_for

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST: Final = date(2024, 6, 9)
PER_BATCH: Final = 100
SIDE_BY_SIDE: Final = 2
AIM: Final = 1.05
AIM_MORE_S: Final = 2.0
AIM_REQUESTS: Final = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of the API.

    Attributes:
        queries: of one day each.
        concurrency: queries of one batch at the same time.
        license_concurrency: queries at the same time, over everything.
        min_s: shortest run of a query, in seconds of the emulator's clock.
        max_s: longest.
        factor: seconds of the emulator's clock for each real one.
    """

    queries: int
    concurrency: int
    license_concurrency: int
    min_s: float
    max_s: float
    factor: float

    def __str__(self) -> str:
        return (
            f"{self.queries} x {self.min_s:.0f}-{self.max_s:.0f} s, {self.concurrency} a batch, "
            f"license {self.license_concurrency}"
        )

    @property
    def places(self) -> int:
        return min(self.license_concurrency, self.concurrency * SIDE_BY_SIDE)


LOADS: Final = (
    Load(queries=100, concurrency=5, license_concurrency=10, min_s=5, max_s=15, factor=5),
    Load(queries=120, concurrency=5, license_concurrency=10, min_s=2, max_s=20, factor=5),
    Load(queries=1210, concurrency=5, license_concurrency=10, min_s=2, max_s=20, factor=40),
    Load(queries=1000, concurrency=5, license_concurrency=10, min_s=10, max_s=10.01, factor=20),
    Load(queries=1200, concurrency=20, license_concurrency=10, min_s=2, max_s=20, factor=40),
    Load(queries=5000, concurrency=10, license_concurrency=20, min_s=2, max_s=20, factor=50),
)


def on_places(durations: Sequence[float], places: int) -> float:
    """When the last ends, each taking the first free place, the longest first."""
    free = [0.0] * places
    for duration in sorted(durations, reverse=True):
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def in_batches(durations: Sequence[float], sizes: Sequence[int], load: Load) -> float:
    """When the last of some batches ends, two running at a time, the license not binding."""
    slots, at = [0.0] * SIDE_BY_SIDE, 0
    for size in sizes:
        free = [slots[0]] * load.concurrency
        for duration in durations[at : at + size]:
            heapq.heapreplace(free, free[0] + duration)
        heapq.heapreplace(slots, max(free))
        at += size
    return max(slots)


def full_sizes(count: int) -> list[int]:
    return [min(PER_BATCH, count - start) for start in range(0, count, PER_BATCH)]


def equal_sizes(count: int) -> list[int]:
    number = math.ceil(math.ceil(count / PER_BATCH) / SIDE_BY_SIDE) * SIDE_BY_SIDE
    return [count * (n + 1) // number - count * n // number for n in range(number)]


def simulate() -> None:
    """What packing is worth, without any delay of polling."""
    draw, table = random.Random(1), []  # noqa: S311 - reproducible, guards nothing
    for count in (12, 100, 120, 250, 1210, 5000):
        load = Load(
            queries=count, concurrency=5, license_concurrency=10, min_s=2, max_s=20, factor=1
        )
        ratios = {"full": 0.0, "equal": 0.0}
        for _ in range(20):
            durations = [draw.uniform(load.min_s, load.max_s) for _ in range(count)]
            shortest = on_places(durations, load.places)
            ratios["full"] += in_batches(durations, full_sizes(count), load) / shortest
            ratios["equal"] += in_batches(durations, equal_sizes(count), load) / shortest
        table.append([count, f"{ratios['full'] / 20:.2f}", f"{ratios['equal'] / 20:.2f}"])
    show(["queries of 2-20 s", "batches of 100, then the rest", "equal, in pairs (the tap)"], table)


def measure(load: Load) -> list[object]:
    """Run the tap over a load."""
    first = LAST - timedelta(days=load.queries // 5 - 1)
    accounts = ["4713896205", "8820145937", "5096627718", "2645570913", "6604219873"]
    report = {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": accounts,
        "fields": ["Date", "Cost"],
        "max_days_per_query": 1,
    }
    options = Options(
        clock_factor=load.factor,
        now="2024-06-10T04:00:00+00:00",
        min_seconds=load.min_s,
        max_seconds=load.max_s,
        license_concurrency=load.license_concurrency,
        batch_start_seconds=0.0,
    )
    with Emulator(options=options) as emulator, tempfile.TemporaryDirectory() as folder:
        config = config_for(
            emulator,
            [report],
            start_date=first.isoformat(),
            end_date=LAST.isoformat(),
            query_concurrency=load.concurrency,
            requests_per_second=200,
        )
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config))
        cost = run(["-m", "tap_supermetrics", "--config", str(file)])
        kinds = Counter(_kind(each.method, each.path) for each in emulator.requests)
        took = {e.schedule_id: (e.ended or 0) - (e.started or 0) for e in emulator.queries}
        sizes = [len(batch.schedule_ids) for batch in emulator.batches]
        durations = [took[name] for batch in emulator.batches for name in batch.schedule_ids]
    batches = len(sizes)
    busy = on_places(durations, load.places)
    shortest = max(busy, in_batches(durations, sizes, load)) / load.factor
    polls, pages = kinds["polls"], kinds["pages"]
    allowed = batches + pages + cost.wall_s / 2
    asked = batches + pages + polls
    return [
        str(load),
        batches,
        f"{busy / load.factor:.1f} s",
        f"{shortest:.1f} s",
        f"{cost.wall_s:.1f} s",
        f"{(cost.wall_s - AIM_MORE_S) / shortest:.2f}",
        polls,
        f"{asked / allowed:.2f}",
    ]


def _kind(method: str, path: str) -> str:
    if method == "POST":
        return "starts"
    return "polls" if re.search("/status$", path) else "pages" if "results" in path else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, nargs="*", default=range(len(LOADS)))
    given = parser.parse_args()
    simulate()
    print()  # noqa: T201
    show(
        [
            "load",
            "batches",
            "all places busy",
            "shortest in batches",
            "tap",
            f"(tap - {AIM_MORE_S:.0f} s) / shortest (aim {AIM})",
            "polls",
            f"requests / needed (aim {AIM_REQUESTS})",
        ],
        [measure(LOADS[number]) for number in given.loads],
    )


if __name__ == "__main__":
    main()
