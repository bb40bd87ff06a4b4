"""Finds what cannot be in the state of a run, before anything is requested."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tap_supermetrics.dates import ONE_DAY
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.model import WHOLE, Shard
from tap_supermetrics.sync.state import report_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.state import ReportState


def last_day_anywhere() -> date:
    """Return the last day that can have been loaded: somewhere on earth it is tomorrow already."""
    return datetime.now(tz=timezone.utc).date() + ONE_DAY


def check_state_of(state: Mapping[str, Any], settings: Settings) -> None:
    """Check the state that a run of these settings is given.

    Raises:
        SettingsError: with every mistake.
    """
    names = [report.name for report in settings.reports]
    check_state(state, names, last_day_anywhere(), settings.shard)


def check_state(
    state: Mapping[str, Any], reports: Sequence[str], last_day: date, shard: Shard | None = WHOLE
) -> None:
    """Check the state of a whole run.

    Args:
        state: as it was given.
        reports: names of the reports; the rest of the state is not checked.
        last_day: no later day can have been loaded, anywhere on earth.
        shard: of the run that it is given to; None where any will do.

    Raises:
        SettingsError: with every mistake.
    """
    bookmarks = state.get("bookmarks", {})
    is_other = "bookmarks" not in state and set(state) - {"currently_syncing"}
    if is_other or not isinstance(bookmarks, dict):
        raise SettingsError(["state: expected an object with `bookmarks` by stream"])
    mistakes = [
        f"state.bookmarks.{name}: expected an object"
        for name, bookmark in bookmarks.items()
        if not isinstance(bookmark, dict)
    ]
    for name in reports:
        if isinstance(bookmarks.get(name), dict):
            read = report_state(bookmarks[name], name, "", None, mistakes)
            mistakes += _to_come(read, f"state.bookmarks.{name}", last_day)
            mistakes += _of_other_shard(read.shard, shard or read.shard)
    if mistakes:
        raise SettingsError([*dict.fromkeys(mistakes)])


def _of_other_shard(found: Shard, wanted: Shard) -> Iterator[str]:
    """Find a state by which the accounts of this shard would be read as if they were new.

    A state without a shard has all accounts.
    """
    if found.is_whole or found == wanted:
        return
    is_set = "is not set" if wanted.is_whole else f"is {wanted}"
    what = f"state: it is that of shard {found}, and `shard` {is_set}: days would be read twice"
    if found.count == wanted.count:
        yield f"{what}. Give each shard a state of its own, by its own state id"
    else:
        yield (
            f"{what}. Where the number of shards was changed, give each new one what "
            f"`tap-supermetrics state merge` makes of the states of all {found.count} old ones"
        )


def _to_come(state: ReportState, path: str, last_day: date) -> Iterator[str]:
    """Find days that cannot have been loaded yet, which would never be queried."""
    firsts = [state.not_before, *(each.not_before for each in state.coverage.values())]
    if (first := max(filter(None, firsts), default=last_day)) > last_day:
        yield f"{path}.not_before: expected a day up to today, got {first}; remove it to ask again"
    for account_id, coverage in [*state.coverage.items(), ("", state.stream_bookmark)]:
        days = [each.last for each in coverage.covered] if coverage else []
        bookmark = coverage.bookmark if coverage else None
        late = max((*days, *([bookmark] if bookmark else [])), default=last_day)
        if late > last_day:
            of_account = f" of account {account_id}" if account_id else ""
            yield f"{path}: expected days up to today, got {late}{of_account}"
