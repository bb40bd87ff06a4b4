"""Endpoints beside queries: team lists, and the history of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.emulator.client import ACCOUNT, SECOND, aw, failure

if TYPE_CHECKING:
    from tests.emulator.client import Client


def test_team_lists_are_told_and_so_is_what_is_in_them(api: Client) -> None:
    api.emulator.changes.change_list("AW", "nordics", ACCOUNT, SECOND)
    api.emulator.changes.change_list("", "everywhere", SECOND)
    listed = {each["list_slug"]: each for each in api.get("team/lists").json()["data"]}

    assert (listed["nordics"]["ds_id"], listed["everywhere"]["ds_id"]) == ("AW", "")
    assert {each["list_type"] for each in listed.values()} == {"account_ids"}
    path = f"team/list/{listed['nordics']['list_id']}"
    assert api.get(path).json()["data"] == listed["nordics"]
    assert api.get(f"{path}/data/account_ids").json()["data"] == f"{ACCOUNT}\n{SECOND}"


def test_a_team_list_that_is_not_there_is_an_error(api: Client) -> None:
    for path in ("team/list/tml_404", "team/list/tml_404/data/account_ids"):
        assert failure(api.get(path)) == (404, "LIST_NOT_FOUND")


def test_a_query_may_name_a_list_of_all_data_sources(api: Client) -> None:
    api.emulator.changes.change_list("", "everywhere", SECOND)
    answer = api.run(ds_accounts="list.everywhere")

    assert answer["meta"]["query"]["ds_accounts"] == [SECOND]


def test_the_history_lists_queries_of_all_keys_with_the_newest_first(api: Client) -> None:
    batch_id = api.batch(aw(), aw(), {**aw(), "ds_id": "FA"})
    api.finish()
    answer = api.get("query/history", ds_ids="AW, GAWA", since="2 hours ago").json()

    assert [each["schedule_id"] for each in answer["data"]] == [
        f"{batch_id}_query_2",
        f"{batch_id}_query_1",
    ]
    assert answer["data"][0]["status_code"] == "SUCCESS"
    assert answer["meta"]["paginate"] == {"offset": 0, "limit": 100, "total": 2}


def test_the_history_can_be_narrowed(api: Client) -> None:
    api.batch(aw(), aw(fields=["nope"]))
    api.finish()

    def listed(**params: object) -> list[str]:
        answer = api.get("query/history", ds_ids="AW", **params)
        return [each["schedule_id"].rpartition("_")[2] for each in answer.json()["data"]]

    assert listed() == ["2", "1"]
    assert listed(status_codes="failure") == ["2"]
    assert listed(offset=1, limit=1) == ["1"]
    assert listed(since="0 minutes ago") == []
    assert listed(until="2024-05-31T00:00:00Z") == []
    assert failure(api.get("query/history")) == (400, "DATA_SOURCE_REQUIRED")
    wrong = api.get("query/history", ds_ids="AW", since="once upon a time")
    assert failure(wrong) == (400, "PARAMETER_INVALID")
