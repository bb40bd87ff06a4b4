"""An emulator and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.emulator.client import Client

Start = Callable[..., Client]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts emulators with given options; time stands still unless told otherwise."""
    with ExitStack() as stack:

        def started(**options: object) -> Client:
            chosen = {"clock_factor": 0.0, **options}
            emulator = stack.enter_context(Emulator(options=Options(**chosen)))  # type: ignore[arg-type]  # its own names
            return stack.enter_context(Client(emulator))

        yield started


@pytest.fixture
def api(start: Start) -> Client:
    """A client of an emulator with default options whose time stands still."""
    return start()
