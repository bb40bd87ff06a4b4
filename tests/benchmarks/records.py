"""Records a second: results that wait already, 1,000,000 rows x 20 columns.

`python -m tests.benchmarks.records` compares, in one run and by turns, whole processes that read
the same results by HTTP and write them to /dev/null: the stock path of the SDK, the tap, and the
floor (msgspec's typed decode and `encode_lines`, and no more); beside them a plain loop.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.processes import Cost, run, show
from tests.benchmarks.server import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

STOCK, LOOP, TAP, FLOOR = "stock SDK path", "requests loop", "tap-supermetrics", "floor"
ONCE = {STOCK, LOOP}
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
    return {
        STOCK: ["-m", "tests.benchmarks.stock", "--config", str(folder / "stock.json")],
        LOOP: ["-m", "tests.benchmarks.loop", url, str(results)],
        TAP: ["-m", "tap_supermetrics.tap", "--config", str(folder / "tap.json")],
        FLOOR: ["-m", "tests.benchmarks.floor", url, str(results), str(rows)],
    }


def measured(results: int, rows: int, rounds: int, *, with_stock: bool) -> dict[str, Cost]:
    """The best of some rounds, by contender."""
    costs: dict[str, list[Cost]] = {}
    with serving(rows) as server, tempfile.TemporaryDirectory() as folder:
        lines = contenders(Path(folder), server.url, server.config(results), (results, rows))
        for number in range(rounds):
            for name, line in lines.items():
                if name not in ONCE or (with_stock and number == 0):
                    costs.setdefault(name, []).append(run(line))
    return {name: min(each, key=lambda cost: cost.wall_s) for name, each in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=10)
    parser.add_argument("--rows", type=int, default=100_000, help="of each result")
    parser.add_argument("--rounds", type=int, default=5, help="of all but the stock path")
    parser.add_argument("--without-stock", action="store_true")
    given = parser.parse_args()
    count = given.results * given.rows
    empty = measured(1, 1, given.rounds, with_stock=not given.without_stock)
    costs = measured(given.results, given.rows, given.rounds, with_stock=not given.without_stock)
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
    print(f"\ntap / floor: {rates[TAP] / rates[FLOOR]:.2f} (aim {AIM_OVER_FLOOR})")  # noqa: T201


if __name__ == "__main__":
    main()
