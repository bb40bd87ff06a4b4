"""Every worker process collects the same tests in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests whose parameters come from sets."""
    items.sort(key=lambda item: item.nodeid)
