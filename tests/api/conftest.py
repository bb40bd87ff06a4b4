from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.api import starts
from tap_supermetrics.api.client import Client
from tap_supermetrics.api.retry import RateLimit, RetryPolicy
from tap_supermetrics.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = RetryPolicy(max_tries=3, first_wait_s=0.001, longest_wait_s=0.002, outage_s=0.0)


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for a query batch whose start got no answer without real waits."""
    monkeypatch.setattr(starts, "SEARCH_AGAIN_S", (0.001, 0.002))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def make_client() -> Callable[..., Client]:
    def make(api_url: str, **changes: Any) -> Client:  # noqa: ANN401 - of each attribute's type
        values: dict[str, Any] = {"api_key": "a_key", "rate_limit": RateLimit(1000), "retry": QUICK}
        return Client(api_url=api_url, **values | changes)

    return make


@pytest.fixture
def client(emulator: Emulator, make_client: Callable[..., Client]) -> Client:
    return make_client(emulator.url, api_key=emulator.api_key)
