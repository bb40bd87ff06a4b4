"""What MeltanoHub asks of a definition, by its schema of 2026: our reading of it, not its text."""

from __future__ import annotations

import re
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.house import hub
from tests.house.generate import PROJECT

TEXT: Final = {"type": "string", "minLength": 1}
ADDRESS: Final = {"type": "string", "pattern": "^https://"}
TEXTS: Final = {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True}
SETTING: Final = {
    "type": "object",
    "required": ["name", "label", "kind", "description"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "label": TEXT,
        "description": TEXT,
        # Not `decimal`, which the Hub has too: it crashes Meltano.
        "kind": {"enum": ["array", "boolean", "integer", "object", "options", "string"]},
        "value": {},
        "sensitive": {"type": "boolean"},
        "options": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["label", "value"],
                "properties": {"label": TEXT, "value": TEXT},
            },
        },
    },
    "if": {"properties": {"kind": {"const": "options"}}},
    "then": {"required": ["options"]},
}
CAPABILITIES: Final = [
    "about",
    "activate-version",
    "batch",
    "catalog",
    "discover",
    "log-based",
    "properties",
    "schema-flattening",
    "state",
    "stream-maps",
    "structured-logging",
    "test",
]
RULES: Final = {
    "definition": TEXT,
    "name": {"pattern": "^tap-"},
    "namespace": {"pattern": "^tap_"},
    "variant": TEXT,
    "label": TEXT,
    "description": TEXT,
    "domain_url": ADDRESS,
    "repo": ADDRESS,
    "logo_url": {"pattern": r"^/assets/logos/extractors/[a-z-]+\.(png|svg)$"},
    "pip_url": TEXT,
    "executable": TEXT,
    "keywords": TEXTS,
    "maintenance_status": {"enum": ["active", "beta", "development", "inactive", "unknown"]},
    "quality": {"enum": ["gold", "silver", "bronze", "unknown"]},
    "capabilities": {**TEXTS, "items": {"enum": CAPABILITIES}},
    "commands": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "required": ["args", "description"],
            "properties": {"args": TEXT, "description": TEXT},
        },
    },
    "settings": {"type": "array", "items": SETTING, "minItems": 1},
    "settings_group_validation": {"type": "array", "items": TEXTS, "minItems": 1},
    "supported_python_versions": {**TEXTS, "items": {"pattern": r"^3\.\d+$"}},
    "next_steps": TEXT,
    "prereq": TEXT,
}
# Every one of these is given, and no other, such as `plugin_type`: the Hub takes none that it does
# not know.
VALIDATOR: Final = Draft7Validator(
    {"properties": RULES, "required": [*RULES], "additionalProperties": False}
)


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load((PROJECT / hub.DEFINITION).read_text(encoding="utf-8"))
    return written


def mistakes(definition: dict[str, Any]) -> list[str]:
    return [each.message for each in VALIDATOR.iter_errors(definition)]


def test_the_definition_is_as_the_hub_wants_it(definition: dict[str, Any]) -> None:
    assert mistakes(definition) == []
    assert [*definition] == sorted(definition)


@pytest.mark.parametrize(
    "change",
    [
        {"plugin_type": "extractors"},
        {"quality": "good"},
        {"settings": [{"name": "x", "label": "X", "kind": "decimal", "description": "x"}]},
        {"settings": [{"name": "x", "label": "X", "kind": "options", "description": "x"}]},
        {"capabilities": ["flying"]},
        {"logo_url": "supermetrics.svg"},
    ],
)
def test_a_definition_that_the_hub_refuses_would_be_found(
    definition: dict[str, Any], change: dict[str, Any]
) -> None:
    assert len(mistakes(definition | change)) == 1


def test_each_group_is_of_settings_that_have_no_value_yet(definition: dict[str, Any]) -> None:
    without = {each["name"] for each in definition["settings"] if "value" not in each}

    assert definition["settings_group_validation"]
    for group in definition["settings_group_validation"]:
        assert set(group) <= without


def test_the_supported_pythons_are_those_that_the_package_may_be_installed_on() -> None:
    assert hub.supported_pythons()[0] == "3.10"
    needed = re.search(r'requires-python = ">=(.*)"', (PROJECT / "pyproject.toml").read_text())
    assert needed
    assert needed[1] == hub.supported_pythons()[0]


def test_the_logo_is_a_small_square_that_loads_nothing() -> None:
    text = (PROJECT / hub.LOGO).read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314 - our own file

    assert root.get("viewBox") == "0 0 128 128"
    assert len(text) < 2000
    assert not re.search(r"href|script|url\(", text)
    assert hub.LOGO.rpartition("/")[2] == "supermetrics.svg"
