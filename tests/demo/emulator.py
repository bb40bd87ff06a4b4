"""The emulated Supermetrics as a command of its own, and its control plane."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import urllib.request
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.demo import processes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

_SECONDS_OF_DAY = 24 * 60 * 60
_SPEED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query that the emulator was asked: a data source, its accounts, and a date range."""

    ds_id: str
    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator.

    Attributes:
        origin: its scheme, host and port.
        api_key: a key that it accepts.
    """

    origin: str
    api_key: str

    @property
    def api_url(self) -> str:
        """The address for the tap."""
        return f"{self.origin}/enterprise/v2"

    def pass_a_day(self) -> None:
        """Move its clock on by 24 hours."""
        self._control("clock", {"advance": _SECONDS_OF_DAY})

    def queries(self) -> Sequence[Query]:
        """All queries so far, in the order of their arrival."""
        return [
            Query(
                ds_id=each["ds_id"],
                first=date.fromisoformat(each["first"]),
                last=date.fromisoformat(each["last"]),
            )
            for each in self._control("queries")
        ]

    def _control(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}/emulator/{path}", data)  # noqa: S310
        # Not through a proxy: it is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)


@contextlib.contextmanager
def running_emulator(today: date) -> Iterator[Emulator]:
    """An emulator on a free port, whose calendar shows this day."""
    command = (
        str(Path(sys.executable).with_name("tap-supermetrics-emulator")),
        "--port=0",
        f"--now={today}T04:00:00+00:00",
        f"--clock-factor={_SPEED}",
    )
    with processes.started(command, dict(os.environ)) as process:
        greeting = _greeting(process)
        origin = re.search(r"http://[\w.]+:\d+", greeting)
        key = re.search(r"API key: +(\S+)", greeting)
        if not origin or not key:
            raise processes.StepFailedError(f"{greeting}\nThe emulator did not start.")
        yield Emulator(origin=origin[0], api_key=key[1])


def _greeting(process: subprocess.Popen[str]) -> str:
    """What it prints before it serves; when it fails instead, all that it says."""
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if line.startswith("Stop it"):
            break
    return "".join(lines)
