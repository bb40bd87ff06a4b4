"""Shards of one pipeline, as processes over the emulator: nothing twice, nothing left out."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Options
from tests.tap import Target, command, config_for, run, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FIRST, LAST = date(2024, 6, 1), date(2024, 6, 9)
DAYS = 9
ACCOUNTS = ["4713896205", "8820145937", "5096627718", "7391084456", "2645570913"]
ADS = {"name": "ads", "ds_id": "AW", "ds_accounts": ACCOUNTS, "fields": ["Date", "Cost"]}
# Both accounts in one query.
TOGETHER = {
    "name": "together",
    "ds_id": "FA",
    "ds_accounts": ["act_1784203956017", "act_290471836"],
    "fields": ["Date", "spend"],
    "split_accounts_policy": "none",
}
WHOLE = DAYS * (len(ACCOUNTS) + 1)
"""Queries of both reports on the first night."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(options=Options(clock_factor=60.0, now="2024-06-10T04:00:00+00:00")) as running:
        yield running


def config(emulator: Emulator, folder: Path, shard: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    settings = {
        "start_date": str(FIRST),
        "end_date": str(LAST),
        "lookback_days": 0,
        "journal_dir": str(folder / "journal"),
        "max_running_batches": 1,
        "shard": shard,
    }
    return config_for(emulator, [ADS, TOGETHER], **settings | changes)


def names(count: int) -> list[str]:
    return [f"{number}/{count}" for number in range(1, count + 1)]


def asked(emulator: Emulator) -> Counter[str]:
    """How often each account and day was asked for."""
    return Counter(f"{each.accounts} {each.first} {each.last}" for each in emulator.queries)


def nights(emulator: Emulator, folder: Path, count: int, states: Sequence[Any]) -> list[Target]:
    targets = []
    for shard, state in zip(names(count), states, strict=True):
        target = Target(state=state)
        ended = sync(config(emulator, folder, shard), folder, target)
        assert ended.code == 0, ended.stderr
        targets.append(target)
    return targets


def records(targets: Sequence[Target], stream: str) -> dict[Any, Any]:
    tables = [target.tables.get(stream, {}) for target in targets]
    assert sum(map(len, tables)) == len({key for table in tables for key in table})
    return {key: each for table in tables for key, each in table.items()}


def merge(folder: Path, targets: Sequence[Target]) -> dict[str, Any]:
    files = []
    for number, target in enumerate(targets):
        files.append(str(folder / f"{number}.json"))
        (folder / f"{number}.json").write_text(json.dumps(target.state))
    ended = run("state", "merge", *files)
    assert ended.code == 0, ended.stderr
    state: dict[str, Any] = json.loads(ended.stdout)
    return state


def test_shards_load_all_once_and_their_number_changes_for_nothing(
    emulator: Emulator, tmp_path: Path
) -> None:
    targets = nights(emulator, tmp_path, 3, [{}] * 3)
    assert records(targets, "ads") == truth(emulator, ADS, FIRST, LAST)
    assert len(records(targets, "together")) == DAYS
    assert [bool(each.tables.get("together")) for each in targets] == [True, False, False]
    assert len(emulator.queries) == WHOLE

    # The same split: nothing is asked again.
    nights(emulator, tmp_path, 3, [each.state for each in targets])
    assert len(emulator.queries) == WHOLE

    # Two instead of three, and then one run for all.
    state = merge(tmp_path, targets)
    assert state["bookmarks"]["ads"]["shard"] is None
    pair = nights(emulator, tmp_path, 2, [state] * 2)
    assert [each.state["bookmarks"]["ads"]["shard"] for each in pair] == names(2)
    one = nights(emulator, tmp_path, 1, [merge(tmp_path, pair)])
    assert one[0].state["bookmarks"]["ads"]["shard"] is None
    assert len(emulator.queries) == WHOLE


@pytest.mark.parametrize(
    ("shard", "told"),
    [
        ("1/2", "`shard` is 1/2: days would be read twice. Where the number of shards was changed"),
        ("3/3", "`shard` is 3/3: days would be read twice. Give each shard a state of its own"),
        ("1/1", "`shard` is not set: days would be read twice. Where the number"),
    ],
)
def test_the_state_of_another_shard_costs_nothing_but_a_line(
    emulator: Emulator, tmp_path: Path, shard: str, told: str
) -> None:
    target = Target()
    assert sync(config(emulator, tmp_path, "2/3"), tmp_path, target).code == 0
    before = len(emulator.queries)
    ended = sync(config(emulator, tmp_path, shard), tmp_path, Target(state=target.state))

    assert (ended.code, ended.stdout) == (1, "")
    assert f"state: it is that of shard 2/3, and {told}" in ended.stderr.splitlines()[-1]
    assert len(emulator.queries) == before


def test_a_shard_that_was_killed_pays_nothing_twice_beside_others_that_share_its_journal(
    emulator: Emulator, tmp_path: Path
) -> None:
    """The others neither collect nor cancel what it left in the folder."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config(emulator, tmp_path, "1/2")))
    with subprocess.Popen(  # noqa: S603 - our own command
        command("--config", str(file)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as killed:
        assert killed.stdout
        for line in killed.stdout:
            if b'"RECORD"' in line:
                killed.kill()
                break
    assert len([*(tmp_path / "journal").iterdir()]) == 1
    other = Target()
    assert sync(config(emulator, tmp_path, "2/2"), tmp_path, other).code == 0
    assert len([*(tmp_path / "journal").iterdir()]) == 1

    again = Target()
    assert sync(config(emulator, tmp_path, "1/2"), tmp_path, again).code == 0
    assert records([again, other], "ads") == truth(emulator, ADS, FIRST, LAST)
    assert len(emulator.queries) == WHOLE
    assert max(asked(emulator).values()) == 1


def test_plan_coverage_and_check_speak_of_the_shard_only(
    emulator: Emulator, tmp_path: Path
) -> None:
    found: list[Any] = []
    for shard in names(3):
        (tmp_path / "config.json").write_text(json.dumps(config(emulator, tmp_path, shard)))
        told = [
            run(name, "--format", "json", "--config", str(tmp_path / "config.json"))
            for name in ("plan", "coverage", "check")
        ]
        assert [each.code for each in told] == [0, 0, 0], told
        found.append([json.loads(each.stdout) for each in told])
    assert sum(plan["queries"] for plan, _, _ in found) == WHOLE
    covered = [each["account_id"] for _, reports, _ in found for each in reports[0]["accounts"]]
    assert sorted(covered) == sorted(ACCOUNTS)
    assert [reports[1]["note"] for _, reports, _ in found] == [
        "",
        "not in shard 2/3",
        "not in shard 3/3",
    ]
    assert "report together, not in shard 2/3" in [each["what"] for each in found[1][2]]
    assert not emulator.queries


def test_a_state_that_meltano_prints_is_merged_into_one_that_it_reads(tmp_path: Path) -> None:
    for number, name in enumerate(("ads", "shops")):
        state = {"singer_state": {"bookmarks": {name: {"query_hash": "9f1c2a7e"}}}}
        (tmp_path / f"{number}.json").write_text(json.dumps(state))
    files = str(tmp_path / "0.json"), str(tmp_path / "1.json")
    ended = run("state", "merge", *files, "--rename", "shops=stores")
    assert [*json.loads(ended.stdout)["singer_state"]["bookmarks"]] == ["ads", "stores"]

    for wrong, told in (
        (("state", "merge", "none.json"), "none.json cannot be read (No such file or directory)"),
        (("state", "merge", files[0], "--rename", "ads"), "--rename: expected OLD=NEW, got ads"),
        (
            ("state", "merge", files[0], "--rename", "ads=1 2"),
            "--rename: expected letters, digits, `_` or `-`, a letter first, no `-` last",
        ),
        (("state", "merge", files[0], "--remove-account", "9"), "no report of the state has 9"),
    ):
        ended = run(*wrong)
        assert (ended.code, ended.stdout) == (1, "")
        assert told in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
