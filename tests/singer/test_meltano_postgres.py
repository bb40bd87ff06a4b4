"""The main job at size, through Meltano into a database: what the tables hold is the truth."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.backfill import DAY, FIRST, LAST, NOW, QUERIES, REPORTS
from tests.demo.pipeline import Pipeline
from tests.demo.processes import PROJECT
from tests.postgres import Postgres, running_postgres
from tests.tap import truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tap import Key, Values


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(now=NOW, clock_factor=60.0, min_seconds=1.0, max_seconds=6.0)
    with Emulator(options=options) as running:
        yield running


@pytest.fixture
def pipeline(tmp_path: Path, emulator: Emulator, postgres: Postgres) -> Pipeline:
    # Without an address to install from, Meltano runs the commands of this environment.
    lines = (PROJECT / "meltano.yml").read_text(encoding="utf-8").splitlines(keepends=True)
    project = tmp_path / "project"
    project.mkdir()
    (project / "meltano.yml").write_text(
        "".join(line for line in lines if not line.strip().startswith("pip_url:"))
    )
    settings = {
        "api_url": emulator.url,
        "api_key": emulator.api_key,
        "queries": json.dumps(REPORTS),
        "start_date": str(FIRST),
        "requests_per_second": "500",
    }
    env = {f"TAP_SUPERMETRICS_{name.upper()}": value for name, value in settings.items()}
    return Pipeline(
        loader="target-postgres",
        memory=tmp_path,
        project=project,
        environment="dev",
        env={**env, **postgres.env},
    )


def test_tables_equal_the_truth_after_a_backfill_of_1200_queries_and_after_the_next_night(
    pipeline: Pipeline, emulator: Emulator, postgres: Postgres
) -> None:
    pipeline.run(end_date=str(LAST))

    assert len(emulator.queries) == QUERIES
    for report in REPORTS:
        assert table(postgres, emulator, report) == truth(emulator, report, FIRST, LAST)

    emulator.clock.advance(seconds=24 * 3600)
    pipeline.run(end_date=str(LAST + DAY))

    assert len(emulator.queries) - QUERIES == 8 * (3 + 1)
    for report in REPORTS:
        settled = truth(emulator, report, FIRST, LAST - 3 * DAY, asked_on=emulator.today - DAY)
        restated = truth(emulator, report, LAST - 2 * DAY, LAST + DAY)
        assert table(postgres, emulator, report) == settled | restated


def table(server: Postgres, emulator: Emulator, report: Mapping[str, Any]) -> dict[Key, Values]:
    """A report's table, by its key; a key that is there twice fails."""
    names = ["_sm_account_id", *report["fields"]]
    rows = server.rows(("tap_supermetrics", report["name"]), names)
    fields = {field.id: field for field in emulator.world.sources[report["ds_id"]].fields}
    dimensions = [name for name in report["fields"] if not fields[name].is_metric]
    held: dict[Key, Values] = {}
    for row in rows:
        values = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        key = tuple(str(values[name]) for name in ("_sm_account_id", *dimensions))
        assert key not in held
        held[key] = values
    return held


def _plain(value: object) -> object:
    """A value of the database as JSON has it."""
    match value:
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
        case _:
            return value
