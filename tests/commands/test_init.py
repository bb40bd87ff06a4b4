"""`init`: from the key to a first report, asked at a terminal or answered by options."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tap_supermetrics.commands.yaml_text import Item, with_added
from tests.singer.test_addresses import version_1
from tests.tap import Ended, command, run
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_supermetrics.emulator import Emulator

ENV: Final = {name: value for name, value in os.environ.items() if "SUPERMETRICS" not in name}
ADDRESS: Final = (
    'https://api.supermetrics.com/enterprise/v2/query/data/json?json={"ds_id":"AW",'
    '"ds_accounts":"4713896205","date_range_type":"last_30_days","fields":"Date,Cost",'
    '"max_rows":500,"api_key":"api_of_the_address_01234"}'
)
OLD_ADDRESS: Final = version_1(
    profiles='[{"ID": "4713896205"}]',
    dimensions="Date",
    **{"start-date": "2024-06-01", "end-date": "2024-06-03"},
)


def options(emulator: Emulator, folder: Path, **others: str) -> dict[str, str]:
    (folder / "key").write_text(f"{emulator.api_key}\n")
    answers = {
        "api_key_file": "key",
        "api_url": emulator.url,
        "ds_id": "AW",
        "accounts": "4713896205",
        "fields": "Date,Cost",
        "start_date": "3 days ago",
    }
    return answers | others


def init(folder: Path, answers: dict[str, str], *more: str, env: Mapping[str, str] = ENV) -> Ended:
    line = [f"--{name.replace('_', '-')}={value}" for name, value in answers.items()]
    ended = run("init", *more, *line, folder=folder, env=env)
    assert "Traceback" not in ended.stderr
    return ended


def written(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_options_answer_all_and_nothing_is_paid_for(emulator: Emulator, tmp_path: Path) -> None:
    ended = init(tmp_path, options(emulator, tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())

    assert ended.code == 0, ended.stderr
    assert config["queries"] == [
        {
            "name": "google_ads",
            "ds_id": "AW",
            "ds_accounts": ["4713896205"],
            "fields": ["Date", "Cost"],
            "start_date": "3 days ago",
        }
    ]
    assert "ok      report google_ads, 1 account" in ended.stdout
    assert "3 queries in 1 query batch, at least 6 requests" in ended.stdout
    assert written(tmp_path) == {"key", "config.json", ".env", ".gitignore"}
    assert emulator.api_key in (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert emulator.api_key not in ended.stdout + ended.stderr + json.dumps(config)
    assert not emulator.queries


def test_a_second_report_needs_no_key_and_stands_beside_the_first(
    emulator: Emulator, tmp_path: Path
) -> None:
    assert init(tmp_path, options(emulator, tmp_path)).code == 0
    answers = options(emulator, tmp_path)
    del answers["api_key_file"], answers["api_url"]
    assert init(tmp_path, answers).code == 0
    queries = json.loads((tmp_path / "config.json").read_text())["queries"]
    assert [each["name"] for each in queries] == ["google_ads", "google_ads_2"]

    before = (tmp_path / "config.json").read_bytes()
    again = init(tmp_path, answers | {"name": "google_ads"})
    assert (again.code, again.stdout) == (1, "")
    assert again.stderr.startswith("--name: config.json has a report google_ads already")
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize("into", ["config.json", "my files/config.json"])
@pytest.mark.parametrize("has_variable", [True, False])
def test_the_next_lines_can_be_run_as_they_stand(
    emulator: Emulator, tmp_path: Path, into: str, *, has_variable: bool
) -> None:
    (tmp_path / "my files").mkdir()
    answers, env = options(emulator, tmp_path, into=into, start_date="2024-06-09"), ENV
    if has_variable:
        del answers["api_key_file"]
        env = {**ENV, "TAP_SUPERMETRICS_API_KEY": emulator.api_key}
    ended = init(tmp_path, answers, env=env)
    assert ended.code == 0, ended.stderr
    assert (tmp_path / into).with_name(".env").exists() != has_variable

    _, _, lines = ended.stdout.rpartition("Next: ")
    script = lines.replace("tap-supermetrics ", shlex.join(command()) + " ")
    env = {**env, "TAP_SUPERMETRICS_END_DATE": "2024-06-09"}
    done = subprocess.run(  # noqa: S603 - the lines of our own command
        ["sh", "-ec", script],  # noqa: S607 - any shell
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"RECORD"' in done.stdout


@pytest.mark.parametrize("file", ["meltano.yml", "config.json"])
@pytest.mark.parametrize("is_exported", [True, False])
def test_the_key_goes_to_the_address_that_a_run_would_ask(
    emulator: Emulator, tmp_path: Path, file: str, *, is_exported: bool
) -> None:
    if file == "meltano.yml":
        (tmp_path / file).write_text("version: 1\n")
    answers, env = options(emulator, tmp_path), dict(ENV)
    del answers["api_url"]
    if is_exported:
        env["TAP_SUPERMETRICS_API_URL"] = emulator.url
    else:
        (tmp_path / ".env").write_text(f"TAP_SUPERMETRICS_API_URL={emulator.url}\n")
    ended = init(tmp_path, answers, env=env)
    assert ended.code == 0, ended.stderr
    assert emulator.url not in (tmp_path / file).read_text(), "it is known already"


def test_a_file_with_line_ends_of_windows_keeps_them(emulator: Emulator, tmp_path: Path) -> None:
    before = b"version: 1\r\n# of ours\r\nproject_id: x\r\n"
    (tmp_path / "meltano.yml").write_bytes(before)
    assert init(tmp_path, options(emulator, tmp_path)).code == 0
    after = (tmp_path / "meltano.yml").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == after.count(b"\r\n") > before.count(b"\n")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start_date": "soon"}, "queries[1].start_date: expected"),
        ({"accounts": "471-389-6205"}, "queries[1].ds_accounts: AW does not list"),
        ({"fields": "Date,Costt"}, "queries[1]: AW does not list Costt"),
        ({"from_url": "https://supermetrics.com/api/v1/getData?x=1"}, "--from-url: "),
    ],
)
def test_a_mistake_in_a_second_report_is_told_by_its_place(
    emulator: Emulator, tmp_path: Path, wrong: dict[str, str], told: str
) -> None:
    assert init(tmp_path, options(emulator, tmp_path)).code == 0
    ended = init(tmp_path, options(emulator, tmp_path) | wrong)

    assert ended.code == 1
    assert told in ended.stdout + ended.stderr
    assert "queries[0]" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("missing", ["api_key_file", "ds_id", "accounts", "fields", "start_date"])
def test_an_answer_that_is_missing_without_a_terminal_is_named_in_a_line(
    emulator: Emulator, tmp_path: Path, missing: str
) -> None:
    answers = options(emulator, tmp_path)
    del answers[missing]
    ended = init(tmp_path, answers)

    assert (ended.code, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"--{missing.replace('_', '-')}: needed without a terminal")
    assert written(tmp_path) == {"key"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"start_date": "soon"}, "start_date"),
        ({"ds_id": "FACEBOOK"}, "--ds-id: DATA_SOURCE_INVALID"),
        ({"name": "1 2"}, "name"),
        ({"from_url": "https://example.com/?a=b"}, "--from-url: expected the address of"),
        ({"api_key_file": "nowhere"}, "--api-key-file: nowhere cannot be read"),
    ],
)
def test_a_wrong_answer_is_told_in_a_line_and_nothing_is_written(
    emulator: Emulator, tmp_path: Path, wrong: dict[str, str], told: str
) -> None:
    ended = init(tmp_path, options(emulator, tmp_path) | wrong)

    assert (ended.code, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert told in line
    assert written(tmp_path) == {"key"}


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        (ADDRESS, {"date_range_type": "last_30_days", "max_rows": 500}),
        (OLD_ADDRESS, {"start_date": "2024-06-01", "end_date": "2024-06-03"}),
    ],
)
def test_an_address_answers_what_it_holds(
    emulator: Emulator, tmp_path: Path, address: str, asked: dict[str, Any]
) -> None:
    answers = {"from_url": address, "name": "copied"}
    answers |= {name: options(emulator, tmp_path)[name] for name in ("api_key_file", "api_url")}
    ended = init(tmp_path, answers)

    assert ended.code == 0, ended.stderr
    text = (tmp_path / "config.json").read_text()
    (report,) = json.loads(text)["queries"]
    assert (
        report.items()
        >= {
            "name": "copied",
            "ds_id": "AW",
            "ds_accounts": ["4713896205"],
            "fields": ["Date", "Cost"],
            **asked,
        }.items()
    )
    assert "api_of_the_address" not in text + ended.stdout
    assert not emulator.queries


def test_a_test_costs_only_where_it_is_agreed_to(emulator: Emulator, tmp_path: Path) -> None:
    ended = init(tmp_path, options(emulator, tmp_path), "--test")
    assert ended.code == 0, ended.stderr
    assert '{"type":"SCHEMA"' in ended.stdout
    assert len(emulator.queries) == 1


def test_a_check_that_fails_is_the_end(emulator: Emulator, tmp_path: Path) -> None:
    given = options(emulator, tmp_path, fields="Date,Costt")
    before = {each.name for each in tmp_path.iterdir()}
    ended = init(tmp_path, given, "--test")
    assert ended.code == 1
    assert "did you mean Cost?" in ended.stdout
    assert ended.stdout.endswith("Nothing was written.\n")
    assert {each.name for each in tmp_path.iterdir()} == before
    assert not emulator.queries


# Git and the key


def test_a_key_goes_into_no_file_that_git_has(emulator: Emulator, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=tmp_path, capture_output=True, check=True)  # noqa: S603, S607 - fixed
        return done.stdout.decode()

    answers = options(emulator, tmp_path)
    git("init", "-q")
    assert init(tmp_path, answers).code == 0
    assert ".env" not in git("ls-files", "--others", "--exclude-standard").splitlines()

    (tmp_path / ".env").write_text("OTHER=1\n")
    git("add", "--force", ".env")
    ended = init(tmp_path, answers)
    assert ended.code == 0
    assert ".env is tracked by git, so the key is not written" in ended.stdout
    assert (tmp_path / ".env").read_text() == "OTHER=1\n"


# Meltano


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", b'{"queries": {"name": "x"}}', "config.json: cannot be understood"),
        ("config.json", b'{"queries": ["x"]}', "config.json: cannot be understood"),
        ("config.json", b'{"queries": null}', ""),
        ("meltano.yml", b"plugins:\n  extractors: [{name: tap-supermetrics, config: x}]", "cannot"),
        (".gitignore", b"caf\xe9", ".gitignore: cannot be read; save it as UTF-8"),
        (".env", b"X=caf\xe9", ".env: cannot be read; save it as UTF-8"),
    ],
)
def test_a_file_of_a_project_that_cannot_be_understood_is_told(
    emulator: Emulator, tmp_path: Path, file: str, content: bytes, said: str
) -> None:
    (tmp_path / file).write_bytes(content)
    ended = init(tmp_path, options(emulator, tmp_path))

    assert ended.code == bool(said), ended.stderr
    assert said in ended.stderr
    assert (tmp_path / file).read_bytes() == content or not said


def test_a_project_of_meltanos_keeps_what_stands_in_it(emulator: Emulator, tmp_path: Path) -> None:
    before = (
        "default_environment: dev  # ours\n"
        "project_id: 0190f1a2-0000-7000-8000-000000000000\n"
        "environments:\n- name: dev\n"
        "send_anonymous_usage_stats: false\n"
        "plugins:\n  # where data comes from\n  extractors: []\n"
        "  loaders:\n  - name: target-jsonl  # for now\n    variant: andyh1203\n"
    )
    (tmp_path / "meltano.yml").write_text(before)
    (tmp_path / ".env").write_text("OTHER='1'\n")
    ended = init(tmp_path, options(emulator, tmp_path), "--loader", "target-postgres")
    again = init(tmp_path, options(emulator, tmp_path, name="more"))
    assert (ended.code, again.code) == (0, 0), ended.stderr + again.stderr

    text = (tmp_path / "meltano.yml").read_text()
    kept = [each for each in before.splitlines() if "extractors" not in each]
    assert [each for each in text.splitlines() if each in kept] == kept
    (extractor,) = yaml.safe_load(text)["plugins"]["extractors"]
    assert [each["name"] for each in extractor["config"]["queries"]] == ["google_ads", "more"]
    assert emulator.api_key not in text
    assert "OTHER='1'" in (tmp_path / ".env").read_text()

    meltano = str(Path(command()[0]).with_name("meltano"))
    done = subprocess.run(  # noqa: S603 - a fixed command
        [meltano, "config", "--unsafe", "print", "tap-supermetrics"],
        cwd=tmp_path,
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)
    assert settings["api_key"] == emulator.api_key
    assert settings["api_url"] == emulator.url
    assert [each["name"] for each in settings["queries"]] == ["google_ads", "more"]


REPORT: Final = Item("new", {"ds_id": "AW", "fields": ["Date", "Cost"]})
PATH: Final = (
    "plugins",
    "extractors",
    Item("tap-x", {"variant": "v"}),
    "config",
    "queries",
    REPORT,
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "a: 1",
        "plugins:\n",
        "plugins: {}\n# end\n",
        "plugins:\n  loaders:\n  - name: l # c\n",
        "plugins:\n  extractors:\n  - name: z\n    text: |\n      b\n\n  # c\n  loaders: []\n",
        "plugins:\n  extractors:\n    - name: tap-x # c\n# end",
        "plugins:\n  extractors:\n  - name: tap-x\n    config: {}\n  - name: z\n",
        "plugins:\n  extractors:\n  - config:\n      queries:\n      - {name: a}\n    name: tap-x",
    ],
)
def test_what_is_added_to_yaml_leaves_every_line_that_says_something(text: str) -> None:
    new = with_added(text, PATH)
    blank = ("plugins: {}", "    config: {}")
    kept = [each for each in text.splitlines() if each and each not in blank]
    left = iter(new.splitlines())
    assert all(each in left for each in kept)
    found = yaml.safe_load(new)["plugins"]["extractors"]
    (ours,) = [each for each in found if each["name"] == "tap-x"]
    assert ours["config"]["queries"][-1]["name"] == "new"


@pytest.mark.parametrize(
    "text", ["- 1\n", "plugins: {extractors: [{name: z}]}\n", "a: [", "plugins:\n  extractors: 1\n"]
)
def test_yaml_that_cannot_be_added_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        with_added(text, PATH)


# At a terminal


def test_a_person_is_asked_looks_for_ids_and_sees_no_key(
    emulator: Emulator, tmp_path: Path
) -> None:
    line = command("init", "--api-url", emulator.url)
    with Terminal(line, tmp_path, ENV) as terminal:
        terminal.answer("(hidden): ", f"{emulator.api_key}\n")
        terminal.answer("Data source", "AW\n")
        terminal.answer("> ", "nordic\n")
        terminal.answer("> ", "4713896205\n")
        terminal.answer("> ", "\n")
        terminal.answer("> ", "click\n")
        terminal.answer("> ", "date, Clicks\n")
        terminal.answer("> ", "\n")
        terminal.answer("First day to load", "2024-06-01\n")
        terminal.answer("Name of the report [google_ads]: ", "\n")
        terminal.answer("Loader", "\n")
        terminal.answer("Test it now, for at most 3 queries? [y/N]: ", "\n")
        assert terminal.end() == 0, terminal.shown
    (report,) = json.loads((tmp_path / "config.json").read_text())["queries"]
    assert report["ds_accounts"] == ["4713896205"]
    assert report["fields"] == ["Date", "Clicks"]
    assert "4713896205  Nordic Outdoor" in terminal.shown
    assert emulator.api_key not in terminal.shown
    assert not emulator.queries


def test_a_person_who_answers_wrongly_is_asked_again(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"queries": [{"name": "mine"}]}))
    line = command("init", "--api-url", emulator.url, "--no-test")
    with Terminal(line, tmp_path, ENV) as terminal:
        terminal.answer("(hidden): ", f"{emulator.api_key}\n")
        terminal.answer("Data source", "Google Ads\n")
        terminal.answer("Data source", "AW\n")
        terminal.answer("> ", "471-389-6205\n")
        terminal.answer("> ", "4713896205\n")
        terminal.answer("> ", "\n")
        terminal.answer("> ", "date, Clicks\n")
        terminal.answer("> ", "\n")
        terminal.answer("First day to load", "soon\n")
        terminal.answer("First day to load", "2024-06-01\n")
        terminal.answer("Name of the report", "2026-13-01\n")
        terminal.answer("Name of the report", "mine\n")
        terminal.answer("Name of the report", "\n")
        terminal.answer("Loader", "\n")
        terminal.end()
    for said in (
        "Did you mean AW?",
        "4713896205  Nordic Outdoor",
        "--start-date: expected YYYY-MM-DD",
        "--name: expected letters",
        "has a report mine already",
    ):
        assert said in terminal.shown
    assert "Traceback" not in terminal.shown


@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 1)])
@pytest.mark.parametrize("question", ["(hidden): ", "Data source"])
def test_an_end_in_between_writes_nothing(
    emulator: Emulator, tmp_path: Path, typed: str, code: int, question: str
) -> None:
    line = command("init", "--api-url", emulator.url)
    with Terminal(line, tmp_path, ENV) as terminal:
        if question != "(hidden): ":
            terminal.answer("(hidden): ", f"{emulator.api_key}\n")
        if typed == "\x03":
            ended = terminal.interrupt(question)
        else:
            terminal.answer(question, typed)
            ended = terminal.end()
        assert ended == code
    assert terminal.shown.rstrip().endswith("nothing was written.")
    assert "Traceback" not in terminal.shown
    assert written(tmp_path) == set()
