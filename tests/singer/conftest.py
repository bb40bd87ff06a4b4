from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """On the morning of 10 June 2024, with queries of a few hundredths of a second."""
    options = Options(
        clock_factor=60.0, now="2024-06-10T04:00:00+00:00", min_seconds=1.0, max_seconds=3.0
    )
    with Emulator(options=options) as running:
        yield running
