"""`docs/faults.md` names modules, options and tests that exist."""

from __future__ import annotations

import re
from dataclasses import fields

from tap_supermetrics.emulator import Options
from tap_supermetrics.emulator.faults import EFFECTS
from tests.house.generate import PROJECT

PAGE = (PROJECT / "docs" / "faults.md").read_text(encoding="utf-8")
TESTS = {
    name
    for file in (PROJECT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}
KINDS = 22


def test_every_kind_has_a_rule_and_a_test() -> None:
    table = PAGE.partition("## Beliefs")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == KINDS
    for row in rows:
        assert len(row) == len(rows[0]), row
        assert "`test_" in row[-1], row


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert named <= TESTS, named - TESTS


def test_every_module_that_is_named_exists() -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", PAGE))
    missing = {each for each in named if not (PROJECT / "tap_supermetrics" / each).is_file()}
    assert named
    assert not missing


def test_every_option_and_fault_of_the_emulator_that_is_named_exists() -> None:
    table = PAGE.partition("## Beliefs")[0]
    column = [line.split(" | ")[3] for line in table.splitlines() if line.startswith("| ")][1:]
    named = {name for cell in column for name in re.findall(r"`(\w+)`", cell)}
    assert named <= {each.name for each in fields(Options)} | {*EFFECTS}
