"""Errors that end a run or fail a query, with their exit codes.

```
TapError
├── SettingsError    the configuration, catalog or state has mistakes; nothing was sent
├── OutputError      messages cannot be written to stdout
├── BatchFileError   files of BATCH messages cannot be written
├── QueriesFailedError everything else arrived; the summary names what did not
└── ApiError         the API refused, failed or answered nonsense (`tap_supermetrics.api.errors`)
InterruptedRun       SIGINT or SIGTERM; the state was written
```

Every message is one line: what happened, what was expected, which setting to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 1
"""A mistake in the settings, or an API that cannot be used at all."""
EXIT_INCOMPLETE = 3
"""Some queries failed; all others arrived and the state covers them."""
EXIT_REFUSED = 4
"""The API refuses the key, the license or the quota: a person has to act."""
EXIT_SIGNAL_BASE = 128
"""128 + n for a run that ended by signal n, as shells report it."""


RAISE_LIMITS = "raise what the system allows this process: memory, processes (`ulimit -u`)"
"""Advice where this machine is out of a resource."""


class TapError(Exception):
    """A failure that its message explains; users never see its traceback."""

    exit_code = EXIT_FAILED


class SettingsError(TapError):
    """Mistakes in what the user wrote: settings, catalog or state.

    Attributes:
        mistakes: one line each, beginning with the path (`queries[2].fields: ...`).
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


class OutputError(TapError):
    """Messages cannot be written to stdout: it is closed, or its disk is full.

    Attributes:
        reason: the message of the system.
    """

    def __init__(self, reason: str, *, has_state: bool = True) -> None:
        remedy = "; run again to go on from the last state that was stored" if has_state else ""
        super().__init__(
            f"standard output cannot be written ({reason}): check where it goes, and whether that "
            f"has room{remedy}"
        )
        self.reason = reason


class BatchFileError(TapError):
    """A file of a BATCH message cannot be written.

    Args:
        folder: where it was to be written.
        reason: the message of the system.
    """

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(
            f"files of BATCH messages cannot be written to {folder} ({reason}): give it room, or "
            "name another folder in `batch_config.storage.root`; run again to go on from the last "
            "state that was stored"
        )


class QueriesFailedError(TapError):
    """The run went to its end, but some queries failed on the way."""

    exit_code = EXIT_INCOMPLETE


class InterruptedRun(BaseException):
    """A signal ended the run. Like KeyboardInterrupt, no handler of errors must catch it.

    Attributes:
        exit_code: 128 + the signal's number.
    """

    def __init__(self, signal_number: int, signal_name: str) -> None:
        super().__init__(
            f"Stopped by {signal_name}: the state says what arrived; run again to go on from there."
        )
        self.exit_code = EXIT_SIGNAL_BASE + signal_number
