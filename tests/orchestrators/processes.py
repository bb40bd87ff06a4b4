"""Finds the processes of a task, and kills them at once, as a node that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.orchestrators.nights import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCRIPT: Final = str(EXAMPLES / "meltano_run.py")


@contextlib.contextmanager
def serving(line: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[None]:
    """Keep an orchestrator running, its output in a file."""
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - an orchestrator
            line, env=env, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=20)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def kill_task(extractor: str) -> None:
    """Kill the process of a task, and what it started, with SIGKILL."""
    parents = _commands()
    (script,) = scripts(extractor)
    doomed = [parents[script][0], script]
    for number in sorted(parents):
        if parents[number][0] in doomed[1:]:
            doomed.append(number)
    for number in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def scripts(extractor: str) -> list[int]:
    """Return the processes of `meltano_run.py` for an extractor."""
    return [
        number
        for number, (_, command) in _commands().items()
        if SCRIPT in command and extractor in command
    ]


def _commands() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of each process, by its id."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (each / "stat").read_text().rpartition(")")[2].split()
            command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found[int(each.name)] = int(status[1]), command
    return found
