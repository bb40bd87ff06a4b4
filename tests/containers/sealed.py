"""A root of mounts in which one folder may be written to, a user that is nobody, a memory limit.

Made by `unshare`, `mount` and `chroot`, which takes root on Linux, and memory control groups of
version 1. Elsewhere `why_not` says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.demo.processes import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOBODY: Final = 65534
LIMIT: Final = 256 * 1024 * 1024
_CGROUP: Final = Path("/sys/fs/cgroup/memory")
_SEEN: Final = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/dev")
_SEAL: Final = r"""
set -eu
root=$1 data=$2 group=$3
shift 3
echo $$ >"$group/cgroup.procs"
mount -t tmpfs -o mode=755 tmpfs "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    # The first time binds, the second one changes.
    mount -o remount,bind,ro "$root$1"
    shift
done
shift
mkdir -p "$root/data" "$root/proc"
mount -t proc proc "$root/proc"
mount --bind "$data" "$root/data"
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid=65534 --regid=65534 --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


@dataclass(slots=True)
class Running:
    """A program in its container.

    Attributes:
        outside: the process that waits for it.
        group: its memory control group.
    """

    outside: subprocess.Popen[str]
    group: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process of the container, as a daemon does."""
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        (first,) = map(int, children.read_text().split())
        os.kill(first, number)

    def was_out_of_memory(self) -> bool:
        """Return whether a process was killed for the limit."""
        return "oom_kill 0" not in (self.group / "memory.oom_control").read_text()

    def most_memory(self) -> int:
        """Return the bytes that the container held at most, the cache of its files included."""
        return int((self.group / "memory.max_usage_in_bytes").read_text())


def why_not() -> str:
    """Return why no container can be made here; nothing where one can."""
    if sys.platform != "linux" or os.geteuid():
        return "needs root on Linux"
    if missing := [name for name in ("unshare", "setpriv", "chroot") if not shutil.which(name)]:
        return f"needs {', '.join(missing)}"
    line = ["unshare", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(line, check=False, capture_output=True).returncode:  # noqa: S603 - fixed
        return "namespaces are refused"
    if not (_CGROUP / "memory.limit_in_bytes").exists():
        return "needs memory control groups of version 1"
    return ""


@contextlib.contextmanager
def started(
    folder: Path, config: Path, line: Sequence[str], env: Mapping[str, str]
) -> Iterator[Running]:
    """Start a program in a container; kill what is left of it at the end.

    Args:
        folder: for its root and its volume, `/data`, which stays.
        config: a folder that it may read.
        line: the program.
        env: all that it gets of an environment.
    """
    root, data = folder / "root", folder / "data"
    for each in (root, data):
        each.mkdir(exist_ok=True)
    os.chown(data, NOBODY, NOBODY)
    group = _CGROUP / f"supermetrics-{os.getpid()}-{folder.name}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
        places = dict.fromkeys(
            [*_SEEN, sys.base_prefix, sys.prefix, str(PROJECT), os.path.realpath(config)]
        )
        there = [place for place in places if Path(place).exists()]
        seal = ["sh", "-c", _SEAL, "seal", str(root), str(data), str(group), *there, "--", *line]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        with subprocess.Popen(  # noqa: S603 - the program under test
            [*namespaces, *seal],
            env={"PATH": os.environ["PATH"], **env},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as outside:
            try:
                yield Running(outside, group)
            finally:
                outside.kill()
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove a group once its last process, killed with its namespace, is gone."""
    for process in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(process), signal.SIGKILL)
    while (group / "cgroup.procs").read_text():
        pass
    group.rmdir()
