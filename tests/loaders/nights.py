"""Two nights of odd names and values through Meltano, and what a loader must hold after each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Any

import yaml

from tap_supermetrics.commands.loaders import Limits, limits_of
from tap_supermetrics.emulator import Emulator, Options
from tests.demo.pipeline import Pipeline
from tests.demo.processes import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.loaders.loaders import Loader, Place, Stored

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 6, 5), date(2024, 6, 9)
BLANK = "(none)"
ACCOUNTS = ("odd-1", "odd-2")
REPORTS: dict[str, Any] = {
    "odd_keys": {"fields": ["Date", "row_id", "select", "restated", "Rate %"]},
    "odd_values": {
        "fields": [
            *("Date", "row_id", "any.text", "order", "user.opened", "Time of day", "ended_on"),
            *("Label", "whole", "fraction", "restated", "now.and-then", "Rate %"),
        ],
        "key_properties": ["_sm_account_id", "Date", "row_id"],
    },
}
Key = tuple[str, ...]


def limits(loader: Loader) -> Limits:
    """Return what `check --loader` knows of a loader."""
    return limits_of(loader.name)


def reports_for(loader: Loader) -> Mapping[str, Any]:
    """Return the reports that a loader is given, with the settings that it needs."""
    more: dict[str, Any] = {"ds_id": "ODD", "ds_accounts": [*ACCOUNTS]}
    if limits(loader).refuses_blank_keys:
        more["blank_key_value"] = BLANK
    return {name: {"name": name, **report, **more} for name, report in REPORTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a report's rows are, told by the emulator's world and the README, not by the tap."""

    emulator: Emulator
    report: Mapping[str, Any]
    limits: Limits

    @property
    def key(self) -> Sequence[str]:
        """The columns that tell rows apart."""
        texts = [n for n in self.report["fields"] if self.kind(n) == "string.text.value"]
        given: Sequence[str] | None = self.report.get("key_properties")
        return given or ("_sm_account_id", "Date", *texts)

    def kind(self, name: str) -> str:
        """Return the data type of a column."""
        field = self.emulator.world.sources["ODD"].field(name)
        return field.data_type if field else "string.text.value"

    def rows(self, first: date, last: date, asked_on: date) -> dict[Key, Stored]:
        """Return rows by key."""
        names = self.report["fields"]
        table: dict[Key, Stored] = {}
        for account in ACCOUNTS:
            for row in self.emulator.world.rows("ODD", [account], first, last, names, asked_on):
                values = {n: self._value(n, cell) for n, cell in zip(names, row, strict=True)}
                values["_sm_account_id"] = account
                table[tuple(str(values[name]) for name in self.key)] = values
        return table

    def _value(self, name: str, cell: object) -> object:
        if cell is None or cell == "":
            is_text_of_key = name in self.key and self.kind(name) == "string.text.value"
            blank = BLANK if self.limits.refuses_blank_keys else ""
            return blank if is_text_of_key else None
        if self.kind(name) == "string.time.datetime":
            return str(cell).replace(" ", "T")
        return cell.replace("\0", "") if isinstance(cell, str) else cell


def held(expected: Expected, rows: Sequence[Stored]) -> dict[Key, Stored]:
    """Return rows by key as a loader holds them; a key that is there twice fails."""
    columns = ["_sm_account_id", *expected.report["fields"]]
    table: dict[Key, Stored] = {}
    for row in sorted(rows, key=lambda each: str(each["_sm_fetched_at"])):
        values = {n: plain(row[n], expected.kind(n)) for n in columns}
        table[tuple(str(values[name]) for name in expected.key)] = values
    return table


def plain(value: Any, kind: str) -> object:  # noqa: ANN401 - whatever a loader holds
    """Return a stored value as JSON has it; anything lost on the way makes it another one."""
    if value is None or (value == "" and not kind.startswith("string.text")):
        return None
    if isinstance(value, (date, datetime, time_of_day)):
        return value.isoformat()
    family = kind.partition(".")[0]
    if family == "bool" and isinstance(value, str):
        return {"true": True, "false": False}[value.lower()]
    if family == "int":
        assert int(value) == value or isinstance(value, str)
        return int(value)
    if family == "float":
        return float(value)
    return value.replace(" ", "T") if kind == "string.time.datetime" else value


def _project() -> Any:  # noqa: ANN401 - YAML
    """Return `meltano.yml` without addresses to install from: commands are those of here."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    for plugin in (*project["plugins"]["extractors"], *project["plugins"]["loaders"]):
        plugin.pop("pip_url", None)
    return project


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """A pipeline from the emulator to a place."""

    loader: Loader
    emulator: Emulator
    pipeline: Pipeline
    place: Place

    def expected(self, name: str) -> Expected:
        """Return what a report's rows are."""
        report = reports_for(self.loader)[name]
        return Expected(emulator=self.emulator, report=report, limits=limits(self.loader))

    def table(self, name: str) -> dict[Key, Stored]:
        """Return what the loader holds of a report."""
        rows = self.place.read(name)
        table = held(self.expected(name), rows)
        assert len(table) == len(rows)
        return table


def prepared(stack: ExitStack, loader: Loader, folder: Path) -> Nights:
    """Return a pipeline on the morning of the tenth of June, with nothing loaded."""
    project = folder / "project"
    project.mkdir()
    (project / "meltano.yml").write_text(yaml.safe_dump(_project()), encoding="utf-8")
    options = Options(
        now="2024-06-10T04:00:00+00:00", clock_factor=60.0, min_seconds=1.0, max_seconds=3.0
    )
    emulator = stack.enter_context(Emulator(options=options))
    place = loader.place(stack)
    settings = {
        "api_url": emulator.url,
        "api_key": emulator.api_key,
        "queries": json.dumps([*reports_for(loader).values()]),
        "start_date": str(FIRST),
        "requests_per_second": "500",
    }
    env = {f"TAP_SUPERMETRICS_{name.upper()}": value for name, value in settings.items()}
    pipeline = Pipeline(
        loader=loader.name,
        memory=folder,
        project=project,
        environment="dev",
        env={**env, **place.env, **loader.env},
    )
    return Nights(loader=loader, emulator=emulator, pipeline=pipeline, place=place)


def two_nights(loader: Loader, folder: Path) -> None:
    """Load, let a day pass, load again; each table equals the truth after both."""
    with ExitStack() as stack:
        nights = prepared(stack, loader, folder)
        nights.pipeline.run(end_date=str(LAST))
        names = [*reports_for(loader)]
        before = {n: nights.expected(n).rows(FIRST, LAST, LAST + DAY) for n in names}
        for name in names:
            assert nights.table(name) == before[name]

        first_night = len(nights.emulator.queries)
        nights.emulator.clock.advance(seconds=24 * 3600)
        nights.pipeline.run(end_date=str(LAST + DAY))

        # The state came back whole: the lookback of three days and the new day, and no more.
        asked = len(nights.emulator.queries) - first_night
        assert asked == len(names) * len(ACCOUNTS) * (3 + 1)
        for name in names:
            again = nights.expected(name).rows(LAST - 2 * DAY, LAST + DAY, LAST + 2 * DAY)
            lookback = {k for k in before[name] if k[1] > str(LAST - 3 * DAY)}
            assert lookback - {*again}, "some rows vanished, which only a view can tell"
            assert any(again[key] != before[name][key] for key in lookback & {*again})
            assert nights.table(name) == before[name] | again
