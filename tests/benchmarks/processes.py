"""Processes, timed: each contender is one, with its stdout to /dev/null."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took.

    Attributes:
        wall_s: from start to end.
        cpu_s: user and system time.
        peak_mib: most memory ever held.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(arguments: Sequence[str]) -> Cost:
    """Run a command of Python to its end, as Python runs where nobody has set anything for it.

    So bytecode is kept from one run to the next, as it is wherever the tap is installed.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    line = [sys.executable, *arguments]
    environment = {n: value for n, value in os.environ.items() if not n.startswith("PYTHON")}
    with Popen(line, stdout=DEVNULL, stderr=PIPE, env=environment) as process:  # noqa: S603 - our own command
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)} failed: {said.decode()[-2000:]}")
    return Cost(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss / 1024,
    )


def show(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    for line in (headers, ["---"] + ["---:"] * (len(headers) - 1), *rows):
        print("|", " | ".join(map(str, line)), "|")  # noqa: T201
