"""A terminal for the tap: what it shows there, and what a person types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

PATIENCE_S: Final = 120


class Terminal:
    """A process whose stdin and stderr are a terminal, and stdout too unless it is given.

    Attributes:
        shown: what the terminal was sent until now.
    """

    def __init__(
        self,
        line: Sequence[str],
        folder: Path,
        env: Mapping[str, str] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        self.shown = ""
        self._mark = 0
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            line,
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=stdout or theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - no thread was started
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._mine)

    def answer(self, question: str, text: str) -> None:
        """Type a text once a question is shown that was not there before."""
        self._read_until(question)
        os.write(self._mine, text.encode())
        self._mark = len(self.shown)

    def _read_until(self, question: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while question not in self.shown[self._mark :]:
            assert self._read(), f"{question!r} was not asked: {self.shown!r}"
            assert time.monotonic() < until, f"{question!r} was not asked: {self.shown!r}"

    def interrupt(self, question: str) -> int:
        """Type Ctrl-C at a question; return the exit code."""
        self.answer(question, "\x03")
        # Just before it waits, Python notes the signal and reads on: a person types it again.
        while self.process.poll() is None:
            if not select.select([self._mine], [], [], 5)[0]:
                os.write(self._mine, b"\x03")
            elif not self._read():
                break
        return self.end()

    def end(self) -> int:
        """Read to the end; return the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._mine], [], [], PATIENCE_S)
        assert ready, f"nothing comes any more after {self.shown!r}"
        try:
            read = os.read(self._mine, 65536)
        except OSError:  # Linux says so when the other side is closed.
            return False
        self.shown += read.decode(errors="replace")
        return bool(read)


def _take_terminal() -> None:
    # It is the controlling one, which Ctrl-C and hidden answers need.
    os.close(os.open(os.ttyname(0), os.O_RDWR))
