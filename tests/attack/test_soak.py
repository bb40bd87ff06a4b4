"""The small brother of the long backfill of `python -m tests.attack`."""

from __future__ import annotations

import pytest

from tests.attack.driver import WHOLE
from tests.attack.soak import soak

pytestmark = pytest.mark.timeout(300)


@pytest.mark.skipif(WHOLE, reason="the long part soaks by itself")
def test_a_backfill_of_a_thousand_queries_stays_small() -> None:
    seen = soak(1_000)
    assert seen.faults == []
    assert seen.rows > 50_000
    assert max(seen.state_bytes) < 20_000
