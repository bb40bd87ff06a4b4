"""What a killed pipeline submitted is collected by the next run; a good night is not."""

from __future__ import annotations

import json
import re
import subprocess
import time
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Target, command, config_for, discovered, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NOW = "2024-06-10T04:00:00+00:00"
LAST = date(2024, 6, 9)
REPORT = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Cost"],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=Options(clock_factor=60.0, now=NOW)) as running:
        yield running


def config(emulator: Emulator, folder: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    return config_for(
        emulator,
        [REPORT],
        start_date="2024-06-01",
        end_date=str(LAST),
        journal_dir=str(folder),
        **changes,
    )


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_after_a_good_night_everything_is_read_afresh(
    emulator: Emulator, tmp_path: Path, mode: str
) -> None:
    settings = config(emulator, tmp_path / "journal", mode=mode)
    assert sync(settings, tmp_path, Target()).code == 0
    once = len(emulator.queries)
    # As `--full-refresh` does: no state, and nobody was killed.
    assert sync(settings, tmp_path, Target()).code == 0

    assert len(emulator.queries) == 2 * once
    assert list((tmp_path / "journal").iterdir()) == []


@pytest.mark.parametrize("what", ["a file", "no folder can be made"])
def test_a_folder_that_cannot_be_used_costs_a_warning(
    emulator: Emulator, tmp_path: Path, what: str
) -> None:
    (tmp_path / "journal").write_text("not a folder")
    folder = tmp_path / "journal" if what == "a file" else tmp_path / "journal" / "below"
    ended = sync(config(emulator, folder), tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("journal_dir:") == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("report_count", [1, 2])
def test_a_batch_whose_id_the_killed_run_never_learned_is_found_and_not_paid_again(
    emulator: Emulator, tmp_path: Path, report_count: int
) -> None:
    queries = [{**REPORT, "name": f"ads_{number}"} for number in range(report_count)]
    settings = {**config(emulator, tmp_path / "journal"), "queries": queries}
    emulator.inject(Fault(effect="delay_after", method="POST", path="batch$", seconds=60.0))
    killed_while(settings, tmp_path, lambda: bool(emulator.batches))
    assert emulator.queries

    ended = sync(settings, tmp_path, target := Target())
    assert ended.code == 0, ended.stderr
    assert "1 query batch sent by a run that was killed just then; found 1" in ended.stderr
    assert len(emulator.queries) == 9 * report_count
    assert sum(target.written.values()) == 9 * report_count
    assert list((tmp_path / "journal").iterdir()) == []


def test_a_history_that_lags_when_the_run_is_started_again_at_once_is_read_again(
    tmp_path: Path,
) -> None:
    options = Options(clock_factor=60.0, now=NOW, history_lag_seconds=4 * 60.0)
    with Emulator(options=options) as emulator:
        settings = config(emulator, tmp_path / "journal")
        emulator.inject(Fault(effect="delay_after", method="POST", path="batch$", seconds=60.0))
        killed_while(settings, tmp_path, lambda: bool(emulator.batches))

        ended = sync(settings, tmp_path, target := Target())
        assert ended.code == 0, ended.stderr
        assert "1 query batch sent by a run that was killed just then; found 1" in ended.stderr
        assert len(emulator.queries) == 9
        assert sum(target.written.values()) == 9
        lists = [each for each in emulator.requests if each.path.endswith("query/history")]
        assert len(lists) > 1


def test_a_batch_that_never_reached_the_api_is_looked_for_and_sent_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    settings = config(emulator, tmp_path / "journal")
    emulator.inject(Fault(effect="reset_before", method="POST", path="batch$", times=None))
    killed_while(settings, tmp_path, lambda: asked_for(emulator, "POST", "query/batch"))
    emulator.clear_faults()
    make_older(tmp_path / "journal")

    ended = sync(settings, tmp_path, Target())
    assert ended.code == 0, ended.stderr
    assert "1 query batch sent by a run that was killed just then; found 0" in ended.stderr
    assert len(emulator.queries) == 9


@pytest.mark.parametrize("status", [403, 404])
def test_a_history_that_cannot_be_read_holds_nothing_back(
    emulator: Emulator, tmp_path: Path, status: int
) -> None:
    settings = config(emulator, tmp_path / "journal")
    emulator.inject(Fault(effect="delay_after", method="POST", path="batch$", seconds=60.0))
    killed_while(settings, tmp_path, lambda: bool(emulator.batches))
    emulator.inject(Fault(effect="error", path="history", status=status, code="X", times=None))

    ended = sync(settings, tmp_path, target := Target())
    assert ended.code == 0, ended.stderr
    assert "cannot be looked for" in ended.stderr
    assert sum(target.written.values()) == 9


def test_a_killed_pipeline_is_left_its_own_by_another_that_has_read_these_days(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Both share a project, and so a journal; each has a state of its own."""
    settings = config(emulator, tmp_path / "journal", lookback_days=2)
    other, mine = Target(), Target()
    assert sync(settings, tmp_path, other).code == 0
    once = len(emulator.queries)
    killed_while(settings, tmp_path, lambda: has_ended(emulator, 2 * once))

    assert sync(settings, tmp_path, other).code == 0
    lookback = len(emulator.queries) - 2 * once
    assert lookback == 2
    assert sync(settings, tmp_path, mine).code == 0
    assert len(emulator.queries) == 2 * once + lookback
    assert sum(mine.written.values()) == once


def test_a_trial_of_later_days_hides_nothing_that_a_killed_run_left(
    emulator: Emulator, tmp_path: Path
) -> None:
    """What is read again is within the lookback of the days that are wanted."""
    settings, target = config(emulator, tmp_path / "journal", lookback_days=2), Target()
    trial = {**settings, "start_date": "2024-06-06", "end_date": "2024-06-07"}
    assert sync(trial, tmp_path, target).code == 0
    settings["end_date"] = "2024-06-03"
    assert sync(settings, tmp_path, target).code == 0
    once = len(emulator.queries)
    assert once == 2 + 3
    state = tmp_path / "killed-state.json"
    state.write_text(json.dumps(target.state))
    killed_while(settings, tmp_path, lambda: has_ended(emulator, once + 2), "--state", str(state))

    assert sync(settings, tmp_path, target).code == 0
    assert len(emulator.queries) == once + 2


def test_a_report_that_a_catalog_wants_reloaded_is_collected_too(
    emulator: Emulator, tmp_path: Path
) -> None:
    settings, target = config(emulator, tmp_path / "journal"), Target()
    assert sync(settings, tmp_path, target).code == 0
    once = len(emulator.queries)
    catalog = discovered(settings, tmp_path)
    (entry,) = catalog["streams"]
    entry["replication_method"] = "FULL_TABLE"
    entry["metadata"][-1]["metadata"]["replication-method"] = "FULL_TABLE"
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    options = ("--catalog", str(tmp_path / "catalog.json"))
    state = tmp_path / "killed-state.json"
    state.write_text(json.dumps(target.state))
    killed_while(
        settings,
        tmp_path,
        lambda: has_ended(emulator, 2 * once),
        *options,
        *("--state", str(state)),
    )

    assert sync(settings, tmp_path, target, *options).code == 0
    assert len(emulator.queries) == 2 * once


def test_what_was_asked_query_by_query_is_told_where_batches_cannot_collect_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    settings = config(emulator, tmp_path / "journal", mode="async")
    killed_while(settings, tmp_path, lambda: has_ended(emulator, 1))
    ended = sync({**settings, "mode": "batch"}, tmp_path, Target())
    assert ended.code == 0, ended.stderr
    assert "Set `mode: async` for this run to collect it" in ended.stderr


def has_ended(emulator: Emulator, count: int) -> bool:
    return sum(query.status == "SUCCESS" for query in emulator.queries) >= count


def make_older(journal: Path) -> None:
    """Make what is noted old enough for every history to name it."""
    (file,) = journal.iterdir()
    now = datetime.now(timezone.utc)
    text, count = re.subn(
        r'"submitted_at":"[^"]+"',
        f'"submitted_at":"{(now - timedelta(minutes=2)).isoformat()}"',
        file.read_text(),
    )
    assert count
    file.write_text(text)


def asked_for(emulator: Emulator, method: str, path: str) -> bool:
    return any(each.method == method and path in each.path for each in emulator.requests)


def killed_while(
    settings: Mapping[str, Any], folder: Path, reached: Callable[[], bool], *options: str
) -> None:
    """Kill a run as soon as something is the case."""
    file = folder / "killed.json"
    file.write_text(json.dumps(settings))
    with subprocess.Popen(  # noqa: S603 - our own command
        command("--config", str(file), *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        while not reached():
            assert running.poll() is None, "it ended before"
            time.sleep(0.01)
        running.kill()
