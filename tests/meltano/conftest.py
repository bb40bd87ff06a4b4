"""One project and one emulator for a module: each command of Meltano's takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.meltano.project import Project, made_project

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


@pytest.fixture(scope="module")
def project(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Project:
    pytest.importorskip("meltano")
    made = made_project(tmp_path_factory.mktemp("project"), emulator)
    made.told("config", "set", "tap-supermetrics", "api_key", emulator.api_key)
    return made
