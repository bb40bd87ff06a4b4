"""Settings in the environment, and variables that look like settings but are not read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from singer_sdk.configuration._dict_config import parse_environment_config

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings.config import config_schema
from tap_supermetrics.settings.entries import ONLY_IN_REPORT
from tap_supermetrics.settings.reading import hint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_FLAGS: Final = frozenset(("true", "1", "yes", "on", "false", "0", "no", "off", ""))
_SHOWN: Final = 200
"""How much of a value is shown."""
_OTHERS: Final = frozenset({"loglevel"})
_REQUIRED: Final = ": required"
_OF_REPORTS: Final = frozenset(each.name for each in ONLY_IN_REPORT)
_IN_ENTRY: Final = "; it is a setting of a report: write it into an entry of `queries`"


def environment_of(of_sdk: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings in the environment: our own as texts, which `model.kinds` reads.

    Args:
        of_sdk: schemas of the settings that are the SDK's, by name.
        prefix: of the variables' names.

    Raises:
        SettingsError: a setting of the SDK cannot be read.
    """
    ours = {"properties": {key: {"type": "string"} for key in config_schema()["properties"]}}
    found, mistakes = parse_environment_config(ours, prefix), list[str]()
    for name, schema in of_sdk.items():
        found |= from_environment(name, schema, prefix, mistakes)
    if mistakes:
        raise SettingsError(mistakes)
    return found


def from_environment(
    name: str, schema: Mapping[str, Any], prefix: str, mistakes: list[str]
) -> dict[str, Any]:
    """Return one setting of the SDK from the environment, by its name; nothing where unset.

    Args:
        name: of the setting.
        schema: its JSON Schema.
        prefix: of the variables' names.
        mistakes: gets a line where the value cannot be read.
    """
    variable, types = f"{prefix}{name.upper()}", schema.get("type") or ()
    word = os.environ.get(variable, "").strip().casefold()
    if "boolean" in types and word not in _FLAGS:
        mistakes.append(f"{variable}: expected true or false, got {word[:_SHOWN]!r}")
        return {}
    try:
        return parse_environment_config({"properties": {name: schema}}, prefix)
    except ValueError as error:
        mistakes.append(f"{variable}: expected JSON or a number ({error})")
        return {}


def unread_variables(
    environment: Collection[str], prefix: str, settings: Collection[str]
) -> Iterator[str]:
    """Yield a line for each variable that looks like a setting, but is not read.

    Args:
        environment: names of its variables.
        prefix: of variables that are settings.
        settings: names of all settings.
    """
    for variable in sorted(environment):
        name = variable[len(prefix) :].casefold()
        # Names that begin with `_` are extras of Meltano's.
        if not variable.upper().startswith(prefix) or name.startswith("_") or name in _OTHERS:
            continue
        if name not in settings:
            is_of_report = name in _OF_REPORTS
            advice = _IN_ENTRY if is_of_report else hint(name, [*settings])
            yield f"{variable}: no setting is called so{advice}"
        elif variable != variable.upper():
            yield f"{variable}: it is not read: write its name in capital letters"


def with_variables(mistakes: Sequence[str], environment: Collection[str], prefix: str) -> list[str]:
    """Return mistakes; those of missing settings name the variable that is set instead."""
    lines = []
    for mistake in mistakes:
        name, required, _ = mistake.partition(_REQUIRED)
        variable = f"{prefix}{name.upper()}"
        is_there = required and variable in environment
        lines.append(
            f"{mistake}; {variable} is set: `--config ENV` reads it" if is_there else mistake
        )
    return lines
