"""The pages that people read, README and docs: their headings, links and commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINK: Final = re.compile(r"(?P<text>!?\[[^\]\n]*\])\((?P<target>[^)\s]+)\)")
"""A link or a picture."""
_FENCED: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    """Return README and all pages of docs, README first."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def without_code(text: str) -> str:
    """Return a page without its blocks of code, in which nothing is a heading or a link."""
    return _FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE):
        plain = LINK.sub(lambda each: each["text"].strip("![]"), heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        again = found.count(slug)
        found.append(f"{slug}-{again}" if again else slug)
    return set(found)


def is_elsewhere(target: str) -> bool:
    """Return whether a link leads out of this repository."""
    return re.match(r"[a-z]+:", target) is not None


def lines_of_code(text: str) -> Iterator[tuple[bool, str]]:
    """Yield each line of shell, and each piece of code in the text.

    Returns:
        Whether it is whole, as to be typed, and not a mention within a sentence; and the line,
        continued ones joined.
    """
    for _, language, block in _FENCED.findall(text):
        if language in {"sh", "console"}:
            joined = re.sub(r" *\\\n *", " ", block)
            lines = (line.strip() for line in joined.splitlines())
            prompts = "$ " if language == "console" else ""
            yield from ((True, each.removeprefix(prompts)) for each in lines if prompts in each[:2])
    yield from ((False, each) for each in _INLINE.findall(without_code(text)))
