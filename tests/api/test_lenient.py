"""Answers that say what is documented in a slightly other way are read; what they say counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldInfo
from tap_supermetrics.api.verdicts import Fate
from tests.api.server import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_supermetrics.api.client import Client

ENTRY = {"schedule_id": "qrb_1_query_1", "status_code": "SUCCESS"}
META = {"request_id": "r1", "status_code": "STOPPED"}
FAILED = {"status": "500", "code": "QUERY_ERROR", "message": "no", "description": None}


def status(meta: dict[str, Any] | None = None, **entry: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"meta": {**META, **(meta or {})}, "data": [{**ENTRY, **entry}]}


@pytest.mark.parametrize(
    "answer",
    [
        status(),
        status({"request_id": None, "progress": None, "paginate": None}),
        status({"progress": [], "paginate": [], "query": []}),
        status({"progress": {"queued": "0"}, "paginate": {"total": "1", "offset": "0"}}),
        status({"progress": {"queued": None}, "paginate": {"total": None}}),
        status(split_info=[], error_info=[], result_info=[]),
        status(result_info={"total_rows": "7", "results_url": None}),
        status(status_code="FAILURE", error_info=FAILED),
    ],
    ids=range(8),
)
def test_the_status_of_a_batch_is_read_however_it_says_nothing(
    make_client: Callable[..., Client], answer: dict[str, Any]
) -> None:
    with serving(lambda handler: handler.reply(json.dumps(answer))) as server:
        found = make_client(server.url).batch_status("qrb_1")
        assert len(server.requests) == 1
    assert found.is_stopped
    assert [each.schedule_id for each in found.queries] == ["qrb_1_query_1"]
    assert not found.queries[0].result_info or found.queries[0].result_info.total_rows in {7, None}


def test_fields_and_accounts_without_descriptions_are_read(
    make_client: Callable[..., Client],
) -> None:
    field = dict.fromkeys(FieldInfo.__struct_fields__) | {"field_id": "cost"}
    body = json.dumps({"meta": META, "data": [field]})
    with serving(lambda handler: handler.reply(body)) as server:
        assert make_client(server.url).fields("AW") == (FieldInfo(field_id="cost"),)

    account = {"account_id": "1", "account_name": None}
    logins = [{"ds_user": None, "accounts": [account]}, {"ds_user": "x", "accounts": None}]
    body = json.dumps({"meta": META, "data": logins})
    with serving(lambda handler: handler.reply(body)) as server:
        assert [each.id for each in make_client(server.url).accounts("AW")] == ["1"]


BROKEN: list[Any] = [{"account_id": None}, {}, None, {"account_id": ["1"]}, "12"]


@pytest.mark.parametrize("broken", BROKEN)
def test_an_account_without_an_id_costs_no_other(
    make_client: Callable[..., Client], broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    good = [{"account_id": 1, "account_name": 17, "group_name": {}}, {"account_id": "2"}]
    logins = [{"ds_user": "x", "display_name": [1], "accounts": [*good, broken]}, broken]
    body = json.dumps({"meta": META, "data": logins})
    with serving(lambda handler: handler.reply(body)) as server:
        found = make_client(server.url).accounts("AW")
        assert len(server.requests) == 1
    assert [(each.id, each.account_name) for each in found] == [("1", "17"), ("2", "")]
    assert caplog.text.count("1 entry cannot be read") in {1, 2}


@pytest.mark.parametrize(
    "broken", [{"field_id": None}, {"field_id": "a", "data_type": [1]}, None, "a"]
)
def test_a_field_that_cannot_be_read_costs_no_other(
    make_client: Callable[..., Client], broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"field_id": "cost", "field_type": "met", "description": [1], "is_filterable": "?"}
    body = json.dumps({"meta": META, "data": [broken, good]})
    with serving(lambda handler: handler.reply(body)) as server:
        found = make_client(server.url).fields("AW")
    assert found == (FieldInfo(field_id="cost", field_type="met"),)
    assert caplog.text.count("1 entry cannot be read") == 1


def test_segments_and_lists_without_an_id_cost_no_other(make_client: Callable[..., Client]) -> None:
    segments = [{"segments": [{"segment_id": None}, {"segment_id": "1"}]}]
    with serving(lambda handler: handler.reply(json.dumps({"data": segments}))) as server:
        assert make_client(server.url).segments("AW") == {"1"}
    lists = [{"list_id": None}, {"list_id": 5, "list_slug": "eu"}]
    with serving(lambda handler: handler.reply(json.dumps({"data": lists}))) as server:
        assert [each.list_id for each in make_client(server.url).team_lists()] == ["5"]


def test_a_list_of_which_no_entry_can_be_read_is_not_empty(
    make_client: Callable[..., Client],
) -> None:
    body = json.dumps({"meta": META, "data": [{"field_id": None}, {"name": "x"}]})
    with serving(lambda handler: handler.reply(body)) as server, pytest.raises(ApiError):
        make_client(server.url).fields("AW")


def test_no_query_of_a_status_is_left_out(make_client: Callable[..., Client]) -> None:
    body = json.dumps({"meta": META, "data": [ENTRY, {**ENTRY, "schedule_id": None}]})
    with serving(lambda handler: handler.reply(body)) as server, pytest.raises(ApiError):
        make_client(server.url).batch_status("qrb_1")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"half \ud83d", "half \ufffd"),
        (r"\ude00 other half", "\ufffd other half"),
        (r"whole \ud83d\ude00", "whole \U0001f600"),
        (r"no escape \\ud83d \ud83d", "no escape \\ud83d \ufffd"),
    ],
)
def test_half_a_character_does_not_cost_its_result(
    make_client: Callable[..., Client], written: str, read: str
) -> None:
    body = f'{{"meta": {{}}, "data": [["{written}", 1]]}}'
    with serving(lambda handler: handler.reply(body)) as server:
        (row,) = make_client(server.url).results("query/results?schedule_id=1").data
    assert json.loads(bytes(row)) == [read, 1]


PROBLEM = {"type": "about:blank", "title": "Bad", "status": 400, "detail": "fields[3] is odd"}


@pytest.mark.parametrize("http_status", [200, 400])
@pytest.mark.parametrize(
    "answer",
    [
        PROBLEM,
        {"errors": [PROBLEM]},
        {"errors": ["Bad: fields[3] is odd"]},
        {"meta": META, "errors": [{"code": "API_KEY_INVALID", **PROBLEM}]},
        {"meta": META, "data": [], "errors": [PROBLEM]},
    ],
    ids=range(5),
)
def test_a_problem_is_told_in_whatever_form_it_comes(
    make_client: Callable[..., Client], answer: dict[str, Any], http_status: int
) -> None:
    with serving(lambda handler: handler.reply(json.dumps(answer), http_status)) as server:
        with pytest.raises(ApiError, match=r"Bad: fields\[3\] is odd") as caught:
            make_client(server.url).results("query/results?schedule_id=1")
        assert len(server.requests) == 1
    is_of_key = "API_KEY_INVALID" in json.dumps(answer)
    assert caught.value.fate is (Fate.STOP if is_of_key else Fate.FAIL)


def test_an_empty_list_of_errors_is_no_error(make_client: Callable[..., Client]) -> None:
    body = json.dumps({"meta": META, "errors": [], "data": [[1]]})
    with serving(lambda handler: handler.reply(body)) as server:
        assert len(make_client(server.url).results("query/results?schedule_id=1").data) == 1


def test_a_word_counts_in_whatever_case(make_client: Callable[..., Client]) -> None:
    answer = status({"status_code": "stopped"}, status_code="success")
    with serving(lambda handler: handler.reply(json.dumps(answer))) as server:
        found = make_client(server.url).batch_status("qrb_1")
    assert found.is_stopped
    assert [each.status for each in found.queries] == [wire.QueryStatus.SUCCESS]

    error = {"meta": META, "error": {"code": "api_row_quota_exceeded", "message": "no"}}
    with serving(lambda handler: handler.reply(json.dumps(error), 429)) as server:
        with pytest.raises(ApiError) as caught:
            make_client(server.url).fields("AW")
        assert len(server.requests) == 1
    assert (caught.value.code, caught.value.fate) == ("API_ROW_QUOTA_EXCEEDED", Fate.STOP)


@pytest.mark.parametrize("word", ["RUNNING", "QUEUED", "FAILURE", "WHATEVER"])
def test_the_answer_about_a_query_that_is_not_done_is_no_empty_result(
    make_client: Callable[..., Client], word: str
) -> None:
    body = json.dumps({"meta": {**META, "status_code": word}, "data": []})
    with (
        serving(lambda handler: handler.reply(body, 202)) as server,
        pytest.raises(ApiError, match=f"the query is {word}") as caught,
    ):
        make_client(server.url).results("query/results?schedule_id=1")
    assert caught.value.code == "QUERY_RESULTS_UNAVAILABLE"
