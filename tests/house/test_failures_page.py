"""`docs/failures.md` names the limits that the code has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tap_supermetrics.api.retry import OUTAGE_S
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.breakers import ALL_MISFITS, MISFITS
from tap_supermetrics.extraction.doubts import DOUBT_LIMITS
from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from tap_supermetrics.extraction.doubts import DoubtLimit

PAGE = " ".join((PROJECT / "docs" / "failures.md").read_text(encoding="utf-8").split())
WORDS = {Reach.ACCOUNT: "an account", Reach.REPORT: "a report", Reach.SOURCE: "a data source"}


@pytest.mark.parametrize(("reach", "limit"), DOUBT_LIMITS.items())
def test_what_doubt_costs_is_that_of_the_code(reach: Reach, limit: DoubtLimit) -> None:
    (row,) = re.findall(rf"\| {WORDS[reach]} \| (\d+) \| ([^|]+) \|", PAGE)
    tried = re.findall(r"(\d+) accounts", row[1]) or [1]

    assert int(row[0]) == limit.failures
    assert int(tried[0]) == limit.probes


@pytest.mark.parametrize(
    "told",
    [
        f"number of its answers where that is more than {DOUBT_LIMITS[Reach.ACCOUNT].failures}",
        f"if none of a report's first {MISFITS} results fits",
        f"and after {ALL_MISFITS} nothing",
        f"up to {OUTAGE_S / 60:.0f} minutes",
    ],
)
def test_its_other_limits_are_those_of_the_code(told: str) -> None:
    assert told in PAGE
