"""What each page says of itself: understood in any spelling, held against the question, told.

`WRONG` is refused aloud, `SPELT` is the same in other words, `OTHERWISE` is loaded and told.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from tap_supermetrics.emulator import Emulator
from tests.attack.driver import (
    ACCOUNTS,
    ADS,
    DAY,
    FIRST,
    LAST,
    Attempt,
    attempt,
    everything,
    keeps_its_promise,
    options,
    settings_for,
)
from tests.attack.liar import FIELDS, RESULTS, STATUS, Liar, Said, at, changed, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.attack.liar import Lie

Answer = dict[str, Any]
DAYS: Final = len(everything(ADS))
ONE: Final = {**ADS, "ds_accounts": [ACCOUNTS[0]]}
NAMES: Final = dict(zip(ACCOUNTS, ("Nordic Outdoor", "Müller & Söhne GmbH"), strict=True))


@pytest.fixture(scope="module")
def shared() -> Iterator[Liar]:
    with Emulator(options=options()) as emulator, Liar(emulator) as liar:
        yield liar


@pytest.fixture
def liar(shared: Liar) -> Liar:
    shared.emulator.reset()
    shared.emulator.change_options(results_total="whole")
    shared.forget()
    return shared


def load(liar: Liar, report: dict[str, Any] = ADS, **top: Any) -> Attempt:  # noqa: ANN401 - any setting
    return attempt(settings_for(liar.emulator, report, api_url=liar.url, **top))


def echo(answer: Answer) -> Answer:
    found: Answer = answer["meta"]["query"]
    return found


def respelt(name: str, spell: Callable[[Any], Any]) -> Callable[[Answer], None]:
    """Change how the echo of the query writes something."""

    def change(answer: Answer) -> None:
        echo(answer)[name] = spell(echo(answer)[name])

    return change


def placed_in_one(answer: Answer) -> None:
    for field in echo(answer)["fields"]:
        field["data_column"] = min(field["data_column"], 1)


def decimal_comma(answer: Answer) -> None:
    answer["data"][-1].insert(2, 1)


def one_wide_row(answer: Answer) -> None:
    """Only `total_columns` tells: the result has no other row."""
    answer["data"] = [[*answer["data"][0][:2], 1, *answer["data"][0][2:]]]
    answer["meta"]["result"]["total_rows"] = 1


def later_columns_swapped(answer: Answer) -> None:
    first = answer["meta"]["paginate"].get("prev") is None
    fields = echo(answer)["fields"]
    if not first:
        fields[0]["data_column"], fields[1]["data_column"] = 1, 0
        answer["data"] = [[row[1], row[0], *row[2:]] for row in answer["data"]]


def places(items: list[Any]) -> dict[str, Any]:
    """Write a list as PHP does one of which it left out something; a blank is such."""
    return {str(place): each for place, each in enumerate(items) if each not in (None, "")}


SPELT: Final[dict[str, Callable[[Answer], Any]]] = {
    "accounts with names": respelt("ds_accounts", lambda ids: [f"{x} (Shop (EU))" for x in ids]),
    "accounts as objects": respelt(
        "ds_accounts", lambda ids: [{"account_id": x, "account_name": "Shop"} for x in ids]
    ),
    "accounts as keys": respelt("ds_accounts", lambda ids: dict.fromkeys(ids, "Shop")),
    "accounts with zeros": respelt("ds_accounts", lambda ids: [f"00{x}" for x in ids]),
    "accounts by their names": respelt("ds_accounts", lambda ids: [NAMES[x] for x in ids]),
    "accounts as paths": respelt("ds_accounts", lambda ids: [f"customers/{x}" for x in ids]),
    "days with slashes": respelt("start_date", lambda day: day.replace("-", "/")),
    "days without signs": respelt("end_date", lambda day: day.replace("-", "")),
    "days as numbers": respelt("end_date", lambda day: int(day.replace("-", ""))),
    "a header of ids": lambda answer: answer["data"].insert(0, list(ADS["fields"])),
    "the next page as an object": lambda answer: answer["meta"]["paginate"].update(
        next={"href": "http://127.0.0.1:9/"}
    ),
    "no next page": lambda answer: answer["meta"]["paginate"].update(next=False),
    "lists as objects": lambda answer: answer.update(data=places(answer["data"])),
    "rows as objects": lambda answer: answer.update(data=[*map(places, answer["data"])]),
    "fields as an object": respelt("fields", places),
    "a total that is none": lambda answer: answer["meta"]["result"].update(total_rows="1,234"),
    "a state of another product": lambda answer: answer["meta"].update(status_code="completed"),
    "an unknown state": lambda answer: answer["meta"].update(status_code="OK"),
}


@pytest.mark.parametrize("how", SPELT)
def test_what_is_said_in_other_words_is_understood(liar: Liar, how: str) -> None:
    liar.tell(RESULTS, changed(SPELT[how]))
    done = load(liar)

    assert (done.code, len(liar.emulator.queries)) == (0, DAYS), "\n".join(done.log)
    keeps_its_promise(done, liar.emulator, ADS)


def one_more(answer: Answer) -> None:
    """Count a header that is not there."""
    facts = [answer["meta"].get("result"), *(each.get("result_info") for each in rows(answer))]
    for each in facts:
        if each and each.get("total_rows"):
            each["total_rows"] += 1


def rows(answer: Answer) -> list[Answer]:
    return [each for each in answer.get("data", ()) if isinstance(each, dict)]


@pytest.mark.parametrize("behind", ["none", "refused"])
def test_a_refused_look_for_a_row_that_lacks_is_as_good_as_an_empty_page(behind: str) -> None:
    emulated = Emulator(options=options(results_behind_end=behind))
    with emulated as emulator, Liar(emulator) as liar:
        liar.tell(STATUS, changed(one_more))
        liar.tell(RESULTS, changed(one_more))
        done = load(liar)

        assert (done.code, len(emulator.queries)) == (0, DAYS), "\n".join(done.log)
        keeps_its_promise(done, emulator, ADS)
        assert not any("is refused" in line for line in done.log), "it is not its length"


def refused_from(offset: int, status: int, code: str) -> Lie:
    """Refuse pages from an offset on, whatever is there."""

    def lie(said: Said) -> bytes:
        if int(dict(parse_qsl(said.request.query)).get("offset", 0)) < offset:
            return http(said.body, said.status)
        return http(json.dumps({"error": {"code": code, "message": "no"}}).encode(), status)

    return lie


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "QUERY_RESULTS_UNAVAILABLE"), (400, "OFFSET_INVALID"), (410, ""), (416, "")],
)
def test_a_refused_page_is_no_end_where_its_last_row_is_not_the_last(
    status: int, code: str
) -> None:
    """Each account has more than four rows, and nothing else tells of them."""
    emulated = Emulator(options=options(results_total="none", results_next="null"))
    with emulated as emulator, Liar(emulator) as liar:
        liar.tell(RESULTS, refused_from(4, status, code))
        done = load(liar, page_size=4, split_dates_policy="none")

        assert done.code == 3
        assert done.days("google_ads") == set()


def swapped(answer: Answer) -> None:
    for each in answer["data"]:
        address = each["result_info"]["results_url"]
        mine, other = ("_acc_1", "_acc_2") if "_acc_1" in address else ("_acc_2", "_acc_1")
        each["result_info"]["results_url"] = address.replace(mine, other)


def of_nobody(answer: Answer) -> None:
    """Take out what tells results apart."""
    answer["meta"]["schedule_id"] = echo(answer)["ds_accounts"] = None


SAID_IN_STATUS: Final[dict[str, Callable[[Answer], Any]]] = {
    "a total that is none": lambda answer: [
        each["result_info"].update(total_rows={"rows": 1}) for each in answer["data"]
    ],
    "a state of another product": lambda answer: [
        each.update(status_code="completed") for each in answer["data"]
    ],
    "no address": lambda answer: [
        each["result_info"].update(results_url="see below") for each in answer["data"]
    ],
    "an address without end": lambda answer: [
        each["result_info"].update(results_url=f"/query/results?x={'y' * 100_000}")
        for each in answer["data"]
    ],
    "addresses of each other": swapped,
    "a list as an object": lambda answer: answer.update(data=places(answer["data"])),
}


@pytest.mark.parametrize("how", SAID_IN_STATUS)
def test_what_a_status_says_in_other_words_is_understood(liar: Liar, how: str) -> None:
    def change(answer: Answer) -> None:
        if answer["meta"]["status_code"] == "STOPPED":
            SAID_IN_STATUS[how](answer)

    liar.tell(STATUS, changed(change))
    liar.tell(RESULTS, changed(of_nobody))
    done = load(liar)

    assert (done.code, len(liar.emulator.queries)) == (0, DAYS), "\n".join(done.log)
    keeps_its_promise(done, liar.emulator, ADS)


WRONG: Final[dict[str, tuple[Callable[[Answer], Any], str]]] = {
    "another account as an object": (
        respelt("ds_accounts", lambda _: [{"id": "55555"}]),
        "RESULT_MISMATCH: asked for account",
    ),
    "two fields in one column": (placed_in_one, "RESULT_MISMATCH: the result has"),
    "a row of more cells than others": (decimal_comma, "RESULT_MISMATCH: expected rows of 3"),
    "a wide row that is the only one": (one_wide_row, "RESULT_MISMATCH: expected rows of 3"),
    "a failed query": (
        lambda answer: answer["meta"].update(status_code="FAILURE"),
        "RESULT_INCOMPLETE: the result says that its query is FAILURE",
    ),
    "more rows than the status says": (
        lambda answer: answer["meta"]["result"].update(total_rows=99),
        "RESULT_INCOMPLETE: expected 99 rows",
    ),
    "a day that is not there yet": (
        respelt("end_date", lambda _: "2024-06-01"),
        "DAY_NOT_YET: asked for",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_a_page_says_against_itself_is_refused(liar: Liar, how: str) -> None:
    change, message = WRONG[how]
    liar.tell(RESULTS, changed(change))
    done = load(liar)

    assert done.code == 3
    assert message in "\n".join(done.log)
    assert done.days("google_ads") == set()
    assert len(liar.emulator.queries) <= 2 * DAYS


def clamped_to(first: str, answer: Answer) -> None:
    """Begin with the first day that the source gives, whatever was asked for."""
    query = echo(answer)
    query["start_date"] = max(query["start_date"], first)
    query["end_date"] = max(query["end_date"], first)
    is_first = answer["meta"]["paginate"]["prev"] is None
    answer["data"] = [row for row in answer["data"] if row[0] >= first] if is_first else []
    answer["meta"]["result"]["total_rows"] = None


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_days_that_a_later_begin_leaves_out_are_told_and_stay_to_be_queried(
    mode: str,
) -> None:
    first = LAST - DAY
    emulated = Emulator(options=options(results_total="none"))
    with emulated as emulator, Liar(emulator) as liar:
        liar.tell(RESULTS, changed(partial(clamped_to, str(first))))
        done = load(liar, ONE, mode=mode, split_dates_policy="none")

        assert (done.code, len(emulator.queries)) == (0, 1), "\n".join(done.log)
        assert done.days("google_ads") == {(ACCOUNTS[0], first), (ACCOUNTS[0], LAST)}
        text = f"days before {first} were left out, set `start_date` to that day"
        assert [text in line for line in done.log].count(True) == 2, "a warning, and the summary"

        config = settings_for(emulator, ONE, api_url=liar.url, mode=mode, lookback_days=0)
        again = attempt(config, done.bookmarks)
        assert again.code == 3
        assert len(emulator.queries) == 2
        assert {each.first for each in emulator.queries} == {FIRST}


@pytest.mark.parametrize("end", ["asked", "first"])
def test_a_day_before_the_first_that_is_given_is_paid_once_and_names_its_setting(
    liar: Liar, end: str
) -> None:
    def clamp(answer: Answer) -> None:
        query, answer["data"] = echo(answer), []
        query["start_date"] = "2024-06-10"
        query["end_date"] = "2024-06-10" if end == "first" else query["end_date"]
        answer["meta"]["result"]["total_rows"] = 0

    liar.tell(STATUS, changed(without_totals))
    liar.tell(RESULTS, changed(clamp))
    done = load(liar, ONE)

    assert (done.code, done.days("google_ads")) == (3, set())
    assert len(liar.emulator.queries) == len(everything(ONE))
    (line,) = [each for each in done.log if "2024-06-07 failed: DAY_NOT_GIVEN" in each]
    assert "asked for 2024-06-07, the API has days from 2024-06-10 on" in line
    assert "set `start_date` to the first day that the source gives" in line


def test_a_later_page_with_other_columns_is_refused(liar: Liar) -> None:
    liar.tell(RESULTS, changed(later_columns_swapped))
    done = load(liar, page_size=2, split_dates_policy="none")

    assert done.code == 3
    assert "is in another column than on the page before" in "\n".join(done.log)
    keeps_its_promise(done, liar.emulator, ADS)


def next_skips_one(answer: Answer) -> None:
    following = answer["meta"]["paginate"]["next"]
    if following:
        offset = int(dict(parse_qsl(urlsplit(following).query))["offset"])
        skipped = following.replace(f"offset={offset}", f"offset={offset + 1}")
        answer["meta"]["paginate"]["next"] = skipped


def test_a_row_that_the_next_page_skips_is_missing_and_no_fault_of_the_key(liar: Liar) -> None:
    """The look for it by the number of rows that came gives the last row again."""
    liar.tell(RESULTS, changed(next_skips_one))
    done = load(liar, ONE, page_size=9, split_dates_policy="none")

    assert (done.code, done.written) == (3, 0)
    assert "RESULT_INCOMPLETE: a page of 1 row repeats" in "\n".join(done.log)
    assert "KEY_NOT_UNIQUE" not in "\n".join(done.log)


def test_a_later_page_that_is_never_there_is_paid_twice(liar: Liar) -> None:
    def gone(said: Said) -> bytes:
        is_first = "offset" not in said.request.query or "offset=0" in said.request.query
        code = {"error": {"code": "QUERY_RESULTS_UNAVAILABLE", "message": "Not available"}}
        return http(said.body) if is_first else http(json.dumps(code).encode(), 404)

    liar.tell(RESULTS, gone)
    done = load(liar, ONE, page_size=9, split_dates_policy="none")

    assert (done.code, done.written) == (3, 0)
    assert "failed: QUERY_RESULTS_UNAVAILABLE" in "\n".join(done.log)
    assert len(liar.emulator.queries) == 2


def test_a_result_that_is_not_finished_yet_is_looked_at_again(liar: Liar) -> None:
    liar.tell(RESULTS, at("meta.status_code", "RUNNING"), 2)
    done = load(liar, ONE)

    assert (done.code, len(liar.emulator.queries)) == (0, len(everything(ONE)))
    keeps_its_promise(done, liar.emulator, ONE)


OTHERWISE: Final[dict[str, tuple[Callable[[Answer], Any], str]]] = {
    "a setting": (
        lambda answer: echo(answer)["settings"].update(asset_level="b"),
        "`settings.asset_level` was b, not a",
    ),
    "a comparison": (
        lambda answer: echo(answer).update(compare_type="prev_year"),
        "`compare_type` was prev_year",
    ),
}


@pytest.mark.parametrize("how", OTHERWISE)
def test_what_is_answered_otherwise_than_asked_is_told_once_a_report(liar: Liar, how: str) -> None:
    change, text = OTHERWISE[how]
    liar.tell(RESULTS, changed(change))
    report = {**ADS, "settings": {"asset_level": "a"}, "split_accounts_policy": "none"}
    done = load(liar, report)

    assert done.code == 0
    assert [text in line for line in done.log].count(True) == 2, "a warning, and the summary"
    assert any("note: google_ads: 3 results are not quite" in line for line in done.log)


def test_days_that_are_not_those_of_the_range_are_told_once_a_report(liar: Liar) -> None:
    """The emulator lives in 2024, the tap now: so old is what an answer may be of."""
    config = settings_for(
        liar.emulator, {**ADS, "date_range_type": "last_3_days"}, api_url=liar.url
    )
    done = attempt({key: value for key, value in config.items() if not key.endswith("_date")})

    text = "`date_range_type` last_3_days was 2024-06-07..2024-06-09, not 20"
    assert (done.code, bool(done.written)) == (0, True), "\n".join(done.log)
    assert [text in line for line in done.log].count(True) == 2, "a warning, and the summary"


def test_an_answer_about_no_account_is_told_once_a_report(liar: Liar) -> None:
    def emptied(answer: Answer) -> None:
        echo(answer)["ds_accounts"] = answer["data"] = []
        answer["meta"]["result"]["total_rows"] = 0

    liar.tell(STATUS, changed(without_totals))
    liar.tell(RESULTS, changed(emptied))
    done = load(liar)

    assert (done.code, done.days("google_ads")) == (0, everything(ADS))
    assert ["about no account at all" in line for line in done.log].count(True) == 2


@pytest.mark.parametrize("mode", ["batch", "async"])
def test_accounts_that_an_answer_leaves_out_are_asked_again(liar: Liar, mode: str) -> None:
    report = {**ADS, "split_accounts_policy": "none"}
    liar.tell(RESULTS, changed(lambda answer: echo(answer).update(ds_accounts=[ACCOUNTS[0]])), 3)
    done = load(liar, report, mode=mode)

    assert (done.code, done.written, done.days("google_ads")) == (3, 0, set())
    assert f"ACCOUNT_LEFT_OUT: the API left out account {ACCOUNTS[1]}" in "\n".join(done.log)
    assert len(liar.emulator.queries) == 3

    liar.forget()
    again = attempt(settings_for(liar.emulator, report, api_url=liar.url), done.bookmarks)
    assert (again.code, len(again.days("google_ads"))) == (0, 3)


def without_last_row(answer: Answer) -> None:
    """Its total tells of it; the page after it is empty then."""
    del answer["data"][-1:]


def test_a_single_result_that_lacks_a_row_is_held_against_earlier_nights(liar: Liar) -> None:
    first = load(liar, ONE, end_date=str(LAST - DAY))
    assert first.bookmarks["google_ads"]["header_in_totals"] is False
    liar.tell(RESULTS, changed(without_last_row))
    config = settings_for(liar.emulator, ONE, api_url=liar.url)
    second = attempt(config, first.bookmarks)

    assert (second.code, second.written) == (3, 0)
    assert "RESULT_INCOMPLETE: expected" in "\n".join(second.log)
    liar.forget()
    third = attempt(config, second.bookmarks)
    assert (third.code, third.days("google_ads")) == (0, everything(ONE))


def test_a_single_result_that_lacks_a_row_is_told(liar: Liar) -> None:
    liar.tell(RESULTS, changed(without_last_row))
    done = load(liar, ONE, start_date=str(LAST))

    assert (done.code, bool(done.written)) == (0, True)
    text = f"that of google_ads, account {ACCOUNTS[0]}, {LAST} has one row less than it tells"
    assert [text in line for line in done.log].count(True) == 2, "a warning, and the summary"
    assert done.bookmarks["google_ads"]["header_in_totals"] is None


def test_results_that_tell_no_total_show_nothing_of_headers(liar: Liar) -> None:
    liar.emulator.change_options(results_total="none")
    done = load(liar, ONE)
    assert (done.code, bool(done.written)) == (0, True)
    assert done.bookmarks["google_ads"]["header_in_totals"] is None


def test_two_results_that_lack_a_row_show_that_a_header_is_counted(liar: Liar) -> None:
    liar.tell(RESULTS, changed(without_last_row))
    done = load(liar, ONE)
    assert (done.code, done.bookmarks["google_ads"]["header_in_totals"]) == (0, True)
    again = attempt(
        settings_for(liar.emulator, ONE, api_url=liar.url, start_date=str(FIRST - DAY)),
        done.bookmarks,
    )

    assert again.code == 0
    assert "one row less" not in "\n".join(again.log)


@pytest.mark.parametrize("value", ["TRUE", 1, "1", True, "yes"])
def test_a_setting_that_is_written_back_otherwise_is_the_same(liar: Liar, value: object) -> None:
    liar.tell(RESULTS, changed(lambda answer: echo(answer)["settings"].update(asset_level=value)))
    done = load(liar, {**ONE, "settings": {"asset_level": True}})

    assert "not quite" not in "\n".join(done.log)


def test_segments_that_were_not_applied_are_told(liar: Liar) -> None:
    liar.tell(RESULTS, changed(lambda answer: echo(answer).update(ds_segments=[])))
    done = load(liar, {**ONE, "ds_segments": ["-1"]})

    assert "`ds_segments` were none, not -1" in "\n".join(done.log)


def without_totals(answer: Answer) -> None:
    """The status tells no number of rows."""
    for each in answer["data"]:
        each["result_info"] = None


def empty(liar: Liar, rows: object) -> None:
    """Have results be empty, by their own words too, with this in the place of their rows."""

    def emptied(answer: Answer) -> None:
        answer["data"] = rows
        answer["meta"]["result"]["total_rows"] = 0

    liar.tell(STATUS, changed(without_totals))
    liar.tell(RESULTS, changed(emptied))


@pytest.mark.parametrize("rows", [None, {}])
def test_an_empty_list_may_be_null_where_the_answer_says_that_it_is_empty(
    liar: Liar, rows: object
) -> None:
    empty(liar, rows)
    assert load(liar, ONE).code == 0


@pytest.mark.parametrize("rows", [None, {}])
def test_rows_that_are_not_there_are_no_empty_day(liar: Liar, rows: object) -> None:
    liar.tell(RESULTS, at("data", rows))
    done = load(liar, ONE)
    assert (done.code, done.days("google_ads")) == (3, set())


@pytest.mark.parametrize(
    "row", [["no data found."], ["No Data Found", "", ""], [None, "No data found", None]]
)
def test_words_for_no_rows_are_no_row(liar: Liar, row: list[str | None]) -> None:
    empty(liar, [row])
    done = load(liar, ONE)

    assert (done.code, done.written) == (0, 0)
    assert done.days("google_ads") == everything(ONE)


def test_an_error_beside_no_rows_is_no_empty_day(liar: Liar) -> None:
    def failed(answer: Answer) -> None:
        for each in answer["data"]:
            each["result_info"] = None
            each["error_info"] = {"status": 500, "code": "QUERY_ACCOUNT_UNAVAILABLE"}

    liar.tell(STATUS, changed(failed))
    done = load(liar, ONE)

    assert done.code == 3
    assert "QUERY_ACCOUNT_UNAVAILABLE" in "\n".join(done.log)
    assert done.days("google_ads") == set()


def test_an_account_that_a_setting_of_the_source_leaves_out_is_no_empty_day(liar: Liar) -> None:
    def emptied(answer: Answer) -> None:
        echo(answer)["ds_accounts"] = answer["data"] = []
        answer["meta"]["result"]["total_rows"] = 0

    liar.tell(STATUS, changed(without_totals))
    liar.tell(RESULTS, changed(emptied))
    done = load(liar, {**ONE, "settings": {"exclude_invalid_accounts": True}})

    assert done.days("google_ads") == set()
    assert "3 left out by the API" in "\n".join(done.log)


def words_of(kind: str) -> Callable[[Answer], None]:
    def change(answer: Answer) -> None:
        for each in answer["data"]:
            word = {"dim": "dimension", "met": "metric"}[each["field_type"]]
            each["field_type"] = {"long": word, "upper": word[:3].upper(), "none": ""}[kind]

    return change


@pytest.mark.parametrize("kind", ["long", "upper", "none"])
def test_dimensions_are_known_by_whatever_word(liar: Liar, kind: str) -> None:
    liar.tell(FIELDS, changed(words_of(kind)))
    done = load(liar)

    assert done.code == 0
    keeps_its_promise(done, liar.emulator, ADS)


def test_a_source_that_lists_no_field_loses_its_report_before_anything_is_paid(liar: Liar) -> None:
    """All would be text, and the report be read whole, for want of a day."""
    liar.tell(FIELDS, at("data", []))
    done = load(liar)

    assert done.code == 1
    assert "AW lists no field at all" in done.message
    assert not liar.emulator.queries
