"""Writes the declared settings into README.md, meltano.yml and the plugin definition.

`python -m tests.house.generate` renews what stands between the markers `settings: begin` and
`settings: end` of each file; with `--check` it only compares, and exits with 1 when they differ.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tap_supermetrics.settings.config import OF_THE_TAP, TOP_LEVEL
from tap_supermetrics.settings.entries import ONLY_IN_REPORT, OVERRIDABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_supermetrics.model.declared import Setting

PROJECT: Final = Path(__file__).resolve().parents[2]
RENEW: Final = "./dev settings"

_BLOCK: Final = re.compile(
    r"^(?P<indent> *)(?:#|<!--) settings: begin.*\n"
    r"(?P<content>(?:.*\n)*?)"
    r"^ *(?:#|<!--) settings: end",
    re.MULTILINE,
)
_YAML_WIDTH: Final = 88
_ABBREVIATIONS: Final = {"api": "API", "url": "URL"}


def readme_tables() -> str:
    """The settings as tables, in Markdown."""
    parts = {
        "At the top level only:": OF_THE_TAP,
        "At the top level, and in an entry of `queries` to override it there:": OVERRIDABLE,
        "In an entry of `queries` only:": ONLY_IN_REPORT,
    }
    return "".join(f"\n{title}\n\n{_table(settings)}" for title, settings in parts.items()) + "\n"


def _table(settings: Iterable[Setting]) -> str:
    rows = [("Setting", "Expected", "Default", "Meaning"), ("---",) * 4, *map(_row, settings)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(setting: Setting) -> tuple[str, str, str, str]:
    expected = ", ".join(f"`{word}`" for word in setting.kind.options) or setting.kind.expected
    cells = (f"`{setting.name}`", expected, _default(setting), setting.description)
    name, expected, default, meaning = (cell.replace("|", r"\|") for cell in cells)
    return name, expected, default, meaning


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "required"
    if setting.default is None:
        return ""
    shown = str(setting.default)
    return f"`{shown.lower() if isinstance(setting.default, bool) else shown}`"


def meltano_settings() -> str:
    """The settings of the configuration as Meltano wants them, in YAML."""
    return yaml.safe_dump(
        [_meltano_setting(each) for each in TOP_LEVEL],
        sort_keys=False,
        allow_unicode=True,
        width=_YAML_WIDTH,
    )


def _meltano_setting(setting: Setting) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": setting.name,
        "label": _label(setting.name),
        "kind": setting.kind.meltano,
    }
    if setting.kind.is_secret:
        written["sensitive"] = True
    default = setting.in_meltano or setting.default
    if default is not None:
        written["value"] = default
    if setting.kind.options:
        written["options"] = [
            {"label": _label(word), "value": word} for word in setting.kind.options
        ]
    return written | {"description": setting.description}


def _label(name: str) -> str:
    first, *others = (_ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return " ".join((first[0].upper() + first[1:], *others))


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "README.md": readme_tables,
    "meltano.yml": meltano_settings,
    "tap_supermetrics/meltano-plugin.yml": meltano_settings,
}
"""What stands between the markers of each file."""


def renewed(name: str, text: str, content: str) -> str:
    """The text of a file with `content` between its markers, as far to the right as they are.

    Raises:
        ValueError: there are no markers, or more than two.
    """
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) != 1:
        raise ValueError(
            f"{name}: expected one pair of the comments `settings: begin` and `settings: end`, "
            f"found {len(blocks)}"
        )
    (block,) = blocks
    indented = textwrap.indent(content, block["indent"])
    return text[: block.start("content")] + indented + text[block.end("content") :]


def main(arguments: Sequence[str]) -> None:
    """Renew the files, or with `--check` compare them; exits with 1 for those that differ."""
    if list(arguments) not in ([], ["--check"]):
        sys.exit("usage: python -m tests.house.generate [--check]")
    stale = []
    for name, content in FILES.items():
        path = PROJECT / name
        text = path.read_text(encoding="utf-8")
        new = renewed(name, text, content())
        if new != text and arguments:
            stale.append(f"{name} does not tell the declared settings; run {RENEW}")
        elif new != text:
            path.write_text(new, encoding="utf-8")
    if stale:
        sys.exit("\n".join(stale))


if __name__ == "__main__":
    main(sys.argv[1:])
