"""Makes a site of README and docs: `./dev docs` runs it.

The pages are copied into build/pages, README as the first one. What links to a file that is no page
leads to the repository there. `mkdocs build --strict` then fails at a link that is dead.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.house.generate import PROJECT
from tests.house.hub import REPOSITORY
from tests.house.pages import LINK, is_elsewhere, pages

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

PLACE: Final = PROJECT / "build" / "pages"
_DOCS: Final = "docs/"
_FIRST: Final = "index.md"


def adapted(text: str, folder: str) -> str:
    """Return a page as the site needs it.

    Args:
        text: the page.
        folder: where it stands in the repository; empty for README.
    """

    def link(found: re.Match[str]) -> str:
        target = found["target"]
        if is_elsewhere(target) or target.startswith("#"):
            return found[0]
        path, mark, anchor = target.partition("#")
        return f"{found['text']}({_place(posixpath.normpath(f'{folder}{path}'))}{mark}{anchor})"

    return LINK.sub(link, text)


def _place(path: str) -> str:
    if path == "README.md":
        return _FIRST
    if path.startswith(_DOCS):
        return path.removeprefix(_DOCS)
    kind = "tree" if (PROJECT / path).is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{path}"


def copy() -> None:
    """Write the pages and their pictures into an empty build/pages."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    for page in pages():
        is_first = page.parent == PROJECT
        text = adapted(page.read_text(encoding="utf-8"), "" if is_first else _DOCS)
        (PLACE / (_FIRST if is_first else page.name)).write_text(text, encoding="utf-8")
    for picture in (PROJECT / "docs").glob("*.png"):
        shutil.copy(picture, PLACE)


def main(arguments: Sequence[str]) -> int:
    """Build the site; return 0 where every link leads somewhere."""
    copy()
    line = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-f",
        "docs/mkdocs.yml",
        *arguments,
    ]
    # It tells of nothing but the next version of its own, which does not matter here.
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    code = subprocess.run(line, cwd=PROJECT, env=env, check=False).returncode  # noqa: S603 - mkdocs
    if code == 0:
        sys.stdout.write("The site is in build/site/index.html\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
