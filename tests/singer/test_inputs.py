"""What a user gives to the SDK is understood, refused or warned of, before anything is paid."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics import program
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings import Settings
from tap_supermetrics.singer.catalog_types import catalog_types, limits
from tap_supermetrics.singer.configuration import settings_of_sdk
from tap_supermetrics.singer.inputs import (
    KEYS_WITHIN,
    check_log_config,
    check_log_level,
    mistakes_in_characters,
    mistakes_in_folders,
    mistakes_in_sdk_settings,
    read_config,
    read_json,
    unmatched_bookmarks,
)
from tap_supermetrics.sync.addresses import with_converted
from tap_supermetrics.sync.state_checks import check_state
from tap_supermetrics.tap import TapSupermetrics
from tests.tap import Target, config_for, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tap_supermetrics.emulator import Emulator

DEEP = "[" * 100_000
COST: dict[str, Any] = {"Cost": {"type": ["number", "null"]}}


def roots(root: object) -> list[str]:
    config = {"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": str(root)}}}
    return mistakes_in_sdk_settings(config, {"batch_config": {"type": "object"}})


def test_a_file_that_nests_without_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(DEEP)
    with pytest.raises(SettingsError, match=r"--config: .*config.json: expected a JSON object"):
        read_config([str(tmp_path / "config.json")])
    with pytest.raises(SettingsError, match="--state: expected JSON"):
        read_json(io.StringIO(DEEP), "--state")


@pytest.mark.parametrize("name", ["queries", "settings", "types", "ds_accounts", "url"])
def test_a_value_that_nests_without_end_is_told(name: str) -> None:
    report: dict[str, Any] = {"name": "ads", "ds_id": "AW", "fields": ["Cost"]}
    deep = f"https://x.example/query?json={DEEP}" if name == "url" else DEEP
    own = {"queries": DEEP} if name == "queries" else {"queries": [{**report, name: deep}]}
    with pytest.raises(SettingsError, match=name):
        Settings.from_config(with_converted({"api_key": "a-key-of-letters", **own}, lambda: None))


@pytest.mark.parametrize(
    "error",
    [
        RecursionError(),
        MemoryError(),
        RuntimeError("can't start new thread"),
        UnicodeEncodeError("utf-8", "x\ud800", 1, 2, "surrogates not allowed"),
    ],
)
def test_what_is_too_much_for_this_process_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(program, "_run_to_its_end", fail)
    monkeypatch.setattr(logging, "setLogRecordFactory", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 1
    (told,) = caplog.messages
    assert any(
        each in told
        for each in ("nests too deeply", "no memory is left", "no thread can", "half a char")
    )


def test_a_storage_where_nothing_can_be_written_is_a_mistake_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", f"file://{tmp_path}/file/below", "bogus://x", "/" + "a" * 300):
        (mistake,) = roots(root)
        assert mistake.startswith("batch_config.storage.root: "), mistake
    assert not roots(tmp_path / "new" / "folder")
    assert not (tmp_path / "new").exists(), "nothing is made before it is needed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_storage_of_another_user_is_a_mistake_at_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    (mistake,) = roots(tmp_path / "new")
    assert "cannot be written by this user" in mistake


@pytest.mark.parametrize("variable", ["TAP_SUPERMETRICS_LOGLEVEL", "LOGLEVEL"])
def test_a_level_of_the_log_that_nobody_knows_is_named_with_its_variable(variable: str) -> None:
    check_log_level({variable: "debug"})
    with pytest.raises(SettingsError) as caught:
        check_log_level({variable: "banana"})
    assert caught.value.mistakes == (
        f"{variable}: expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, got 'banana'",
    )


@pytest.mark.parametrize("content", ["a: [", "version: 2", "[]", "version: 1\nhandlers: {x: {}}"])
def test_a_configuration_of_the_log_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "log.yml").write_text(content)
    with pytest.raises(SettingsError, match=r"SINGER_SDK_LOG_CONFIG: .* is no configuration"):
        check_log_config({"SINGER_SDK_LOG_CONFIG": str(tmp_path / "log.yml")})
    check_log_config({"SINGER_SDK_LOG_CONFIG": str(tmp_path / "none.yml")})


@pytest.mark.parametrize("folder", ["/var/a\0b", "a\nb", "\x1b[2J"])
@pytest.mark.parametrize("name", ["journal_dir", "report_dir"])
def test_a_folder_that_no_system_can_have_is_a_mistake(name: str, folder: str) -> None:
    report = {"name": "ads", "ds_id": "AW", "fields": ["Date", "Cost"], "ds_accounts": ["1"]}
    config = {"api_key": "a-key-of-letters", "start_date": "2024-01-01", "queries": [report]}
    Settings.from_config({**config, name: "/var/usual"})
    with pytest.raises(SettingsError, match=name):
        Settings.from_config({**config, name: folder})


@pytest.mark.parametrize("name", ["journal_dir", "report_dir"])
def test_a_folder_below_a_home_that_is_not_there_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", "/var/me")
    assert not mistakes_in_folders({name: "~/folder"})
    assert not mistakes_in_folders({})
    (mistake,) = mistakes_in_folders({name: "~nobody-of-that-name/folder"})
    assert mistake.startswith(f"{name}: expected a folder")
    # As in a container whose user no file lists.
    monkeypatch.setattr(os.path, "expanduser", str)
    assert mistakes_in_folders({name: "~/folder"})


def test_half_a_character_in_a_setting_of_the_sdk_is_a_mistake() -> None:
    config = {"stream_maps": {"ads": {"a\ud800": "x"}}, "start_date": date(2024, 6, 1)}
    (mistake,) = mistakes_in_characters(config, ["stream_maps", "start_date", "batch_config"])
    assert mistake == "stream_maps: a text has half a character ('\\ud800')"
    assert not mistakes_in_characters({"stream_maps": {"ads": "\U0001f9e6"}}, ["stream_maps"])


@pytest.mark.parametrize("size", [0, -5, "many", 1.5, True])
def test_a_batch_of_no_records_is_a_mistake(size: object, tmp_path: Path) -> None:
    """Files would be made for ever."""
    batch = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path)}}
    config = {"batch_config": {**batch, "batch_size": size}}
    (mistake,) = mistakes_in_sdk_settings(config, {"batch_config": {"type": "object"}})
    assert mistake.startswith("batch_config.batch_size: expected a whole number over 0, got ")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"batch_config": {"batch_sise": 1}}, "batch_config.batch_sise: unknown setting, did you"),
        ({"batch_config": {"storage": {"rot": "x"}}}, "batch_config.storage.rot: unknown"),
        ({"batch_config": {"encoding": {"fmt": "jsonl"}}}, "batch_config.encoding.fmt: unknown"),
        (
            {"faker_config": {"locales": "en"}},
            "faker_config.locales: unknown setting, did",
        ),
    ],
)
def test_a_misspelt_key_within_a_setting_of_the_sdk_is_named(
    config: dict[str, Any], told: str
) -> None:
    objects = {key: {"type": "object"} for key in ("batch_config", "faker_config")}
    (mistake,) = mistakes_in_sdk_settings(config, objects)
    assert mistake.startswith(told)


def test_keys_within_settings_of_the_sdk_are_those_that_it_has() -> None:
    schemas = settings_of_sdk(TapSupermetrics)
    for (setting, *part), known in KEYS_WITHIN.items():
        schema = schemas[setting]
        for each in part:
            schema = schema["properties"][each]
        assert {*schema["properties"]} <= {*known}


def test_an_empty_file_is_told_as_that() -> None:
    with pytest.raises(SettingsError, match=r"expected JSON .*it is empty: leave the opt"):
        read_json(io.StringIO("\n"), "--state")


def test_a_bookmark_of_a_report_that_was_renamed_is_told_with_the_remedy() -> None:
    state: dict[str, Any] = {"bookmarks": {"google-ads": {}, "facebook": {}, "tiktok": {}}}
    (told,) = unmatched_bookmarks(state, ["google_ads", "facebook"])
    assert "--rename google-ads=google_ads" in told
    assert not [*unmatched_bookmarks(state, ["google-ads"])]
    (told,) = unmatched_bookmarks({"bookmarks": {"spend": {}, "log": {}}}, ["google_ads"], ["log"])
    assert "--rename spend=google_ads" in told
    assert not [*unmatched_bookmarks({}, ["google_ads"])]


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_types_of_a_catalog_may_be_one_of_several_schemas(word: str) -> None:
    text = {"Cost": {word: [{"type": "string"}, {"type": "null"}]}}
    assert catalog_types(text, COST, frozenset(), "ads").as_text == ("Cost",)
    whole = {"Cost": {word: [{"type": ["integer"]}, {"type": "null"}]}}
    assert catalog_types(whole, COST, frozenset(), "ads").mistakes


def test_what_a_catalog_demands_beside_types_is_found() -> None:
    given = {"Cost": {"type": "number", "multipleOf": 0.01, "minimum": 0}, "Other": {"const": 1}}
    assert limits(given, COST) == {"Cost": ["minimum", "multipleOf"]}
    assert not limits(COST, COST)


# Stream maps

ADS: Final[dict[str, Any]] = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Campaignname", "Cost"],
    "start_date": "2024-06-09",
    "end_date": "2024-06-09",
}


def mapped(emulator: Emulator, maps: object) -> TapSupermetrics:
    return TapSupermetrics(config=config_for(emulator, [ADS], stream_maps=maps))


@pytest.mark.parametrize(
    "maps",
    [
        {"ads": {"spend": "Cost", "Cost": None}},
        {"ads": {"Cost": None}},
        {
            "ads": {
                "campaign": "Campaignname",
                "Campaignname": None,
                "__key_properties__": ["_sm_account_id", "Date", "campaign"],
            }
        },
    ],
    ids=["a metric renamed", "a metric left out", "a column of the key renamed"],
)
def test_a_column_is_renamed_as_the_manual_of_the_sdk_does(
    emulator: Emulator,
    tmp_path: Path,
    maps: Any,  # noqa: ANN401 - any maps
) -> None:
    ended = sync(config_for(emulator, [ADS], stream_maps=maps), tmp_path, target := Target())
    assert ended.code == 0, ended.stderr
    assert "WARNING" not in ended.stderr
    (row, *_) = target.tables["ads"].values()
    assert {*maps["ads"]} & {*row} == {
        name for name, of in maps["ads"].items() if of and name != "__key_properties__"
    }


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ({"ads": {"__filters__": "False"}}, "__filters__: unknown word, did you mean __filter__?"),
        ({"ads": {"__alias__": 5}}, "stream_maps.ads.__alias__: expected a name, got 5"),
        ({"ads": {"__key_properties__": "Date"}}, "expected a list of columns, or null"),
        ({"ads": {"x": ["Cost"]}}, "stream_maps.ads.x: expected an expression in a text"),
        ({"ads": 5}, "stream_maps.ads: expected an object of columns and expressions"),
        ({"__else__": False}, "stream_maps.__else__: expected null"),
        ({"ads": {"x": "config['seed']"}}, "KeyError"),
        ({"ads": {"x": "Campaignname + Cost"}}, "TypeError"),
    ],
)
def test_a_map_that_can_never_be_applied_is_told_by_its_place(
    emulator: Emulator, maps: object, said: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        mapped(emulator, maps)


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ({"adz": {}}, "adz is the name of no report; nothing is mapped, did you mean ads?"),
        ({"ads": {"__key_properties__": []}}, "ads: it has no key any more: targets append"),
        ({"ads": {"cost_": "Cost"}}, "ads: Cost and cost_ are one column to some targets"),
        ({"ads": {"__alias__": "a" * 64}}, "aaa is longer than 63 bytes"),
    ],
)
def test_what_a_map_makes_that_loaders_do_not_keep_is_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture, maps: object, said: str
) -> None:
    mapped(emulator, maps)
    assert [each for each in caplog.messages if said in each]


def test_a_name_that_a_map_replaces_is_not_told(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    long = "x" * 70
    report = {**ADS, "fields": [*ADS["fields"], long], "types": {long: "int.number.value"}}
    config = config_for(emulator, [report])
    TapSupermetrics(config=config)
    assert [each for each in caplog.messages if "rename it by `stream_maps`" in each]
    caplog.clear()
    TapSupermetrics(config={**config, "stream_maps": {"ads": {"short": long, long: None}}})
    assert not [each for each in caplog.messages if "rename it by `stream_maps`" in each]


# States

STATE: Final = {"bookmarks": {"ads": {"replication_key_value": "2024-06-09"}}}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"type": "STATE", "value": STATE},
        {"singer_state": STATE},
        STATE,
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_state_is_read_however_it_is_wrapped(
    emulator: Emulator, tmp_path: Path, wrapped: object, mark: str
) -> None:
    (tmp_path / "state.json").write_text(mark + json.dumps(wrapped), encoding="utf-8")
    config = config_for(emulator, [ADS], lookback_days=0)
    ended = sync(config, tmp_path, None, "--state", str(tmp_path / "state.json"))
    assert ended.code == 0, ended.stderr
    assert not emulator.queries


def test_of_many_states_in_a_file_the_last_is_asked_for() -> None:
    lines = "\n".join([json.dumps(STATE)] * 2)
    with pytest.raises(SettingsError, match=r"of several messages, keep the last \(`tail -n 1`\)"):
        read_json(io.StringIO(lines), "--state")


def test_a_first_day_to_come_is_told() -> None:
    state = {"bookmarks": {"ads": {"not_before": "2035-01-01"}}}
    with pytest.raises(SettingsError, match=r"ads\.not_before: expected a day up to today"):
        check_state(state, ["ads"], date(2024, 6, 10))
