"""Reports on their way through a run: discovered, resolved, planned, with their state."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_supermetrics.api import wire
from tap_supermetrics.errors import SettingsError, TapError
from tap_supermetrics.model import SplitAccounts, account_id_of
from tap_supermetrics.planning.plan import plan_report, plan_test, scope_of
from tap_supermetrics.records.convert import Mismatches
from tap_supermetrics.records.schema import ACCOUNT_ID, DATE, ValueKind, is_dated, record_schema
from tap_supermetrics.sync.state import report_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from tap_supermetrics.api.wire import FieldInfo
    from tap_supermetrics.extraction.extraction import HeldResults
    from tap_supermetrics.model import Query, Report
    from tap_supermetrics.planning.plan import Scope
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.state import ReportState

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Course:
    """One report on its way through a run.

    Attributes:
        report: the entry of `queries`.
        schema: what its records look like.
        is_dated: whether its data source knows dates at all.
        state: what is known of it; changes while the run goes.
        scope: what it wants; None until it is planned.
        is_planned: whether that could be planned.
        queries: its part of the plan.
        mismatches: values that became null.
        first_given: the earliest day that the API gave in this run; None while it gave none.
        has_rows: whether any row of it was written.
        misfits: how many results did not fit what its records should be.
    """

    report: Report
    schema: RecordSchema
    is_dated: bool
    state: ReportState
    scope: Scope | None = None
    is_planned: bool = False
    queries: tuple[Query, ...] = ()
    mismatches: Mismatches = field(default_factory=Mismatches)
    first_given: date | None = None
    has_rows: bool = False
    misfits: int = 0

    def resolve(self, lookups: Lookups, now: datetime) -> Scope:
        """Find out what the report wants.

        Raises:
            SettingsError: its accounts are none, or too many.
            ApiError: the API refuses everything.
            TapError: the API does not tell its accounts.
        """
        lookups.check_names(self.report)
        self.scope = scope_of(
            self.report,
            lookups.accounts_of(self.report, is_dated=self.is_dated),
            now,
            replication_key=self.schema.replication_key,
            is_dated=self.is_dated,
            not_before=self.state.not_before,
        )
        _check_accounts(self.report, self.scope)
        if self.scope.is_over:
            logger.warning(
                "%s: no day to ask for, its first is after its last; see `start_date`, `end_date`",
                self.report.name,
            )
        if len(self.scope.groups) > 1 and ACCOUNT_ID not in self.schema.key_properties:
            logger.warning(
                "%s.key_properties: without %s, rows of several accounts may replace each other",
                self.report.path,
                ACCOUNT_ID,
            )
        return self.scope

    def plan(self, scope: Scope, held: HeldResults, *, ignores_coverage: bool) -> str:
        """Make the report's part of the plan.

        Args:
            scope: what it wants.
            held: what the API still holds; forgets what was asked otherwise.
            ignores_coverage: whether to read all again.

        Returns:
            A note for the user when the report asks for something else than it did; else empty.

        Raises:
            TapError: rows are there under another id or another key, and would be doubled.
        """
        state, asked = self.state, self.report.query_hash
        request_hash = wire.request_hash(self.report)
        self._check_key()
        self._check_groups(scope)
        note = self._changed() if state.query_hash not in {"", asked} else ""
        if note or request_hash != state.request_hash:
            held.forget(self.report.name)
        held.forget_half_days(self.report, scope.last_complete)
        state.query_hash, state.request_hash, state.batches = asked, request_hash, ()
        state.begin([account_id_of(group) for group in scope.groups])
        coverage = {} if ignores_coverage else state.coverage
        mine = [each for each in held.queries if each.report == self.report.name]
        self.queries = plan_report(self.report, scope, coverage, mine)
        for query in self.queries:
            # Days that are read again count as stale until they were.
            state.mark_lost(query.account_id, query.dates)
        self.is_planned = True
        return note

    def plan_test(self, scope: Scope) -> None:
        """Plan the few queries of a connection test."""
        self.queries = plan_test(self.report, scope)
        self.is_planned = True

    def _check_key(self) -> None:
        """Refuse another key than that of the rows in the target."""
        old, new = self.state.key_properties, self.schema.key_properties
        if old and {*old} != {*new}:
            raise TapError(
                f"its key was {', '.join(old)} and now is {', '.join(new)}: days read again would "
                "be in the target twice, under both. Set `fields` and `key_properties` back; or "
                f"empty the table, and remove bookmarks.{self.report.name} from the state; or "
                "give the report another name"
            )

    def _check_groups(self, scope: Scope) -> None:
        """Tell of accounts that are not asked any more, and refuse those that are grouped anew."""
        asked = {account_id_of(group): set(group) for group in scope.groups}
        old = [each for each in self.state.coverage if each not in asked]
        for account_id, accounts in asked.items():
            known = account_id in self.state.coverage or not scope.is_incremental
            twins = [each for each in old if _have_common(accounts, set(each.split(",")))]
            if twins and not known:
                raise TapError(
                    f"account {account_id} would be loaded twice: its rows are in the target as "
                    f"those of account {twins[0]}, because `ds_accounts` or "
                    "`split_accounts_policy` was another. Set it back; or empty the table, and "
                    f"remove bookmarks.{self.report.name} from the state; or give the report "
                    "another name"
                )
        if old and not self.report.accounts.ids:
            listed = ", ".join(old)
            logger.warning("%s: not listed by the API any more: %s", self.report.name, listed)

    def _changed(self) -> str:
        days = [each.bookmark for each in self.state.coverage.values() if each.bookmark]
        return (
            f"{self.report.name}: what it asks for has changed since the last run; days up to "
            f"{max(days, default='now')} were loaded as it was. To load them again, remove "
            f"bookmarks.{self.report.name} from the state, or give the report another name"
        )


def _have_common(some: set[str], others: set[str]) -> bool:
    """Whether two groups of accounts share one, as far as is known: who knows a team list?"""
    return bool(some & others) or any(each.startswith("list.") for each in some | others)


def discover(lookups: Lookups, reports: Sequence[Report]) -> dict[str, RecordSchema]:
    """The shape of every report, by name.

    Raises:
        ApiError: the fields of a data source cannot be had.
    """
    schemas: dict[str, RecordSchema] = {}
    for report, schema, _ in _discover(lookups, reports):
        schemas[report.name] = schema
        _warn_of_unlisted(report, schema)
    return schemas


def courses_of(
    lookups: Lookups, reports: Sequence[Report], bookmarks: Mapping[str, Any], now: datetime
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
            schema=schema,
            is_dated=dated,
            mismatches=Mismatches(are_refused=report.on_type_mismatch == "fail"),
            state=_state(report, schema, bookmarks.get(report.name), now, mistakes),
        )
        for report, schema, dated in _discover(lookups, reports)
    }
    if mistakes:
        raise SettingsError(mistakes)
    return courses


def _state(
    report: Report, schema: RecordSchema, raw: object, now: datetime, mistakes: list[str]
) -> ReportState:
    today = now.astimezone(report.timezone).date()
    start = report.start_date.on(today) if report.start_date else None
    return report_state(raw, report.name, schema.replication_key, start, mistakes)


def _discover(
    lookups: Lookups, reports: Sequence[Report]
) -> Iterator[tuple[Report, RecordSchema, bool]]:
    lookups.ask_for_fields(report.ds_id for report in reports)
    for report in reports:
        listed = lookups.fields_of(report)
        schema = record_schema(report, listed)
        _check_schema(report, schema, listed)
        yield report, schema, is_dated(report, listed)


def _warn_of_unlisted(report: Report, schema: RecordSchema) -> None:
    unlisted = [
        each.name for each in schema.fields if not each.is_listed and each.name not in report.types
    ]
    if unlisted:
        logger.warning(
            "%s: %s does not list %s; loaded as text, unless `types` says otherwise",
            report.path,
            report.ds_id,
            ", ".join(unlisted),
        )


def _check_schema(report: Report, schema: RecordSchema, listed: Sequence[FieldInfo]) -> None:
    _check_replication_key(report, schema, listed)
    day = {schema.replication_key, DATE}
    if schema.replication_key and not day & {*schema.key_properties}:
        mistake = (
            f"{report.path}.key_properties: add {schema.replication_key} or {DATE}; without the "
            "day in the key, each day would replace the one before"
        )
        raise SettingsError([mistake])
    needs_start = is_dated(report, listed) and not report.date_range_type
    if needs_start and report.start_date is None:
        raise SettingsError([f"{report.path}.start_date: required, {report.ds_id} has dates"])


def _check_replication_key(
    report: Report, schema: RecordSchema, listed: Sequence[FieldInfo]
) -> None:
    path, key = f"{report.path}.replication_key", report.replication_key
    if key == DATE and not is_dated(report, listed):
        raise SettingsError([f"{path}: leave it out, {report.ds_id} has no dates"])
    kinds = {each.name: each.kind for each in schema.fields}
    if key in kinds and kinds[key] is not ValueKind.DATE:
        raise SettingsError([f"{path}: expected a field of dates, {key} is {kinds[key].name}"])


def _check_accounts(report: Report, scope: Scope) -> None:
    if (
        scope.policy.split.accounts is SplitAccounts.NONE
        and len(scope.accounts) > wire.MAX_ACCOUNTS_PER_QUERY
    ):
        mistake = (
            f"{report.path}.ds_accounts: {len(scope.accounts)} accounts are too many for one "
            f"query, which takes {wire.MAX_ACCOUNTS_PER_QUERY}; set split_accounts_policy: all"
        )
        raise SettingsError([mistake])
