"""The vendor's own Python client reads from the emulator what it can.

So the emulator is not only our own idea of the API. The client (`supermetrics` 0.5) knows two
endpoints of those that the tap uses, accounts and data; it has none for status, results, fields,
segments and batches.
Where it does not do what the documents say, the test says so.
"""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_supermetrics.api.client import Client

official = pytest.importorskip("supermetrics", reason="needs the vendor's client, so Python 3.11")

FAST: Final = 500.0
"""So many emulated seconds pass in one: a query takes some hundredths of a second."""
AT_STANDSTILL = pytest.mark.parametrize("emulator", [0.0], indirect=True, ids=["standstill"])
GONE: Final = "9150336284"
ASKED: Final[dict[str, Any]] = {
    "ds_id": "AW",
    "ds_accounts": ["4713896205", "8820145937"],
    "fields": ["Date", "CampaignID", "Campaignname", "Impressions", "Cost"],
    "start_date": "2024-05-01",
    "end_date": "2024-05-03",
}


class OfficialClient(Protocol):
    accounts: Any
    queries: Any


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    factor = getattr(request, "param", FAST)
    with Emulator(options=Options(clock_factor=factor)) as running:
        yield running


@pytest.fixture(params=["/v2", "/enterprise/v2"])
def client(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[OfficialClient]:
    """Under its own base path, and under the documented one."""
    base_url = f"{emulator.origin}{request.param}"
    with official.SupermetricsClient(api_key=emulator.api_key, base_url=base_url) as running:
        yield running


def expected(emulator: Emulator, **changes: Any) -> list[list[Any]]:  # noqa: ANN401 - of each parameter's type
    """The rows that `ASKED` is about."""
    asked = ASKED | changes
    first, last = (date.fromisoformat(asked[name]) for name in ("start_date", "end_date"))
    accounts, fields = asked["ds_accounts"], asked["fields"]
    return emulator.world.rows("AW", accounts, first, last, fields, emulator.today)


def test_it_lists_the_accounts_that_the_tap_lists(
    emulator: Emulator, client: OfficialClient, make_client: Callable[..., Client]
) -> None:
    listed = client.accounts.list(ds_id="AW")
    ours = make_client(emulator.url, api_key=emulator.api_key).accounts("AW")

    assert {(each.account_id, each.account_name) for each in listed} == {
        (each.account_id, each.account_name) for each in ours
    }
    # It gives an account once for each login, the tap once.
    assert len(listed) > len(ours) > 1


def test_it_lists_the_accounts_of_some_logins(client: OfficialClient) -> None:
    def ids(*logins: str) -> list[str]:
        listed = client.accounts.list(ds_id="AW", login_usernames=list(logins))
        return [each.account_id for each in listed]

    assert "5096627718" in ids("agency@example.com")
    assert "5096627718" not in ids("351684")
    assert ids("351684", "agency@example.com") == ids("351684") + ids("agency@example.com")
    assert ids("nobody@example.com") == []


def test_it_reads_the_rows_of_the_world(emulator: Emulator, client: OfficialClient) -> None:
    answer = client.queries.execute(**ASKED)

    header, *rows = answer.data
    assert rows == expected(emulator)
    assert header == [each.field_name for each in answer.meta.query.fields]
    assert answer.meta.status_code == "SUCCESS"
    assert answer.meta.query.ds_accounts == ASKED["ds_accounts"]
    assert (answer.meta.query.start_date, answer.meta.query.end_date) == (
        ASKED["start_date"],
        ASKED["end_date"],
    )
    assert answer.meta.result.total_rows == len(answer.data)


def test_it_reads_the_meaning_of_the_columns(client: OfficialClient) -> None:
    answer = client.queries.execute(**ASKED)

    fields = answer.meta.query.fields
    assert [each.id for each in fields] == ASKED["fields"]
    assert [each.data_column for each in fields] == [0, 1, 2, 3, 4]
    assert [each.field_type for each in fields] == ["dim", "dim", "dim", "met", "met"]
    assert (fields[0].data_type, fields[3].data_type) == ("string.time.date", "int.number.value")


def test_its_filter_and_order_are_understood(emulator: Emulator, client: OfficialClient) -> None:
    answer = client.queries.execute(**ASKED, filter_="Impressions > 2000", order_rows=["Cost desc"])

    rows = [row for row in expected(emulator) if row[3] > 2000]
    assert 0 < len(rows) < len(expected(emulator))
    assert answer.data[1:] == sorted(rows, key=lambda row: -row[4])


def test_it_pages_by_first_and_last_row_both_included(
    emulator: Emulator, client: OfficialClient
) -> None:
    """The header is row 0."""
    page = client.queries.execute(**ASKED, offset_start=3, offset_end=5)

    assert page.data == expected(emulator)[2:5]
    assert page.meta.paginate.prev
    assert page.meta.paginate.next_


def test_nothing_found_is_no_row_at_all(client: OfficialClient) -> None:
    answer = client.queries.execute(**ASKED, filter_="Impressions > 999999999")

    assert answer.data == []
    assert answer.meta.result.total_rows == 0


def test_its_asynchronous_form_reads_the_same(emulator: Emulator) -> None:
    async def read() -> tuple[list[Any], list[Any]]:
        async with official.SupermetricsAsyncClient(
            api_key=emulator.api_key, base_url=emulator.url
        ) as client:
            answer = await client.queries.execute(**ASKED)
            return await client.accounts.list(ds_id="AW"), answer.data[1:]

    accounts, rows = asyncio.run(read())
    assert {each.account_id for each in accounts} >= set(ASKED["ds_accounts"])
    assert rows == expected(emulator)


# Asynchronous queries


@AT_STANDSTILL
def test_it_polls_a_query_where_unfinished_is_200(
    emulator: Emulator, client: OfficialClient
) -> None:
    """As for customers enrolled before 2022-06-22; the same request again is its way to poll."""
    emulator.change_options(unfinished_status=200, same_schedule_id="return")
    asked = {**ASKED, "schedule_id": "mine_1", "sync_timeout": 0}
    started, polled = client.queries.execute(**asked), client.queries.execute(**asked)
    emulator.clock.advance(60)
    finished = client.queries.execute(**asked)

    for each in (started, polled):
        assert (each.meta.schedule_id, each.meta.status_code) == ("mine_1", "RUNNING")
        assert each.meta.additional_properties["progress"]["queries_ready"] == 0
        assert each.data == []
    assert (finished.meta.schedule_id, finished.meta.status_code) == ("mine_1", "SUCCESS")
    assert finished.data[1:] == expected(emulator)
    assert len(emulator.queries) == 1


@AT_STANDSTILL
def test_it_takes_the_documented_202_for_an_error(client: OfficialClient) -> None:
    """A defect of it: 202 is what the documents give for a query that has not finished."""
    with pytest.raises(official.SupermetricsAPIError) as caught:
        client.queries.execute(**ASKED, sync_timeout=0)

    assert (caught.value.status_code, caught.value.error_code) == (202, None)
    assert '"status_code":"RUNNING"' in caught.value.response_body


def test_its_get_results_cannot_find_a_query(emulator: Emulator, client: OfficialClient) -> None:
    """A defect of it: it sends the id of a request as `schedule_id`, with an empty `ds_id`."""
    done = client.queries.execute(**ASKED)

    with pytest.raises(official.ValidationError) as caught:
        client.queries.get_results(query_id=done.meta.request_id)

    assert caught.value.error_code == "DATA_SOURCE_REQUIRED"
    sent = emulator.requests[-1]
    assert sent.path.endswith("/query/data/json")
    assert sent.params == {"ds_id": "", "schedule_id": done.meta.request_id}


# What it sends


def test_it_sends_the_key_in_the_header_and_lists_as_repeated_names(
    emulator: Emulator, client: OfficialClient
) -> None:
    client.queries.execute(**ASKED)

    sent = emulator.requests[-1]
    assert (sent.method, sent.auth, sent.params) == ("GET", "header", ASKED)


def test_its_settings_arrive_as_text_of_python(emulator: Emulator, client: OfficialClient) -> None:
    """A defect of it: an object becomes `{'no_headers': True}`, which is no JSON."""

    class Settings:
        @staticmethod
        def to_dict() -> dict[str, bool]:
            return {"no_headers": True}

    with pytest.raises(official.ValidationError) as caught:
        client.queries.execute(**ASKED, settings=Settings())

    assert caught.value.error_code == "PARAMETER_INVALID"
    assert emulator.requests[-1].params["settings"] == "{'no_headers': True}"


# Errors


@pytest.mark.parametrize(
    ("changes", "kind", "status", "code"),
    [
        ({"ds_accounts": [GONE]}, "SupermetricsServerError", 500, "QUERY_ACCOUNT_UNAVAILABLE"),
        ({"ds_accounts": ["3378451620"]}, "SupermetricsServerError", 500, "QUERY_ERROR"),
        ({"ds_user": "nobody"}, "SupermetricsForbiddenError", 403, "QUERY_AUTH_UNAVAILABLE"),
        ({"start_date": "1999-01-01"}, "ValidationError", 400, "START_DATE_HISTORICAL"),
    ],
)
def test_it_reads_the_errors_of_queries(
    client: OfficialClient, changes: dict[str, Any], kind: str, status: int, code: str
) -> None:
    with pytest.raises(getattr(official, kind)) as caught:
        client.queries.execute(**ASKED | changes)

    assert (caught.value.status_code, caught.value.error_code) == (status, code)


def test_it_reads_that_the_key_is_wrong(emulator: Emulator) -> None:
    with (
        official.SupermetricsClient(api_key="api_wrong", base_url=emulator.url) as client,
        pytest.raises(official.AuthenticationError) as caught,
    ):
        client.accounts.list(ds_id="AW")

    assert (caught.value.status_code, caught.value.error_code) == (401, "API_KEY_INVALID")


def test_it_reads_how_long_to_wait_after_too_many_requests(
    emulator: Emulator, client: OfficialClient
) -> None:
    headers = {"Retry-After": "7"}
    emulator.inject(
        Fault(effect="error", status=429, code="TOO_MANY_REQUESTS", headers=headers, times=1)
    )
    with pytest.raises(official.SupermetricsRateLimitError) as caught:
        client.accounts.list(ds_id="AW")

    assert (caught.value.error_code, caught.value.retry_after) == ("TOO_MANY_REQUESTS", 7)


def test_it_gives_an_error_inside_a_200_as_an_answer_without_rows(
    emulator: Emulator, client: OfficialClient
) -> None:
    """A defect of it: only who looks for the error object finds it."""
    emulator.change_options(errors_in_200=True)
    answer = client.queries.execute(**ASKED | {"ds_accounts": [GONE]})

    assert not answer.data
    assert answer.additional_properties["error"]["code"] == "QUERY_ACCOUNT_UNAVAILABLE"
