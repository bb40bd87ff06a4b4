"""States of several runs made into one, and what a person may do to it: prune and rename.

The state of a shard may contain accounts of other shards, from before there were any: the state of
an account's own shard decides.
"""

from __future__ import annotations

from functools import reduce
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.extraction.retained_results import one_each
from tap_supermetrics.model import AsyncRun
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.sync.state import ReportState, report_state
from tap_supermetrics.sync.state_checks import check_state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import date

    from tap_supermetrics.model import Shard

T = TypeVar("T")

_ONCE_MORE: Final = "let each run once more under the same settings, then merge"
States = dict[str, ReportState]
"""States of reports, by name of the report or of the file."""

_BY_HAND: Final = (
    "its days are written by hand, without a first one (`covered` or `covered_from`); let a run "
    "with this state end first, and take the state that it leaves"
)


def merge_states(
    given: Mapping[str, Mapping[str, Any]], last_day: date, *, is_partial: bool = False
) -> States:
    """Return several states as one, by report; it belongs to no shard.

    Args:
        given: Singer states, by name of the file.
        last_day: no later day can have been loaded, anywhere on earth.
        is_partial: whether the states of some shards may be missing.

    Raises:
        SettingsError: a state cannot be understood, or two of them contradict each other.
    """
    by_report: dict[str, States] = {}
    for file, state in given.items():
        for report, each in _read(file, state, last_day).items():
            by_report.setdefault(report, {})[file] = each
    _check_shards(by_report.values(), is_partial=is_partial)
    return {report: _merge(report, found) for report, found in by_report.items()}


def rename(states: States, old: str, new: str) -> States:
    """Return states in which a report has another name.

    Raises:
        SettingsError: there is no such report, or the name is another's.
    """
    _check_known(states, old, "--rename")
    if new in states:
        raise SettingsError([f"--rename: {new} is the name of another report in the state"])
    return {new if name == old else name: each for name, each in states.items()}


def without_report(states: States, name: str) -> States:
    """Return states without a report.

    Raises:
        SettingsError: there is no such report.
    """
    _check_known(states, name, "--remove-report")
    return {other: each for other, each in states.items() if other != name}


def without_account(states: States, account_id: str) -> States:
    """Return states in which no report covers a day of an account.

    Raises:
        SettingsError: no report has such an account.
    """
    having = [each for each in states.values() if account_id in each.coverage]
    if not having:
        raise SettingsError([f"--remove-account: no report of the state has {account_id}"])
    for each in having:
        del each.coverage[account_id]
    return states


def _check_known(states: States, name: str, option: str) -> None:
    if name not in states:
        known = ", ".join(states) or "none"
        raise SettingsError([f"{option}: the state has no report {name}; it has {known}"])


def _read(file: str, state: Mapping[str, Any], last_day: date) -> States:
    bookmarks = state.get("bookmarks")
    # `check_state` refuses whatever is no object, and names its place.
    names = [*bookmarks] if isinstance(bookmarks, dict) else []
    try:
        check_state(state, names, last_day, shard=None)
    except SettingsError as error:
        raise SettingsError([f"{file}: {each}" for each in error.mistakes]) from None
    return {name: _read_report(file, name, state["bookmarks"][name]) for name in names}


def _read_report(file: str, name: str, raw: Mapping[str, Any]) -> ReportState:
    keys = [str(each.get("replication_key") or "") for each in raw.get("partitions") or ()]
    key = _agreed(name, "the replication key", [(file, each) for each in keys])
    # `check_state` has raised all mistakes: none can be collected here.
    state = report_state(raw, name, key or "", None, [])
    by_hand = [each for each in state.coverage.values() if each.bookmark and not each.covered]
    if state.stream_bookmark or by_hand:
        raise SettingsError([f"{file}: state.bookmarks.{name}: {_BY_HAND}"])
    return state


def _check_shards(found: Iterable[States], *, is_partial: bool) -> None:
    """Refuse states that are not one for each shard of one split.

    Raises:
        SettingsError: a shard is there twice, belongs to another split, or is missing.
    """
    files: dict[Shard, set[str]] = {}
    for states in found:
        for file, state in states.items():
            if not state.shard.is_whole:
                files.setdefault(state.shard, set()).add(file)
    mistakes = [*_twice(files), *_of_several_splits(files)]
    if not (mistakes or is_partial):
        mistakes = [*_missing(files)]
    if mistakes:
        raise SettingsError(mistakes)


def _twice(files: Mapping[Shard, Collection[str]]) -> Iterator[str]:
    for shard, holders in files.items():
        if len(holders) > 1:
            yield f"{' and '.join(sorted(holders))} are both of shard {shard}: give the newest only"


def _of_several_splits(files: Mapping[Shard, Collection[str]]) -> Iterator[str]:
    if len({shard.count for shard in files}) > 1:
        named = ", ".join(
            f"{shard} in {each}" for shard, holders in files.items() for each in holders
        )
        yield f"expected the shards of one split, got {named}"


def _missing(files: Mapping[Shard, Collection[str]]) -> Iterator[str]:
    count = next((shard.count for shard in files), 0)
    numbers = {*range(1, count + 1)} - {shard.number for shard in files}
    if numbers:
        named = ", ".join(f"{each}/{count}" for each in sorted(numbers))
        yield (
            f"the state of shard {named} is missing: the days of its accounts would be read again; "
            "add its file, or --partial where there is none"
        )


def _merge(report: str, found: States) -> ReportState:
    """Return the states of one report as one.

    Raises:
        SettingsError: they contradict each other.
    """

    def agreed(
        what: str, of: Callable[[ReportState], T], among: States = found, advice: str = _ONCE_MORE
    ) -> T | None:
        return _agreed(report, what, [(file, of(each)) for file, each in among.items()], advice)

    def by_column(what: str, of: Callable[[ReportState], Mapping[str, str]]) -> dict[str, str]:
        def of_column(column: str) -> str:
            return agreed(f"the {what} of {column}", lambda each: of(each).get(column, "")) or ""

        columns = dict.fromkeys(column for each in found.values() for column in of(each))
        return {column: of_column(column) for column in columns}

    agreed("the key", lambda each: ", ".join(sorted(each.key_properties)))
    agreed(
        "what `_sm_dimensions` of its key joins",
        lambda each: ", ".join(each.joined),
        advice="rows of both stand in the table: empty it, and load the report anew",
    )
    states = [*found.values()]
    types = by_column("type", attrgetter("types"))
    units = by_column("unit", attrgetter("units"))
    headers = {each.header_in_totals for each in states} - {None}
    unfinished = {file: each for file, each in found.items() if each.batches or each.async_run}
    # With nothing on its way, it only names the last request: states need not agree on it.
    newest = dict([*found.items()][-1:])
    return ReportState(
        replication_key=agreed("the replication key", attrgetter("replication_key")) or "",
        start=None,
        query_hash=agreed("what it asks for (`query_hash`)", attrgetter("query_hash")) or "",
        request_hash=agreed(
            "how it asked for what is on its way (`request_hash`)",
            attrgetter("request_hash"),
            unfinished or newest,
        )
        or "",
        key_properties=next((each.key_properties for each in states if each.key_properties), ()),
        joined=next((each.joined for each in states if each.joined), ()),
        types=types,
        units=units,
        header_in_totals=headers.pop() if len(headers) == 1 else None,
        coverage=dict(_coverage(states)),
        batches=one_each(batch for each in states for batch in each.batches),
        # Where states differ, each account has its own.
        not_before=states[0].not_before if len({each.not_before for each in states}) == 1 else None,
        wanted_from=min(filter(None, (each.wanted_from for each in states)), default=None),
        async_run=agreed("the run that is on its way (`async_run`)", attrgetter("async_run")),
        had_stream_bookmark=any(each.had_stream_bookmark for each in states),
    )


def _agreed(
    report: str, what: str, values: Iterable[tuple[str, T]], advice: str = _ONCE_MORE
) -> T | None:
    """Return the value of all files that have one; None where none has.

    Raises:
        SettingsError: two have different values.
    """
    given = [(file, each) for file, each in values if each]
    for file, each in given:
        if each != given[0][1]:
            first = f"{_id_or_value(given[0][1])} in {given[0][0]}"
            text = f"{report}: {what} is {first} and {_id_or_value(each)} in {file}"
            raise SettingsError([f"{text}; {advice}"])
    return given[0][1] if given else None


def _id_or_value(value: object) -> object:
    return value.id if isinstance(value, AsyncRun) else value


def _coverage(states: Iterable[ReportState]) -> Iterator[tuple[str, Coverage]]:
    """Yield the coverage of each account, by the states that know it best."""
    known = [*states]
    for account_id in dict.fromkeys(each for state in known for each in state.coverage):
        of_account = [each for each in known if account_id in each.coverage]
        # A state from before the shards, or of another shard, may lack days that were read since.
        owners = [each for each in of_account if _owns(each.shard, account_id.split(","))]
        found = (each.coverage_of(account_id) for each in owners or of_account)
        yield account_id, reduce(Coverage.merged_with, found)


def _owns(shard: Shard, accounts: Collection[str]) -> bool:
    return not shard.is_whole and shard.owns_together(tuple(accounts))
