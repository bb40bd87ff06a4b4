"""Commands for people, as processes over the emulator; none of them costs a query."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault
from tests.tap import Ended, Target, config_for, run, sync

if TYPE_CHECKING:
    from pathlib import Path

LAST = date(2024, 6, 9)
REPORT: dict[str, Any] = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "Cost"],
}
DATES = {"start_date": "2024-05-31", "end_date": str(LAST)}


def command(folder: Path, config: dict[str, Any], *arguments: str, state: Any = None) -> Ended:  # noqa: ANN401 - any state
    (folder / "config.json").write_text(json.dumps(config))
    line = [*arguments, "--config", str(folder / "config.json")]
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        line += ["--state", str(folder / "state.json")]
    ended = run(*line)
    assert "Traceback" not in ended.stderr
    return ended


def parsed(ended: Ended) -> Any:  # noqa: ANN401 - whatever JSON holds
    assert ended.code == 0, ended.stderr
    return json.loads(ended.stdout)


def test_accounts_are_listed_with_those_that_are_configured(
    emulator: Emulator, tmp_path: Path
) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    found = parsed(command(tmp_path, config, "accounts", "AW", "--format", "json"))
    table = command(tmp_path, config, "accounts", "AW", "MÜLLER")

    assert {"account_id", "account_name", "group_name", "ds_user"} <= found[0].keys()
    assert {each["account_id"] for each in found if each["is_configured"]} == {
        "4713896205",
        "8820145937",
    }
    head, line = table.stdout.splitlines()
    assert head.split()[:2] == ["ACCOUNT", "ID"]
    assert line.startswith("8820145937")


@pytest.mark.parametrize("name", ["accounts", "fields"])
def test_a_search_that_finds_nothing_says_so(emulator: Emulator, tmp_path: Path, name: str) -> None:
    ended = command(tmp_path, config_for(emulator, [REPORT], **DATES), name, "AW", "zzz")

    assert ended.code == 0
    assert ended.stderr == "Nothing matches zzz: leave it out to see all\n"
    assert not emulator.queries


def test_who_looks_for_ids_needs_no_reports_yet(emulator: Emulator, tmp_path: Path) -> None:
    config = {"api_key": emulator.api_key, "api_url": emulator.url}
    found = parsed(command(tmp_path, config, "fields", "AW", "cost", "--format", "json"))

    assert found[0]["field_id"] == "Cost"
    assert {"field_id", "field_name", "field_type", "data_type", "group_name"} <= found[0].keys()
    assert parsed(command(tmp_path, config, "accounts", "AW", "--format", "json"))
    missing = command(tmp_path, config, "plan")
    assert (missing.code, missing.stdout) == (1, "")
    assert "queries: required" in missing.stderr
    missing = command(tmp_path, {"api_url": emulator.url}, "accounts", "AW")
    assert "api_key: required" in missing.stderr
    assert "queries" not in missing.stderr


def test_a_key_that_only_the_environment_has_is_told_to_commands_too(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_SUPERMETRICS_API_KEY", emulator.api_key)
    missing = command(tmp_path, {"api_url": emulator.url}, "accounts", "AW")
    assert "TAP_SUPERMETRICS_API_KEY is set: `--config ENV` reads it" in missing.stderr


@pytest.mark.parametrize("name", ["check", "coverage"])
def test_an_api_that_is_away_is_no_good_news(tmp_path: Path, name: str) -> None:
    config = {"api_key": "k" * 20, "api_url": "http://127.0.0.1:9/v2", "queries": [REPORT]}
    ended = command(tmp_path, {**config, **DATES}, name)
    assert ended.code != 0
    assert "knows the key" not in ended.stdout


def test_a_page_is_written_where_a_link_points_to(emulator: Emulator, tmp_path: Path) -> None:
    page, link = tmp_path / "there.html", tmp_path / "here.html"
    page.write_text("old")
    link.symlink_to(page)
    ended = command(
        tmp_path, config_for(emulator, [REPORT], **DATES), "coverage", "--html", str(link)
    )
    assert ended.code == 0, ended.stderr
    assert link.is_symlink()
    assert page.read_text().startswith("<!")


def test_a_source_that_does_not_exist_is_told_in_a_line(emulator: Emulator, tmp_path: Path) -> None:
    ended = command(tmp_path, config_for(emulator, [REPORT], **DATES), "fields", "FACEBOOK")
    assert ended.code
    assert len(ended.stderr.splitlines()) == 1


def test_an_unknown_command_names_those_that_exist(emulator: Emulator, tmp_path: Path) -> None:
    ended = command(tmp_path, config_for(emulator, [REPORT], **DATES), "account")
    assert ended.code == 1
    assert "accounts, fields, check, plan, coverage" in ended.stderr


def test_a_check_of_what_would_load_is_good(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES)
    found = parsed(command(tmp_path, config, "check", "--format", "json"))
    assert {each["result"] for each in found} == {"ok"}
    assert not emulator.queries


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ds_accounts": ["471-389-6205"]}, "did you mean 4713896205?"),
        ({"ds_id": "FACEBOOK"}, "report google_ads"),
        ({"ds_accounts": {"filter_name": "nobody"}}, "matches none of"),
    ],
)
def test_a_check_names_what_would_not_load(
    emulator: Emulator, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    other = {**REPORT, "name": "other"}
    config = config_for(emulator, [REPORT | changes, other], **DATES)
    ended = command(tmp_path, config, "check")

    assert ended.code == 1
    wrong = [line for line in ended.stdout.splitlines() if line.startswith("wrong")]
    assert len(wrong) == 1
    assert told in wrong[0]
    assert "ok      report other" in ended.stdout


def test_a_check_with_a_wrong_key_says_so(emulator: Emulator, tmp_path: Path) -> None:
    config = config_for(emulator, [REPORT], **DATES) | {"api_key": "api_wrong_key_0123456789"}
    ended = command(tmp_path, config, "check")
    assert ended.code == 1
    assert "API_KEY_INVALID" in ended.stdout
    assert "api_wrong_key" not in ended.stdout + ended.stderr


def test_coverage_names_every_missing_and_stale_range(emulator: Emulator, tmp_path: Path) -> None:
    config, target = config_for(emulator, [REPORT], **DATES, lookback_days=0), Target()
    lost = LAST - timedelta(days=4)
    emulator.inject(
        Fault(
            effect="fail_query",
            code="BAD_REQUEST",
            account="8820145937",
            day=lost,
            times=None,
        )
    )
    sync(config, tmp_path, target)
    (found,) = parsed(command(tmp_path, config, "coverage", "--format", "json", state=target.state))
    table = command(tmp_path, config, "coverage", state=target.state)

    missing = [days for each in found["accounts"] for days in each["missing"]]
    assert missing == [[str(lost), str(lost)]]
    assert sum(each["days_missing"] for each in found["accounts"]) == 1
    assert found["first"] == "2024-05-31"
    assert f"missing: {lost}" in table.stdout
    assert "10 days done" in table.stdout


def test_a_pipe_that_is_closed_early_is_no_failure(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config_for(emulator, [REPORT], **DATES)))
    line = [sys.executable, "-m", "tap_supermetrics", "fields", "AW", "--config"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*line, str(tmp_path / "config.json")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert said == b""
