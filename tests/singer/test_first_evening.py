"""What somebody gets wrong on the first evening: each is told in a line, and no key is shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from tap_supermetrics.emulator import Emulator, Fault
from tap_supermetrics.emulator import cli as emulator_cli
from tap_supermetrics.emulator.faults import EFFECTS
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.settings import Settings
from tests.tap import Ended, Target, command, config_for, discovered, run, sync

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LAST: Final = date(2024, 6, 9)
DATES: Final = {"start_date": "2024-06-05", "end_date": str(LAST)}
REPORT: Final[dict[str, Any]] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "Campaignname", "Cost", "Clicks"],
}
KEY: Final = "api_0123456789abcdefghijklmnopqrstuvwxyz"
NO_LEVEL: Final = ("| ERROR", "| CRITICAL", "Traceback")


def warnings(ended: Ended) -> list[str]:
    return [line for line in ended.stderr.splitlines() if "| WARNING" in line]


def refused(ended: Ended, emulator: Emulator, *said: str) -> None:
    """It ended in one line, and no row was asked for."""
    assert ended.code == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if "| INFO" not in line]
    assert len(lines) == 1, lines
    for each in said:
        assert each in lines[0]
    assert emulator.queries == ()


# The key


@pytest.mark.parametrize("place", range(61))
def test_no_part_of_a_key_is_shown_wherever_a_value_is_cut(place: int) -> None:
    config = {
        "api_key": KEY,
        "api_url": f"http://127.0.0.1:8190/{'x' * place}?api_key={KEY}",
        "start_date": "x" * place + KEY,
        "queries": f'[{{"name": "{"x" * place}{KEY}"',
        "timezone": [{"a": "x" * place + KEY}],
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_config(config)
    assert len(caught.value.mistakes) == 4
    for mistake in caught.value.mistakes:
        assert KEY[:8] not in mistake


@pytest.mark.parametrize("key", ['key"with"quotes_and\\more', "key/with/a+plus&sign"])
def test_a_key_with_signs_is_found_as_json_writes_it(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_config({"api_key": key, "queries": json.dumps({"url": key})})
    (mistake,) = caught.value.mistakes
    assert mistake.endswith(r'{\"url\": \"(the key)\"}"')


def test_another_key_or_password_in_an_address_is_not_shown() -> None:
    addresses = ["https://u:another_secret@h h", "https://h/?api_key=another_secret"]
    for address in addresses:
        with pytest.raises(SettingsError) as caught:
            Settings.from_config({"api_key": KEY, "api_url": address, "queries": "x"})
        assert "another_secret" not in str(caught.value)


# The connection test


def test_a_connection_test_that_succeeds_says_so_and_nothing_else(
    emulator: Emulator, tmp_path: Path
) -> None:
    reports = [REPORT, {**REPORT, "name": "twin"}]
    ended = sync(config_for(emulator, reports, **DATES), tmp_path, None, "--test")

    assert ended.code == 0, ended.stderr
    assert not any(each in ended.stderr for each in NO_LEVEL), ended.stderr
    assert "Summary: 24 rows" in ended.stderr
    types = [json.loads(line)["type"] for line in ended.stdout.splitlines()]
    assert types == ["SCHEMA", "RECORD"] * 2


@pytest.mark.parametrize("wrong", [{"fields": ["Date", "Kost"]}, {"ds_accounts": ["471"]}])
def test_a_connection_test_that_loses_something_exits_with_3(
    emulator: Emulator, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    config = config_for(emulator, [{**REPORT, **wrong}], **DATES)
    ended = sync(config, tmp_path, None, "--test")

    assert ended.code == 3, ended.stderr
    assert re.search("(query|queries) failed", ended.stderr.splitlines()[-1])
    assert "unhandled" not in ended.stderr


def test_a_connection_test_that_is_refused_exits_with_4(emulator: Emulator, tmp_path: Path) -> None:
    emulator.inject(
        Fault(effect="error", path="query/batch$", status=429, code="API_ROW_QUOTA_EXCEEDED")
    )
    ended = sync(config_for(emulator, [REPORT], **DATES), tmp_path, None, "--test")

    assert ended.code == 4, ended.stderr
    assert "API_ROW_QUOTA_EXCEEDED" in ended.stderr.splitlines()[-1]


def test_a_test_of_the_schema_asks_for_no_rows(emulator: Emulator, tmp_path: Path) -> None:
    ended = sync(config_for(emulator, [REPORT], **DATES), tmp_path, None, "--test=schema")

    assert ended.code == 0, ended.stderr
    assert [json.loads(line)["type"] for line in ended.stdout.splitlines()] == ["SCHEMA"]
    assert emulator.queries == ()


def test_a_connection_test_applies_stream_maps(emulator: Emulator, tmp_path: Path) -> None:
    maps = {"google_ads": {"twice": "float(Cost) * 2"}}
    config = config_for(emulator, [REPORT], stream_maps=maps, **DATES)
    ended = sync(config, tmp_path, None, "--test")

    assert ended.code == 0, ended.stderr
    (record,) = [
        message["record"]
        for message in map(json.loads, ended.stdout.splitlines())
        if message["type"] == "RECORD"
    ]
    assert record["twice"] == record["Cost"] * 2


def test_nothing_comes_after_the_reason_where_python_warns_as_meltano_has_it(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "once")
    (tmp_path / "old.json").write_text("{}")
    config = config_for(emulator, [REPORT], **DATES) | {"api_key": "another"}
    ended = sync(config, tmp_path, None, "--state", str(tmp_path / "old.json"), "--discover")

    assert ended.code == 4, ended.stderr
    assert "API_KEY_INVALID" in ended.stderr.splitlines()[-1]


def test_a_log_grows_by_batches_not_by_looks_at_them(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], start_date="2024-04-01", end_date="2024-05-31")
    ended = sync(config, tmp_path)

    assert ended.code == 0, ended.stderr
    assert len(emulator.queries) == 122
    assert ended.stderr.count(" queries done, ") == len(emulator.batches)


def test_a_field_that_is_not_listed_is_warned_of_once(emulator: Emulator, tmp_path: Path) -> None:
    report = {**REPORT, "fields": ["Date", "Campaignname", "Kost"]}
    ended = sync(config_for(emulator, [report], **DATES), tmp_path)

    assert ended.stderr.count("AW does not list Kost") == 1


# The catalog


def with_catalog(
    config: dict[str, Any], catalog: Mapping[str, Any], folder: Path, target: Target | None = None
) -> Ended:
    (folder / "catalog.json").write_text(json.dumps(catalog))
    return sync(config, folder, target, "--catalog", str(folder / "catalog.json"))


def test_a_report_that_the_catalog_lacks_is_warned_of(emulator: Emulator, tmp_path: Path) -> None:
    old = discovered(config_for(emulator, [REPORT], **DATES), tmp_path)
    config = config_for(emulator, [REPORT, {**REPORT, "name": "added"}], **DATES)
    target = Target()
    ended = with_catalog(config, old, tmp_path, target)

    assert ended.code == 0, ended.stderr
    (warning,) = warnings(ended)
    assert "added" in warning
    assert "--discover" in warning
    assert set(target.tables) == {"google_ads"}


def test_a_column_that_the_catalog_lacks_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    old = discovered(config_for(emulator, [REPORT], **DATES), tmp_path)
    config = config_for(
        emulator, [{**REPORT, "fields": [*REPORT["fields"], "Impressions"]}], **DATES
    )
    refused(with_catalog(config, old, tmp_path), emulator, "Impressions", "--discover")


def test_a_column_that_the_catalog_lacks_may_be_deselected(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    (stream,) = catalog["streams"]
    del stream["schema"]["properties"]["Clicks"]
    for entry in stream["metadata"]:
        if entry["breadcrumb"] == ["properties", "Clicks"]:
            entry["metadata"]["selected"] = False
    target = Target()
    ended = with_catalog(config, catalog, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert all("Clicks" not in each for each in target.tables["google_ads"].values())


def test_a_key_of_the_catalogs_own_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    catalog["streams"][0]["key_properties"] = ["Date"]
    ended = with_catalog(config, catalog, tmp_path)

    refused(ended, emulator, "google_ads", "set `key_properties` in the settings")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ({"replication-key": "Campaignname"}, "set `replication_key` in its entry of `queries`"),
        ({"table-key-properties": ["Date"]}, "set `key_properties` in the settings"),
        ({"replication-method": "LOG_BASED"}, "expected INCREMENTAL or FULL_TABLE"),
        ({"selected": "maybe"}, "expected true or false"),
    ],
)
def test_an_override_that_is_not_followed_is_refused(
    emulator: Emulator, tmp_path: Path, override: dict[str, Any], said: str
) -> None:
    """As the extra `metadata` of Meltano's writes it."""
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    root = next(each for each in catalog["streams"][0]["metadata"] if not each["breadcrumb"])
    root["metadata"] |= override
    refused(with_catalog(config, catalog, tmp_path), emulator, "google_ads", said)


def test_overrides_from_the_environment_are_texts(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT, {**REPORT, "name": "other"}], **DATES)
    catalog = discovered(config, tmp_path)
    for stream, own in zip(
        catalog["streams"],
        ({"selected": "False"}, {"replication-method": "full_table"}),
        strict=True,
    ):
        root = next(each for each in stream["metadata"] if not each["breadcrumb"])
        root["metadata"] |= own
    target = Target()
    assert with_catalog(config, catalog, tmp_path, target).code == 0
    assert set(target.tables) == {"other"}
    before = len(emulator.queries)
    assert with_catalog(config, catalog, tmp_path, target).code == 0
    assert len(emulator.queries) == 2 * before, "all days are read again"


def test_a_key_column_cannot_be_deselected(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "Campaignname"]:
            entry["metadata"] = {"inclusion": "available", "selected": False}

    refused(with_catalog(config, catalog, tmp_path), emulator, "Campaignname", "deselected")


def test_a_stream_of_another_name_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    catalog["streams"][0]["stream"] = "renamed"

    refused(with_catalog(config, catalog, tmp_path), emulator, "renamed", "`name`")


def test_what_is_deselected_may_be_anything(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT, {**REPORT, "name": "other"}], **DATES)
    catalog = discovered(config, tmp_path)
    other = catalog["streams"][1]
    other |= {
        "stream": "renamed",
        "key_properties": [],
        "replication_key": None,
        "schema": {"properties": {}},
    }
    other["metadata"] = [{"breadcrumb": [], "metadata": {"selected": False}}]
    ended = with_catalog(config, catalog, tmp_path)

    assert ended.code == 0, ended.stderr
    assert warnings(ended) == []


@pytest.mark.parametrize("catalog", [{}, {"streams": []}, {"plugins": {"extractors": []}}])
def test_a_catalog_that_selects_nothing_is_an_error(
    emulator: Emulator, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    ended = with_catalog(config_for(emulator, [REPORT], **DATES), catalog, tmp_path)

    assert ended.code == 1, ended.stderr
    assert "no stream is selected" in ended.stderr.splitlines()[-1]
    assert "*.*" in ended.stderr.splitlines()[-1]
    assert emulator.queries == ()


@pytest.mark.parametrize("maps", [{"google_ads": None}, {"__else__": None}])
def test_maps_that_drop_every_stream_are_an_error(
    emulator: Emulator, tmp_path: Path, maps: object
) -> None:
    given = config_for(emulator, [REPORT], stream_maps=maps, query_log=True, **DATES)
    ended = sync(given, tmp_path)

    assert ended.code == 1, ended.stderr
    assert "`stream_maps` drops" in ended.stderr.splitlines()[-1]
    assert emulator.queries == ()


def test_what_a_catalog_adds_is_warned_of(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    catalog = discovered(config, tmp_path)
    columns = catalog["streams"][0]["schema"]["properties"]
    columns["Cost"] |= {"multipleOf": 0.01}
    columns["Other"] = {"type": ["string", "null"]}
    ended = with_catalog(config, catalog, tmp_path)

    assert ended.code == 0, ended.stderr
    limit, other = warnings(ended)
    assert "Cost: values are written as they are, whatever multipleOf says" in limit
    assert "no field for Other" in other


# The SDK's settings


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("stream_maps", "x", "stream_maps"),
        ("stream_maps", {"google_ads": "x"}, "google_ads"),
        ("stream_maps", {"google_ads": 3}, "stream_maps"),
        ("stream_maps", {"google_ads": {"x": "((("}}, "((("),
        ("stream_maps", {"google_ads": {"x": 3}}, "google_ads"),
        ("stream_maps", {"google_ads": {"x": "nosuch + 1"}}, "nosuch"),
        ("stream_maps", {"google_ads": {"x": "nosuch(Cost)"}}, "nosuch"),
        ("stream_maps", {"google_ads": {"__filter__": "nosuch > 1"}}, "nosuch"),
        ("stream_maps", {"google_ads": {"Date": None}}, "Date"),
        ("stream_maps", {"google_ads": {"__else__": "x"}}, "__else__"),
        ("stream_maps", {"__else__": "x"}, "__else__"),
        ("batch_config", {"encoding": {"format": "csvx"}}, "batch_config.encoding.format"),
        ("batch_config", {"encoding": {"format": "jsonl"}}, "storage.root"),
        ("batch_config", "x", "batch_config"),
        ("flattening_max_depth", "x", "flattening_max_depth"),
    ],
)
def test_a_wrong_setting_of_the_sdk_is_told_in_a_line(
    emulator: Emulator, tmp_path: Path, name: str, value: object, said: str
) -> None:
    ended = sync(config_for(emulator, [REPORT], **DATES, **{name: value}), tmp_path)

    refused(ended, emulator, said)


def test_a_map_that_fails_by_a_value_costs_what_it_fails_for_and_is_told(
    emulator: Emulator, tmp_path: Path
) -> None:
    day = DATES["start_date"]
    maps = {"google_ads": {"x": f"1 / (Date != '{day}')"}}
    other = {**REPORT, "name": "other"}
    target = Target()
    ended = sync(config_for(emulator, [REPORT, other], stream_maps=maps, **DATES), tmp_path, target)

    assert ended.code == 3
    assert "Traceback" not in ended.stderr
    told = [line for line in ended.stderr.splitlines() if "STREAM_MAP_FAILED" in line]
    assert "stream_maps.google_ads (x): ZeroDivisionError" in told[0]
    assert day in told[0]
    days = {record["Date"] for record in target.tables["other"].values()}
    assert {record["Date"] for record in target.tables["google_ads"].values()} == days - {day}


def test_a_map_that_fails_for_each_record_is_not_paid_for_each_day(
    emulator: Emulator, tmp_path: Path
) -> None:
    maps = {"google_ads": {"x": "int(Campaignname)"}}
    long = {**DATES, "start_date": "2020-01-01"}
    ended = sync(config_for(emulator, [REPORT], stream_maps=maps, **long), tmp_path)

    assert ended.code == 3
    assert "stream_maps.google_ads (x): ValueError" in ended.stderr
    # Twenty results, and what was submitted before they were read.
    assert len(emulator.queries) < 450


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ({"googel_ads": {"x": "1"}}, "no report"),
        ({"google_ads": {"Date": "'a'"}}, "the key is changed (Date)"),
        ({"google_*": {"Date": "md5(Date)"}}, "the key is changed (Date)"),
        (
            {"google_ads": {"__key_properties__": ["Date"]}},
            "the key is changed (_sm_account_id, Campaignname)",
        ),
        ({"google_ads": {"Campaignname": "Campaignname", "Cost": None}}, ""),
        ({"copy": {"__source__": "google_ads"}}, ""),
        ({"google_ads": {"__alias__": "ads"}, "__else__": None}, ""),
        (None, ""),
    ],
)
def test_a_map_that_may_lose_rows_is_warned_of(
    emulator: Emulator, tmp_path: Path, maps: object, said: str
) -> None:
    ended = sync(config_for(emulator, [REPORT], stream_maps=maps, **DATES), tmp_path)

    assert ended.code == 0, ended.stderr
    assert [said in each for each in warnings(ended)] == ([True] if said else [])


@pytest.mark.parametrize(
    "maps",
    [
        {"google_ads": {"__alias__": "other"}},
        {"google_ads": {"__alias__": "Other"}},
        {"google_ads": {"__alias__": "my-other"}},
        {"google_ads": {"__alias__": "supermetrics_query_log"}},
    ],
)
def test_a_map_that_puts_two_streams_into_one_table_is_a_mistake(
    emulator: Emulator, tmp_path: Path, maps: object
) -> None:
    reports = [REPORT, {**REPORT, "name": "other"}]
    given = config_for(emulator, reports, stream_maps=maps, query_log=True, **DATES)
    ended = sync(given, tmp_path)

    assert ended.code == 1, ended.stderr
    assert "stream_maps: loaders put " in ended.stderr.splitlines()[-1]
    assert not emulator.queries


# The environment


def from_environment(emulator: Emulator, folder: Path, **others: str) -> Ended:
    texts = {
        "API_KEY": emulator.api_key,
        "API_URL": emulator.url,
        "QUERIES": json.dumps([REPORT]),
        "START_DATE": DATES["start_date"],
        "END_DATE": DATES["end_date"],
        "REQUESTS_PER_SECOND": "500",
        **others,
    }
    done = subprocess.run(  # noqa: S603 - our own command
        command("--config", "ENV"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, **{f"TAP_SUPERMETRICS_{name}": each for name, each in texts.items()}},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("LOOKBACK_DAYS", "abc", "lookback_days: expected a whole number"),
        ("METADATA_COLUMNS", "ture", "metadata_columns: expected true or false"),
        ("QUERIES", "[{name:x}]", "no JSON"),
        ("STREAM_MAPS", "{x", "TAP_SUPERMETRICS_STREAM_MAPS: expected JSON"),
        ("FLATTENING_ENABLED", "maybe", "TAP_SUPERMETRICS_FLATTENING_ENABLED: expected true"),
        ("FLATTENING_MAX_DEPTH", "x", "TAP_SUPERMETRICS_FLATTENING_MAX_DEPTH: expected"),
    ],
)
def test_a_wrong_variable_is_told_in_a_line(
    emulator: Emulator, tmp_path: Path, name: str, text: str, said: str
) -> None:
    refused(from_environment(emulator, tmp_path, **{name: text}), emulator, said)


def test_settings_are_read_from_the_environment(emulator: Emulator, tmp_path: Path) -> None:
    others = {
        "METADATA_COLUMNS": "False",
        "LOOKBACK_DAYS": "2",
        "STREAM_MAPS": '{"google_ads": {"__alias__": "ads"}}',
        "FLATTENING_ENABLED": "false",
    }
    ended = from_environment(emulator, tmp_path, **others)

    assert ended.code == 0, ended.stderr
    records = [json.loads(each) for each in ended.stdout.splitlines() if '"RECORD"' in each]
    assert {each["stream"] for each in records} == {"ads"}
    assert all("_sm_fetched_at" not in each["record"] for each in records)


# The target


def test_a_target_that_closes_the_pipe_is_named(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], start_date="2024-01-01", end_date=str(LAST))
    (tmp_path / "config.json").write_text(json.dumps(config))
    with subprocess.Popen(  # noqa: S603 - our own command
        command("--config", str(tmp_path / "config.json")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == 1
    assert "CRITICAL | tap_supermetrics.invocation    | The target closed its end" in said
    assert "Traceback" not in said


# The emulator


def test_the_emulator_starts_at_the_current_time(capsys: pytest.CaptureFixture[str]) -> None:
    parsed = emulator_cli._parser().parse_args([])  # noqa: SLF001 - it serves when called whole
    started = datetime.fromisoformat(parsed.now)
    assert abs(datetime.now(timezone.utc) - started) < timedelta(minutes=1)
    with pytest.raises(SystemExit):
        emulator_cli.main(["--help"])
    assert f"clock_factor={emulator_cli.DEFAULT_FACTOR}" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["--port=99999", "--port=-1", "--port=x", "--now=nope"])
def test_a_wrong_option_of_the_emulator_is_named(
    wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        emulator_cli.main([wrong])
    assert ended.value.code == 2
    assert wrong.partition("=")[0] in capsys.readouterr().err.splitlines()[-1]


def test_the_effects_of_faults_can_be_looked_up(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    told = requests.get(f"{emulator.origin}/emulator/", timeout=10).json()["fault_effects"]
    with pytest.raises(SystemExit):
        emulator_cli.main(["--help"])
    text = capsys.readouterr().out

    assert tuple(told) == EFFECTS
    assert all(f"  {effect} " in text for effect in EFFECTS)


# Accounts


def test_a_bare_account_id_is_a_list_of_one(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    report = {**REPORT, "ds_accounts": 4713896205}
    ended = sync(config_for(emulator, [report], **DATES), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert {key[0] for key in target.tables["google_ads"]} == {"4713896205"}


def test_what_has_no_effect_and_names_without_a_table_are_told_at_the_start(
    emulator: Emulator, tmp_path: Path
) -> None:
    long = {**REPORT, "name": "a" * 64, "max_days_per_query": 7}
    top = {**DATES, "query_log": True, "query_log_name": "_sdc_log", "max_running_queries": 3}
    told = warnings(sync(config_for(emulator, [long], **top, mode="batch"), tmp_path, Target()))
    for said in (
        "the name aaa",
        "_sdc_log: the name _sdc_log begins with _sdc_",
        "queries[0].max_days_per_query: has no effect",
        "max_running_queries: has no effect",
    ):
        assert sum(said in line for line in told) == 1, told


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("TAP_SUPERMETRICS_START_DAET", "no setting is called so, did you mean start_date?"),
        ("TAP_SUPERMETRICS_PAGE", "no setting is called so"),
        ("tap_supermetrics_page_size", "it is not read: write its name in capital letters"),
    ],
)
def test_a_variable_that_nobody_reads_is_told(
    variable: str, said: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "5")
    monkeypatch.setenv("TAP_SUPERMETRICS__SELECT", "[]")
    (told,) = warnings(from_environment(emulator, tmp_path))
    assert f"{variable}: {said}" in told


def test_a_setting_that_only_the_environment_has_is_told_with_the_option(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_SUPERMETRICS_API_KEY", KEY)
    config = config_for(emulator, [REPORT], **DATES)
    del config["api_key"]
    said = "api_key: required", "TAP_SUPERMETRICS_API_KEY is set: `--config ENV` reads it"
    refused(sync(config, tmp_path), emulator, *said)


def test_a_setting_that_is_there_twice_is_told(emulator: Emulator, tmp_path: Path) -> None:
    config = json.dumps(config_for(emulator, [REPORT], **DATES))
    file = tmp_path / "twice.json"
    file.write_text(f'{config[:-1]}, "start_date": "2024-06-09"}}')
    ended = run("--config", str(file))
    refused(ended, emulator, "start_date is there twice; keep one")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test=one",), "--test: expected all or schema, got 'one'"),
        (("--format", "json"), "--format: it goes with --about only"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(
    options: tuple[str, ...], said: str, emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    refused(sync(config, tmp_path, None, *options), emulator, said)


def test_what_ends_a_run_is_told_in_one_line(emulator: Emulator, tmp_path: Path) -> None:
    """The SDK calls each error unhandled, in a line before it."""
    refused = Fault(effect="error", path="batch", status=401, code="API_KEY_INVALID", times=None)
    emulator.inject(refused)
    ended = sync(config_for(emulator, [REPORT], **DATES), tmp_path)
    assert ended.code == 4
    assert "unhandled" not in ended.stderr
    (told,) = (line for line in ended.stderr.splitlines() if "| CRITICAL" in line)
    assert "API_KEY_INVALID" in told


def test_a_configuration_may_come_by_a_pipe(emulator: Emulator, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    config = json.dumps(config_for(emulator, [REPORT], **DATES))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_text, config)
        ended = run("--config", str(pipe))
    assert ended.code == 0, ended.stderr
