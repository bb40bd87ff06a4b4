"""One project and one emulator for a module: each command of Meltano's takes seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.meltano.project import Project, add_tap, made_project

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=200.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        yield running


@pytest.fixture(scope="session")
def added(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("meltano")
    return add_tap(tmp_path_factory.mktemp("added"))


@pytest.fixture(scope="module")
def project(added: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return made_project(tmp_path_factory.mktemp("project"), added, emulator)
