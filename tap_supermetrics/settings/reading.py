"""Reads declared settings from what a person wrote, and collects the mistakes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.words import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_supermetrics.model.declared import Setting

_NOT_REPLACED: Final = re.compile(r"\$\w+|\$\{\w+\}|\$\(\w+\)|%\w+%|\{\{[^{}]*\}\}")
_IN_A_TEXT: Final = re.compile(r"\$\{[A-Za-z_]\w*\}")
"""Filters and patterns may contain `$`; only a variable is written so."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_OF_BYTES: Final = re.compile("[\udc80-\udcff]")
"""In a path these represent bytes that are no UTF-8."""
_HALF_IN_JSON: Final = re.compile(r"\\u[dD][89a-fA-F]")


class Mistakes(list[str]):
    """The mistakes found, one line each.

    Attributes:
        key: the API key as it was given, which no line may show.
    """

    def __init__(self, key: object) -> None:
        super().__init__()
        # A variable that was not replaced is no secret: its name has to be shown.
        is_key = isinstance(key, str) and not _NOT_REPLACED.fullmatch(key)
        self.key = str(key).strip().strip("\"'") if is_key else ""


def read(
    raw: Mapping[str, Any], declared: Iterable[Setting], prefix: str, mistakes: Mistakes
) -> dict[str, Any]:
    """Return the value of each declared setting, by its attribute.

    A setting without a value, because it is required or cannot be read, is None.
    """
    return {each.attribute: _read_one(raw, each, prefix, mistakes) for each in declared}


def _read_one(raw: Mapping[str, Any], setting: Setting, prefix: str, mistakes: Mistakes) -> Any:  # noqa: ANN401 - of the setting's kind
    """Return the value of one setting; None after a mistake."""
    path, given = f"{prefix}{setting.name}", raw.get(setting.name)
    if given is None and setting.is_required:
        mistakes.append(f"{path}: required, expected {setting.kind.expected}")
        return None
    if given is None and setting.default is None:
        return setting.unset
    given = setting.default if given is None else given
    # Mistakes in entries are named there, by their path.
    if setting.name != "queries" and (variable := _left_in(given)):
        mistakes.append(
            f"{path}: the environment variable {variable} was not replaced; "
            "set it, or check its spelling"
        )
        return None
    whole = _OF_BYTES.sub("", given) if setting.kind.is_path and isinstance(given, str) else given
    if setting.name != "queries" and (half := half_in(whole)):
        mistakes.append(f"{path}: a text has half a character ({half})")
        return None
    try:
        return setting.kind.read(given, mistakes.key)
    except ValueError as error:
        mistakes.append(f"{path}: {error}")
        return None


def _left_in(given: object) -> str:
    """Return the first variable that was not replaced in a value, at any depth, or nothing."""
    if isinstance(given, str):
        found = _NOT_REPLACED.fullmatch(given.strip()) or _IN_A_TEXT.search(given)
        return found[0] if found else ""
    inner = [*given.values()] if isinstance(given, dict) else given
    return next(filter(None, map(_left_in, inner)), "") if isinstance(inner, list) else ""


def half_in(given: object) -> str:
    """Return the first half of a character in a value, at any depth and in JSON too, or nothing.

    It can be neither sent nor written.
    """
    match given:
        case str():
            return _half_in_text(given)
        case dict():
            inner = [*given.keys(), *given.values()]
        case list():
            inner = given
        case _:
            return ""
    return next(filter(None, map(half_in, inner)), "")


def _half_in_text(text: str) -> str:
    if found := _HALF.search(text):
        return ascii(found[0])
    if not (text.lstrip().startswith(("[", "{")) and _HALF_IN_JSON.search(text)):
        return ""
    try:
        return half_in(json.loads(text))
    # No JSON, which is checked elsewhere.
    except (ValueError, RecursionError):
        return ""


def check_nulls(
    raw: Mapping[str, Any], declared: Iterable[Setting], prefix: str, mistakes: Mistakes
) -> None:
    """Add a mistake for a null that was meant as the word, which YAML and JSON want in quotes."""
    mistakes += [
        f'{prefix}{each.name}: nothing is given; write the word null in quotes, "null"'
        for each in declared
        if "null" in each.kind.options and raw.get(each.name, "") is None
    ]


def hint(word: str, known: Sequence[str]) -> str:
    """Return `, did you mean ...?` with the known word that is most like one, or nothing."""
    near = nearest(word, known)
    return f", did you mean {near}?" if near else ""
