"""Writes Singer messages to stdout: whole lines, or none."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import suppress
from hashlib import blake2b
from typing import IO, TYPE_CHECKING, Final

from singer_sdk.contrib.msgspec import serialize_jsonl
from singer_sdk.helpers._state import StateWriter
from singer_sdk.io_base import GenericSingerWriter
from singer_sdk.singerlib import StateMessage

from tap_supermetrics.errors import OutputError

if TYPE_CHECKING:
    from types import FrameType

    from singer_sdk.helpers.types import TapState
    from singer_sdk.singerlib import Message

    from tap_supermetrics.errors import InterruptedRun

logger = logging.getLogger(__name__)

MAX_WAIT_S: Final = 3.0
"""How long a target may take nothing once a signal has requested the end, in seconds."""


class MessageWriter(GenericSingerWriter[bytearray, "Message"]):
    """Writes bytes to stdout, flushed at once: nothing waits in a buffer while the tap does.

    A signal in the middle of a line must not tear it: the interruption waits until the line is
    out, unless the target takes nothing for `MAX_WAIT_S`, or a second signal comes. And an
    unbuffered stdout may take only a part of a line, so the rest is written again.

    Attributes:
        is_torn: whether a line was left unfinished, so that nothing more may follow.
        written: how many times lines went out whole.
    """

    def __init__(self) -> None:
        self.is_torn = False
        self.written = 0
        self._is_writing = False
        self._is_ending = False
        self._interruption: InterruptedRun | None = None

    def serialize_message(self, message: Message) -> bytearray:
        """Return a message as one line of JSON."""
        if isinstance(message, StateMessage):
            # `to_dict` would copy every value of it, which takes as long as all of the planning.
            return serialize_jsonl({"type": message.type, "value": message.value})
        return serialize_jsonl(message.to_dict())

    def write_message(self, message: Message) -> None:
        """Write one line.

        Raises:
            InterruptedRun: a signal came while it was written.
            BrokenPipeError: the target has gone.
        """
        self.write_lines(self.format_message(message))

    def write_lines(self, lines: bytes | bytearray) -> None:
        """Write whole lines, which stay together.

        Raises:
            InterruptedRun: a signal came while they were written.
            BrokenPipeError: the target has gone.
            OutputError: they cannot be written.
        """
        # Read by the handler of signals, which runs in this thread, between two of its steps.
        self._is_writing = True
        try:
            _write_all(lines)
            self.written += 1
        finally:
            self._is_writing = False
        if self._interruption and not self._is_ending:
            raise self._interruption

    def interrupt(self, interruption: InterruptedRun) -> None:
        """End the run: now, or after the line that is being written; the second time, now.

        The last messages of a run that ends anyway are only given a time to be written in.

        Raises:
            InterruptedRun: when no line is being written, or this is the second time.
        """
        is_repeated = self._interruption is not None
        self._interruption = interruption
        if not is_repeated:
            self._bound_waiting()
        if self._is_ending:
            return
        if is_repeated or not self._is_writing:
            self._tear()

    def begin_ending(self) -> None:
        """Let the last messages of a run be written, of an interrupted one in bounded time."""
        self._is_ending = True
        if self._interruption:
            self._bound_waiting()

    def _bound_waiting(self) -> None:
        """Give up the line that is being written some seconds from now, where the system can."""
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._give_up)
            signal.setitimer(signal.ITIMER_REAL, MAX_WAIT_S)

    def _give_up(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_writing:
            logger.warning("The target takes nothing: the line that was begun is given up.")
            self._tear()

    def _tear(self) -> None:
        """End the run now, even in the middle of a line."""
        self.is_torn = self.is_torn or self._is_writing
        if self._interruption:
            raise self._interruption


class StateLines(StateWriter):
    """Writes states that have changed; the SDK's own writer copies each, however large."""

    def __init__(self, message_writer: MessageWriter) -> None:
        super().__init__(message_writer)
        self._writer = message_writer
        self._last = b""

    def write_state(self, state: TapState) -> None:
        """Write a STATE message, unless it equals the last one."""
        line = self._writer.format_message(StateMessage(value=state))
        digest = blake2b(line).digest()
        if digest != self._last:
            self._writer.write_lines(line)
            self._last = digest


def _write_all(lines: bytes | bytearray) -> None:
    """Write lines to stdout past its buffer; translate errors of the system."""
    # Looked up at each call: tests and embedding programs replace it.
    check_output()
    stdout = getattr(sys.stdout, "buffer", None)
    if stdout is None:
        sys.stdout.write(lines.decode())
        return
    try:
        # What was printed before must come before these lines.
        stdout.flush()
        # Past the buffer: Python would write once more at its end what an error leaves there, and
        # wait for a full pipe.
        _write_bytes(getattr(stdout, "raw", stdout), lines)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(getattr(error, "strerror", None) or str(error)) from None


def check_output() -> None:
    """Refuse to run without an output, before anything is requested.

    Raises:
        OutputError: stdout was closed before the process began.
    """
    if sys.stdout is None:
        raise OutputError("it is closed")


def end_output() -> None:
    """Write what `print` left in the buffer; discard it where nobody reads it any more.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
    except (OSError, ValueError) as error:
        discard_output()
        raise OutputError(getattr(error, "strerror", None) or str(error)) from None


def discard_output() -> None:
    """Discard what is still to be written; Python would fail at its end otherwise."""
    with suppress(OSError, ValueError, AttributeError):  # as above
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_bytes(stdout: IO[bytes], lines: bytes | bytearray) -> None:
    _make_blocking(stdout)
    written = 0
    while written < len(lines):
        # An error remembers what it met: the SDK could not reuse the lines that are in view there.
        with memoryview(lines) as whole, whole[written:] as rest:
            written += stdout.write(rest)
    stdout.flush()


def _make_blocking(stdout: IO[bytes]) -> None:
    """Make writing wait for a full pipe, whatever mode the programs that share it have set."""
    with suppress(OSError, ValueError, AttributeError):  # no file, or a system without the call
        os.set_blocking(stdout.fileno(), True)
