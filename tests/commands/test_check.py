"""`check` says before a run what would end it, or a part of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault
from tests.commands.test_commands import DATES, REPORT, command
from tests.tap import Ended, Target, config_for, discovered, sync

if TYPE_CHECKING:
    from pathlib import Path


def found(ended: Ended, result: str) -> list[str]:
    """The lines of a check with one result; nothing may stand beside it on stderr."""
    assert ended.stderr == ""
    return [line for line in ended.stdout.splitlines() if line.startswith(result)]


def test_a_slip_of_the_pen_in_a_field_is_wrong_and_an_unknown_one_is_a_note(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**REPORT, "fields": ["Date", "Clikcs"]}
    ended = command(tmp_path, config_for(emulator, [report], **DATES), "check")
    assert ended.code == 1
    (wrong,) = found(ended, "wrong")
    assert "does not list Clikcs (did you mean Clicks?)" in wrong

    report = {**REPORT, "fields": ["Date", "Cost", "our_own_dimension_17"]}
    ended = command(tmp_path, config_for(emulator, [report], **DATES), "check")
    assert ended.code == 0
    (note,) = found(ended, "note")
    assert "does not list our_own_dimension_17; loaded as text" in note
    assert not emulator.queries


def test_an_account_that_no_login_reads_is_a_note(emulator: Emulator, tmp_path: Path) -> None:
    report = {**REPORT, "ds_accounts": ["4713896205", "1112223334"]}
    ended = command(tmp_path, config_for(emulator, [report], **DATES), "check")
    assert ended.code == 0
    (note,) = found(ended, "note")
    assert "AW does not list 1112223334" in note


def test_a_report_without_accounts_of_a_source_that_has_some_is_a_note(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {each: REPORT[each] for each in REPORT if each != "ds_accounts"}
    ended = command(tmp_path, config_for(emulator, [report], **DATES), "check")
    assert ended.code == 0
    (note,) = found(ended, "note")
    assert "ds_accounts: left out, though AW lists" in note
    every = {**report, "ds_accounts": "list.all_accounts"}
    ended = command(tmp_path, config_for(emulator, [every], **DATES), "check")
    assert not found(ended, "note")


def test_a_state_of_rows_under_another_key_is_wrong(emulator: Emulator, tmp_path: Path) -> None:
    config, target = config_for(emulator, [REPORT], **DATES), Target()
    sync(config, tmp_path, target)
    assert command(tmp_path, config, "check", state=target.state).code == 0

    other = {**REPORT, "fields": ["Date", "Cost", "Campaignname"]}
    config = config_for(emulator, [other], **DATES)
    ended = command(tmp_path, config, "check", state=target.state)
    assert ended.code == 1
    (wrong,) = found(ended, "wrong")
    assert "its key was" in wrong
    assert sync(config, tmp_path, target).code == 3, "a run says the same"


def test_a_catalog_is_held_against_the_reports(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog, file = discovered(config, tmp_path), tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog))
    good = command(tmp_path, config, "check", "--catalog", str(file))
    assert (good.code, found(good, "note")) == (0, [])
    assert "ok      stream maps, state and catalog" in good.stdout

    for column in catalog["streams"][0]["schema"]["properties"].values():
        column["type"] = ["boolean"]
    file.write_text(json.dumps(catalog))
    ended = command(tmp_path, config, "check", "--catalog", str(file))
    assert ended.code == 1
    assert any("the catalog says boolean" in line for line in found(ended, "wrong"))

    other = config_for(emulator, [{**REPORT, "name": "other"}], **DATES)
    ended = command(tmp_path, other, "check", "--catalog", str(file))
    assert any("not in the catalog" in line for line in found(ended, "note"))
    ended = command(tmp_path, config, "check", "--catalog", str(tmp_path / "none.json"))
    assert any("none.json cannot be read" in line for line in found(ended, "wrong"))


def test_stream_maps_are_tried(emulator: Emulator, tmp_path: Path) -> None:
    maps = {"google_ads": {"double": "float(nothing_of_this_name) * 2"}}
    config = config_for(emulator, [REPORT], **DATES, stream_maps=maps)
    ended = command(tmp_path, config, "check")
    assert ended.code == 1
    assert any("stream_maps: google_ads" in line for line in found(ended, "wrong"))


@pytest.mark.parametrize(
    ("loader", "changes", "code", "told"),
    [
        ("target-postgres", {}, 0, "ok      report google_ads, target-postgres"),
        ("meltanolabs-target-postgres", {"name": "eu-ads"}, 0, "its table is ads"),
        ("target-postgres", {"name": "a" * 70}, 0, "longer than 63 bytes"),
        ("target-snowflake", {"name": "a" * 70}, 0, "target-snowflake\n"),
        ("pipelinewise-target-postgres", {"fields": ["Date", "Campaignname"]}, 1, "(none)"),
        (
            "pipelinewise-target-postgres",
            {"fields": ["Date", "Campaignname"], "blank_key_value": "-"},
            0,
            "note    report google_ads, pipelinewise-target-postgres: control characters",
        ),
        ("target-csv", {}, 0, "`{timestamp}`"),
        ("target-nobody", {}, 0, "not known here"),
    ],
)
def test_names_and_keys_are_held_against_the_limits_of_a_loader(  # noqa: PLR0913, PLR0917 - fixtures and cases
    emulator: Emulator, tmp_path: Path, loader: str, changes: dict[str, Any], code: int, told: str
) -> None:
    config = config_for(emulator, [REPORT | changes], **DATES)
    ended = command(tmp_path, config, "check", "--loader", loader)
    assert told in ended.stdout
    assert ended.code == code


def test_columns_that_a_loader_makes_one_are_wrong(emulator: Emulator, tmp_path: Path) -> None:
    long = "a" * 63
    fields = ["Date", f"{long}_1", f"{long}_2"]
    config = config_for(
        emulator,
        [{**REPORT, "fields": fields, "types": dict.fromkeys(fields[1:], "int.number.value")}],
        **DATES,
    )
    postgres = command(tmp_path, config, "check", "--loader", "target-postgres")
    assert any("become one column" in line for line in found(postgres, "wrong"))
    snowflake = command(tmp_path, config, "check", "--loader", "target-snowflake")
    assert not any("become one column" in line for line in found(snowflake, "wrong"))


def test_folders_that_cannot_be_written_are_told(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = config_for(emulator, [REPORT], **DATES, journal_dir=str(tmp_path / "file" / "journal"))
    ended = command(tmp_path, config, "check")
    assert ended.code == 0
    (note,) = found(ended, "note")
    assert "file cannot be written" in note


def test_an_api_that_is_away_is_wrong(emulator: Emulator, tmp_path: Path) -> None:
    emulator.inject(Fault(effect="error", status=403, code="ACCESS_DENIED_PERMISSIONS", times=None))
    ended = command(tmp_path, config_for(emulator, [REPORT], **DATES), "check")
    assert ended.code == 1
    assert found(ended, "wrong")
