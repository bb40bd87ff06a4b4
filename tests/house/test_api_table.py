"""The tables of docs/api.md say what the code does, of every line of the two documents."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest

from tap_supermetrics.api import listings, retry, wire
from tap_supermetrics.api.verdicts import VERDICTS
from tap_supermetrics.extraction import polling
from tap_supermetrics.settings.config import TOP_LEVEL
from tap_supermetrics.settings.entries import ONLY_IN_REPORT
from tests.house.generate import PROJECT

if TYPE_CHECKING:
    from tap_supermetrics.model.declared import Setting

SETTINGS: Final[dict[str, Setting]] = {each.name: each for each in (*ONLY_IN_REPORT, *TOP_LEVEL)}
SPELLINGS: Final = {"no_headers", "results_url", "cancel_time", "code", "split_info"}
"""Names of the API's that are named in the tap's column too."""
REASONS: Final = {
    "the header keeps the key out of addresses and logs",
    "the status code says when it is done",
    "it repeats what the tap asked",
    "the path is documented",
    "the tap knows the order of a batch's queries without it",
    "the entries of the status are counted",
}
"""The only reasons for which something is not used."""
PROPERTIES: Final[dict[str, str]] = {
    "Any answer": "meta data request_id",
    "Async query": "schedule_id status_code progress queries_ready queries_total workflow "
    "tasks_scheduled tasks_running",
    "query_batch": "batch_id status_code schedule_time start_time end_time cancel_time description "
    "split_accounts_policy split_dates_policy timeout_minutes query_amount query_concurrency "
    "query_output_format add_exclude_account_errors add_clean_data_types links status href",
    "batch_query": "schedule_id status_code query_start_time query_end_time split_info error_info "
    "result_info",
    "batch_query_split": "ds_accounts start_date end_date",
    "batch_query_result": "total_rows results_url",
    "batch_progress": "queued running success failure",
    "paginate": "offset limit total",
    "error": "status code message description",
}
"""Every property in the object references and examples of the documents."""
PARAMETERS: Final[dict[str, str]] = {
    "Get batch information": "batch_id",
    "Get batch status": "batch_id offset limit",
    "Cancel batch run": "batch_id",
    "Async query": "sync_timeout schedule_id",
    "Query status": "schedule_id",
    "Query results": "schedule_id",
    "A query": "ds_id ds_accounts fields start_date end_date settings",
}
LIMITS: Final = ("100", "60 minutes", "5 minutes", "1", "50", "2", "1000", "1 hour", "90 days")
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


def page() -> str:
    return (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")


def table(title: str) -> list[Row]:
    """The rows of the table under a heading, without its head."""
    _, _, text = page().partition(f"## {title}\n")
    text, _, _ = text.partition("\n##")
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
    row
    for title in ("Endpoints", "Endpoints of other pages", "Parameters", "Answers", "Limits")
    for row in table(title)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {row[1]}"[:60])
def test_what_the_table_names_is_there(row: Row) -> None:
    assert names(row[-1]) or " because " in row[-1]
    for name in names(row[-1]):
        if row[-1].startswith("not used"):
            break
        assert name in SETTINGS or name in SPELLINGS or found(name) is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}, {row[1]}"[:60])
def test_what_is_not_used_has_one_of_a_few_reasons(row: Row) -> None:
    unused, _, reason = row[-1].partition("not used, because ")
    assert unused or reason in REASONS
    assert "not used" not in unused


def test_every_reason_is_needed() -> None:
    given = {row[-1].partition("not used, because ")[2] for row in ROWS}
    assert given - {""} == REASONS


@pytest.mark.parametrize(("of", "known"), PROPERTIES.items())
def test_every_property_of_the_documents_has_a_row(of: str, known: str) -> None:
    rows = [row for row in table("Answers") if row[0].strip("`") == of]
    assert sorted(name for row in rows for name in names(row[1])) == sorted(known.split())


def test_every_kind_of_answer_is_one_of_the_documents() -> None:
    assert {row[0].strip("`") for row in table("Answers")} == {*PROPERTIES}


@pytest.mark.parametrize(("of", "known"), PARAMETERS.items())
def test_every_parameter_of_the_documents_has_a_row(of: str, known: str) -> None:
    rows = [row for row in table("Parameters") if row[0] == of]
    assert sorted(name for row in rows for name in names(row[1])) == sorted(known.split())


def test_every_limit_of_the_documents_has_a_row() -> None:
    told = [row[1] for row in table("Limits")]
    assert set(LIMITS) <= set(told)
    assert told.count("1 hour") == 2
    assert "4 hours" in told


def test_endpoints_of_other_pages_are_those_of_the_code() -> None:
    paths = {
        wire.FIELDS_PATH,
        listings.ACCOUNTS_PATH,
        listings.SEGMENTS_PATH,
        listings.HISTORY_PATH,
        listings.CONVERT_PATH,
        listings.TEAM_LISTS_PATH,
        listings.team_list_path("ID"),
    }
    rows = table("Endpoints of other pages")

    assert {names(row[0])[0].split()[1].replace(":list_id", "ID") for row in rows} == paths


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
    numbers = {2: "twice", 3: "three", 6: "six"}
    unfinished, damaged, gone = (
        numbers[VERDICTS[code].max_submissions]
        for code in ("QUERY_UNFINISHED", "RESULT_INCOMPLETE", "QUERY_RESULTS_UNAVAILABLE")
    )
    text = " ".join(page().split())

    assert f"the request is repeated up to {numbers[retry.MAX_TRIES]} times" in text
    assert f"for {retry.OUTAGE_S / 60:.0f} minutes where" in text
    assert damaged == gone
    assert f"the query is submitted up to {unfinished} times, and {gone} where its" in text
    assert f"asked for {polling.POLL_FAILURES_S / 60:.0f} minutes" in text
    assert SETTINGS["split_accounts_policy"].default == "all"
    assert SETTINGS["split_dates_policy"].default == "day"
    assert SETTINGS["add_clean_data_types"].default is True
