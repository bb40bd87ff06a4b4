"""One emulator for the tests of a module, as it was at first before each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    shared.reset()
    return shared
