"""`sql` makes views that a warehouse can make and that hide what is gone, or says why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.commands.test_commands import DATES, command
from tests.tap import Ended, config_for, discovered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tap_supermetrics.emulator import Emulator

ADS = {
    "name": "ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205"],
    "fields": ["Date", "Campaignname", "Cost"],
}
LOG = "supermetrics_query_log"
KEYS = ["_sm_account_id", "Date", "Campaignname"]


def views(
    emulator: Emulator,
    folder: Path,
    *arguments: str,
    reports: tuple[dict[str, Any], ...] = (ADS,),
    **top: Any,  # noqa: ANN401 - any setting
) -> tuple[Ended, list[str]]:
    """The views that are printed, and the notes of a check of the same."""
    given = config_for(emulator, reports, **{"query_log": True, **DATES, **top})
    checked = command(folder, given, "check", *arguments)
    assert checked.code == 0, checked.stdout
    notes = [each for each in checked.stdout.splitlines() if each.startswith("note    views")]
    return command(folder, given, "sql", "--dialect", "duckdb", *arguments), notes


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        ({"ads": {"_sm_schedule_id": None}}, "ads: "),
        ({"ads": {"_sm_fetched_at": "__NULL__"}}, "_sm_fetched_at"),
        ({"a*": {"_sm_account_id": "md5(_sm_account_id)"}}, "_sm_account_id"),
        (
            {"ads": {"Date": None, "day": "Date", "__key_properties__": [*KEYS[::2], "day"]}},
            "Date",
        ),
        (
            {"ads": {"__else__": None, **dict(zip(KEYS, KEYS, strict=True))}},
            "_sm_fetched_at, _sm_schedule_id",
        ),
        ({LOG: {"report": "'x'"}}, "report"),
        ({LOG: {"rows_by_day": None}}, "rows_by_day"),
        ({LOG: None}, "is mapped to nothing"),
        ({"__else__": None, "ads": {"Cost": "Cost"}}, f"{LOG} is mapped to nothing"),
        ({"ads": {"__alias__": "supermetrics_health"}}, "stream_maps: ads: supermetrics_health"),
    ],
)
def test_what_stream_maps_take_from_the_views_is_told(
    emulator: Emulator, tmp_path: Path, maps: dict[str, Any], told: str
) -> None:
    ended, notes = views(emulator, tmp_path, stream_maps=maps)
    assert (ended.code, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("stream_maps: ")
    assert told in line
    assert [each.endswith(line) for each in notes] == [True], "a check says the same"


@pytest.mark.parametrize(
    "maps",
    [
        {"ads": {"__alias__": "google"}, LOG: {"__alias__": "log"}},
        {
            "ads": None,
            "google": {"__source__": "ads", "_sm_account_id": "self", "more": "Cost"},
            "*_query_log": {"__alias__": "log", "batch_id": None},
        },
    ],
)
def test_views_read_the_tables_that_stream_maps_name(
    emulator: Emulator, tmp_path: Path, maps: dict[str, Any]
) -> None:
    ended, notes = views(emulator, tmp_path, stream_maps=maps)
    assert (ended.code, notes) == (0, []), ended.stderr
    assert 'VIEW "google_current"' in ended.stdout
    assert 'FROM "google" AS t' in ended.stdout
    assert 'FROM "log" AS l' in ended.stdout
    assert "= 'ads'" in ended.stdout, "the log calls it so"
    assert f'"{LOG}"' not in ended.stdout


def test_without_the_log_there_are_no_views(emulator: Emulator, tmp_path: Path) -> None:
    ended, notes = views(emulator, tmp_path, query_log=False)
    assert (ended.code, ended.stdout, notes) == (1, "", [])
    assert ended.stderr == "query_log: expected true: the views read the query log\n"


def test_rows_that_a_stream_map_leaves_out_are_told(emulator: Emulator, tmp_path: Path) -> None:
    maps = {"ads": {"__filter__": "Cost > 0"}}
    ended, notes = views(emulator, tmp_path, stream_maps=maps)
    assert (ended.code, len(notes)) == (0, 1)
    assert ended.stderr == (
        "note: stream_maps: ads: where `__filter__` leaves out all rows of a newer reading, the "
        "older rows stay; set `filter` in the report instead\n"
    )
    maps = {LOG: {"__filter__": "status == 'failed'"}}
    ended, _ = views(emulator, tmp_path, stream_maps=maps)
    assert (ended.code, ended.stdout) == (1, "")
    assert "the views need all of the log; remove `__filter__`" in ended.stderr


@pytest.mark.parametrize(
    ("names", "naming"),
    [(["a" * 63], "as-is"), (["ads", "adsCurrent"], "snake"), (["b" * 62, "b" * 55], "lower")],
)
def test_names_that_clash_as_the_warehouse_has_them_are_told(
    emulator: Emulator, tmp_path: Path, names: list[str], naming: str
) -> None:
    reports = [{**ADS, "name": name} for name in names]
    config = config_for(emulator, reports, query_log=True, **DATES)
    line = ("--dialect", "postgres", "--naming", naming)
    ended = command(tmp_path, config, "sql", *line)
    is_clash = "b" not in names[0]
    assert (ended.code, "is the name of a view too" in ended.stderr) == (is_clash, is_clash)
    assert bool(ended.stdout) is not is_clash


@pytest.mark.parametrize("name", ["ads_current", "Ads_Current", "supermetrics_coverage"])
def test_a_report_that_is_called_as_a_view_is_told(
    emulator: Emulator, tmp_path: Path, name: str
) -> None:
    ended, notes = views(emulator, tmp_path, reports=(ADS, {**ADS, "name": name}))
    assert (ended.code, ended.stdout) == (1, "")
    told = f"queries[1].name: {name} is the name of a view too; choose another one"
    assert ended.stderr == f"{told}\n"
    assert [each.endswith(told) for each in notes] == [True]


@pytest.mark.parametrize(
    ("stream", "column", "told"),
    [
        ("ads", "_sm_schedule_id", "--catalog: ads: the views read what is deselected; select"),
        (LOG, "row_count", f"--catalog: {LOG}: the views read what is deselected; select"),
        (LOG, None, f"--catalog: {LOG} is not selected"),
    ],
)
def test_what_a_catalog_takes_from_the_views_is_told(
    emulator: Emulator, tmp_path: Path, stream: str, column: str | None, told: str
) -> None:
    catalog = discovered(config_for(emulator, [ADS], query_log=True, **DATES), tmp_path)
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(catalog))
    good, notes = views(emulator, tmp_path, "--catalog", str(file))
    assert (good.code, notes) == (0, [])

    wanted = ["properties", column] if column else []
    for each in catalog["streams"]:
        for part in each["metadata"]:
            if each["tap_stream_id"] == stream and part["breadcrumb"] == wanted:
                part["metadata"] |= {"selected": False, "inclusion": "available"}
    file.write_text(json.dumps(catalog))
    ended, notes = views(emulator, tmp_path, "--catalog", str(file))
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(told)
    assert len(notes) == 1

    catalog["streams"] = [each for each in catalog["streams"] if each["tap_stream_id"] != LOG]
    file.write_text(json.dumps(catalog))
    ended, _ = views(emulator, tmp_path, "--catalog", str(file))
    assert f"{LOG} is not selected" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [(["--format", "dbt"], "models"), (["--dbt", "marts/raw"], "marts/raw")],
)
def test_models_of_dbt_read_the_schema_of_their_target(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    folder: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = config_for(emulator, [ADS], query_log=True, **DATES)
    ended = command(tmp_path, given, "sql", "--dialect", "duckdb", *arguments)
    assert (ended.code, ended.stdout) == (0, ""), ended.stderr
    sources = yaml.safe_load((tmp_path / folder / "supermetrics_sources.yml").read_text())
    (source,) = sources["sources"]
    assert source["schema"] == "{{ target.schema }}"
    ads, log = source["tables"]
    assert ads == {"name": "ads"}
    described = {each["name"]: each["description"] for each in log["columns"]}
    assert described["row_count"] == "Number of rows; null unless it succeeded."


def test_views_have_no_json(emulator: Emulator, tmp_path: Path) -> None:
    given = config_for(emulator, [ADS], query_log=True, **DATES)
    ended = command(tmp_path, given, "sql", "--dialect", "duckdb", "--format", "json")
    assert (ended.code, ended.stdout) == (2, "")
    assert "argument --format: invalid choice: 'json'" in ended.stderr


@pytest.mark.parametrize("days", ["-1", "10001", "1e3", "few"])
def test_silent_days_out_of_bounds_are_refused_in_words(
    emulator: Emulator, tmp_path: Path, days: str
) -> None:
    given = config_for(emulator, [ADS], query_log=True, **DATES)
    ended = command(tmp_path, given, "sql", "--dialect", "duckdb", f"--silent-days={days}")
    assert (ended.code, ended.stdout) == (2, "")
    told = f"argument --silent-days: expected days from 0 to 10,000, got {days!r}"
    assert ended.stderr.splitlines()[-1].endswith(told)
