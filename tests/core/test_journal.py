from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.model import AsyncRun, BatchItem, SubmittedBatch
from tap_supermetrics.sync.journal import Journal
from tap_supermetrics.sync.journal_folder import Owner
from tap_supermetrics.sync.locked_file import locked
from tests.core.reports import split
from tests.core.strategies import date_range, moment

if TYPE_CHECKING:
    from datetime import datetime

API_KEY = "api_k3y_of_the_tests"
OWNER = Owner(origin="https://api.example.com", api_key=API_KEY)
NOW = moment(7)
MAX_AGE = timedelta(hours=6)
HASHES = {"ads": "04d2e1f7"}


def batch(number: int = 0, *reports: str, at: datetime = NOW) -> SubmittedBatch:
    items = {
        place: BatchItem(report=report, accounts=("1", "2"), dates=date_range(number % 9, 12))
        for place, report in enumerate(reports or ("ads",))
    }
    return SubmittedBatch(
        batch_id=f"qrb_{number:012x}",
        submitted_at=at,
        split=split(),
        items=items,
        item_count=len(items),
    )


def opened(folder: Path, owner: Owner = OWNER, now: datetime = NOW) -> Journal:
    return Journal.open(folder, owner, now, MAX_AGE)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_what_a_dead_run_submitted_is_held_for_the_same_request(tmp_path: Path) -> None:
    run = AsyncRun(id="0a1b", submitted_at=NOW)
    dead = opened(tmp_path / "made" / "when missing")
    dead.submitted(batch(1, "ads", "shops"), {"ads": "04d2e1f7", "shops": "ffffffff"})
    dead.submitted(run, HASHES)
    assert dead.left_for("ads", "04d2e1f7") == ()
    dead.close()

    journal = opened(tmp_path / "made" / "when missing")
    whole = batch(1, "ads", "shops")
    (part, found) = journal.left_for("ads", "04d2e1f7")
    assert isinstance(part, SubmittedBatch)
    assert (part.items, part.item_count) == ({0: whole.items[0]}, 2)
    assert found == run
    (part,) = journal.left_for("shops", "ffffffff")
    assert isinstance(part, SubmittedBatch)
    assert part.items == {1: whole.items[1]}
    assert journal.left_for("ads", "other") == journal.left_for("others", "04d2e1f7") == ()
    journal.close()


def test_what_was_taken_over_outlives_the_next_death_too(tmp_path: Path) -> None:
    for number in range(3):
        journal = opened(tmp_path)
        assert journal.left_for("ads", "04d2e1f7") == tuple(map(batch, range(number)))
        journal.submitted(batch(number), HASHES)
        journal.close()
        assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    "other",
    [
        Owner(origin="https://eu.example.com", api_key=API_KEY),
        Owner(origin=OWNER.origin, api_key="another"),
        Owner(origin=OWNER.origin, api_key=API_KEY, shard="2/5"),
    ],
)
def test_another_key_or_another_api_takes_nothing_over(tmp_path: Path, other: Owner) -> None:
    dead = opened(tmp_path)
    dead.submitted(batch(), HASHES)
    dead.close()
    stranger = opened(tmp_path, other)
    assert stranger.left_for("ads", "04d2e1f7") == ()
    stranger.close()
    assert opened(tmp_path).left_for("ads", "04d2e1f7") == (batch(),)


def test_a_living_run_keeps_what_is_its_own(tmp_path: Path) -> None:
    living, other = opened(tmp_path), opened(tmp_path)
    living.submitted(batch(1), HASHES)
    third = opened(tmp_path)
    assert third.left_for("ads", "04d2e1f7") == ()
    third.close()
    other.submitted(batch(2), HASHES)
    for each in (living, other):
        each.close()
    found = opened(tmp_path).left_for("ads", "04d2e1f7")
    assert {each.batch_id for each in found if isinstance(each, SubmittedBatch)} == {
        batch(1).batch_id,
        batch(2).batch_id,
    }


def test_who_only_looks_leaves_all_to_the_next_run(tmp_path: Path) -> None:
    dead = opened(tmp_path)
    dead.submitted(batch(1), HASHES)
    dead.close()
    living = opened(tmp_path / "other")
    living.submitted(batch(2), HASHES)
    before = {path: path.read_bytes() for path in tmp_path.rglob("submitted-*")}

    looked = Journal.peek(tmp_path, OWNER, NOW, MAX_AGE)
    assert looked.left_for("ads", "04d2e1f7") == (batch(1),)
    assert Journal.peek(tmp_path / "other", OWNER, NOW, MAX_AGE).left_for("ads", "04d2e1f7") == ()
    assert Journal.peek(tmp_path / "none", OWNER, NOW, MAX_AGE).left_for("ads", "04d2e1f7") == ()
    assert not (tmp_path / "none").exists()
    assert {path: path.read_bytes() for path in tmp_path.rglob("submitted-*")} == before
    # A run that begins meanwhile finds nothing locked.
    assert opened(tmp_path).left_for("ads", "04d2e1f7") == (batch(1),)
    looked.close()
    living.close()


def test_a_report_that_came_to_its_end_is_forgotten_and_others_are_not(tmp_path: Path) -> None:
    dead = opened(tmp_path)
    dead.submitted(batch(1, "ads", "shops"), {**HASHES, "shops": "ffffffff"})
    dead.close()
    journal = opened(tmp_path)
    journal.submitted(batch(2), HASHES)
    journal.forget(["ads"])
    assert journal.left_for("ads", "04d2e1f7") == ()
    journal.close()
    last = opened(tmp_path)
    assert last.left_for("ads", "04d2e1f7") == ()
    assert len(last.left_for("shops", "ffffffff")) == 1
    last.forget(["shops"])
    last.close()
    assert files(tmp_path) == []


def test_what_the_api_holds_no_more_is_forgotten(tmp_path: Path) -> None:
    dead = opened(tmp_path)
    dead.submitted(batch(1), HASHES)
    dead.submitted(batch(2, at=NOW + timedelta(hours=2)), HASHES)
    dead.close()
    later = opened(tmp_path, now=NOW + MAX_AGE + timedelta(hours=1))
    (left,) = later.left_for("ads", "04d2e1f7")
    assert isinstance(left, SubmittedBatch)
    assert left.batch_id == batch(2).batch_id


def test_hundreds_of_files_of_other_shards_hide_none_and_are_held_by_nobody(tmp_path: Path) -> None:
    shards = [replace(OWNER, shard=f"{number}/600") for number in range(1, 600)]
    signature = shards[0].signature("00" * 16)
    for number, shard in enumerate(shards):
        line = json.dumps({**signature, "shard": shard.shard}) + "\n"
        (tmp_path / f"submitted-{number:032x}.jsonl").write_text(line)
    dead = opened(tmp_path)
    dead.submitted(batch(), HASHES)
    dead.close()
    with closing(opened(tmp_path)) as later:
        assert later.left_for("ads", "04d2e1f7")
        other = locked(tmp_path / f"submitted-{0:032x}.jsonl")
        assert other
        other.close()


def test_a_file_that_this_user_may_not_open_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else what was paid for is paid for again each night, and nobody knows why."""
    dead = opened(tmp_path)
    dead.submitted(batch(), HASHES)
    dead.close()
    (path,) = files(tmp_path)
    system_open = os.open

    def refused(name: Any, *args: Any) -> int:  # noqa: ANN401 - as the system takes them
        if name == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return system_open(name, *args)

    monkeypatch.setattr(os, "open", refused)
    opened(tmp_path).close()
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"journal_dir: {path} cannot be opened (Permission denied)"
    )


def test_old_files_of_strangers_are_removed_and_new_ones_are_not(tmp_path: Path) -> None:
    for name in ("submitted-old.jsonl", "submitted-new.jsonl", "other.txt"):
        (tmp_path / name).write_text('{"journal":1}\n')
    for name in ("submitted-old.jsonl", "other.txt"):
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / "submitted-new.jsonl", (NOW.timestamp(), NOW.timestamp()))
    opened(tmp_path).close()
    assert [each.name for each in files(tmp_path)] == ["other.txt", "submitted-new.jsonl"]


def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        journal = opened(tmp_path)
        journal.submitted(batch(), HASHES)
        (file,) = files(tmp_path)
        texts.append(file.read_text())
        assert file.stat().st_mode & 0o077 == 0
        journal.close()
    assert all(API_KEY not in text for text in texts)
    first_lines = {text.splitlines()[0] for text in texts}
    assert len(first_lines) == 2  # another salt each time: it tells nothing across folders


def test_a_long_run_does_not_grow_its_file_without_bound(tmp_path: Path) -> None:
    journal, sizes = opened(tmp_path), []
    for number in range(3_000):
        at = NOW + timedelta(minutes=number)
        journal.submitted(batch(number, *["ads"] * 30, at=at), HASHES)
        sizes.append(sum(each.stat().st_size for each in files(tmp_path)))
    journal.close()
    assert max(sizes) < 4_000_000 < sum(max(b - a, 0) for a, b in pairwise(sizes))
    last = opened(tmp_path, now=NOW + timedelta(minutes=2_999))
    assert len(last.left_for("ads", "04d2e1f7")) == 1 + MAX_AGE / timedelta(minutes=1)


@given(st.data())
def test_a_file_that_is_cut_off_anywhere_gives_what_was_whole(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dead = opened(folder)
        ends = [files(folder)[0].stat().st_size]
        for number in range(3):
            dead.submitted(batch(number), HASHES)
            ends.append(files(folder)[0].stat().st_size)
        dead.close()
        (file,) = files(folder)
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(file, cut)
        journal = opened(folder)
        # A line that lacks only its end is whole.
        whole = sum(end - 1 <= cut for end in ends[1:])
        assert journal.left_for("ads", "04d2e1f7") == tuple(map(batch, range(whole)))
        journal.submitted(batch(9), HASHES)
        journal.close()
        again = opened(folder)
        assert again.left_for("ads", "04d2e1f7") == (*map(batch, range(whole)), batch(9))
        again.close()


@given(st.binary(max_size=200), st.integers(0, 3))
def test_whatever_damages_a_line_the_others_are_read(damage: bytes, line: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dead = opened(folder)
        for number in range(3):
            dead.submitted(batch(number), HASHES)
        dead.close()
        (file,) = files(folder)
        lines = file.read_bytes().splitlines(keepends=True)
        lines[line] = damage + b"\n"
        file.write_bytes(b"".join(lines))
        journal = opened(folder)
        found = journal.left_for("ads", "04d2e1f7")
        journal.close()
        intact = [batch(number) for number in range(3) if number != line - 1]
        assert found == (tuple(intact) if line else ())


@pytest.mark.parametrize(
    ("line", "said"), [(0, "no file of the tap, or damaged"), (2, "1 line of")]
)
def test_damage_costs_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, line: int, said: str
) -> None:
    dead = opened(tmp_path)
    for number in range(2):
        dead.submitted(batch(number), HASHES)
    dead.close()
    (file,) = files(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line] = b"\x00\xff{[\n"
    file.write_bytes(b"".join(lines))
    opened(tmp_path).close()
    (record,) = caplog.records
    assert record.getMessage().startswith("journal_dir: ")
    assert said in record.getMessage()


def test_a_folder_that_cannot_be_used_costs_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        journal = opened(tmp_path / "file")
        journal.submitted(batch(), HASHES)
        journal.forget(["ads"])
        journal.close()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"journal_dir: {tmp_path / 'file'} cannot be used (")
    assert journal.left_for("ads", "04d2e1f7") == ()


def test_a_disk_that_fills_costs_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    journal.submitted(batch(1), HASHES)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        journal.submitted(batch(2), HASHES)
        journal.submitted(batch(3), HASHES)
    journal.close()
    (record,) = caplog.records
    assert "(No space left on device)" in record.getMessage()
    assert batch(1) in opened(tmp_path).left_for("ads", "04d2e1f7")


def test_a_batch_is_noted_before_it_is_sent_and_its_ids_when_they_are_known(
    tmp_path: Path,
) -> None:
    whole = batch(1, "ads", "shops")
    hashes = {"ads": "04d2e1f7", "shops": "ffffffff"}
    dead = opened(tmp_path)
    dead.submitted(replace(whole, batch_id=""), hashes, "known")
    dead.answered("known", [whole.batch_id])
    dead.submitted(replace(whole, batch_id=""), hashes, "refused")
    dead.answered("refused", [])
    dead.submitted(replace(whole, batch_id=""), hashes, "killed")
    dead.close()

    second = opened(tmp_path)
    assert {entry.token for entry in second.unanswered} == {"killed"}
    assert [entry.report for entry in second.unanswered] == ["ads", "shops"]
    (part,) = second.left_for("ads", "04d2e1f7")
    assert part == replace(whole, items={0: whole.items[0]})
    second.close()

    # A run that is killed before it has asked leaves the question to the next one.
    third = opened(tmp_path)
    third.answered("killed", ["qrb_2", "qrb_3"])
    assert third.unanswered == ()
    assert ids_held(third) == [whole.batch_id, "qrb_2", "qrb_3"]
    third.close()
    fourth = opened(tmp_path)
    assert ids_held(fourth) == [whole.batch_id, "qrb_2", "qrb_3"]
    fourth.forget(["ads", "shops"])
    fourth.close()
    assert files(tmp_path) == []


def test_refusals_without_end_do_not_grow_the_file(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(400):
        journal.submitted(replace(batch(1, *["ads"] * 60), batch_id=""), HASHES, str(number))
        journal.answered(str(number), [])
    assert sum(file.stat().st_size for file in files(tmp_path)) < 1_500_000
    journal.close()
    assert files(tmp_path) == []


def test_what_is_on_its_way_outlives_a_file_that_is_written_anew(tmp_path: Path) -> None:
    dead = opened(tmp_path)
    dead.submitted(replace(batch(1), batch_id=""), HASHES, "on its way")
    for number in range(2, 40):
        dead.submitted(batch(number, *["ads"] * 30), HASHES)
        dead.forget(["others"])
    dead.close()
    journal = opened(tmp_path)
    assert [entry.token for entry in journal.unanswered] == ["on its way"]
    journal.close()


def ids_held(journal: Journal) -> list[str]:
    found = journal.left_for("ads", "04d2e1f7")
    return [each.batch_id for each in found if isinstance(each, SubmittedBatch)]


@pytest.mark.parametrize("call", ["rename", "unlink"])
def test_a_run_that_dies_while_it_takes_over_leaves_each_entry_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    dead = opened(tmp_path)
    dead.submitted(batch(1), HASHES)
    dead.close()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, call, die)
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path)
    assert opened(tmp_path).left_for("ads", "04d2e1f7") == (batch(1),)
