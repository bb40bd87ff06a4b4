"""The README's tables of the API say what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.api import retry, wire
from tap_supermetrics.api.errors import VERDICTS
from tap_supermetrics.extraction import polling
from tap_supermetrics.settings.config import TOP_LEVEL
from tap_supermetrics.settings.entries import ONLY_IN_REPORT
from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from tap_supermetrics.model.declared import Setting

SETTINGS: Final[dict[str, Setting]] = {each.name: each for each in (*ONLY_IN_REPORT, *TOP_LEVEL)}
SPELLINGS: Final = {"no_headers", "results_url"}
"""Names of the API's that are named in the tap's column too."""
UNITS: Final = {"": 1, "minutes": 60, "hour": 3600, "hours": 3600}
ERRORS_OF_THE_DOCUMENTS: Final = [
    "BATCH_CANCEL_FAILED",
    "BATCH_CREATE_FAILED",
    "BATCH_NOT_FOUND",
    "BATCH_QUERIES_LIMIT_EXCEEDED",
    "BATCH_QUERY_CONCURRENCY_LIMIT_EXCEEDED",
    "BATCH_QUERY_ITEM_SPLIT_FAILED",
    "BATCH_QUERY_ITEM_TYPE_INVALID",
    "BATCH_QUERY_ITEM_VALUE_INVALID",
    "BATCH_QUERY_OUTPUT_FORMAT_INVALID",
    "BATCH_SEARCH_FAILED",
    "BATCH_SPLIT_FAILED",
    "BATCH_STATUS_NOT_FOUND",
    "BATCH_TIMEOUT_MINUTES_LIMIT_EXCEEDED",
    "BATCH_UPDATE_FAILED",
    "QUERY_ACCOUNT_UNAVAILABLE",
    "STATUS_NOT_FOUND",
]
PARAMETERS_OF_A_START: Final = [
    "queries",
    "description",
    "split_accounts_policy",
    "split_dates_policy",
    "timeout_minutes",
    "query_concurrency",
    "query_output_format",
    "add_exclude_account_errors",
    "add_clean_data_types",
]

Row = tuple[str, ...]


def section() -> str:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^## The API, line by line\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    assert isinstance(text, str)
    return text


def table(title: str) -> list[Row]:
    """The rows of the table under a heading, without its head."""
    _, _, text = section().partition(f"### {title}\n")
    text, _, _ = text.partition("\n###")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines]
    assert len(rows) > 2
    return rows[2:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def found(name: str) -> Any:  # noqa: ANN401 - whatever stands there
    """What a dotted name below the package means: a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(["tap_supermetrics", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            thing = getattr(thing, attribute)
        return thing
    raise LookupError(name)


ROWS: Final = [
    row for title in ("Endpoints", "Parameters", "Answers", "Limits") for row in table(title)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {row[1]}"[:60])
def test_what_the_table_names_is_there(row: Row) -> None:
    assert names(row[-1]) or " because " in row[-1]
    for name in names(row[-1]):
        assert name in SETTINGS or name in SPELLINGS or found(name) is not None


def test_a_name_that_is_not_there_would_be_found() -> None:
    with pytest.raises(LookupError):
        found("no_module")
    with pytest.raises(AttributeError):
        found("api.wire.no_function")
    with pytest.raises(AttributeError):
        found("api.client.Client.no_method")


def test_the_endpoints_are_those_of_the_wire() -> None:
    paths = {
        wire.BATCH_PATH,
        wire.batch_path("ID"),
        wire.status_path("ID"),
        wire.DATA_PATH,
        wire.STATUS_PATH,
        wire.RESULTS_PATH,
    }
    rows = table("Endpoints")

    assert {names(row[0])[0].split()[1].replace(":batch_id", "ID") for row in rows} == paths


def test_every_parameter_of_a_start_is_in_the_table() -> None:
    listed = {
        name
        for of, parameter, _ in table("Parameters")
        if of == "Start batch run"
        for name in names(parameter)
    }
    assert listed == set(PARAMETERS_OF_A_START)


@pytest.mark.parametrize("row", table("Limits"), ids=lambda row: str(row[0]))
def test_the_limits_are_those_of_the_code(row: Row) -> None:
    _, documented, where = row
    if where.startswith("not ") or documented == "no number":
        return
    number, _, unit = documented.partition(" ")
    name = names(where)[0]
    if name in SETTINGS:
        schema = SETTINGS[name].kind.schema
        assert int(number) in {schema["minimum"], schema["maximum"]}
    else:
        assert int(number) * UNITS[unit] == found(name)


def test_both_ends_of_a_range_are_in_the_table() -> None:
    for name in ("timeout_minutes", "query_concurrency"):
        schema = SETTINGS[name].kind.schema
        told = {int(row[1].split()[0]) for row in table("Limits") if names(row[2])[:1] == [name]}
        assert told == {schema["minimum"], schema["maximum"]}


@pytest.mark.parametrize("row", table("Error codes"), ids=lambda row: str(row[1]))
def test_the_fate_of_an_error_is_that_of_the_code(row: Row) -> None:
    _, code, fate, becomes = row

    assert VERDICTS[names(code)[0]].fate.name.lower() == names(fate)[0]
    assert set(names(becomes)) <= set(SETTINGS)


def test_every_error_of_the_documents_is_in_the_table() -> None:
    listed = [names(row[1])[0] for row in table("Error codes")]
    of_batches = {code for code in VERDICTS if code.startswith("BATCH_")} - {"BATCH_STUCK"}

    assert sorted(listed) == sorted(ERRORS_OF_THE_DOCUMENTS)
    assert of_batches <= set(listed)


def test_the_table_counts_as_the_code_does() -> None:
    numbers = {3: "three", 6: "six"}
    text = " ".join(section().split())

    assert f"the request is repeated up to {numbers[retry.MAX_TRIES]} times" in text
    assert f"for {retry.OUTAGE_S / 60:.0f} minutes where" in text
    assert (
        f"the query is asked up to {numbers[VERDICTS['RESULT_INCOMPLETE'].max_submissions]} times"
        in text
    )
    assert f"asked for {polling.POLL_FAILURES_S / 60:.0f} minutes" in text
    assert SETTINGS["split_accounts_policy"].default == "all"
    assert SETTINGS["split_dates_policy"].default == "day"
    assert SETTINGS["add_clean_data_types"].default is True
