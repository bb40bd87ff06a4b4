from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tap_supermetrics.dates import DateRange
from tap_supermetrics.planning.coverage import Coverage, DaysFetched, Lookback
from tests.core.strategies import (
    coverages,
    date_range,
    date_ranges,
    day,
    day_numbers,
    days_of,
    moments,
)


def lookback_until(last: date, days: int) -> Lookback:
    return Lookback(days=days, last_wanted=last, last_known=last, is_timed=True)


@given(coverages(), date_ranges(), st.integers(0, 40), st.none() | moments)
def test_needed_is_what_is_not_covered_or_stale_or_within_the_lookback(
    coverage: Coverage, wanted: DateRange, lookback_days: int, fresh_since: datetime | None
) -> None:
    settled = days_of(*coverage.covered)
    if within := [each for each in settled if each <= wanted.last]:
        last = max(within)
        restated = {last - timedelta(days=ago) for ago in range(lookback_days)}
        fresh = [each.dates for each in coverage.fetched if fresh_since and each.at > fresh_since]
        old = {
            each
            for each in days_of(*coverage.settled)
            if (wanted.last - each).days >= lookback_days
        }
        settled -= restated - days_of(*fresh) - old
    needed = coverage.needed(wanted, lookback_days, fresh_since)
    assert days_of(*needed) == days_of(wanted) - (settled - days_of(*coverage.stale))
    assert list(needed) == sorted(needed)


@given(coverages(), date_ranges(), moments, st.integers(0, 9), st.integers(0, 9))
def test_the_newest_fetch_of_each_day_of_the_lookback_is_remembered(
    coverage: Coverage, dates: DateRange, at: datetime, lookback_days: int, later: int
) -> None:
    done = coverage.with_done(dates, day(0))
    last_wanted = dates.last + timedelta(days=later)
    lookback = lookback_until(last_wanted, lookback_days)
    after = done.with_fetch(DaysFetched(dates=dates, at=at), lookback)
    assert replace(after, fetched=coverage.fetched) == done
    known = [(each, fetch.at) for fetch in after.fetched for each in fetch.dates.each_day()]
    assert len(dict(known)) == len(known)
    last = max(each for each in days_of(*after.covered) if each <= last_wanted)
    recent = {last - timedelta(days=ago) for ago in range(lookback_days)}
    for each in days_of(dates) & recent:
        assert dict(known)[each] == at
    first = min(recent, default=date.max)
    assert all(fetch.dates.last >= first for fetch in after.fetched)


@given(st.lists(st.tuples(date_ranges(), st.integers(0, 20)), max_size=8), st.integers(0, 6))
def test_a_day_is_read_again_until_it_was_read_when_it_was_older_than_the_lookback(
    readings: list[tuple[DateRange, int]], lookback_days: int
) -> None:
    coverage, read_on, tonight = Coverage(), dict[date, date](), day(0)
    for dates, nights in readings:
        # Each run wants days up to its own, which is never before that of the run before it.
        tonight = max(tonight, dates.last) + timedelta(days=nights)
        coverage = coverage.with_done(dates, day(0)).with_settled(
            dates, lookback_until(tonight, lookback_days)
        )
        read_on |= dict.fromkeys(dates.each_day(), tonight)
    tonight += timedelta(days=1)
    needed = coverage.needed(DateRange(first=day(0), last=tonight), lookback_days)
    reached = set(range_before(max(read_on, default=day(0)), lookback_days))
    assert {each for each in read_on if each in days_of(*needed)} == {
        each for each, at in read_on.items() if each in reached and (at - each).days < lookback_days
    }


def range_before(last: date, days: int) -> list[date]:
    return [last - timedelta(days=ago) for ago in range(days)]


def test_numbers_of_a_cache_settle_no_day_of_the_lookback() -> None:
    done, tonight = date_range(0, 9), day(30)
    cached = Lookback(days=3, last_wanted=tonight, last_known=day(10))
    coverage = Coverage().with_done(done, day(0)).with_settled(done, cached)
    wanted = DateRange(first=day(0), last=tonight)
    assert coverage.needed(wanted, 3) == (date_range(8, 30),)


def test_what_a_shorter_lookback_settled_a_longer_one_reads_again() -> None:
    done = date_range(0, 9)
    coverage = Coverage().with_done(done, day(0)).with_settled(done, lookback_until(day(12), 3))
    wanted = DateRange(first=day(0), last=day(13))
    assert coverage.needed(wanted, 3) == (date_range(10, 13),)
    assert coverage.needed(wanted, 6) == (date_range(4, 6), date_range(8, 13))


@given(date_ranges(), st.integers(0, 366))
def test_without_coverage_all_that_is_wanted_is_needed(wanted: DateRange, lookback: int) -> None:
    assert Coverage().needed(wanted, lookback) == (wanted,)


@given(coverages(), date_ranges())
def test_what_was_done_is_not_needed_again_without_lookback(
    coverage: Coverage, done: DateRange
) -> None:
    assert coverage.with_done(done, day(0)).needed(done, 0) == ()


@given(coverages(), date_ranges(), day_numbers)
def test_the_bookmark_never_goes_back(coverage: Coverage, done: DateRange, start: int) -> None:
    after = coverage.with_done(done, day(start))
    if coverage.bookmark:
        assert after.bookmark is not None
        assert after.bookmark >= coverage.bookmark


@given(coverages(), date_ranges(), day_numbers)
def test_the_bookmark_is_the_last_day_without_a_gap_from_the_start(
    coverage: Coverage, done: DateRange, start: int
) -> None:
    after = coverage.with_done(done, day(start))
    covered, reached = days_of(*after.covered), day(start)
    while reached in covered:
        reached += timedelta(days=1)
    last = reached - timedelta(days=1) if reached > day(start) else None
    known = [each for each in (last, coverage.bookmark) if each]
    assert after.bookmark == max(known, default=None)


@given(coverages(), date_ranges(), day_numbers)
def test_done_days_are_covered_and_fresh_and_nothing_else_changes(
    coverage: Coverage, done: DateRange, start: int
) -> None:
    after = coverage.with_done(done, day(start))
    assert days_of(*after.covered) == days_of(*coverage.covered) | days_of(done)
    assert days_of(*after.stale) == days_of(*coverage.stale) - days_of(done)


@given(coverages(), date_ranges())
def test_failed_days_make_only_covered_days_stale(coverage: Coverage, failed: DateRange) -> None:
    after = coverage.with_stale(failed)
    assert after.covered == coverage.covered
    assert after.bookmark == coverage.bookmark
    gone = days_of(failed) & days_of(*coverage.covered)
    assert days_of(*after.stale) == days_of(*coverage.stale) | gone


@given(coverages(), date_ranges(), st.integers(0, 10))
def test_what_failed_is_needed_again(
    coverage: Coverage, failed: DateRange, lookback_days: int
) -> None:
    assert coverage.with_stale(failed).needed(failed, lookback_days) == (failed,)


def test_an_empty_start_gives_no_bookmark() -> None:
    assert Coverage().with_done(date_range(3, 5), day(0)).bookmark is None


def test_the_lookback_counts_from_the_last_covered_day() -> None:
    coverage = Coverage().with_done(date_range(0, 9), day(0))
    assert coverage.needed(date_range(0, 11), 3) == (date_range(7, 11),)


def test_days_after_what_is_wanted_take_no_lookback_away() -> None:
    trial = Coverage().with_done(date_range(19, 21), day(19))
    coverage = trial.with_done(date_range(0, 4), day(0))
    assert coverage.needed(date_range(0, 5), 3) == (date_range(2, 5),)


def test_coverage_up_to_the_last_day_of_the_calendar_is_understood() -> None:
    covered = (DateRange(first=day(0), last=date.max),)
    coverage = Coverage(covered=covered, bookmark=date.max)
    assert coverage.with_done(date_range(1, 2), day(0)).covered == covered


def test_a_lookback_longer_than_the_calendar_is_understood() -> None:
    first = DateRange(first=date.min, last=date.min)
    coverage = Coverage().with_done(first, date.min)
    assert coverage.needed(first, 366) == (first,)
