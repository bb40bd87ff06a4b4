"""Many records at a time: the same messages as the SDK writes, in the same order."""

from __future__ import annotations

import copy
import errno
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.contrib.msgspec import serialize_jsonl
from singer_sdk.singerlib import StateMessage

from tap_supermetrics.emulator import Emulator, Fault, Options
from tap_supermetrics.errors import InterruptedRun, OutputError
from tap_supermetrics.singer import writer as singer_writer
from tap_supermetrics.singer.writer import MessageWriter, StateLines
from tap_supermetrics.streams import ReportStream
from tap_supermetrics.tap import TapSupermetrics
from tests.benchmarks.server import serving
from tests.tap import command, config_for, days_covered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTS: list[dict[str, Any]] = [
    {
        "name": "google_ads",
        "ds_id": "AW",
        "ds_accounts": ["4713896205", "8820145937"],
        "fields": ["Date", "Campaignname", "Device", "Cost", "Clicks", "ROAS"],
    },
    {
        "name": "facebook_ads",
        "ds_id": "FA",
        "ds_accounts": ["act_1784203956017"],
        "fields": ["Date", "adcampaign_name", "spend", "impressions"],
        "split_dates_policy": "none",
    },
    {
        "name": "products",
        "ds_id": "GMC",
        "ds_accounts": ["118264033"],
        "fields": ["product_id", "product_title", "in_stock", "price"],
    },
]
DATES = {"start_date": "2024-06-05", "end_date": "2024-06-09"}
VOLATILE = re.compile(
    r'("(?:time_extracted|_sm_fetched_at|_sm_schedule_id|version)":)("[^"]*"|\d+)'
)


def options(**changes: Any) -> Options:  # noqa: ANN401 - any option
    values: dict[str, Any] = {
        "clock_factor": 200.0,
        "now": "2024-06-10T04:00:00+00:00",
        "min_seconds": 1.0,
        "max_seconds": 3.0,
    }
    return Options(**values | changes)


class Stdout(io.StringIO):
    """Keeps what was written; as a real stdout, it has a buffer of bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = io.BytesIO()

    @property
    def buffer(self) -> io.BytesIO:
        return self.written

    @property
    def lines(self) -> list[str]:
        return self.written.getvalue().decode().splitlines()


@contextmanager
def stdout(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stdout]:
    with monkeypatch.context() as patch:
        written = Stdout()
        patch.setattr(sys, "stdout", written)
        yield written


def messages(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, **tap: Any) -> list[str]:  # noqa: ANN401 - the tap's arguments
    """What a run in this process writes, without what differs from run to run; STATE left out.

    When the state is written depends on how fast batches are started.
    """
    with stdout(monkeypatch) as written:
        TapSupermetrics(config=config, **tap).sync_to_end()
    return [VOLATILE.sub(r'\1"*"', line) for line in written.lines if '"type":"STATE"' not in line]


@contextmanager
def by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(ReportStream, "_can_write_lines", property(lambda _: False))
        yield


@contextmanager
def never_by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("a record was written by itself")

    with monkeypatch.context() as patch:
        patch.setattr(ReportStream, "_write_record_message", refuse)
        yield


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"blank_metric": "null"},
        {"numbers": "strings"},
        {"escaped_slashes": False, "escaped_unicode": False},
        {"header_on_every_page": True},
    ],
    ids=str,
)
def test_every_message_is_the_one_that_the_sdk_writes(
    monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any]
) -> None:
    with Emulator(options=options(**choice)) as emulator:
        config = config_for(emulator, REPORTS, page_size=7, **DATES)
        with never_by_the_sdk(monkeypatch):
            ours = messages(config, monkeypatch)
        emulator.reset()
        with by_the_sdk(monkeypatch):
            theirs = messages(config, monkeypatch)
    assert [json.loads(each) for each in ours] == [json.loads(each) for each in theirs]
    assert sum('"RECORD"' in each for each in ours) > 100


def catalog_without(tap: TapSupermetrics, stream: str, *columns: str) -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads(json.dumps(tap.catalog_dict))
    (entry,) = [each for each in catalog["streams"] if each["stream"] == stream]
    for each in entry["metadata"]:
        if each["breadcrumb"][-1:] and each["breadcrumb"][-1] in columns:
            each["metadata"]["selected"] = False
    return catalog


def test_deselected_fields_are_left_out_as_the_sdk_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS, **DATES)
        catalog = catalog_without(
            TapSupermetrics(config=config), "google_ads", "Cost", "_sm_schedule_id"
        )
        with never_by_the_sdk(monkeypatch):
            ours = messages(config, monkeypatch, catalog=catalog)
        emulator.reset()
        with by_the_sdk(monkeypatch):
            theirs = messages(config, monkeypatch, catalog=catalog)
    assert [json.loads(each) for each in ours] == [json.loads(each) for each in theirs]
    records = [json.loads(each)["record"] for each in ours if '"RECORD"' in each]
    assert all("Cost" not in each for each in records if "Campaignname" in each)


def test_a_stream_read_whole_has_its_version_in_every_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[2:], **DATES)
        monkeypatch.setattr(
            ReportStream, "emit_activate_version_messages", property(lambda _: True)
        )
        with stdout(monkeypatch) as written:
            TapSupermetrics(config=config).sync_to_end()
    found = [each for line in written.lines if (each := json.loads(line))["type"] != "STATE"]
    versions = {each["version"] for each in found if each["type"] != "SCHEMA"}
    assert [each["type"] for each in found[:3]] == ["SCHEMA", "ACTIVATE_VERSION", "RECORD"]
    assert len(versions) == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"stream_maps": {"google_ads": {"twice": "float(Cost) * 2"}}},
        {"stream_maps": {"google_ads": {"__filter__": "Clicks > 0"}}},
        {"stream_maps": {"google_ads": {"__alias__": "ads"}}},
        {"stream_maps": {"google_ads": "__NULL__"}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
    ids=str,
)
def test_what_the_sdk_does_with_each_record_is_left_to_it(asked: dict[str, Any]) -> None:
    with Emulator(options=options()) as emulator:
        tap = TapSupermetrics(config=config_for(emulator, REPORTS, **DATES, **asked))
        stream = tap.streams["google_ads"]
        assert isinstance(stream, ReportStream)
        assert not stream._can_write_lines  # noqa: SLF001 - the very decision


class Careful(ReportStream):
    def post_process(self, row: Any, context: Any = None) -> Any:  # noqa: ANN401, ARG002 - the SDK's
        return row


@pytest.mark.parametrize(
    ("name", "value", "can"),
    [
        ("name", "google_ads", True),
        ("ABORT_AT_RECORD_COUNT", 1, False),
        ("__class__", Careful, False),
    ],
)
def test_a_limit_and_a_subclass_are_left_to_the_sdk(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, *, can: bool
) -> None:
    with Emulator(options=options()) as emulator:
        tap = TapSupermetrics(config=config_for(emulator, REPORTS, **DATES))
        stream = tap.streams["google_ads"]
        monkeypatch.setattr(stream, name, value)
        assert isinstance(stream, ReportStream)
        assert stream._can_write_lines == can  # noqa: SLF001 - the very decision


def test_the_metrics_count_every_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(options=options()) as emulator, caplog.at_level(logging.INFO):
        config = config_for(emulator, REPORTS, **DATES)
        tap = TapSupermetrics(config=config)
        logging.getLogger("singer_sdk").propagate = True
        logging.getLogger("singer_sdk.metrics").addHandler(caplog.handler)
        with stdout(monkeypatch) as written:
            tap.sync_to_end()
    counted = {
        each["tags"]["stream"]: each["value"]
        for record in caplog.records
        if record.getMessage().startswith("METRIC")
        and (each := json.loads(record.getMessage().removeprefix("METRIC: ")))["metric"]
        == "record_count"
    }
    found = [json.loads(line) for line in written.lines]
    assert counted == {
        report["name"]: sum(
            each.get("record") is not None and each["stream"] == report["name"] for each in found
        )
        for report in REPORTS
    }


def test_a_day_is_done_only_after_its_last_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each STATE, every record of the days that it names as covered has been written."""
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], page_size=2, **DATES)
        rows = {
            (account, str(day)): len(
                emulator.world.rows("AW", [account], day, day, REPORTS[0]["fields"], emulator.today)
            )
            for account in REPORTS[0]["ds_accounts"]
            for day in _days()
        }
        with stdout(monkeypatch) as written:
            TapSupermetrics(config=config).sync_to_end()
    seen: dict[tuple[str, str], int] = {}
    states = 0
    for line in written.lines:
        message = json.loads(line)
        if message["type"] == "RECORD":
            key = (message["record"]["_sm_account_id"], message["record"]["Date"])
            seen[key] = seen.get(key, 0) + 1
        elif message["type"] == "STATE":
            states += 1
            for account, day in _covered(message["value"]):
                assert seen.get((account, day), 0) == rows[account, day]
    assert states > 2
    assert seen == {key: count for key, count in rows.items() if count}


def _days() -> list[date]:
    return [date(2024, 6, 5) + timedelta(days=n) for n in range(5)]


def _covered(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for account, ranges in days_covered(state["bookmarks"].get("google_ads", {})).items():
        for first, last in ranges:
            for day in _days():
                if first <= str(day) <= last:
                    yield account, str(day)


def test_nothing_waits_in_a_buffer_while_the_tap_does(tmp_path: Path) -> None:
    """The records of a finished day are read before a slow day of the same batch has ended."""
    report = {**REPORTS[0], "ds_accounts": ["4713896205"]}
    fault = Fault(effect="slow_query", day=_days()[-1], seconds=3000.0, times=1)
    with Emulator(options=options(clock_factor=100.0)) as emulator:
        emulator.inject(fault)
        (tmp_path / "config.json").write_text(json.dumps(config_for(emulator, [report], **DATES)))
        line = command("--config", str(tmp_path / "config.json"))
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
            assert process.stdout
            days: set[str] = set()
            while len(days) < 4:
                message = json.loads(process.stdout.readline())
                if message["type"] == "RECORD":
                    days.add(message["record"]["Date"])
            assert emulator.queries[-1].status == "RUNNING"
            process.kill()
    assert str(_days()[-1]) not in days


def interruption() -> InterruptedRun:
    return InterruptedRun(signal.SIGTERM, "SIGTERM")


def test_a_signal_waits_for_the_last_byte_of_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where stdout takes only a part at a time."""
    writer, lines = MessageWriter(), b'{"a":1}\n' * 100

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.taken = b""

        def write(self, data: Any) -> int:  # noqa: ANN401 - any bytes
            if len(self.taken) == 50:
                writer.interrupt(interruption())
            self.taken += bytes(data[:5])
            return min(5, len(data))

    class Out:
        buffer = Slow()

    monkeypatch.setattr(sys, "stdout", Out())
    with pytest.raises(InterruptedRun):
        writer.write_lines(lines)
    assert Out.buffer.taken == lines
    with pytest.raises(InterruptedRun):
        writer.interrupt(interruption())


def test_a_target_that_goes_away_ends_the_run_quietly(tmp_path: Path) -> None:
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS, **DATES)
        (tmp_path / "config.json").write_text(json.dumps(config))
        line = command("--config", str(tmp_path / "config.json"))
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own command
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
            code = process.wait(timeout=30)
    assert code != 0
    assert said.count(b"Traceback") <= 1


def test_a_signal_while_the_target_does_not_read_leaves_whole_lines(tmp_path: Path) -> None:
    """It waits in the middle of a write: what was begun is written to its end, and no more."""
    with serving(rows=20_000) as server:
        (tmp_path / "config.json").write_text(json.dumps(server.config(results=2)))
        line = command("--config", str(tmp_path / "config.json"))
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
            assert process.stdout
            written = b""
            while b'"RECORD"' not in written:
                written += os.read(process.stdout.fileno(), 65536)
            threading.Timer(0.5, process.send_signal, [signal.SIGTERM]).start()
            time.sleep(1.0)
            assert process.poll() is None
            written += process.stdout.read()
            code = process.wait(timeout=30)
    found = [json.loads(each) for each in written.splitlines()]
    states = [each["value"]["bookmarks"]["google_ads"] for each in found if "value" in each]
    assert code == 128 + signal.SIGTERM
    assert written.endswith(b"\n")
    assert 0 < sum(each["type"] == "RECORD" for each in found) < 20_000
    assert states[-1]["partitions"] == []
    assert states[-1]["query_batches"]


def test_a_signal_ends_a_run_whose_target_takes_nothing(tmp_path: Path) -> None:
    """One is enough: who sends it, such as an orchestrator, sends no second one but SIGKILL."""
    with serving(rows=20_000) as server:
        (tmp_path / "config.json").write_text(json.dumps(server.config(results=2)))
        line = command("--config", str(tmp_path / "config.json"))
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603 - our own command
            assert process.stdout
            assert process.stderr
            written = b""
            while b'"RECORD"' not in written:
                written += os.read(process.stdout.fileno(), 65536)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=60)
            said = process.stderr.read()
            written += process.stdout.read()
    assert code == 128 + signal.SIGTERM
    assert b"The target takes nothing" in said
    assert b"Traceback" not in said
    # What is whole may be loaded, and nothing says that more arrived than did.
    *whole, torn = written.split(b"\n")
    assert [json.loads(each)["type"] for each in whole].count("RECORD") < 20_000
    assert torn


def test_the_last_state_of_an_interrupted_run_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The target took all before the signal, and takes nothing after it."""
    monkeypatch.setattr(singer_writer, "MAX_WAIT_S", 0.05)
    writer = MessageWriter()
    start, end = os.pipe()
    with open(start), open(end, "w") as full, pytest.MonkeyPatch.context() as patch:  # noqa: PTH123 - a descriptor
        patch.setattr(sys, "stdout", full)
        with pytest.raises(InterruptedRun):
            writer.interrupt(interruption())
        writer.begin_ending()
        with pytest.raises(InterruptedRun):
            writer.write_lines(b"x" * 1_000_000)
    assert writer.is_torn


def test_an_output_that_is_full_in_the_middle_of_a_line_is_told_by_each_later_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK makes all lines in one buffer, which an error must not keep in view."""
    writer = MessageWriter()

    class Full(io.RawIOBase):
        room = 10

        def write(self, data: Any) -> int:  # noqa: ANN401 - any bytes
            taken, self.room = min(self.room, len(data)), 0
            if not taken:
                raise OSError(errno.EFBIG, "File too large")
            return taken

    class Out:
        buffer = Full()

    monkeypatch.setattr(sys, "stdout", Out())
    errors = []
    for number in range(2):
        with pytest.raises(OutputError, match="File too large") as raised:
            writer.write_message(StateMessage(value={"number": "x" * 100 * (number + 1)}))
        errors.append(raised.value)


def test_a_run_that_ends_is_not_torn_by_more_signals(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(singer_writer, "MAX_WAIT_S", 0.05)
    writer = MessageWriter()
    writer.begin_ending()
    for _ in range(3):
        writer.interrupt(interruption())
    time.sleep(0.1)
    writer.write_lines(b"{}\n")
    assert capfdbinary.readouterr().out == b"{}\n"
    assert not writer.is_torn


def test_a_state_is_written_as_the_sdk_writes_it_but_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With thousands of accounts the copy takes longer than the plan."""
    value = {"bookmarks": {"ads": {"shard": None, "covered_from": "2024-01-01"}}}
    as_the_sdk = bytes(serialize_jsonl(StateMessage(value=value).to_dict()))
    monkeypatch.delattr(StateMessage.__mro__[1], "to_dict")
    assert MessageWriter().serialize_message(StateMessage(value=value)) == as_the_sdk


def test_a_state_that_is_the_same_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The SDK keeps a copy of each; with a million days that takes longer than the plan."""
    monkeypatch.setattr(copy, "deepcopy", None)
    lines = StateLines(MessageWriter())
    state: Any = {"bookmarks": {"ads": {"covered_from": "2024-01-01"}}}
    for day in ("2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"):
        state["bookmarks"]["ads"]["covered_from"] = day
        lines.write_state(state)
    written = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    days = [each["value"]["bookmarks"]["ads"]["covered_from"] for each in written]
    assert days == ["2024-01-01", "2024-01-02"]
