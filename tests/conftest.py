"""Every worker process collects the same tests, in the same order and by the same names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a bare object, which stands for "nothing at all", without its address."""
    return "absent" if type(val) is object else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests whose parameters come from sets."""
    items.sort(key=lambda item: item.nodeid)
