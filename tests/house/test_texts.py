"""What stands in the files: how long they are, and what must not be in them."""

from __future__ import annotations

import ast
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
from packaging.requirements import Requirement

from tests.house.generate import PROJECT
from tests.house.source import Module, modules, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES: Final = 420

BANNED: Final = {
    "unfinished work": r"\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b",
    "a path of one machine": (
        r"(?<![\w.~}\-])/(home|Users|root|work|mnt|opt|srv|private|var/folders)/|\b[A-Z]:\\Users\\"
    ),
    "a host of a package registry": (
        r"pythonhosted\.org|registry\.(npmjs|yarnpkg)|artifactor[y]|://[\w.:@-]+/simple\b"
        r"|(?<!no-emit-)(extra-)?index-ur[l]|trusted-hos[t]"
        # The page that people see is no registry.
        r"|pypi\.(?!org/project/)\w+/"
    ),
}
WIRE: Final = ("api.wire", "api.items", "api.fields", "api.listings")
SPELLED_ELSEWHERE: Final = {
    # Names of the API's that are names of settings too.
    "commands.init",
    "model.accounts",
    "model.kinds",
    "model.policies",
    "model.report",
    "settings.config",
    "settings.contradictions",
    "settings.entries",
    "settings.query_url",
    "sync.idle",
    # Columns are called as the API calls them.
    "commands.views",
    "sync.query_log",
}
STRAY_SPELLINGS: Final = {
    ("sync.notation", "split_accounts_policy"),
    ("sync.notation", "split_dates_policy"),
}
"""Words of the API that the state uses too: it must not change with them."""
MANY: Final = re.compile(
    r"(?:%d|\{\}) (?:queries|rows|days|reports|accounts|values|texts|results|files|records|lines"
    r"|columns|fields|items|seconds|minutes|query batches|starts|pages)\b"
)
NEVER_ONE: Final = {
    # Whose numbers are two or more, or signs that stand for days.
    "api.answers",
    "commands.coverage",
    "commands.plan",
    "extraction.breakers",
    "extraction.not_taken",
    "extraction.page_requests",
    "sync.journal_folder",
    "sync.report_sync",
}


def tracked_files() -> Iterator[tuple[str, str]]:
    """Name and text of every file that git has or would take, but for pictures."""
    line = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            line, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs a git checkout: {error}")
    for name in filter(None, done.stdout.split("\0")):
        path = PROJECT / name
        if path.is_file() and path.suffix != ".png":
            yield name, path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("what", BANNED)
def test_no_file_has(what: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in tracked_files()
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(BANNED[what], line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("unfinished work", "# TO" + "DO: later"),
        ("a path of one machine", "cd /ho" + "me/jane/tap"),
        ("a host of a package registry", "--index-" + "url=x"),
        ("a host of a package registry", "https://py" + "pi.org/simple"),
        ("a host of a package registry", "https://files.python" + "hosted.org/x.whl"),
    ],
)
def test_what_no_file_may_have_would_be_found(what: str, line: str) -> None:
    assert re.search(BANNED[what], line)


@pytest.mark.parametrize("module", modules().values(), ids=lambda module: module.name or "map")
def test_a_module_has_a_docstring_and_can_be_read_in_one_go(module: Module) -> None:
    lines = len(module.text.splitlines())

    assert ast.get_docstring(module.tree)
    assert lines <= MAX_LINES


def test_the_spellings_of_the_api_are_in_four_modules() -> None:
    """Paths and names of parameters: what the live service may want otherwise."""
    spellings = {
        text
        for module in WIRE
        for text in texts(modules()[module])
        if re.fullmatch(r"[a-z]+([_/][a-z]+)+", text)
    }
    assert {"query/batch", "split_dates_policy", "ds_accounts"} <= spellings
    strays = {
        (module.name, text)
        for module in modules().values()
        if module.top != "emulator" and module.name not in {*WIRE, *SPELLED_ELSEWHERE}
        for text in texts(module)
        if text in spellings or text.startswith(("query/", "team/"))
    }
    assert strays == STRAY_SPELLINGS


def test_one_is_told_as_one() -> None:
    """By `words.counted`, where a number may be one."""
    found = {
        (module.name, text)
        for module in modules().values()
        if module.top != "emulator"
        for text in texts(module)
        if MANY.search(text)
    }
    assert {name for name, _ in found} == NEVER_ONE, sorted(found)


def declared_requirements() -> list[Requirement]:
    """Everything that pyproject.toml asks for, at run time and for development."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(
        r"^(?:dependencies|demo|docs|dev) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL
    )
    lines = [line for each in lists for line in each.splitlines() if "include-group" not in line]
    return [Requirement(each) for line in lines for each in re.findall(r'"([^"]+)"', line)]


def test_the_import_name_backoff_has_one_owner() -> None:
    """PyPI's `backoff` overwrites the files of singer-sdk's `python-backoff`."""
    names = {each.name for each in declared_requirements()}

    assert {"singer-sdk", "python-backoff", "pytest", "meltano"} <= names
    assert "backoff" not in names
    assert not re.search(r"^backoff\b", constraints(), re.MULTILINE)


def test_the_constraints_are_versions_and_nothing_else() -> None:
    other = [
        line
        for line in constraints().splitlines()
        if not re.fullmatch(r"[a-z0-9._-]+==[\w.!+]+( ; [^/@]+)?", line)
    ]
    assert other == []


def test_the_constraints_hold_every_requirement() -> None:
    held = {line.partition("==")[0] for line in constraints().splitlines()}

    assert {each.name.lower() for each in declared_requirements()} <= held


def constraints() -> str:
    return (PROJECT / "constraints.txt").read_text(encoding="utf-8")
