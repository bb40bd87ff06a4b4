"""The other loaders: `./dev loaders` runs this file, and a job of CI; `./dev test` does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.loaders.loaders import OTHERS, Loader
from tests.loaders.nights import two_nights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("loader", OTHERS, ids=str)
def test_tables_equal_the_truth_after_two_nights(loader: Loader, tmp_path: Path) -> None:
    two_nights(loader, tmp_path)
