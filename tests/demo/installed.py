"""The package as a user gets it: `.ci/package` runs this in a clean environment with the wheel.

Nothing of the checkout is importable there but this folder.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo import processes
from tests.demo.emulator import running_emulator

if TYPE_CHECKING:
    from tests.demo.emulator import Emulator

TODAY = date(2024, 6, 1)


def main() -> None:
    """Try the commands, the files beside the code, and a small sync."""
    for arguments in (("--version",), ("--help",), ("--about", "--format=json")):
        command("tap-supermetrics", *arguments)
    command("tap-supermetrics-emulator", "--help")
    for name in ("py.typed", "meltano-plugin.yml"):
        if not files("tap_supermetrics").joinpath(name).is_file():
            raise FileNotFoundError(name)
    with running_emulator(TODAY) as emulator:
        sync(emulator)


def sync(emulator: Emulator) -> None:
    """A week of one account: seven days with rows, and a state that says so."""
    config = {
        "api_url": emulator.api_url,
        "api_key": emulator.api_key,
        "start_date": str(TODAY - timedelta(days=7)),
        "end_date": str(TODAY - timedelta(days=1)),
        "queries": [
            {
                "name": "google_ads",
                "ds_id": "AW",
                "ds_accounts": ["4713896205"],
                "fields": ["Date", "CampaignID", "Cost"],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        file.write_text(json.dumps(config), encoding="utf-8")
        output = command("tap-supermetrics", "--config", str(file))
    days = set(re.findall(r'"_sm_date": ?"([\d-]+)"', output))
    if len(days) != 7 or not re.search(r'"type": ?"STATE"', output):
        raise processes.StepFailedError(f"{output}\nExpected 7 days and a state.")


def command(name: str, *arguments: str) -> str:
    """What a command of the package prints."""
    return processes.run((str(Path(sys.executable).with_name(name)), *arguments), dict(os.environ))


if __name__ == "__main__":
    main()
