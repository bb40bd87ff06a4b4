"""Attacks do not wait for real minutes: waits between polls are cut, limits of time too."""

from __future__ import annotations

import pytest

from tap_supermetrics.api import starts
from tap_supermetrics.extraction import downloads, polling
from tap_supermetrics.sync import team_lists


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll every few milliseconds, and give up an unreadable status soon."""
    monkeypatch.setattr(polling, "SHORTEST_WAIT_S", 0.01)
    monkeypatch.setattr(polling, "LONGEST_WAIT_S", 0.05)
    init = polling.PollWait.__init__
    monkeypatch.setattr(init, "__defaults__", (0.01, *(init.__defaults__ or ())[1:]))
    monkeypatch.setattr(downloads, "FETCH_AGAIN_S", (0.05,))
    monkeypatch.setattr(starts, "SEARCH_AGAIN_S", (0.01, 0.02))
    monkeypatch.setattr(team_lists, "SHOWN_WITHIN_S", (0.01, 0.05))
    monkeypatch.setattr(polling, "YOUNG_S", 0.3)
    monkeypatch.setattr(polling, "UNSETTLED_S", 0.05)
    monkeypatch.setattr(polling, "POLL_FAILURES_S", 0.1)
    monkeypatch.setattr(polling, "LONGEST_FAILURE_WAIT_S", 0.05)
    monkeypatch.setattr(polling, "OWN_FAILURES_S", 0.1)
    monkeypatch.setattr(polling, "KNOWN_FAILURES_S", 0.05)
