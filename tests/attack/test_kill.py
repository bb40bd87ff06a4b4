"""Killed anywhere, it goes on from there; `python -m tests.attack` tries every message."""

from __future__ import annotations

import pytest

from tests.attack.driver import WHOLE
from tests.attack.kill import Plot, carry_out, every_message, pipeline_plots, random_plots

pytestmark = pytest.mark.timeout(300)
MESSAGES = 350
"""Somewhat fewer than a run writes: a kill after the last one would hit nothing."""
SAMPLE = [
    *every_message(MESSAGES, 160),
    *random_plots(7, 2, MESSAGES),
    *pipeline_plots(7, 4, MESSAGES),
]


@pytest.mark.skipif(WHOLE, reason="the long part kills after every message by itself")
@pytest.mark.parametrize("plot", SAMPLE, ids=lambda plot: plot.kind)
def test_nothing_is_lost_whatever_ends_a_run(plot: Plot) -> None:
    finding = carry_out(plot)
    assert finding.faults == []
    is_after_messages = plot.blows[0].after_messages is not None
    assert finding.blows_dealt or not is_after_messages, "no run was hit"
