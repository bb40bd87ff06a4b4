"""Storages of BATCH files that are no folder of this machine, and their errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tap_supermetrics.errors import BatchFileError, TapError
from tap_supermetrics.singer.inputs import in_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS: Final = {"builtins", "tap_supermetrics", "singer_sdk"}
"""Packages whose errors are mistakes of a program, and not of a storage."""


@contextmanager
def storage_errors(root: str) -> Iterator[None]:
    """Translate errors of a storage's libraries into one that names the setting.

    Args:
        root: its address, as `batch_config` names it.

    Raises:
        BatchFileError: the storage cannot be written.
    """
    try:
        yield
    except TapError:
        raise
    except Exception as error:
        package = type(error).__module__.partition(".")[0]
        if isinstance(error, OSError) or package not in _OURS:
            raise BatchFileError(_without_login(root), in_one_line(error)) from None
        raise


def _without_login(root: str) -> str:
    """Return an address without the name and the password in it."""
    parts = urlsplit(root)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
