from __future__ import annotations

from datetime import datetime, timezone
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.extraction.results import Result, Spool
from tap_supermetrics.extraction.totals import Totals
from tap_supermetrics.model import Query
from tests.core.strategies import date_range

NOW = datetime(2024, 3, 1, 4, tzinfo=timezone.utc)


class NoFile(Spool):
    def __init__(self) -> None:
        self._file = BytesIO()
        self._sizes = []


def result(number: int, *, missing: int, rows: int = 3) -> Result:
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
    accepted += [result.query for result in totals.release()]
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
    assert len(totals.release()) == 1
