"""Two nights of odd names and values through Meltano, and what a loader must hold after each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Any

import yaml

from tap_supermetrics.commands.loaders import LoaderLimits, limits_of
from tap_supermetrics.emulator import Emulator, Options
from tests.demo.pipeline import Pipeline
from tests.demo.processes import PROJECT
from tests.loaders.loaders import HERE, OTHERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.loaders.loaders import Loader, Place, Stored

DAY = timedelta(days=1)
FIRST, LAST = date(2024, 6, 5), date(2024, 6, 9)
BLANK = "(none)"
CACHE = PROJECT / ".loaders"
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


def limits(loader: Loader) -> LoaderLimits:
    """Return what `check --loader` knows of a loader."""
    return limits_of(loader.name)


def reports_for(loader: Loader) -> Mapping[str, Any]:
    """Return the reports that a loader is given, with the settings that it needs."""
    reports = REPORTS
    more: dict[str, Any] = {"ds_id": "ODD", "ds_accounts": [*ACCOUNTS]}
    if limits(loader).refuses_blank_keys:
        more["blank_key_value"] = BLANK
    typed = {
        name: {n: t for n, t in loader.types.items() if n in report["fields"]}
        for name, report in reports.items()
    }
    return {
        name: {"name": name, **report, **more, **({"types": typed[name]} if typed[name] else {})}
        for name, report in reports.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a report's rows are, told by the emulator's world and the README, not by the tap."""

    emulator: Emulator
    report: Mapping[str, Any]
    loader: Loader

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
                cells = {n: self._value(n, cell) for n, cell in zip(names, row, strict=True)}
                values = {n: self.loader.becomes(self.kind(n), v) for n, v in cells.items()}
                values["_sm_account_id"] = account
                table[tuple(str(values[name]) for name in self.key)] = values
        return table

    def _value(self, name: str, cell: object) -> object:
        if cell is None or cell == "":
            is_text_of_key = name in self.key and self.kind(name) == "string.text.value"
            blank = BLANK if limits(self.loader).refuses_blank_keys else ""
            return blank if is_text_of_key else None
        if self.kind(name) == "string.time.datetime":
            return str(cell).replace(" ", "T")
        return cell.replace("\0", "") if isinstance(cell, str) else cell


def held(loader: Loader, expected: Expected, rows: Sequence[Stored]) -> dict[Key, Stored]:
    """Return rows by key as a loader holds them; of those that share a key, the newest."""
    columns = ["_sm_account_id", *expected.report["fields"]]
    names = {name: name.lower() if loader.lowers_names else name for name in columns}
    table: dict[Key, Stored] = {}
    for row in sorted(rows, key=lambda each: str(each["_sm_fetched_at"])):
        values = {n: plain(row[names[n]], expected.kind(n)) for n in columns}
        if loader.blanks_are_null:
            blank = {n: "" if n in expected.key else None for n in columns}
            values = {n: blank[n] if value == "" else value for n, value in values.items()}
        table[tuple(str(values[name]) for name in expected.key)] = values
    return table


def compare(table: Mapping[Key, Stored], truth: Mapping[Key, Stored]) -> None:
    """Say where a table is not the truth: rows too few and too many, and a cell of each column."""
    missing, extra = truth.keys() - table.keys(), table.keys() - truth.keys()
    found = [f"{len(missing)} rows are missing, such as {min(missing)}"] if missing else []
    found += [f"{len(extra)} rows are too many, such as {min(extra)}"] if extra else []
    cells: dict[str, str] = {}
    for key in table.keys() & truth.keys():
        for name, true in truth[key].items():
            if (is_there := table[key][name]) != true:
                shown = f"{name} is {is_there!r:.80} instead of {true!r:.80}"
                cells[name] = min(shown, cells.get(name, shown))
    found += cells.values()
    assert not found, "\n".join(found)


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


def python_of(loader: Loader) -> Path:
    """Return the Python of a loader's environment, which Meltano makes once and keeps."""
    if loader.name not in {each.name for each in OTHERS}:
        return HERE
    python = CACHE / ".meltano" / "loaders" / loader.name / "venv" / "bin" / "python"
    (plugin,) = (each for each in _project()["plugins"]["loaders"] if each["name"] == loader.name)
    wanted, mark = plugin["pip_url"], CACHE / f"{loader.name}.installed"
    if not (python.exists() and mark.exists() and mark.read_text(encoding="utf-8") == wanted):
        CACHE.mkdir(exist_ok=True)
        (CACHE / "meltano.yml").write_text(yaml.safe_dump(_project()), encoding="utf-8")
        Pipeline(
            loader=loader.name, memory=CACHE, project=CACHE, environment="dev"
        ).install_loader()
        mark.write_text(wanted, encoding="utf-8")
    return python


def _project() -> Any:  # noqa: ANN401 - YAML
    """Return `meltano.yml`, with the tap of this environment."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text(encoding="utf-8"))
    del project["plugins"]["extractors"][0]["pip_url"]
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
        return Expected(emulator=self.emulator, report=report, loader=self.loader)

    def table(self, name: str) -> dict[Key, Stored]:
        """Return what the loader holds of a report."""
        rows = self.place.read(name)
        table = held(self.loader, self.expected(name), rows)
        assert len(table) == len(rows) or not limits(self.loader).has_keys
        return table


def prepared(stack: ExitStack, loader: Loader, folder: Path) -> Nights:
    """Return a pipeline on the morning of the tenth of June, with nothing loaded."""
    python = python_of(loader)
    output, project = folder / "output", folder / "project"
    output.mkdir()
    project.mkdir()
    definition = _project()
    for each in definition["plugins"]["loaders"]:
        del each["pip_url"]
        each["executable"] = str(python.with_name(each["executable"]))
    (project / "meltano.yml").write_text(yaml.safe_dump(definition), encoding="utf-8")
    options = Options(
        now="2024-06-10T04:00:00+00:00", clock_factor=60.0, min_seconds=1.0, max_seconds=3.0
    )
    emulator = stack.enter_context(Emulator(options=options))
    place = loader.place(stack, output, python)
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
            compare(nights.table(name), before[name])

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
            compare(nights.table(name), before[name] | again)
