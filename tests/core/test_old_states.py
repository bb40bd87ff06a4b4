"""States as 0.1 wrote them, each read to the same values for ever.

`state` in each file is what 0.1 wrote over the emulator, or what a person wrote by hand; `read` is
what 0.1 itself read from it.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.sync.state import report_state
from tap_supermetrics.sync.state_checks import check_state

if TYPE_CHECKING:
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.model import SubmittedBatch
    from tap_supermetrics.planning.coverage import Coverage
    from tap_supermetrics.sync.state import ReportState

FILES: Final = sorted((Path(__file__).parent / "states").glob("*.json"))


def days(dates: DateRange) -> list[str]:
    return [str(dates.first), str(dates.last)]


def of_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "covered": [days(each) for each in coverage.covered],
        "stale": [days(each) for each in coverage.stale],
        "bookmark": coverage.bookmark and str(coverage.bookmark),
        "fetched": [[*days(each.dates), each.at.isoformat()] for each in coverage.fetched],
    }


def of_batch(batch: SubmittedBatch) -> dict[str, Any]:
    return {
        "batch_id": batch.batch_id,
        "submitted_at": batch.submitted_at.isoformat(),
        "split_dates_policy": batch.split.dates.value,
        "split_accounts_policy": batch.split.accounts.value,
        "size": batch.item_count,
        "items": {
            str(place): {
                "report": item.report,
                "accounts": list(item.accounts),
                "dates": item.dates and days(item.dates),
                "is_fresh": item.is_fresh,
            }
            for place, item in batch.items.items()
        },
    }


def values_of(state: ReportState) -> dict[str, Any]:
    run = state.async_run
    return {
        "query_hash": state.query_hash,
        "request_hash": state.request_hash,
        "key_properties": list(state.key_properties),
        "not_before": state.not_before and str(state.not_before),
        "async_run": run and [run.id, run.submitted_at.isoformat()],
        "everywhere": state.stream_bookmark and of_coverage(state.stream_bookmark),
        "had_everywhere": state.had_stream_bookmark,
        "coverage": {name: of_coverage(each) for name, each in state.coverage.items()},
        "batches": [of_batch(each) for each in state.batches],
    }


def read(raw: object, report: str, start: str) -> ReportState:
    mistakes: list[str] = []
    state = report_state(raw, report, "Date", date.fromisoformat(start), mistakes)
    assert mistakes == []
    return state


def test_there_are_states_of_every_kind() -> None:
    text = "".join(path.read_text() for path in FILES)
    for kind in ("batch_id", "async_run", "stale", "fetched", "not_before", "is_fresh"):
        assert f'"{kind}": [' in text or f'"{kind}": "' in text or f'"{kind}": true' in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_state_of_before_is_read_to_the_same_values(path: Path) -> None:
    kept = json.loads(path.read_text())
    check_state(kept["state"], list(kept["read"]), date(2024, 6, 10))
    for report, start in kept["starts"].items():
        raw = kept["state"]["bookmarks"][report]
        assert values_of(read(raw, report, start)) == kept["read"][report]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_state_of_before_keeps_its_values_when_it_is_written_again(path: Path) -> None:
    kept = json.loads(path.read_text())
    for report, start in kept["starts"].items():
        before = read(kept["state"]["bookmarks"][report], report, start)
        raw = json.loads(json.dumps(before.to_json()))
        known = {name: each for name, each in before.coverage.items() if each.covered}
        before.coverage = known
        assert values_of(read(raw, report, start)) == values_of(before)
