"""Reports on their way through a run: discovered, resolved, planned, with their state."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api import wire
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.planning.plan import account_id_of, plan_report, plan_test, scope_of
from tap_supermetrics.records import Mismatches
from tap_supermetrics.shapes import DATE, ValueKind, is_dated, shape_of
from tap_supermetrics.state import report_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.api.wire import FieldInfo
    from tap_supermetrics.directory import Directory
    from tap_supermetrics.planning.plan import Query, Scope
    from tap_supermetrics.settings import Report
    from tap_supermetrics.shapes import RecordShape
    from tap_supermetrics.state import ReportState

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Course:
    """One report on its way through a run.

    Attributes:
        report: the entry of `queries`.
        shape: what its records look like.
        is_dated: whether its data source knows dates at all.
        state: what is known of it; changes while the run goes.
        scope: what it wants; None until it is planned.
        queries: its part of the plan.
        mismatches: values that became null.
    """

    report: Report
    shape: RecordShape
    is_dated: bool
    state: ReportState
    scope: Scope | None = None
    queries: tuple[Query, ...] = ()
    mismatches: Mismatches = field(default_factory=Mismatches)

    def resolve(self, directory: Directory, now: datetime) -> Scope:
        """Find out what the report wants.

        Raises:
            SettingsError: its accounts are none, or too many.
            ApiError: the API refuses everything.
            TapError: the API does not tell its accounts.
        """
        directory.check_segments(self.report)
        self.scope = scope_of(
            self.report,
            directory.accounts_of(self.report, is_dated=self.is_dated),
            now,
            replication_key=self.shape.replication_key,
            is_dated=self.is_dated,
            not_before=self.state.not_before,
        )
        _check_accounts(self.report, self.scope)
        return self.scope

    def plan(self, scope: Scope, held: Sequence[Query], *, ignores_coverage: bool) -> str:
        """Make the report's part of the plan.

        Args:
            scope: what it wants.
            held: queries whose results the API still holds.
            ignores_coverage: whether to read all again.

        Returns:
            A note for the user when the report asks for something else than it did; else empty.
        """
        state, asked = self.state, self.report.query_hash
        is_changed = state.query_hash not in {"", asked}
        note = self._changed() if is_changed else ""
        state.query_hash, state.batches = asked, ()
        state.begin([account_id_of(group) for group in scope.groups])
        coverage = {} if ignores_coverage else state.coverage
        mine = [] if is_changed else [each for each in held if each.report == self.report.name]
        self.queries = plan_report(self.report, scope, coverage, mine)
        for query in self.queries:
            # Days that are read again count as stale until they were.
            state.mark_lost(query.account_id, query.dates)
        return note

    def plan_test(self, scope: Scope) -> None:
        """Plan the few queries of a connection test."""
        self.queries = plan_test(self.report, scope)

    def _changed(self) -> str:
        days = [each.bookmark for each in self.state.coverage.values() if each.bookmark]
        return (
            f"{self.report.name}: what it asks for has changed since the last run; days up to "
            f"{max(days, default='now')} were loaded as it was. To load them again, remove "
            f"bookmarks.{self.report.name} from the state, or give the report another name"
        )


def discover(directory: Directory, reports: Sequence[Report]) -> dict[str, RecordShape]:
    """The shape of every report, by name.

    Raises:
        ApiError: the fields of a data source cannot be had.
    """
    return {report.name: shape for report, shape, _ in _discover(directory, reports)}


def courses_of(
    directory: Directory, reports: Sequence[Report], bookmarks: Mapping[str, Any], now: datetime
) -> dict[str, Course]:
    """Reports with their shape and state, by name.

    Raises:
        SettingsError: a state cannot be understood.
        ApiError: the fields of a data source cannot be had.
    """
    mistakes: list[str] = []
    courses = {
        report.name: Course(
            report=report,
            shape=shape,
            is_dated=dated,
            state=_state(report, shape, bookmarks.get(report.name), now, mistakes),
        )
        for report, shape, dated in _discover(directory, reports)
    }
    if mistakes:
        raise SettingsError(mistakes)
    return courses


def _state(
    report: Report, shape: RecordShape, raw: object, now: datetime, mistakes: list[str]
) -> ReportState:
    today = now.astimezone(report.timezone).date()
    start = report.start_date.on(today) if report.start_date else None
    return report_state(raw, report.name, shape.replication_key, start, mistakes)


def _discover(
    directory: Directory, reports: Sequence[Report]
) -> Iterator[tuple[Report, RecordShape, bool]]:
    directory.ask_for_fields(report.ds_id for report in reports)
    for report in reports:
        listed = directory.fields_of(report)
        shape = shape_of(report, listed)
        _check_shape(report, shape, listed)
        yield report, shape, is_dated(listed)


def _check_shape(report: Report, shape: RecordShape, listed: Sequence[FieldInfo]) -> None:
    unlisted = [
        each.name for each in shape.fields if not each.is_listed and each.name not in report.types
    ]
    if unlisted:
        logger.warning(
            "%s: %s does not list %s; loaded as text, unless `types` says otherwise",
            report.path,
            report.ds_id,
            ", ".join(unlisted),
        )
    _check_replication_key(report, shape, listed)
    needs_start = is_dated(listed) and not report.date_range_type
    if needs_start and report.start_date is None:
        raise SettingsError([f"{report.path}.start_date: required, {report.ds_id} has dates"])


def _check_replication_key(report: Report, shape: RecordShape, listed: Sequence[FieldInfo]) -> None:
    path, key = f"{report.path}.replication_key", report.replication_key
    if key == DATE and not is_dated(listed):
        raise SettingsError([f"{path}: leave it out, {report.ds_id} has no dates"])
    kinds = {each.name: each.kind for each in shape.fields}
    if key in kinds and kinds[key] is not ValueKind.DATE:
        raise SettingsError([f"{path}: expected a field of dates, {key} is {kinds[key].name}"])


def _check_accounts(report: Report, scope: Scope) -> None:
    if not scope.policy.split_accounts and len(scope.accounts) > wire.MAX_ACCOUNTS_PER_QUERY:
        mistake = (
            f"{report.path}.ds_accounts: {len(scope.accounts)} accounts are too many for one "
            f"query, which takes {wire.MAX_ACCOUNTS_PER_QUERY}; set split_accounts_policy: all"
        )
        raise SettingsError([mistake])
