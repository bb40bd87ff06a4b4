"""BATCH: the files hold what RECORD messages would, and nobody hears of one that is not there."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import logging
import os
import shlex
import signal
import subprocess
import threading
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Final

import pytest
from pyarrow import parquet
from singer_sdk.helpers._batch import BaseBatchFileEncoding, StorageTarget

from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.errors import BatchFileError, InterruptedRun, SettingsError, TapError
from tap_supermetrics.singer import batch_files
from tap_supermetrics.singer.encodings import packing
from tap_supermetrics.streams import ReportStream
from tap_supermetrics.tap import TapSupermetrics
from tests.benchmarks.server import serving
from tests.singer.test_bulk_path import DATES, REPORTS, catalog_without, options, stdout
from tests.tap import command, config_for, days_covered, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GZIP: Final = {"format": "jsonl", "compression": "gzip"}
ENCODINGS: Final[list[dict[str, Any]]] = [
    GZIP,
    {"format": "jsonl", "compression": "none"},
    {"format": "jsonl"},
    {"format": "parquet", "compression": "gzip"},
    {"format": "parquet"},
]
VOLATILE: Final = ("_sm_fetched_at", "_sm_schedule_id")


def batches(folder: Path, encoding: Mapping[str, Any] = GZIP, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    storage = {"root": f"file://{folder}", "prefix": "b-"}
    return {"batch_config": {"encoding": encoding, "storage": storage, **changes}}


def records_in(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Read the files of a BATCH message as targets of the SDK do."""
    encoding = message["encoding"]
    for url in message["manifest"]:
        content = Path(url.removeprefix("file://")).read_bytes()
        if encoding["format"] == "parquet":
            yield from parquet.read_table(io.BytesIO(content)).to_pylist()
            continue
        text = gzip.decompress(content) if encoding.get("compression") == "gzip" else content
        yield from map(json.loads, text.splitlines())


def written(
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    **tap: Any,  # noqa: ANN401 - the tap's arguments
) -> list[dict[str, Any]]:
    """Return the messages of a run in this process."""
    with stdout(monkeypatch) as out:
        TapSupermetrics(config=config, **tap).sync_to_end()
    return [json.loads(line) for line in out.lines]


def by_stream(pairs: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        stream: [{n: v for n, v in each.items() if n not in VOLATILE} for _, each in group]
        for stream, group in groupby(pairs, lambda pair: pair[0])
    }


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_files_hold_what_record_messages_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: dict[str, Any]
) -> None:
    with Emulator(options=options(blank_metric="null")) as emulator:
        config = config_for(emulator, REPORTS, page_size=7, **DATES)
        catalog = catalog_without(TapSupermetrics(config=config), "google_ads", "Cost", "Device")
        lines = written(config, monkeypatch, catalog=catalog)
        emulator.reset()
        config |= batches(tmp_path / "new" / "folder", encoding, batch_size=20)
        messages = written(config, monkeypatch, catalog=catalog)

    told = [each for each in messages if each["type"] == "BATCH"]
    assert all(each["encoding"]["format"] == encoding["format"] for each in told)
    expected = by_stream((m["stream"], m["record"]) for m in lines if m["type"] == "RECORD")
    assert by_stream((m["stream"], each) for m in told for each in records_in(m)) == expected
    assert not any(each["type"] == "RECORD" for each in messages)
    assert all("Cost" not in each for each in expected["google_ads"])
    sizes = [len([*records_in(each)]) for each in told]
    assert max(sizes) == 20
    assert sizes.count(20) > 5
    files = [Path(url.removeprefix("file://")) for m in told for url in m["manifest"]]
    assert sorted(files) == sorted((tmp_path / "new" / "folder").iterdir())
    assert all(each.name.startswith("b-tap-supermetrics--") for each in files)


def test_a_file_is_bounded_by_its_bytes_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(batch_files, "MAX_BYTES", 500)
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], page_size=2, **DATES)
        messages = written(config | batches(tmp_path), monkeypatch)
    sizes = [len([*records_in(each)]) for each in messages if each["type"] == "BATCH"]
    assert len(sizes) > 5
    assert max(sizes) <= 4


@pytest.mark.parametrize("limits", [{}, {"MAX_RESULTS": 3}, {"MAX_OPEN_S": 0.0}], ids=str)
def test_a_day_is_done_only_after_the_message_that_holds_its_last_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limits: dict[str, float]
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(batch_files, name, value)
    days = [date(2024, 6, 5) + timedelta(days=n) for n in range(5)]
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], page_size=2, **DATES)
        rows = {
            (account, str(day)): len(
                emulator.world.rows("AW", [account], day, day, REPORTS[0]["fields"], emulator.today)
            )
            for account in REPORTS[0]["ds_accounts"]
            for day in days
        }
        messages = written(config | batches(tmp_path, batch_size=25), monkeypatch)
    seen: dict[tuple[str, str], int] = {}
    covered_at: list[int] = []
    for message in messages:
        if message["type"] == "BATCH":
            for record in records_in(message):
                key = (record["_sm_account_id"], record["Date"])
                seen[key] = seen.get(key, 0) + 1
        elif message["type"] == "STATE":
            covered = [*_covered(message["value"], days)]
            assert all(seen.get(each, 0) == rows[each] for each in covered)
            covered_at.append(len(covered))
    assert len({*covered_at}) > 2
    assert covered_at[-1] == len(rows)
    assert seen == {key: count for key, count in rows.items() if count}


def _covered(state: dict[str, Any], days: list[date]) -> Iterator[tuple[str, str]]:
    for account, ranges in days_covered(state["bookmarks"].get("google_ads", {})).items():
        for first, last in ranges:
            yield from ((account, str(day)) for day in days if first <= str(day) <= last)


def test_the_state_names_what_is_submitted_while_a_file_is_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """So a killed run pays for nothing twice, however large its files are."""
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], **DATES)
        messages = written(config | batches(tmp_path), monkeypatch)
    kinds = [each["type"] for each in messages]
    first = messages[kinds.index("STATE")]["value"]["bookmarks"]["google_ads"]
    assert kinds.index("STATE") < kinds.index("BATCH")
    assert first["query_batches"]
    assert first["partitions"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_leaves_no_file_that_nobody_was_told_of(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "files"
    with serving(rows=5_000) as server:
        config = server.config(results=20) | batches(folder, batch_size=3_000)
        (tmp_path / "config.json").write_text(json.dumps(config))
        line = command("--config", str(tmp_path / "config.json"))
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
            assert process.stdout
            text = b""
            while text.count(b'"BATCH"') < 3:
                text += os.read(process.stdout.fileno(), 65536)
            process.send_signal(number)
            text += process.stdout.read()
            process.wait(timeout=60)
    messages = [json.loads(each) for each in text.splitlines()]
    told = {url for each in messages if each["type"] == "BATCH" for url in each["manifest"]}
    there = {f"file://{each}" for each in folder.iterdir()}
    # Between a file and its message are microseconds, in which SIGKILL may come.
    assert told <= there
    assert len(there - told) <= (number is signal.SIGKILL)
    days = {
        record["Date"]
        for each in messages
        if each["type"] == "BATCH"
        for record in records_in(each)
    }
    states = [each["value"]["bookmarks"]["google_ads"] for each in messages if "value" in each]
    for ranges in days_covered(states[-1]).values():
        for first, last in ranges:
            assert {first, last} <= days
    assert 0 < len(told) < 33


@pytest.mark.parametrize("is_told", [False, True])
def test_a_signal_takes_a_file_away_unless_its_message_is_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_told: bool
) -> None:
    write = ReportStream._write_batch_message  # noqa: SLF001 - where the signal comes

    def interrupted(self: ReportStream, **message: Any) -> None:  # noqa: ANN401 - the SDK's
        assert len([*tmp_path.iterdir()]) == 1
        if is_told:
            write(self, **message)
        raise InterruptedRun(signal.SIGTERM, "SIGTERM")

    monkeypatch.setattr(ReportStream, "_write_batch_message", interrupted)
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], **DATES) | batches(tmp_path)
        with pytest.raises(InterruptedRun):
            written(config, monkeypatch)
    assert len([*tmp_path.iterdir()]) == is_told


def test_a_storage_that_cannot_be_reached_is_told_by_its_setting(tmp_path: Path) -> None:
    with serving(rows=5) as server, socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        storage = {"root": f"ftp://someone:sekret@127.0.0.1:{nobody.getsockname()[1]}/x"}
        encoding = {"format": "jsonl", "compression": "gzip"}
        batch_config = {"encoding": encoding, "storage": storage}
        config = server.config(results=1) | {"batch_config": batch_config}
        (tmp_path / "config.json").write_text(json.dumps(config))
        ended = run("--config", str(tmp_path / "config.json"))
    assert ended.code == BatchFileError.exit_code
    last = ended.stderr.splitlines()[-1]
    assert "files of BATCH messages cannot be written to ftp://127.0.0.1" in last
    assert "batch_config.storage.root" in last
    assert "sekret" not in last


def test_a_disk_without_room_is_told_in_a_line_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with serving(rows=20_000) as server:
        config = server.config(results=3) | batches(folder, {"format": "jsonl"}, batch_size=20_000)
        (tmp_path / "config.json").write_text(json.dumps(config))
        line = shlex.join(command("--config", str(tmp_path / "config.json")))
        # TMPDIR keeps results too: of these, none is larger than what the limit lets pass.
        limited = f"ulimit -f 9000; exec {line}"
        ended = subprocess.run(  # noqa: S602 - our own command
            limited, shell=True, capture_output=True, text=True, check=False, timeout=60
        )
    assert ended.returncode == BatchFileError.exit_code
    assert "Traceback" not in ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert str(folder) in last
    assert "File too large" in last
    assert "batch_config.storage.root" in last
    assert [*folder.iterdir()] == []
    state = json.loads(ended.stdout.splitlines()[-1])
    assert state["type"] == "STATE"
    assert state["value"]["bookmarks"]["google_ads"]["partitions"] == []


def test_a_failed_query_and_an_empty_report_leave_the_others_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    day = date(2024, 6, 7)
    with Emulator(options=options()) as emulator:
        emulator.inject(
            Fault(effect="fail_query", day=day, code="QUERY_ERROR", message="no", times=None)
        )
        config = config_for(emulator, REPORTS[:1], on_failure="continue", **DATES)
        messages = written(config | batches(tmp_path), monkeypatch)
    days = {each["Date"] for m in messages if m["type"] == "BATCH" for each in records_in(m)}
    assert str(day) not in days
    assert len(days) == 4
    covered = {*_covered(messages[-1]["value"], [day])}
    assert covered == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_maps": {"google_ads": {"twice": "float(Cost) * 2"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
    ids=str,
)
def test_what_lines_cannot_do_is_left_to_the_sdk(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
) -> None:
    asked = []
    theirs = ReportStream.get_batches

    def noted(self: ReportStream, *arguments: Any) -> Any:  # noqa: ANN401 - the SDK's
        asked.append(self.name)
        return theirs(self, *arguments)

    monkeypatch.setattr(ReportStream, "get_batches", noted)
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], **DATES, **changes) | batches(tmp_path)
        messages = written(config, monkeypatch)
    assert asked == ["google_ads"]
    assert "google_ads: BATCH files are written record by record" in caplog.text
    assert any(each["type"] == "BATCH" for each in messages)


@pytest.mark.parametrize(
    ("root", "folder"),
    [
        ("file:///tmp/a b", Path("/tmp/a b")),  # noqa: S108 - nothing is written
        ("/tmp/c", Path("/tmp/c")),  # noqa: S108 - same
        ("below", Path.cwd() / "below"),
        ("s3://bucket/below", None),
        ("memory://x", None),
    ],
)
def test_only_a_folder_of_this_machine_is_written_by_lines(root: str, folder: Path | None) -> None:
    assert batch_files.local_folder(StorageTarget(root=root)) == folder


def test_the_metrics_count_every_record_and_every_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(options=options()) as emulator, caplog.at_level(logging.INFO):
        config = config_for(emulator, REPORTS[:1], **DATES) | batches(tmp_path, batch_size=10)
        tap = TapSupermetrics(config=config)
        logging.getLogger("singer_sdk.metrics").addHandler(caplog.handler)
        with stdout(monkeypatch) as out:
            tap.sync_to_end()
    counted: dict[str, int] = {}
    for record in caplog.records:
        said = record.getMessage()
        if said.startswith("METRIC"):
            metric = json.loads(said.removeprefix("METRIC: "))
            counted[metric["metric"]] = metric["value"]
    told = [each for line in out.lines if (each := json.loads(line))["type"] == "BATCH"]
    assert counted["batch_count"] == len(told)
    assert counted["record_count"] == sum(len([*records_in(each)]) for each in told)
    assert counted["sync_duration"] > 0


def test_parquet_without_pyarrow_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS, **DATES) | batches(tmp_path, {"format": "parquet"})
        with pytest.raises(SettingsError, match=r"tap-supermetrics\[parquet\]"):
            TapSupermetrics(config=config)


def test_what_parquet_cannot_hold_is_told_in_a_line() -> None:
    columns = {"a": {"type": "integer"}, "b": {"type": ["null", "string"]}, "c": {}}
    _, pack = packing(BaseBatchFileEncoding(format="parquet"), columns)
    good = pack([b'{"a":9223372036854775807,"b":"2024-06-05","c":1.5}\n', b'{"a":1,"b":null}\n'])
    with pytest.raises(TapError, match="jsonl") as told:
        pack([b'{"a":9223372036854775808,"b":"x","c":1}\n'])
    assert parquet.read_table(io.BytesIO(good)).to_pylist() == [
        {"a": 2**63 - 1, "b": "2024-06-05", "c": 1.5},
        {"a": 1, "b": None, "c": None},
    ]
    assert "\n" not in str(told.value)


def test_a_connection_test_writes_one_record(tmp_path: Path) -> None:
    with Emulator(options=options()) as emulator:
        config = config_for(emulator, REPORTS[:1], **DATES) | batches(tmp_path / "files")
        (tmp_path / "config.json").write_text(json.dumps(config))
        ended = run("--config", str(tmp_path / "config.json"), "--test")
    assert ended.code == 0, ended.stderr
    assert ended.stdout.count('"BATCH"') == 1


def test_no_thread_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Emulator(options=options()) as emulator:
        written(config_for(emulator, REPORTS[:1], **DATES) | batches(tmp_path), monkeypatch)
    for each in threading.enumerate():
        if each.name.startswith("pack"):
            each.join(10)
            assert not each.is_alive()
