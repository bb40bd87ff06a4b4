from __future__ import annotations

import os
import sys

from tests.demo import processes


def test_the_demo_loads_two_nights_and_leaves_nothing_running() -> None:
    said = processes.run((sys.executable, "-m", "tests.demo.run"), dict(os.environ))

    assert "3 days again" in said
    assert "no key is there twice" in said
    assert "Nothing is left running" in said
