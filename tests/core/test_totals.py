from __future__ import annotations

from datetime import datetime, timezone
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.extraction.results import Result, Spool
from tap_supermetrics.extraction.totals import Judgement, Totals
from tap_supermetrics.model import Query
from tests.core.strategies import date_range

NOW = datetime(2024, 3, 1, 4, tzinfo=timezone.utc)


class NoFile(Spool):
    def __init__(self) -> None:
        self._file = BytesIO()
        self._sizes = []


def result(number: int, *, missing: int | None, rows: int = 3) -> Result:
    dates = date_range(number, number)
    return Result(
        query=Query(report="ads", accounts=("1",), dates=dates),
        dates=dates,
        schedule_id="x",
        fetched_at=NOW,
        fields=(),
        row_count=rows,
        missing=missing,
        spool=NoFile(),
    )


def played(results: list[Result]) -> tuple[list[Query], list[Query], list[Query]]:
    """The queries whose results were accepted and never suspected, refused, and suspect."""
    totals = Totals()
    accepted: list[Query] = []
    refused: list[Query] = []
    suspect: list[Query] = []
    for each in results:
        judgement = totals.judge("AW", each)
        accepted += [result.query for result in judgement.accepted]
        refused += [result.query for result in judgement.refused]
        suspect += judgement.suspect
    accepted += [result.query for result in totals.release().accepted]
    return [query for query in accepted if query not in suspect], refused, suspect


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_where_the_header_is_counted_every_result_is_taken(are_empty: list[bool]) -> None:
    results = [
        result(number, missing=0 if is_empty else 1, rows=0 if is_empty else 3)
        for number, is_empty in enumerate(are_empty)
    ]
    accepted, refused, suspect = played(results)
    assert sorted(map(str, accepted)) == sorted(str(each.query) for each in results)
    assert (refused, suspect) == ([], [])


@given(st.lists(st.booleans(), min_size=1, max_size=20).filter(lambda each: not all(each)))
def test_a_row_that_is_missing_is_noticed_by_any_whole_result(lack_one: list[bool]) -> None:
    results = [result(number, missing=int(lacks)) for number, lacks in enumerate(lack_one)]
    accepted, refused, suspect = played(results)
    lacking = {each.query for each in results if each.missing}
    assert lacking <= {*refused, *suspect}
    assert {*accepted} == {each.query for each in results} - lacking


def test_a_result_that_tells_no_total_says_nothing_of_others() -> None:
    results = [result(0, missing=1), result(1, missing=None), result(2, missing=1)]
    accepted, refused, suspect = played(results)
    assert {*accepted} == {each.query for each in results}
    assert (refused, suspect) == ([], [])


def test_a_first_result_that_lacks_a_row_does_not_condemn_the_others() -> None:
    results = [result(0, missing=1), *(result(number, missing=0) for number in range(1, 12))]
    accepted, refused, suspect = played(results)
    assert len(accepted) == 11
    assert refused == [results[0].query]
    assert suspect == []


def test_sources_are_judged_by_themselves() -> None:
    totals = Totals()
    assert totals.judge("AW", result(0, missing=0)).accepted
    assert not totals.judge("FA", result(1, missing=1)).refused
    assert totals.judge("AW", result(2, missing=1)).refused
    assert len(totals.release().accepted) == 1


@pytest.mark.parametrize(
    ("remembered", "is_accepted", "is_told"),
    [(None, True, True), (True, True, False), (False, False, False)],
)
def test_a_single_result_that_lacks_a_row_is_judged_by_earlier_runs(
    remembered: bool | None,  # noqa: FBT001 - a parameter of the test
    *,
    is_accepted: bool,
    is_told: bool,
) -> None:
    totals = Totals({} if remembered is None else {"AW": remembered})
    assert totals.judge("AW", result(0, missing=1)) == Judgement()
    judgement = totals.release()
    assert len(judgement.accepted) == is_accepted
    assert len(judgement.refused) == (not is_accepted)
    (otherwise,) = [each.deviations for each in (*judgement.accepted, *judgement.refused)]
    assert len(otherwise) == is_told
    assert all("that of ads, account 1, " in each for each in otherwise)


def test_results_that_agree_refute_what_earlier_runs_showed() -> None:
    """Else no later night would ever load anything."""
    totals = Totals({"AW": False})
    totals.judge("AW", result(0, missing=1))
    assert len(totals.judge("AW", result(1, missing=1)).accepted) == 2
    assert totals.release() == Judgement(accepted=[], refused=[])


def test_a_whole_result_refutes_what_earlier_runs_showed() -> None:
    totals = Totals({"AW": True})
    lacking = result(0, missing=1)
    totals.judge("AW", lacking)
    assert totals.judge("AW", result(1, missing=0)).refused == [lacking]
