"""Every link in README and docs leads somewhere, and every command there can be typed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

import pytest

from tap_supermetrics.commands.command_line import COMMANDS, parser_of
from tap_supermetrics.tap import TapSupermetrics
from tests.house.generate import PROJECT
from tests.house.pages import LINK, anchors, is_elsewhere, lines_of_code, pages, without_code
from tests.house.site import adapted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINES_OF_README: Final = 220
TAP: Final = "tap-supermetrics"
PROGRAMS: Final = (TAP, "./dev", "python", "pytest", "meltano invoke")
OPERATORS: Final = {"|", ">", "<", ">>", "2>", ";", "&&", "||", "&"}
MODULES_OF_DEV: Final = {
    "attack": "tests.attack",
    "demo": "tests.demo.run",
    "docs": "tests.house.site",
    "orchestrators": "tests.orchestrators.run",
    "settings": "tests.house.generate",
}
OF_THE_EMULATOR: Final = "tap_supermetrics.emulator.cli"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [each for each in relative_links(page) if not leads_somewhere(page, each)]

    assert dead == []


def test_a_dead_link_would_be_found() -> None:
    readme = PROJECT / "README.md"

    assert leads_somewhere(readme, "#quick-start")
    assert not leads_somewhere(readme, "#no-such-heading")
    assert not leads_somewhere(readme, "docs/settings.md#no-such-heading")
    assert not leads_somewhere(readme, "docs/no-such-page.md")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_command_can_be_typed(page: Path) -> None:
    told = {line: mistake(words, is_whole=whole) for whole, line, words in commands(page)}

    assert {line: wrong for line, wrong in told.items() if wrong} == {}


@pytest.mark.parametrize(
    "line",
    [
        "tap-supermetrics acounts AW",
        "tap-supermetrics plan --stat x",
        "tap-supermetrics sql",
        "tap-supermetrics --konfig x",
        "tap-supermetrics emulator --clok x",
        "meltano invoke tap-supermetrics:plans",
        "./dev tests",
        "./dev attack --readme",
        "python -m tests.benchmarks.nothing",
        "python -m tests.benchmarks.records --with-slow",
        "python -m pytest tests/core/test_nothing.py",
    ],
)
def test_a_command_that_is_not_there_would_be_found(line: str) -> None:
    assert mistake(words_of(line), is_whole=True)


def test_each_program_is_found_in_the_pages() -> None:
    """Else the tests above could look at nothing."""
    found = {words[0] for page in pages() for _, _, words in commands(page)}

    assert found == {"./dev", "meltano", "pytest", "python", TAP}


def test_the_readme_is_short_and_says_how_ci_tests() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    run = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")

    assert len(readme.splitlines()) <= MAX_LINES_OF_README
    (called,) = re.findall(r"^exec (.+)$", run, re.MULTILINE)
    assert f"`{called}`" in readme


def test_the_site_has_its_links_adapted() -> None:
    page = (
        "[a](../README.md#x) [b](state.md) [c](../dev) [d](../tests/core) [e](https://x.y) [f](#f)"
    )

    links = [each["target"] for each in LINK.finditer(adapted(page, "docs/"))]

    assert links[:2] == ["index.md#x", "state.md"]
    assert [each.rpartition("/tap-supermetrics/")[2] for each in links[2:4]] == [
        "blob/main/dev",
        "tree/main/tests/core",
    ]
    assert links[4:] == ["https://x.y", "#f"]
    assert adapted("![p](docs/page.png)", "") == "![p](page.png)"


def relative_links(page: Path) -> list[str]:
    text = without_code(page.read_text(encoding="utf-8"))
    targets = [each["target"] for each in LINK.finditer(text)]
    return [each for each in targets if not is_elsewhere(each)]


def leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = page.parent / name if name else page
    return file.exists() and (not anchor or anchor in anchors(file.read_text(encoding="utf-8")))


def commands(page: Path) -> Iterator[tuple[bool, str, list[str]]]:
    """Each command of a page that is the project's: whether it is whole, its line, its words."""
    for is_whole, line in lines_of_code(page.read_text(encoding="utf-8")):
        for part in re.split(r"; | && | \| ", line):
            if part.startswith(tuple(f"{each} " for each in PROGRAMS)):
                yield is_whole, line, words_of(part)


def words_of(line: str) -> list[str]:
    """The words of a command, without what the shell makes of its output."""
    words = shlex.split(line, comments=True)
    end = next((n for n, each in enumerate(words) if each in OPERATORS), len(words))
    return words[:end]


def mistake(words: list[str], *, is_whole: bool) -> str | None:
    """What is wrong with a command; None where it can be typed."""
    match words:
        case ["meltano", "invoke", plugin, *others]:
            name, _, command = plugin.partition(":")
            return mistake([name, *filter(None, [command]), *others], is_whole=is_whole)
        case ["tap-supermetrics", *others]:
            return of_the_tap(others, is_whole=is_whole)
        case ["./dev", command, *others]:
            return of_dev(command, others)
        case ["python", "-m", *others] | [*others]:
            return of_python(others)


def of_the_tap(words: list[str], *, is_whole: bool) -> str | None:
    first, *others = words
    if first == "emulator":
        return unknown_option(OF_THE_EMULATOR, others)
    if first[0].isalpha():
        return of_a_command(first, others, is_whole=is_whole)
    params = TapSupermetrics.get_singer_command().params
    return wrong_options(words, {name for each in params for name in each.opts} | {"--help"})


def of_dev(command: str, arguments: list[str]) -> str | None:
    text = (PROJECT / "dev").read_text(encoding="utf-8")
    if not re.search(rf"^    {command}( \|.*)?\)$", text, re.MULTILINE):
        return f"no command {command}"
    module = MODULES_OF_DEV.get(command)
    return unknown_option(module, arguments) if module else None


def of_python(words: list[str]) -> str | None:
    module, *arguments = words
    if module != "pytest":
        return unknown_option(module, arguments)
    files = [each for each in arguments if each.startswith("tests/")]
    return next((each for each in files if not (PROJECT / each).exists()), None)


def of_a_command(name: str, arguments: list[str], *, is_whole: bool) -> str | None:
    if name not in COMMANDS:
        return f"no command {name}"
    parser = parser_of(name)
    if is_whole:
        try:
            parser.parse_args(arguments)
        except SystemExit:
            return "its arguments cannot be parsed"
    known = {option for each in parser._actions for option in each.option_strings}  # noqa: SLF001 - argparse has no other way
    return wrong_options(arguments, known | subcommand_options(name))


def subcommand_options(name: str) -> set[str]:
    """Options that an action of the command, such as `state merge`, declares."""
    return options_in(f"tap_supermetrics.commands.{name}")


def unknown_option(module: str, arguments: list[str]) -> str | None:
    try:
        known = options_in(module)
    except FileNotFoundError:
        return f"no module {module}"
    return wrong_options(arguments, known | {"--help"})


def options_in(module: str) -> set[str]:
    """The options that a module names in its text; a package's are in its `__main__`.

    Raises:
        FileNotFoundError: there is none.
    """
    place = PROJECT.joinpath(*module.split("."))
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    return set(re.findall(r'"(--[a-z][\w-]*)[="]', file.read_text(encoding="utf-8")))


def wrong_options(arguments: list[str], known: set[str]) -> str | None:
    given = [each.partition("=")[0] for each in arguments if re.match(r"--[a-z]", each)]
    wrong = [each for each in given if each not in known]
    return f"no option {wrong[0]}" if wrong else None
