"""`emulator`: the API on localhost, wherever the tap is installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOUT = "serve the API on localhost with invented data, to try pipelines without quota"


def run(arguments: Sequence[str]) -> int:
    """Serve until interrupted or terminated; the options are the emulator's own."""
    # Started by its name: tap and emulator share no code.
    command_line = import_module("tap_supermetrics.emulator.cli")
    code: int = command_line.main(arguments, program="tap-supermetrics emulator")
    return code
