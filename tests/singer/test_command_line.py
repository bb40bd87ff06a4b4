"""What a person sees who uses the tap by hand: options, catalogs, mistakes, failures."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault
from tests.tap import Target, config_for, discovered, run, sync, truth

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = date(2024, 6, 5), date(2024, 6, 9)
REPORT: dict[str, Any] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "Campaignname", "Cost", "Clicks"],
}
DATES = {"start_date": str(FIRST), "end_date": str(LAST)}


def test_discovery_gives_typed_streams_and_asks_fields_once_for_each_source(
    emulator: Emulator, tmp_path: Path
) -> None:
    twin = {**REPORT, "name": "twin"}
    catalog = discovered(config_for(emulator, [REPORT, twin], **DATES), tmp_path)

    assert [stream["tap_stream_id"] for stream in catalog["streams"]] == ["google_ads", "twin"]
    stream = catalog["streams"][0]
    assert stream["key_properties"] == ["_sm_account_id", "Date", "Campaignname"]
    assert stream["replication_key"] == "Date"
    properties = stream["schema"]["properties"]
    assert properties["Date"]["format"] == "date"
    assert properties["Cost"]["type"] == ["number", "null"]
    assert properties["Clicks"]["type"] == ["integer", "null"]
    asked = [request.path for request in emulator.requests]
    assert len([path for path in asked if "query/fields" in path]) == 1


def test_a_catalog_is_discovered_by_a_configuration_that_can_be_read_once(
    emulator: Emulator, tmp_path: Path
) -> None:
    pipe = tmp_path / "config.fifo"
    os.mkfifo(pipe)
    text = json.dumps(config_for(emulator, [REPORT], **DATES))
    writing = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writing.start()
    ended = run("--discover", "--config", str(pipe))

    assert ended.code == 0, ended.stderr
    assert json.loads(ended.stdout)["streams"][0]["tap_stream_id"] == REPORT["name"]


def test_a_sync_asks_fields_and_accounts_once_however_many_reports_need_them(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**REPORT, "ds_accounts": {"filter_id": "^(4713896205|8820145937)$"}}
    ended = sync(config_for(emulator, [report, {**report, "name": "twin"}], **DATES), tmp_path)

    assert ended.code == 0, ended.stderr
    asked = [request.path for request in emulator.requests]
    assert len([path for path in asked if "query/fields" in path]) == 1
    assert len([path for path in asked if "query/accounts" in path]) == 1


def test_a_deselected_field_is_left_out_and_a_deselected_stream_is_not_asked(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [REPORT, {**REPORT, "name": "other"}], **DATES)
    catalog = discovered(config, tmp_path)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "Clicks"]:
            entry["metadata"]["selected"] = False
    for entry in catalog["streams"][1]["metadata"]:
        if entry["breadcrumb"] == []:
            entry["metadata"]["selected"] = False
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    target = Target()
    ended = sync(config, tmp_path, target, "--catalog", str(tmp_path / "catalog.json"))

    assert ended.code == 0, ended.stderr
    assert set(target.tables) == {"google_ads"}
    assert all("Clicks" not in record for record in target.tables["google_ads"].values())
    assert len(emulator.queries) == 10


def test_stream_maps_and_flattening_work(emulator: Emulator, tmp_path: Path) -> None:
    maps = {"google_ads": {"__alias__": "ads", "cost_cents": "float(Cost) * 100", "Clicks": None}}
    config = config_for(
        emulator,
        [REPORT],
        stream_maps=maps,
        flattening_enabled=True,
        flattening_max_depth=1,
        **DATES,
    )
    target = Target()
    ended = sync(config, tmp_path, target)

    assert ended.code == 0, ended.stderr
    records = target.tables["ads"].values()
    assert len(records) == len(truth(emulator, REPORT, FIRST, LAST))
    assert all(record["cost_cents"] == pytest.approx(record["Cost"] * 100) for record in records)


def test_batch_messages_hold_every_record(emulator: Emulator, tmp_path: Path) -> None:
    storage = {"root": f"file://{tmp_path}/batches", "prefix": "b-"}
    (tmp_path / "batches").mkdir()
    config = config_for(
        emulator,
        [REPORT],
        batch_config={"encoding": {"format": "jsonl", "compression": "none"}, "storage": storage},
        **DATES,
    )
    ended = sync(config, tmp_path)

    assert ended.code == 0, ended.stderr
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    files = [each for m in messages if m["type"] == "BATCH" for each in m["manifest"]]
    assert files
    assert messages[-1]["type"] == "STATE"
    assert messages[-1]["value"]["bookmarks"]["google_ads"]["partitions"]


def test_a_connection_test_asks_one_day_only(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], start_date="2020-01-01", end_date=str(LAST))
    (tmp_path / "config.json").write_text(json.dumps(config))
    ended = run("--config", str(tmp_path / "config.json"), "--test")

    assert ended.code == 0, ended.stderr
    assert ended.stdout.count('"RECORD"') == 1
    assert {query.first for query in emulator.queries} == {LAST}
    assert len(emulator.queries) == 2


def test_a_hard_refusal_stops_at_once_with_its_own_exit_code(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.inject(
        Fault(effect="error", path="query/batch$", status=429, code="API_ROW_QUOTA_EXCEEDED")
    )
    ended = sync(config_for(emulator, [REPORT], **DATES), tmp_path, Target())

    assert ended.code == 4
    assert "API_ROW_QUOTA_EXCEEDED" in ended.stderr
    assert "quota" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert len([r for r in emulator.requests if r.path.endswith("query/batch")]) == 1


@pytest.mark.parametrize(("on_failure", "code"), [("fail_at_end", 3), ("continue", 0)])
def test_on_failure_decides_how_a_run_with_losses_ends(
    emulator: Emulator, tmp_path: Path, on_failure: str, code: int
) -> None:
    emulator.inject(
        Fault(effect="fail_query", day=FIRST, code="QUERY_ERROR", message="no", times=None)
    )
    target = Target()
    config = config_for(emulator, [REPORT], on_failure=on_failure, **DATES)
    ended = sync(config, tmp_path, target)

    assert ended.code == code, ended.stderr
    got = {(row["_sm_account_id"], row["Date"]) for row in target.tables["google_ads"].values()}
    assert len(got) == 8


def test_with_on_failure_stop_nothing_is_asked_after_a_loss(
    emulator: Emulator, tmp_path: Path
) -> None:
    first = LAST - timedelta(days=199)
    emulator.inject(
        Fault(effect="fail_query", day=first, code="QUERY_ERROR", message="no", times=None)
    )
    dates = {"start_date": str(first), "end_date": str(LAST)}
    config = config_for(emulator, [REPORT], on_failure="stop", max_running_batches=1, **dates)
    ended = sync(config, tmp_path, Target())

    assert ended.code == 3, ended.stderr
    assert "days were not asked" in ended.stderr.splitlines()[-1]
    assert len(emulator.queries) < 400


def test_a_full_table_report_is_read_whole_by_every_run(emulator: Emulator, tmp_path: Path) -> None:
    products = {
        "name": "products",
        "ds_id": "GMC",
        "ds_accounts": ["118264033"],
        "fields": ["product_id", "product_title", "in_stock", "price"],
    }
    relative = {**REPORT, "name": "recent", "date_range_type": "last_3_days"}
    undated = {**REPORT, "name": "totals", "fields": ["Campaignname", "Cost"]}
    target = Target()
    config = config_for(emulator, [products, relative, undated], **DATES)
    for _ in range(2):
        before = len(emulator.queries)
        ended = sync(config, tmp_path, target)
        assert ended.code == 0, ended.stderr
        assert len(emulator.queries) - before == 1 + 2 + 2

    assert target.tables["products"]
    assert {row["Date"] for row in target.tables["recent"].values()} == {
        "2024-06-07",
        "2024-06-08",
        "2024-06-09",
    }
    assert len(target.tables["totals"]) == 12
    assert "replication_key" not in target.state["bookmarks"]["totals"]


def test_a_report_without_dates_can_be_loaded_day_by_day(
    emulator: Emulator, tmp_path: Path
) -> None:
    daily = {**REPORT, "fields": ["Campaignname", "Cost"], "replication_key": "_sm_date"}
    dated = {**REPORT, "fields": ["Date", "Campaignname", "Cost"]}
    target = Target()
    ended = sync(config_for(emulator, [daily], **DATES), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.keys["google_ads"] == ["_sm_account_id", "_sm_date", "Campaignname"]
    expected = truth(emulator, dated, FIRST, LAST)
    assert {key: row["Cost"] for key, row in target.tables["google_ads"].items()} == {
        key: row["Cost"] for key, row in expected.items()
    }


def test_accounts_that_are_not_split_are_joined(emulator: Emulator, tmp_path: Path) -> None:
    together = {**REPORT, "fields": ["Date", "Cost"], "split_accounts_policy": "none"}
    target = Target()
    ended = sync(config_for(emulator, [together], **DATES), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert {key[0] for key in target.tables["google_ads"]} == {"4713896205,8820145937"}
    partitions = target.state["bookmarks"]["google_ads"]["partitions"]
    assert [each["context"] for each in partitions] == [{"account_id": "4713896205,8820145937"}]


@pytest.mark.parametrize(
    ("accounts", "chosen"),
    [
        ("list.all_accounts", r""),
        ({"filter_id": "^47"}, r"^47"),
        ({"filter_name": "/nordic|shop/i"}, r"(?i)nordic|shop"),
    ],
)
def test_accounts_can_be_named_by_list_and_filter(
    emulator: Emulator, tmp_path: Path, accounts: object, chosen: str
) -> None:
    report = {**REPORT, "ds_accounts": accounts}
    config = config_for(emulator, [report], on_failure="continue", **DATES)
    ended = sync(config, tmp_path, Target())

    assert ended.code == 0, ended.stderr
    listed = [each for each in emulator.world.sources["AW"].accounts if not each.gone]
    expected = {(each.id,) for each in listed if re.search(chosen, f"{each.id} {each.name}")}
    assert {query.accounts for query in emulator.queries} == expected != set()


def test_mistakes_in_the_settings_are_told_all_at_once_and_nothing_is_sent(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [{**REPORT, "fields": []}, {"name": "x"}], page_size=-1)
    ended = sync(config, tmp_path)

    assert ended.code == 1
    assert "Traceback" not in ended.stderr
    for path in ("page_size:", "queries[0].fields:", "queries[1].ds_id:", "queries[1].fields:"):
        assert path in ended.stderr
    assert emulator.requests == ()


@pytest.mark.parametrize("option", ["--config", "--state", "--catalog"])
@pytest.mark.parametrize("text", ["{", "[]", "3", ""])
def test_files_that_are_no_json_objects_are_told_in_a_line(
    emulator: Emulator, tmp_path: Path, option: str, text: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_for(emulator, [REPORT], **DATES)))
    (tmp_path / "bad.json").write_text(text)
    line = [option, str(tmp_path / "bad.json")]
    if option != "--config":
        line += ["--config", str(tmp_path / "config.json")]
    ended = run(*line)

    assert ended.code == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert emulator.requests == ()


def test_a_key_that_rows_share_loses_the_query_before_a_target_drops_rows(
    emulator: Emulator, tmp_path: Path
) -> None:
    short = {**REPORT, "key_properties": ["_sm_account_id", "Date"]}
    ended = sync(config_for(emulator, [short], **DATES), tmp_path)
    unique = {**short, "key_properties": ["_sm_account_id", "Date", "Campaignname"]}
    good = sync(config_for(emulator, [unique], **DATES), tmp_path)

    assert ended.code == 3
    assert "KEY_NOT_UNIQUE" in ended.stderr
    assert '"RECORD"' not in ended.stdout
    assert good.code == 0, good.stderr
