"""Endpoints beside queries: team lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.emulator.client import ACCOUNT, SECOND, failure

if TYPE_CHECKING:
    from tests.emulator.client import Client


def test_team_lists_are_told_and_so_is_what_is_in_them(api: Client) -> None:
    api.emulator.change_list("AW", "nordics", ACCOUNT, SECOND)
    api.emulator.change_list("", "everywhere", SECOND)
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
    api.emulator.change_list("", "everywhere", SECOND)
    answer = api.run(ds_accounts="list.everywhere")

    assert answer["meta"]["query"]["ds_accounts"] == [SECOND]
