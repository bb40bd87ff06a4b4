"""Imports point one way: down the map that `tap_supermetrics/__init__.py` draws."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from typing import Final

import pytest

from tests.house.source import Module, chart, modules, own_modules

MODULES: Final = [each for each in modules().values() if each.name]
EMULATOR: Final = [each for each in MODULES if each.top == "emulator"]
TAP: Final = [each for each in MODULES if each.top != "emulator"]
PURE: Final = (
    "dates",
    "date_ranges",
    "errors",
    "redaction",
    "words",
    "model",
    "settings",
    "planning",
    "records",
    "sync.calendar",
    "sync.days_read",
    "sync.merging",
    "sync.notation",
    "sync.query_log",
    "sync.state",
    "sync.summary",
)

BELOW_THE_API: Final = {"model", "dates", "redaction", "words", "errors"}
SINGER: Final = {
    "tap",
    "invocation",
    "streams",
    "singer.catalog_entries",
    "singer.catalog_overrides",
    "singer.environment",
    "singer.inputs",
    "singer.maps",
    "singer.tables",
    "singer.batch_files",
    "singer.configuration",
    "singer.encodings",
    "singer.writer",
}
OUTSIDE: Final = {
    # Who may import what of others.
    "singer_sdk": SINGER,
    "click": {"tap"},
    "pyarrow": {"singer.encodings"},
    "requests": {"api.connection"},
    "backoff": {"api.retry"},
    "urllib3": {"api.connection"},
    "http": {"api.connection"},
    "socket": {"api.connection"},
}
IMPURE: Final = {
    "asyncio",
    "concurrent",
    "http",
    "os",
    "pathlib",
    "queue",
    "random",
    "requests",
    "secrets",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib3",
    "uuid",
}
CLOCKS: Final = {"now", "today", "utcnow", "monotonic", "perf_counter"}


def drawn() -> tuple[str, ...]:
    return chart(ast.get_docstring(modules()[""].tree) or "")


def test_the_map_names_everything_there_is_once() -> None:
    assert sorted(drawn()) == sorted({each.top for each in MODULES})


def test_imports_point_down_the_map() -> None:
    height = {name: -line for line, name in enumerate(drawn())}
    unknown = min(height.values()) - 1  # what the map lacks has a test of its own

    def is_upward(importer: Module, imported: str) -> bool:
        top = imported.partition(".")[0]
        return height.get(top, unknown) > height.get(importer.top, 0)

    upward = {
        (importer.name, imported, when)
        for importer in TAP
        for when, names in (("at run time", importer.imports), ("for types", importer.type_imports))
        for imported in own_modules(names)
        if is_upward(importer, imported)
    }
    assert upward == set()


def test_the_api_knows_neither_settings_nor_plans() -> None:
    known = {
        imported
        for each in TAP
        if each.top == "api"
        for imported in own_modules(each.imports | each.type_imports)
    }
    assert {each.partition(".")[0] for each in known} <= {"api", *BELOW_THE_API}


def test_the_map_of_the_emulator_goes_from_the_bottom_up() -> None:
    order = [*chart(ast.get_docstring(modules()["emulator"].tree) or ""), "__main__"]
    inside = {each.name.split(".")[1] for each in EMULATOR if each.name != "emulator"}
    assert sorted(order) == sorted(inside)
    upward = [
        (importer.name, imported)
        for importer in EMULATOR
        if importer.name != "emulator"
        for imported in own_modules(importer.imports)
        if order.index(imported.split(".")[1]) > order.index(importer.name.split(".")[1])
    ]
    assert upward == []


@pytest.mark.parametrize(
    "package",
    [
        "api",
        "commands",
        "extraction",
        "model",
        "page",
        "planning",
        "records",
        "settings",
        "singer",
        "sync",
    ],
)
def test_the_map_of_a_package_names_its_modules_and_imports_point_down_it(package: str) -> None:
    order = chart(ast.get_docstring(modules()[package].tree) or "")
    inside = {each.name.split(".")[1]: each for each in TAP if each.name.startswith(f"{package}.")}
    assert sorted(order) == sorted(inside)
    upward = [
        (importer, imported)
        for importer, module in inside.items()
        for imported in own_modules(module.imports | module.type_imports)
        if imported.startswith(f"{package}.")
        and order.index(imported.split(".")[1]) <= order.index(importer)
    ]
    assert upward == []


def test_imports_at_run_time_form_no_circle() -> None:
    graph = {each.name: own_modules(each.imports) - {each.name} for each in MODULES}

    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES)


def test_imports_are_absolute() -> None:
    relative = [
        (each.name, name)
        for each in MODULES
        for name in each.imports | each.type_imports
        if name.startswith(".")
    ]
    assert relative == []


@pytest.mark.parametrize(("package", "allowed"), OUTSIDE.items(), ids=OUTSIDE)
def test_what_others_made_is_imported_at_one_seam(package: str, allowed: set[str]) -> None:
    importers = {each.name for each in TAP if package in each.external()}

    assert importers <= allowed


@pytest.mark.parametrize(
    "module", [each for each in TAP if {each.top, each.name} & {*PURE}], ids=lambda m: m.name
)
def test_the_core_is_pure(module: Module) -> None:
    """It has no clock, no thread and no input or output: "today" and "now" are arguments."""
    runs = {each.partition(".")[0] for each in module.imports}
    assert runs & IMPURE == set()
    called = {
        each.func.attr
        for each in ast.walk(module.tree)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
    }
    assert called & CLOCKS == set()


def test_the_emulator_stands_alone() -> None:
    """It shares nothing with the tap, so that both can be wrong in different ways only."""
    borrowed = {
        (each.name, imported)
        for each in EMULATOR
        for imported in own_modules(each.imports | each.type_imports)
        if imported.partition(".")[0] != "emulator"
    }
    lent = {
        each.name
        for each in TAP
        for imported in own_modules(each.imports | each.type_imports)
        if imported.partition(".")[0] == "emulator"
    }
    assert (borrowed, lent) == (set(), set())
