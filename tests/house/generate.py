"""Writes declared settings and commands into docs/settings.md and Meltano's definitions.

`python -m tests.house.generate` renews what stands between the markers `settings: begin` and
`settings: end` of each file, and so for `commands`. Then it renews the plugin definition, which has
no markers because Meltano copies comments into its users' files, and from it the definition for the
Hub; with `--check` it only compares, and exits with 1 when they differ.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tap_supermetrics.commands.command_line import COMMANDS, WITHOUT_SETTINGS, module_of
from tap_supermetrics.settings.config import OF_THE_TAP, TOP_LEVEL
from tap_supermetrics.settings.entries import ONLY_IN_REPORT, OVERRIDABLE
from tests.house import hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_supermetrics.model.declared import Setting

PROJECT: Final = Path(__file__).resolve().parents[2]
RENEW: Final = "./dev settings"

_BLOCK: Final = (
    r"^(?P<indent> *)(?:#|<!--) %(block)s: begin.*\n"
    r"(?P<content>(?:.*\n)*?)"
    r"^ *(?:#|<!--) %(block)s: end"
)
_YAML_WIDTH: Final = 88
_PLUGIN_HEAD: Final = """\
# The plugin for Meltano, where its Hub does not list it:
#   meltano add tap-supermetrics --from-ref FILE-OR-ADDRESS-OF-THIS
# ./dev settings writes `commands` and the tap's own `settings`.
"""
_ABBREVIATIONS: Final = {"api": "API", "url": "URL"}


def settings_tables() -> str:
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


def meltano_commands() -> str:
    """The commands as Meltano wants them, in YAML.

    Meltano gives a command its settings as environment variables only.
    """
    commands = {
        name: {
            "args": name if name in WITHOUT_SETTINGS else f"{name} --config=ENV",
            "description": f"{about[0].upper()}{about[1:]}.",
        }
        for name in COMMANDS
        if (about := module_of(name).ABOUT)
    }
    return yaml.safe_dump(commands, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH)


def plugin_definition() -> str:
    """Return the plugin definition with its settings and commands; what else it says is kept."""
    plugin = yaml.safe_load((PROJECT / hub.PLUGIN).read_text(encoding="utf-8"))
    declared = {each.name for each in TOP_LEVEL}
    of_sdk = [each for each in plugin["settings"] if each["name"] not in declared]
    plugin["commands"] = yaml.safe_load(meltano_commands())
    plugin["settings"] = [*yaml.safe_load(meltano_settings()), *of_sdk]
    text = yaml.safe_dump(plugin, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH)
    return _PLUGIN_HEAD + text


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/settings.md": settings_tables,
    "meltano.yml": meltano_settings,
}
"""What stands between the markers `settings` of each file."""
COMMAND_FILES: Final[Mapping[str, Callable[[], str]]] = {
    "meltano.yml": meltano_commands,
}
"""What stands between the markers `commands` of each file."""
WHOLE_FILES: Final[Mapping[str, Callable[[], str]]] = {
    hub.PLUGIN: plugin_definition,
    hub.DEFINITION: hub.hub_definition,
}
"""Files that are generated whole, each after those that it is made from."""


def renewed(name: str, text: str, content: str, block: str = "settings") -> str:
    """The text of a file with `content` between its markers, as far to the right as they are.

    Raises:
        ValueError: there are no markers, or more than two.
    """
    found = list(re.finditer(_BLOCK % {"block": block}, text, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(
            f"{name}: expected one pair of the comments `{block}: begin` and `{block}: end`, "
            f"found {len(found)}"
        )
    (place,) = found
    indented = textwrap.indent(content, place["indent"])
    return text[: place.start("content")] + indented + text[place.end("content") :]


def _with_blocks(name: str, text: str, settings: str) -> str:
    new = renewed(name, text, settings)
    return renewed(name, new, COMMAND_FILES[name](), "commands") if name in COMMAND_FILES else new


def main(arguments: Sequence[str]) -> None:
    """Renew the files, or with `--check` compare them; exits with 1 for those that differ."""
    if list(arguments) not in ([], ["--check"]):
        sys.exit("usage: python -m tests.house.generate [--check]")
    is_check = bool(arguments)
    stale = []
    for name, content in (*FILES.items(), *WHOLE_FILES.items()):
        path = PROJECT / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        new = content() if name in WHOLE_FILES else _with_blocks(name, text, content())
        if new != text and is_check:
            stale.append(f"{name} does not tell what is declared; run {RENEW}")
        elif new != text:
            path.write_text(new, encoding="utf-8")
    if stale:
        sys.exit("\n".join(stale))


if __name__ == "__main__":
    main(sys.argv[1:])
