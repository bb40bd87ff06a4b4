"""No text of a server forges a line of the log, or steers a terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.emulator import Emulator, Options
from tap_supermetrics.redaction import OneLine
from tests.attack.liar import ACCOUNTS, Liar, at
from tests.tap import config_for, sync

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FORGED = "qrb_1\n2024-06-10 04:00:00,000 | INFO | tap | all is well\x1b[2K\u202e"
REPORT = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": "list.all_accounts",
    "fields": ["Date", "Cost"],
}


def record(name: str, text: str) -> OneLine:
    return OneLine(name, logging.INFO, "x.py", 1, "Query batch %s submitted", (text,), None)


@given(st.text())
def test_any_text_in_a_message_makes_one_printable_line(text: str) -> None:
    assert record("tap_supermetrics.extraction.batches", text).getMessage().isprintable()


def test_no_message_shows_the_key_whoever_logs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneLine, "secrets", {"api_0123456789abcdef"})
    for name in ("tap_supermetrics.extraction.batches", "urllib3.connectionpool"):
        told = record(name, "qrb_1_api_0123456789abcdef").getMessage()
        assert told == "Query batch qrb_1_(the key) submitted"


def test_messages_of_others_are_left_as_they_are() -> None:
    assert "\n" in record("singer_sdk.metrics", "a\nb").getMessage()


def test_the_id_of_an_account_cannot_forge_a_line(tmp_path: Path) -> None:
    with Emulator(options=Options(clock_factor=100.0)) as emulator, Liar(emulator) as liar:
        liar.tell(ACCOUNTS, at("data.0.accounts.0.account_id", FORGED))
        dates = {"start_date": "2024-05-30", "end_date": "2024-05-31"}
        config = config_for(emulator, [REPORT], **dates, mode="batch") | {"api_url": liar.url}
        ended = sync(config, tmp_path)

    assert ended.code == 3
    lines = ended.stderr.splitlines()
    assert not [line for line in lines if line.startswith("2024-06-10")]
    assert all(line.isprintable() for line in lines)
