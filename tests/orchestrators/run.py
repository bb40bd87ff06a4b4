"""Runs the examples, each in an environment of its own, and prints a table.

`./dev orchestrators [cron] [airflow] [dagster]`: without names, all. The environments are kept in
`.meltano/orchestrators`, so that the second time takes no installation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.orchestrators import airflow, cron, dagster
from tests.orchestrators.nights import CACHE, NEEDED, emulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.emulator import Emulator
    from tests.orchestrators.nights import Result

AIRFLOW: Final = "apache-airflow>=3.1,<4"
DAGSTER: Final = ("dagster>=1.13,<2", "dagster-webserver")
LOADER: Final = "target-jsonl==0.1.4"
NAMES: Final = ("cron", "airflow", "dagster")


def main(names: list[str]) -> None:
    """Run the examples that are named.

    Raises:
        AssertionError: one of them does not do what its README says.
    """
    if unknown := {*names} - {*NAMES}:
        sys.exit(f"no example {', '.join(unknown)}; there are {', '.join(NAMES)}")
    loader = installed("target-jsonl", LOADER)
    say("| Orchestrator | Rows | Queries | Needed | Paid when killed | Seconds |")
    say("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in names or NAMES:
        if name == "cron":
            try_cron(loader)
        elif name == "dagster":
            program = installed("dagster", *DAGSTER)
            report("Dagster", partial(dagster.two_nights, loader=loader, dagster=program))
        else:
            program = installed("airflow", AIRFLOW)
            report("Airflow", partial(airflow.two_nights, loader=loader, airflow=program))


def try_cron(loader: Path) -> None:
    """Run the script for cron, and have systemd look at the units."""
    if said := cron.verify_units():
        sys.exit(said)
    report("cron", partial(cron.two_nights, loader=loader))
    with tempfile.TemporaryDirectory() as folder, emulated() as emulator:
        cron.exit_codes(Path(folder), emulator, loader)


def report(name: str, two_nights: Callable[[Path, Emulator], Result]) -> None:
    """Run one example, and print its line."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, emulated() as emulator:
        result = two_nights(Path(folder), emulator)
    seconds = time.monotonic() - started
    cells = (name, result.rows, result.queries, NEEDED, result.killed_after, f"{seconds:.0f}")
    say(f"| {' | '.join(map(str, cells))} |")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def installed(name: str, *requirements: str) -> Path:
    """Return a program in an environment of its own, made where it is missing."""
    folder = CACHE / name
    program = folder / "bin" / name
    if not program.exists():
        sys.stderr.write(f"Installing {' '.join(requirements)} (only the first time)\n")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603 - fixed
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
        subprocess.run(pip, check=True)  # noqa: S603 - fixed
    return program


if __name__ == "__main__":
    main(sys.argv[1:])
