"""Commands that end when the demo ends, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROJECT = Path(__file__).resolve().parents[2]


class StepFailedError(Exception):
    """A command failed; the message has what it said."""


def run(command: Sequence[str], env: Mapping[str, str], *, cwd: Path = PROJECT) -> str:
    """Run a command to its end; gives what it printed.

    Raises:
        StepFailedError: it exited with another code than 0.
    """
    with started(command, env, cwd=cwd) as process:
        output, _ = process.communicate()
    if process.returncode:
        said = f"{output}\n{' '.join(command)}: exit code {process.returncode}"
        raise StepFailedError(said)
    return output


@contextlib.contextmanager
def started(
    command: Sequence[str], env: Mapping[str, str], *, cwd: Path = PROJECT
) -> Iterator[subprocess.Popen[str]]:
    """A running command, its output in one pipe; what still runs at the end is stopped."""
    process = subprocess.Popen(  # noqa: S603 - the commands of the demo
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        # A group of its own, so that what it started in turn can be stopped with it.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    for stop in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    if process.stdout:
        process.stdout.close()
