"""A user's pattern of account names takes a bounded time."""

from __future__ import annotations

import signal
import threading
from typing import Final

import pytest

from tap_supermetrics.sync import account_lists
from tap_supermetrics.sync.account_lists import EndlessError, matching

ENDLESS: Final = "^(a+)+$"
NAME: Final = "a" * 60 + "!"


def test_a_filter_tells_of_each_text() -> None:
    assert matching("/SHOP$/i", ["Pet shop", "shop of pets", ""]) == [True, False, False]


def test_a_filter_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_lists, "MAX_FILTER_S", 0.1)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(EndlessError):
        matching(ENDLESS, [NAME])
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_filter_is_applied_in_any_thread() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.extend(matching("a", ["a", "b"])))
    thread.start()
    thread.join()
    assert found == [True, False]
