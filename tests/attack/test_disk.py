"""A disk that is full ends the run in one line that names the folder."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from tap_supermetrics.emulator import Emulator
from tap_supermetrics.errors import TapError
from tap_supermetrics.extraction.results import Spool
from tests.attack.driver import ADS, attempt, options, settings_for

if TYPE_CHECKING:
    import pytest


def test_a_full_disk_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Spool, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "add", full)
    with Emulator(options=options()) as emulator:
        ended = attempt(settings_for(emulator, ADS))
    assert ended.code == TapError.exit_code
    assert "No space left on device" in ended.message
    assert "TMPDIR" in ended.message
