"""Every worker process collects the same tests in the same order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# Processes write through a buffer and are compiled once, as with users, whatever is set here.
for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests whose parameters come from sets."""
    items.sort(key=lambda item: item.nodeid)
