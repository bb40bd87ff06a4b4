"""The source of the tap, read but not run: modules, what they import, which texts they hold."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE: Final = "tap_supermetrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file.

    Attributes:
        name: dotted, without the package itself: `api.client`; empty for the package.
        imports: what is imported when it runs, by full dotted name.
        type_imports: what is imported for the type checker only.
    """

    name: str
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)
    imports: frozenset[str]
    type_imports: frozenset[str]

    @property
    def top(self) -> str:
        """The module or package at the top level that it belongs to."""
        return self.name.partition(".")[0]

    def external(self) -> set[str]:
        """Packages that are not this one: `requests`, `datetime`."""
        names = {each.partition(".")[0] for each in self.imports | self.type_imports}
        return names - {PACKAGE}


@cache
def modules() -> Mapping[str, Module]:
    """Every module of the tap by its name."""
    root = PROJECT / PACKAGE
    paths = {_module_name(path.relative_to(root).parts): path for path in root.rglob("*.py")}
    return {
        name: _module(name, path.read_text(encoding="utf-8"))
        for name, path in sorted(paths.items())
    }


def _module_name(parts: tuple[str, ...]) -> str:
    return ".".join(parts).removesuffix(".py").removesuffix("__init__").rstrip(".")


def _module(name: str, text: str) -> Module:
    tree = ast.parse(text)
    for_types = {
        id(each)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and _is_type_checking(branch.test)
        for statement in branch.body
        for each in ast.walk(statement)
    }
    found = [(id(each) in for_types, name) for each in ast.walk(tree) for name in _imported(each)]
    return Module(
        name=name,
        text=text,
        tree=tree,
        imports=frozenset(name for is_for_types, name in found if not is_for_types),
        type_imports=frozenset(name for is_for_types, name in found if is_for_types),
    )


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imported(node: ast.AST) -> Iterator[str]:
    """Full names: `from a.b import c` gives `a.b.c`, because `c` may be a module."""
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{'.' * node.level}{node.module}.{each.name}" for each in node.names)


def own_modules(imports: frozenset[str]) -> set[str]:
    """The names of those imports that are modules of the tap, as `modules` calls them."""
    inside = (each.removeprefix(f"{PACKAGE}.") for each in imports if _is_own(each))
    return {each if each in modules() else each.rpartition(".")[0] for each in inside}


def _is_own(name: str) -> bool:
    return name.partition(".")[0] == PACKAGE


def chart(docstring: str) -> tuple[str, ...]:
    """The names at the beginning of the lines of a map in a docstring, in order."""
    return tuple(re.findall(r"^ *(\w+)/? {2,}\S", docstring, re.MULTILINE))


def texts(module: Module) -> Iterator[str]:
    """Every text in the code, docstrings left out; what is put into an f-string shows as `{}`."""
    inner = {
        id(part)
        for each in ast.walk(module.tree)
        if isinstance(each, (ast.Expr, ast.JoinedStr))
        for part in ast.iter_child_nodes(each)
    }
    for each in ast.walk(module.tree):
        if isinstance(each, ast.JoinedStr):
            yield "".join(map(_part, each.values))
        elif (
            isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in inner
        ):
            yield each.value


def _part(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "{}"
