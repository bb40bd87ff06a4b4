"""Tries the wheel on each Python that is here, with the oldest and the newest dependencies.

`./dev matrix [PYTHON ...]`: interpreters by path or version; without them, each version that the
package says it supports and that is found here. Each try is an environment of its own, away from
the checkout: commands, files beside the code, and a small sync from the emulator.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RESOLUTIONS: Final = {"oldest": "lowest-direct", "newest": "highest"}
"""Which versions of the dependencies that pyproject.toml names, as uv calls them."""
SUPPORTED: Final = ("3.10", "3.11", "3.12", "3.13", "3.14")
_SHOWN: Final = ("singer-sdk", "requests", "urllib3", "python-backoff", "msgspec", "tqdm")
_ENDS_AT: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How the wheel did in one environment.

    Attributes:
        python: version of the interpreter.
        dependencies: which of them.
        versions: of some of them, by name.
        mistake: the last line of what failed; empty where all was well.
    """

    python: str
    dependencies: str
    versions: dict[str, str]
    mistake: str

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {self.versions.get(name, '-')}" for name in _SHOWN)
        return f"| {self.python} | {self.dependencies} | {shown} | {self.mistake or 'works'} |"


def main(pythons: Sequence[str]) -> int:
    """Print a table of all tries; return how many failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        wheel = built(Path(folder))
        say(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} KiB")
        say("| Python | Dependencies | Of these | Result |")
        say("| --- | --- | --- | --- |")
        for python in pythons or [*found()]:
            for name in RESOLUTIONS:
                done = tried(wheel, python, name, Path(folder, "try"))
                say(str(done))
                failed += bool(done.mistake)
    return failed


def found() -> Iterator[str]:
    """Give the interpreters of supported versions that are here, oldest first."""
    for version in SUPPORTED:
        asked = uv("python", "find", version)
        if asked.returncode == 0:
            yield asked.stdout.strip()


def built(folder: Path) -> Path:
    """Build source distribution and, from that, the wheel; check what they say of themselves."""
    uv("build", "--out-dir", str(folder / "dist"), str(PROJECT)).check_returncode()
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def needed() -> list[str]:
    """Return what the package depends on, without its extras."""
    return [each for each in requires("tap-supermetrics") or () if "extra ==" not in each]


def tried(wheel: Path, python: str, dependencies: str, place: Path) -> Try:
    """Install the wheel into an empty environment, and run it there."""
    shutil.rmtree(place, ignore_errors=True)
    uv("venv", "--python", python, str(place)).check_returncode()
    inside = str(place / "bin" / "python")
    resolution = RESOLUTIONS[dependencies]
    target = ("--python", inside)
    # Only what stands on the line itself is taken at its lowest.
    done = uv("pip", "install", *target, "--resolution", resolution, str(wheel), *needed())
    if done.returncode == 0:
        shutil.copytree(PROJECT / "tests" / "demo", place / "tests" / "demo")
        shutil.copy(PROJECT / "tests" / "__init__.py", place / "tests")
        line = [inside, "-m", "tests.demo.installed"]
        done = run(line, place)
    listed = json.loads(uv("pip", "list", *target, "--format", "json").stdout)
    return Try(
        python=run([inside, "-c", "import platform; print(platform.python_version())"]).stdout[:-1],
        dependencies=dependencies,
        versions={each["name"]: each["version"] for each in listed},
        mistake=last_line(done) if done.returncode else "",
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a command said."""
    return (done.stderr or done.stdout).strip().rpartition("\n")[2][:200] or "it said nothing"


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv, which fetches no interpreter."""
    return run(["uv", "--no-python-downloads", *arguments])


def run(line: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603 - this file's own commands
        line, cwd=folder, capture_output=True, text=True, check=False, timeout=_ENDS_AT
    )


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
