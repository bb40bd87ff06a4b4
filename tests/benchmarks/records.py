"""Records a second: results that wait already, 1,000,000 rows x 20 columns.

`python -m tests.benchmarks.records` compares, in one run and by turns, whole processes that read
the same results by HTTP and write them as lines of JSON: the stock path of the SDK, dlt, the
vendor's own client, a plain loop, the tap to stdout, with its query log, and to BATCH files with
gzip, and the floor (msgspec's typed decode and `encode_lines`, and no more). dlt is no dependency
of the project; it is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.processes import Cost, run, show
from tests.benchmarks.server import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

STOCK, DLT, OFFICIAL = "stock SDK path", "dlt, `rest_api` source", "the vendor's client"
LOOP, TAP, FLOOR = "`requests` and `json`, a plain loop", "tap-supermetrics", "floor"
LOGGED = "tap-supermetrics, query log"
BATCH = "tap-supermetrics, BATCH files with gzip"
ONCE = {STOCK, DLT, OFFICIAL, LOOP}
"""Slow, and so measured in the first round only."""
AIM_OVER_STOCK: Final = 15
AIM_OVER_FLOOR: Final = 0.75


def contenders(
    folder: Path, url: str, config: Mapping[str, object], size: tuple[int, int]
) -> dict[str, list[str]]:
    """Command line of each contender, by its name."""
    results, rows = size
    (folder / "tap.json").write_text(json.dumps(config))
    (folder / "stock.json").write_text(json.dumps({"url": url, "results": results}))
    batch_config = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"{folder}/files"},
    }
    (folder / "logged.json").write_text(json.dumps({**config, "query_log": True}))
    (folder / "batch.json").write_text(json.dumps({**config, "batch_config": batch_config}))
    dlt = {DLT: ["-m", "tests.benchmarks.dlt_source", url, str(results)]}
    return {
        STOCK: ["-m", "tests.benchmarks.stock", "--config", str(folder / "stock.json")],
        **(dlt if importlib.util.find_spec("dlt") else {}),
        OFFICIAL: ["-m", "tests.benchmarks.official", url, str(results), str(rows)],
        LOOP: ["-m", "tests.benchmarks.loop", url, str(results)],
        TAP: ["-m", "tap_supermetrics", "--config", str(folder / "tap.json")],
        LOGGED: ["-m", "tap_supermetrics", "--config", str(folder / "logged.json")],
        BATCH: ["-m", "tap_supermetrics", "--config", str(folder / "batch.json")],
        FLOOR: ["-m", "tests.benchmarks.floor", url, str(results), str(rows)],
    }


def measured(results: int, rows: int, rounds: int, *, with_slow: bool) -> dict[str, Cost]:
    """The best of some rounds, by contender."""
    costs: dict[str, list[Cost]] = {}
    with serving(rows) as server, tempfile.TemporaryDirectory() as folder:
        lines = contenders(Path(folder), server.url, server.config(results), (results, rows))
        for number in range(rounds):
            for name, line in lines.items():
                if name not in ONCE or (with_slow and number == 0):
                    costs.setdefault(name, []).append(run(line))
                    shutil.rmtree(f"{folder}/files", ignore_errors=True)
    return {name: min(each, key=lambda cost: cost.wall_s) for name, each in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=10)
    parser.add_argument("--rows", type=int, default=100_000, help="of each result")
    parser.add_argument("--rounds", type=int, default=5, help="of the tap and the floor")
    parser.add_argument("--without-slow", action="store_true")
    given = parser.parse_args()
    count = given.results * given.rows
    empty = measured(1, 1, given.rounds, with_slow=not given.without_slow)
    costs = measured(given.results, given.rows, given.rounds, with_slow=not given.without_slow)
    rates = {name: count / cost.wall_s for name, cost in costs.items()}
    print(f"{given.results} results of {given.rows:,} rows, best of {given.rounds} rounds\n")  # noqa: T201
    show(
        ["", "records/s", "of which start", "records/s after start", "CPU", "peak memory"],
        [
            [
                name,
                f"{rates[name]:,.0f}",
                f"{empty[name].wall_s:.2f} of {cost.wall_s:.2f} s",
                f"{count / (cost.wall_s - empty[name].wall_s):,.0f}",
                f"{cost.cpu_s:.2f} s",
                f"{cost.peak_mib:.0f} MiB",
            ]
            for name, cost in costs.items()
        ],
    )
    if STOCK in rates:
        print(f"\ntap / stock: {rates[TAP] / rates[STOCK]:.1f} (aim {AIM_OVER_STOCK})")  # noqa: T201
    print(f"\nquery log / tap: {rates[LOGGED] / rates[TAP]:.2f}")  # noqa: T201
    print(f"\nBATCH / tap: {rates[BATCH] / rates[TAP]:.2f}")  # noqa: T201
    after_start = {n: 1 / (cost.wall_s - empty[n].wall_s) for n, cost in costs.items()}
    print(  # noqa: T201
        f"\ntap / floor: {rates[TAP] / rates[FLOOR]:.2f}, after the start "
        f"{after_start[TAP] / after_start[FLOOR]:.2f} (aim {AIM_OVER_FLOOR})"
    )


if __name__ == "__main__":
    main()
