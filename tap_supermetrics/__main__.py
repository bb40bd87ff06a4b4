"""Starts `tap-supermetrics`: imports nothing that takes time before Ctrl-C is silent."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line.

    Until a run has something to put in order, Ctrl-C ends the process as the system does.
    """
    # A process that ignores it, such as a shell's job in the background, goes on to do so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Only now, as it takes half a second.
    from tap_supermetrics.program import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
