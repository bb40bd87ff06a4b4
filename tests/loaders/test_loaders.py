"""Tables hold the truth after two nights of odd values, by the settings that make a loader fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.loaders.loaders import FAST_POSTGRES
from tests.loaders.nights import two_nights

if TYPE_CHECKING:
    from pathlib import Path


def test_postgres_without_validation_and_by_copy_holds_the_truth(tmp_path: Path) -> None:
    two_nights(FAST_POSTGRES, tmp_path)
