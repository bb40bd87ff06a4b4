"""Signals that end a run, beside those that the SDK handles."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def handle_hang_up(handler: Callable[[int, FrameType | None], None]) -> None:
    """Have the end of the terminal handled too, unless it is ignored, as `nohup` has it."""
    is_main = threading.current_thread() is threading.main_thread()
    hang_up = getattr(signal, "SIGHUP", None)  # Not on each system.
    if is_main and hang_up and signal.getsignal(hang_up) is signal.SIG_DFL:
        signal.signal(hang_up, handler)
