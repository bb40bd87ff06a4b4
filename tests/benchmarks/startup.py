"""Start-up: `--version`, `--about`, a command and one small sync, against `import singer_sdk`.

`python -m tests.benchmarks.startup` measures whole processes, by turns, and takes the best of each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Final

from tap_supermetrics.emulator import Emulator, Options
from tests.benchmarks.processes import Cost, run, show
from tests.tap import config_for

IMPORT: Final = "import singer_sdk"
ACCOUNTS: Final = "accounts AW"
SYNC: Final = "sync of one small query"
AIM: Final = 1.2
AIM_ACCOUNTS: Final = 1.3
AIM_SYNC_S: Final = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    tap = ["-m", "tap_supermetrics"]
    report = {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205"],
        "fields": ["Date", "Campaignname", "Cost"],
    }
    day = {"start_date": "2024-06-09", "end_date": "2024-06-09"}
    options = Options(
        clock_factor=100.0, now="2024-06-10T04:00:00+00:00", min_seconds=1.0, max_seconds=5.0
    )
    costs: dict[str, list[Cost]] = {}
    with Emulator(options=options) as emulator, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(config_for(emulator, [report], **day)))
        commands = {
            IMPORT: ["-c", "import singer_sdk"],
            "--version": [*tap, "--version"],
            "--about": [*tap, "--about"],
            ACCOUNTS: [*tap, "accounts", "AW", "--config", str(file)],
            SYNC: [*tap, "--config", str(file)],
        }
        for _ in range(given.rounds):
            for name, arguments in commands.items():
                costs.setdefault(name, []).append(run(arguments))
        best = {name: min(each.wall_s for each in found) for name, found in costs.items()}
    of_version = f"{AIM_ACCOUNTS} of --version"
    aims = {SYNC: f"{AIM_SYNC_S} s", IMPORT: "", ACCOUNTS: of_version}
    show(
        ["process", "best", f"to `{IMPORT}`", "aim"],
        [
            [name, f"{wall_s:.2f} s", f"{wall_s / best[IMPORT]:.2f}", aims.get(name, f"{AIM}")]
            for name, wall_s in best.items()
        ],
    )


if __name__ == "__main__":
    main()
