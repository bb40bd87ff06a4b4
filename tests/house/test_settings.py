"""A setting is declared once, and everything that tells of it tells the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, Final

import pytest
import yaml

from tap_supermetrics.settings.config import TOP_LEVEL
from tap_supermetrics.settings.entries import ONLY_IN_REPORT, OVERRIDABLE
from tests.house import generate, hub
from tests.tap import command

YAML_FILES: Final = ["meltano.yml", hub.PLUGIN]


def plugin(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((generate.PROJECT / name).read_text(encoding="utf-8"))
    if "plugins" in content:
        (content,) = content["plugins"]["extractors"]
    return content


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own command
        command("--about", "--format=json"), capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_generated_blocks_are_fresh() -> None:
    generate.main(["--check"])


@pytest.mark.parametrize("name", generate.FILES)
def test_a_stale_block_is_told_with_the_file_and_the_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "FILES", {**generate.FILES, name: str})

    with pytest.raises(SystemExit) as ended:
        generate.main(["--check"])

    (line,) = [each for each in str(ended.value.code).splitlines() if each.startswith(f"{name} ")]
    assert line.endswith(generate.RENEW)


def test_a_stale_definition_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "WHOLE_FILES", {**generate.WHOLE_FILES, hub.PLUGIN: str})

    with pytest.raises(SystemExit, match=hub.PLUGIN):
        generate.main(["--check"])


def test_the_plugin_definition_has_no_comment_but_at_its_head() -> None:
    """Meltano copies comments from inside it into its users' files."""
    text = (generate.PROJECT / hub.PLUGIN).read_text(encoding="utf-8")
    *_, last = [place for place, line in enumerate(text.splitlines()) if line.lstrip()[:1] == "#"]

    assert text.splitlines()[last + 1].startswith("plugin_type:")


def test_no_misspelt_word_is_false_before_the_tap_sees_it() -> None:
    """Meltano casts any text to false for its kind `boolean`; only one of the SDK's is such."""
    definition = yaml.safe_load((generate.PROJECT / hub.PLUGIN).read_text(encoding="utf-8"))
    flags = [each["name"] for each in definition["settings"] if each.get("kind") == "boolean"]
    assert flags == ["flattening_enabled"]


def test_a_file_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"settings\.md: .* found 0"):
        generate.renewed("settings.md", "# Settings\n", "- name: x\n")


def test_only_what_stands_between_the_markers_is_renewed() -> None:
    text = "a:\n  # settings: begin (by whom)\n  - old\n  # settings: end\n- b\n"

    assert generate.renewed("x.yml", text, "- new:\n    x\n") == (
        "a:\n  # settings: begin (by whom)\n  - new:\n      x\n  # settings: end\n- b\n"
    )


def test_the_command_can_be_run() -> None:
    line = [sys.executable, "-m", "tests.house.generate", "--check"]
    subprocess.run(line, check=True, cwd=generate.PROJECT, timeout=60)  # noqa: S603 - our own command


@pytest.mark.parametrize("name", YAML_FILES)
def test_meltano_knows_the_settings_that_the_tap_has(name: str, about: dict[str, Any]) -> None:
    properties = about["settings"]["properties"]
    settings = {each["name"]: each for each in plugin(name)["settings"]}

    assert len(settings) == len(plugin(name)["settings"])
    assert set(settings) == set(properties)
    for each in TOP_LEVEL:
        written, schema = settings[each.name], properties[each.name]
        assert written["description"] == schema["description"]
        assert written.get("value") == (each.in_meltano or schema.get("default"))
        assert written.get("sensitive", False) == schema.get("secret", False)
        assert [option["value"] for option in written.get("options", ())] == schema.get("enum", [])


@pytest.mark.parametrize("name", YAML_FILES)
def test_meltano_knows_the_capabilities_that_the_tap_has(name: str, about: dict[str, Any]) -> None:
    assert sorted(plugin(name)["capabilities"]) == sorted(about["capabilities"])


@pytest.mark.parametrize("name", YAML_FILES)
def test_no_setting_is_of_a_kind_that_crashes_meltano(name: str) -> None:
    """Meltano's own `decimal` does, when the value comes from an environment variable."""
    kinds = {each["kind"] for each in plugin(name)["settings"]}

    assert kinds <= {"array", "boolean", "integer", "object", "options", "string"}


def test_the_schema_of_the_tap_has_the_declared_settings(about: dict[str, Any]) -> None:
    schema = about["settings"]
    entry = schema["properties"]["queries"]["items"]

    for declared, told in ((TOP_LEVEL, schema), (ONLY_IN_REPORT, entry)):
        assert {each.name for each in declared} <= set(told["properties"])
        required = [each.name for each in declared if each.is_required]
        if told is entry:  # an address says what else is required
            assert told["anyOf"] == [{"required": required[1:]}, {"required": ["url"]}]
            required = required[:1]
        assert told["required"] == required
    assert set(entry["properties"]) == {each.name for each in (*ONLY_IN_REPORT, *OVERRIDABLE)}


@pytest.mark.parametrize("output", ["text", "markdown"])
def test_about_tells_what_an_entry_of_queries_holds(output: str) -> None:
    arguments = ["--about", *(["--format=markdown"] if output == "markdown" else [])]
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    told = done.stdout.partition("n entry of ")[2]

    for each in ONLY_IN_REPORT:
        assert re.search(rf"(Name: |\| ){each.name}\b", told)
        assert each.description in told.replace(r"\|", "|")
    assert all(each.name in told.splitlines()[-1] for each in OVERRIDABLE)


def test_the_page_tells_of_every_setting() -> None:
    page = (generate.PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    first, _, generated = page.partition("## All settings")

    named = re.findall(r"^\| `(\w+)` \|", first, re.MULTILINE)
    assert len(named) == 8
    assert set(named) <= {each.name for each in (*TOP_LEVEL, *ONLY_IN_REPORT)}
    for each in (*TOP_LEVEL, *ONLY_IN_REPORT):
        assert generated.count(f"\n| `{each.name}` | ") == 1


def test_meltano_has_no_reason_to_write_its_file_anew() -> None:
    """It does where an id is missing, and loses comments, and the markers with them."""
    text = (generate.PROJECT / "meltano.yml").read_text(encoding="utf-8")

    assert yaml.safe_load(text)["project_id"]
