"""Team lists, whose accounts only the API knows, are read account by account all the same."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tap_supermetrics.emulator import Emulator, Fault, Options
from tests.tap import Target, config_for, sync, truth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST = date(2024, 6, 9)
FIRST = LAST - timedelta(days=9)
MEMBERS = ("4713896205", "7391084456")
NEW = "8820145937"
REPORT = {
    "name": "google_ads",
    "ds_id": "AW",
    "ds_accounts": "list.nordics",
    "fields": ["Date", "Campaignname", "Cost"],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    options = Options(clock_factor=500.0, now="2024-06-10T04:00:00+00:00")
    with Emulator(options=options) as running:
        running.changes.change_list("AW", "nordics", *MEMBERS)
        yield running


def config(emulator: Emulator, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
    days = {"start_date": str(FIRST), "end_date": str(LAST), "lookback_days": 0}
    return config_for(emulator, [{**REPORT, **changes}], **days)


def expected(emulator: Emulator, *accounts: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return truth(emulator, REPORT, FIRST, LAST, accounts=accounts)


def keep_lists_from(emulator: Emulator) -> None:
    """Give the key no permission to read team lists."""
    emulator.inject(
        Fault(
            effect="error",
            path="team/.*",
            times=None,
            status=403,
            code="ACCESS_DENIED_PERMISSIONS",
        )
    )


def test_who_is_in_a_list_costs_nothing_however_many_reports_read_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    given = config(emulator)
    given["queries"].append({**REPORT, "name": "again"})
    target = Target()
    ended = sync(given, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["google_ads"] == expected(emulator, *MEMBERS)
    assert ended.stderr.count("list.nordics has 2 accounts") == 1
    assert len(emulator.queries) == 2 * len(MEMBERS) * 10
    assert [
        each.path.rpartition("team/")[2] for each in emulator.requests if "team" in each.path
    ] == [
        "lists",
        next(
            f"list/{each.id}/data/account_ids"
            for each in emulator.world.team_lists
            if each.slug == "nordics"
        ),
    ]


def test_a_list_is_read_whatever_its_length(emulator: Emulator, tmp_path: Path) -> None:
    unknown = [f"77{number:08d}" for number in range(118)]
    emulator.changes.change_list("AW", "nordics", *MEMBERS, *unknown)
    target = Target()
    days = {"start_date": str(LAST), "end_date": str(LAST), "lookback_days": 0}
    ended = sync(config_for(emulator, [REPORT], **days), tmp_path, target)

    assert ended.code == 3, ended.stderr
    assert "list.nordics has 120 accounts" in ended.stderr
    assert target.tables["google_ads"] == truth(emulator, REPORT, LAST, LAST, accounts=MEMBERS)
    assert len(emulator.queries) == 120


def test_a_list_without_accounts_is_told_and_costs_nothing(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.changes.change_list("AW", "nordics")
    given = config(emulator)
    given["queries"].append({**REPORT, "name": "other", "ds_accounts": [NEW]})
    target = Target()
    ended = sync(given, tmp_path, target)

    assert ended.code == 3, ended.stderr
    assert "queries[0].ds_accounts: list.nordics has no accounts" in ended.stderr
    assert target.tables.keys() == {"other"}
    assert {account for each in emulator.queries for account in each.accounts} == {NEW}


def test_of_two_lists_of_one_name_that_of_the_data_source_is_read(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.changes.change_list("", "nordics", NEW)
    emulator.changes.change_list("", "everywhere", NEW)
    given = config(emulator)
    given["queries"].append({**REPORT, "name": "global", "ds_accounts": "list.everywhere"})
    target = Target()
    ended = sync(given, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["google_ads"] == expected(emulator, *MEMBERS)
    assert target.tables["global"] == expected(emulator, NEW)


def test_each_account_of_a_list_that_may_not_be_read_is_learned_from_a_batch(
    emulator: Emulator, tmp_path: Path
) -> None:
    keep_lists_from(emulator)
    target = Target()
    ended = sync(config(emulator), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["google_ads"] == expected(emulator, *MEMBERS)
    assert "list.nordics has 2 accounts" in ended.stderr
    assert emulator.batches[0].status == "STOPPED"


def test_a_batch_tells_who_is_in_a_list_for_at_most_one_query_however_many_reports_read_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    keep_lists_from(emulator)
    emulator.change_options(min_seconds=300.0, max_seconds=300.0)
    given = config(emulator)
    given["queries"].append({**REPORT, "name": "again"})
    ended = sync(given, tmp_path, Target())

    assert ended.code == 0, ended.stderr
    probe, *others = emulator.batches
    started = [query.schedule_id for query in emulator.queries if query.started is not None]
    assert len({*started} & {*probe.schedule_ids}) <= 1
    assert [batch.concurrency for batch in others] == [5] * len(others)


def test_an_account_that_joins_a_list_brings_its_history_and_one_that_leaves_costs_nothing(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = Target()
    assert sync(config(emulator), tmp_path, target).code == 0
    emulator.changes.change_list("AW", "nordics", MEMBERS[0], NEW)
    before = len(emulator.queries)
    ended = sync(config(emulator), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert target.tables["google_ads"] == expected(emulator, *MEMBERS, NEW)
    asked = [query for query in emulator.queries[before:] if query.ended]
    assert {query.accounts for query in asked} == {(NEW,)}


def test_a_list_that_is_not_split_is_one_account(emulator: Emulator, tmp_path: Path) -> None:
    target = Target()
    ended = sync(config(emulator, split_accounts_policy="none"), tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert {key[0] for key in target.tables["google_ads"]} == {"list.nordics"}
    assert {query.accounts for query in emulator.queries} == {MEMBERS}


@pytest.mark.parametrize("is_gone", [False, True], ids=["no such list", "no batches"])
def test_a_list_that_cannot_be_learned_loses_its_report_only(
    emulator: Emulator, tmp_path: Path, *, is_gone: bool
) -> None:
    other = {**REPORT, "name": "other", "ds_accounts": [NEW]}
    given = config(emulator, ds_accounts="list.nordics" if is_gone else "list.nope")
    given["queries"].append(other)
    if is_gone:
        keep_lists_from(emulator)
        emulator.inject(
            Fault(effect="error", path="query/batch", times=None, status=404, code="NOT_FOUND")
        )
    target = Target()
    ended = sync(given, tmp_path, target)

    assert ended.code == 3, ended.stderr
    assert "queries[0].ds_accounts: the accounts of list." in ended.stderr
    assert "split_accounts_policy: none" in ended.stderr
    assert "google_ads" not in target.tables
    assert target.tables["other"] == expected(emulator, NEW)


def test_segments_that_are_not_listed_are_named_and_asked_once(
    emulator: Emulator, tmp_path: Path
) -> None:
    given = config(emulator, ds_accounts=[NEW], ds_segments=["-1", "sg_404"])
    given["queries"].append({**given["queries"][0], "name": "twin"})
    ended = sync(given, tmp_path, Target())

    assert ended.code == 0, ended.stderr
    for number in range(2):
        said = f"queries[{number}].ds_segments: AW does not list sg_404; it lists -1"
        assert said in ended.stderr
    assert sum("query/segments" in each.path for each in emulator.requests) == 1


@pytest.mark.parametrize(
    "named", [{"ds_user": "AGENCY@example.com"}, {"ds_users": ["351684", "agency@example.com"]}]
)
def test_logins_that_are_listed_are_not_warned_of(
    named: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    ended = sync(config(emulator, ds_accounts=["4713896205"], **named), tmp_path, Target())

    assert ended.code == 0, ended.stderr
    assert "does not list" not in ended.stderr


def test_logins_that_are_not_listed_are_named_by_one_request_for_each_source(
    emulator: Emulator, tmp_path: Path
) -> None:
    report = {**REPORT, "ds_accounts": [NEW], "ds_user": "ops@example.com"}
    days = {"start_date": str(LAST), "end_date": str(LAST), "mode": "async"}
    config = config_for(emulator, [report, {**report, "name": "twin"}], **days)
    ended = sync(config, tmp_path, Target())

    assert ended.code == 3
    said = (
        "queries[1].ds_user: AW does not list ops@example.com; "
        "it lists 351684 (ops@example.com (ID: 351684)), agency@example.com"
    )
    assert said in ended.stderr
    assert "QUERY_AUTH_UNAVAILABLE" in ended.stderr
    asked = [each.path for each in emulator.requests if "query/accounts" in each.path]
    assert len(asked) == 2  # once for the logins, once for the spelling of account ids


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        (f"{NEW}|4713896205", f"{NEW}, 4713896205"),
        (f"{NEW} and 4713896205", f"{NEW}, 4713896205"),
        (f"0{NEW}", NEW),
        ("".join(chr(ord(each) + 0xFEE0) for each in NEW), NEW),
        (f"{NEW[0]},{NEW[1:4]},{NEW[4:7]},{NEW[7:]}", NEW),
        ("NAME", NEW),
        ("all", "list.all_accounts"),
        ("*", "list.all_accounts"),
        ("all-accounts", "list.all_accounts"),
        ("list_all_accounts", "list.all_accounts"),
        (f"{NEW}.0", NEW),
        (f"{NEW[0]}.{NEW[1:]}E+09", NEW),
        (f"{NEW[0]}.{NEW[1:3]}E+09", NEW),
        ("".join(chr(ord(each) + 0x0660 - 0x30) for each in NEW), NEW),
    ],
)
def test_accounts_that_people_name_in_other_ways_cost_nothing(
    wrong: str, meant: str, emulator: Emulator, tmp_path: Path
) -> None:
    accounts = emulator.world.sources["AW"].accounts
    name = next(each.name for each in accounts if each.id == NEW)
    ended = sync(config(emulator, ds_accounts=wrong.replace("NAME", name.upper())), tmp_path)

    assert ended.code == 3, ended.stderr
    assert f"; did you mean {meant}?" in ended.stderr
    assert not emulator.queries


@pytest.mark.parametrize("wrong", ["null", "account_id", "Some shop", "${ACCOUNT"])
def test_what_can_be_no_account_costs_nothing(
    wrong: str, emulator: Emulator, tmp_path: Path
) -> None:
    """Where all ids are numbers, one without a digit is none, whatever login looks for it."""
    ended = sync(config(emulator, ds_accounts=[NEW, wrong]), tmp_path)

    assert ended.code == 3, ended.stderr
    assert f"AW does not list {wrong}; its ids are numbers, such as " in ended.stderr
    assert not emulator.queries


def test_an_account_that_is_nearly_one_is_asked_and_told(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Another login may see it; nobody else knows."""
    wrong = f"{NEW[:-2]}{NEW[-1]}{NEW[-2]}"
    ended = sync(config(emulator, ds_accounts=[wrong]), tmp_path)

    assert f"AW does not list {wrong} (did you mean {NEW}?); if no login of yours" in ended.stderr
    assert emulator.queries


@pytest.mark.parametrize("wrong", [f"{NEW[:3]}-{NEW[3:6]}-{NEW[6:]}", f"act_{NEW}", f"{NEW}/"])
def test_an_account_that_is_spelt_otherwise_costs_nothing_and_is_named(
    wrong: str, emulator: Emulator, tmp_path: Path
) -> None:
    given = config(emulator, ds_accounts=[wrong])
    given["queries"].append({**given["queries"][0], "name": "other", "ds_accounts": [NEW]})
    target = Target()
    ended = sync(given, tmp_path, target)

    assert ended.code == 3, ended.stderr
    assert f"queries[0].ds_accounts: AW does not list {wrong}; did you mean {NEW}?" in (
        ended.stderr
    )
    assert target.tables.keys() == {"other"}
    assert {account for each in emulator.queries for account in each.accounts} == {NEW}


@pytest.mark.parametrize("code", ["ACCESS_DENIED_PERMISSIONS", "ENDPOINT_NOT_FOUND"])
def test_a_key_that_may_not_ask_for_lists_runs_its_queries_all_the_same(
    code: str, emulator: Emulator, tmp_path: Path
) -> None:
    path = "query/(segments|accounts)"
    emulator.inject(Fault(effect="error", path=path, code=code, status=403, times=None))
    target = Target()
    given = config(emulator, ds_accounts=[NEW], ds_segments=["-1"], ds_user="agency@example.com")
    ended = sync(given, tmp_path, target)

    assert ended.code == 0, ended.stderr
    assert ended.stderr.count("not checked") == 2
    assert target.tables["google_ads"] == expected(emulator, NEW)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("list.nordic", "list.nordics"), ("list.all_account", "list.all_accounts")],
)
def test_a_team_list_that_is_nearly_one_is_named_with_it(
    wrong: str, meant: str, emulator: Emulator, tmp_path: Path
) -> None:
    ended = sync(config(emulator, ds_accounts=wrong), tmp_path)
    assert ended.code == 3, ended.stderr
    assert f"the accounts of {wrong} could neither be read" in ended.stderr
    assert f", did you mean {meant}?" in ended.stderr
    assert not emulator.queries
