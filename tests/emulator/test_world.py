"""The emulated data: pure, adding up, restated until they settle."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tap_supermetrics.emulator import World
from tap_supermetrics.emulator.sources.odd import TEXTS, VANISHES_AFTER
from tests.emulator.client import ACCOUNT, EMPTY, GONE, SECOND, SPARSE, UNLICENSED

ASKED_ON = date(2024, 6, 1)
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 14)
ADDITIVE = ["Impressions", "Clicks", "Conversions"]

DOCUMENTED_TYPES = [
    "bool",
    "float.currency.value",
    "int.currency.value",
    "string.currency.code",
    "int.duration.seconds",
    "string.geo.city",
    "string.geo.continent",
    "string.geo.coordinates",
    "string.geo.country",
    "string.geo.country.twolettercode",
    "string.geo.latitude",
    "string.geo.longitude",
    "string.geo.metro",
    "string.geo.region",
    "string.geo.street",
    "string.geo.zip",
    "string.language.locale",
    "string.language.twolettercode",
    "string.language.value",
    "float.number.percentage",
    "float.number.ratio",
    "float.number.value",
    "int.number.value",
    "string.text.value",
    "string.text.url",
    "string.time.date",
    "string.time.datetime",
    "string.time.year",
    "string.time.yearmonth",
    "string.time.month",
    "string.time.dayofmonth",
    "string.time.yearweek",
    "string.time.yearweekiso",
    "string.time.week",
    "string.time.weekiso",
    "string.time.dayofweek",
    "string.time.dayofweekiso",
    "string.time.hm",
    "string.time.hms",
]


def sums(world: World, dimensions: list[str], accounts: list[str]) -> list[int]:
    rows = world.rows("AW", accounts, FIRST, LAST, [*dimensions, *ADDITIVE], ASKED_ON)
    return [sum(int(str(row[-3 + n])) for row in rows) for n in range(3)]


def test_rows_are_a_pure_function() -> None:
    arguments = ("AW", [ACCOUNT], FIRST, LAST, ["Date", "Campaignname", "Cost"], ASKED_ON)
    assert World(seed=7).rows(*arguments) == World(seed=7).rows(*arguments)
    assert World(seed=7).rows(*arguments) != World(seed=8).rows(*arguments)


@pytest.mark.parametrize(
    "dimensions",
    [
        ["Date"],
        ["Device"],
        ["Campaignname"],
        ["CampaignStatus", "Yearmonth"],
        ["Date", "ProfileID", "CampaignID", "Device"],
        ["CampaignID", "SearchTerm"],
        ["MatchType"],
    ],
)
def test_sums_agree_whatever_the_dimensions(dimensions: list[str]) -> None:
    world, accounts = World(seed=1), [ACCOUNT, SECOND]
    assert sums(world, dimensions, accounts) == sums(world, [], accounts)


def test_a_range_is_its_days_and_several_accounts_are_each_of_them() -> None:
    world = World(seed=1)
    fields = ["Date", "ProfileID", "CampaignID", "Device", "Clicks", "Ctr"]
    days = [FIRST + timedelta(days=n) for n in range(14)]
    apart = [
        row
        for account in (ACCOUNT, SECOND)
        for day in days
        for row in world.rows("AW", [account], day, day, fields, ASKED_ON)
    ]
    assert world.rows("AW", [ACCOUNT, SECOND], FIRST, LAST, fields, ASKED_ON) == apart


def test_recent_days_are_restated_and_settle_within_a_week() -> None:
    world, day = World(seed=1), date(2024, 5, 20)

    def conversions(age: int) -> object:
        asked_on = day + timedelta(days=age)
        return world.rows("AW", [SECOND], day, day, ["Conversions"], asked_on)[0][0]

    known = [conversions(age) for age in range(12)]
    assert known == sorted(known, key=lambda number: int(str(number)))
    assert known[0] != known[2] != known[5]
    assert len(set(map(str, known[7:]))) == 1


def test_days_that_have_not_come_have_no_rows() -> None:
    rows = World(seed=1).rows("AW", [ACCOUNT], ASKED_ON, date(2024, 6, 9), ["Date"], ASKED_ON)
    assert rows == [["2024-06-01"]]


def test_some_accounts_have_days_without_rows_and_one_has_none_at_all() -> None:
    world = World(seed=1)
    rows = world.rows("AW", [SPARSE], FIRST, LAST, ["Date", "Clicks"], ASKED_ON)
    assert 0 < len(rows) < 14
    assert not world.rows("AW", [EMPTY], FIRST, LAST, ["Date", "Clicks"], ASKED_ON)


def test_gone_and_unlicensed_accounts_give_no_rows() -> None:
    assert not World(seed=1).rows("AW", [GONE, UNLICENSED, "1"], FIRST, LAST, ["Date"], ASKED_ON)


def test_every_documented_data_type_is_somewhere() -> None:
    fields = [field for source in World(seed=1).sources.values() for field in source.fields]
    assert {field.data_type for field in fields} >= set(DOCUMENTED_TYPES)


def test_values_look_as_their_types_say() -> None:
    world, day = World(seed=1), date(2023, 11, 29)
    ids = ["Date", "Yearmonth", "Yearweek", "WeekISO", "Dayofweek", "DayOfWeekISO", "DayStart"]
    row = world.rows("FA", ["act_290471836"], day, day, [*ids, "is_dynamic_creative"], ASKED_ON)[0]
    assert row[:4] == ["2023-11-29", "2023|11", "2023|48", "48"]
    assert row[4:] == ["4 Wednesday", "3 Wednesday", "2023-11-29 00:00:00", True]


def test_names_need_escaping_and_an_id_declared_as_text_is_a_number() -> None:
    day = date(2024, 5, 1)
    rows = World(seed=1).rows("AW", [ACCOUNT], day, day, ["Campaignname", "CampaignID"], ASKED_ON)
    names = "".join(str(row[0]) for row in rows)
    assert {"/", '"', "ä", "日"} <= set(names)
    assert all(isinstance(row[1], int) for row in rows)


def test_a_metric_that_cannot_be_summed_is_not_the_sum_of_its_parts() -> None:
    world, account = World(seed=1), ["act_290471836"]
    whole = world.rows("FA", account, FIRST, LAST, ["reach"], ASKED_ON)[0][0]
    parts = world.rows("FA", account, FIRST, LAST, ["Date", "reach"], ASKED_ON)
    assert whole != sum(int(str(row[1])) for row in parts)


def test_one_report_has_a_million_rows() -> None:
    world = World(seed=1)
    fields = ["Date", "CampaignID", "SearchTerm", "Clicks"]
    day = world.rows("AW", [ACCOUNT], LAST, LAST, fields, ASKED_ON)
    assert len(day) * 366 > 1_000_000
    assert len({(row[1], row[2]) for row in day}) == len(day)


def test_a_row_that_vanishes_is_there_until_its_day_is_so_many_days_ago() -> None:
    def texts(age: int) -> list[object]:
        asked_on = FIRST + timedelta(days=age)
        rows = World(seed=1).rows("ODD", ["odd-1"], FIRST, FIRST, ["Date", "any.text"], asked_on)
        return [row[1] for row in rows]

    assert [*VANISHES_AFTER.values()] == [2, 3]
    first, second = VANISHES_AFTER
    assert {first, second} <= {*texts(1)}
    assert {first, second} & {*texts(2)} == {second}
    assert {first, second} & {*texts(3)} == set()
    assert len(texts(1)) == len(texts(3)) + 2 == len(TEXTS)
