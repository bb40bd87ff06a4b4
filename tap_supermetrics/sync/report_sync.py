"""Reports on their way through a run: known, planned, emitted, committed to the state."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api import wire
from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.dates import ONE_DAY
from tap_supermetrics.errors import SettingsError
from tap_supermetrics.extraction.totals import CONFIRMED_BY
from tap_supermetrics.model import SplitAccounts, account_id_of
from tap_supermetrics.model.columns import ACCOUNT_ID, DATE, FETCHED_AT, SCHEDULE_ID
from tap_supermetrics.planning.coverage import Lookback
from tap_supermetrics.planning.plan import ReportPlan, plan_report, plan_test
from tap_supermetrics.planning.scope import scope_of
from tap_supermetrics.records.checks import OtherAccounts
from tap_supermetrics.records.convert import Mismatches, RecordReader
from tap_supermetrics.sync.continuity import (
    check_day,
    check_groups,
    check_key,
    class_changes,
    learn_types,
    query_change,
    range_gap,
    type_changes,
)
from tap_supermetrics.sync.name_checks import check_against_lists, one_spelling
from tap_supermetrics.sync.remarks import (
    FromCache,
    count_deviations,
    remarks_on_cache,
    remarks_on_results,
    remarks_on_values,
)
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import TypeVar

    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.extraction.results import Failed, Provenance, Result
    from tap_supermetrics.extraction.retained_results import RetainedResults
    from tap_supermetrics.model import Report
    from tap_supermetrics.planning.scope import Scope
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.state import ReportState

    T = TypeVar("T")
    # Makes records, in any form, of the blocks of rows of one result.
    Converter = Callable[[RecordReader, Iterator[bytes]], Iterator[T]]

logger = logging.getLogger(__name__)

_UNCHECKED: Final = ("filter", "settings", "ds_segments", "order_rows", "order_columns")
"""Parameters of a report that no list of the API can confirm."""
_OF_ALL: Final = {Reach.SERVICE, Reach.ENDPOINT, Reach.SOURCE}
"""Reaches of errors that affect every account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReport:
    """One report as the API describes it, before it is planned.

    Attributes:
        report: the entry of `queries`.
        schema: what its records look like.
        state: its coverage and submitted batches; changes while the run goes.
    """

    report: Report
    schema: RecordSchema
    state: ReportState

    @property
    def may_be_refused(self) -> bool:
        """Return whether the API may refuse what every query of the report requests.

        The API may know a field that it does not list. What it does not list at all, such as a
        filter, is unconfirmed until rows came.
        """
        has_unlisted = any(
            not each.is_listed and each.name not in self.report.types for each in self.schema.fields
        )
        is_known = self.state.query_hash == self.report.query_hash and any(
            each.is_loaded for each in self.state.coverage.values()
        )
        return has_unlisted or (not is_known and any(map(self.report.parameters.get, _UNCHECKED)))

    def resolve(self, lookups: Lookups, now: datetime) -> Scope:
        """Resolve accounts and days by the API's lists, and warn of what is doubtful.

        In a run, a team list may cost a query.

        Raises:
            SettingsError: it has no accounts, or too many.
            ApiError: the API refuses everything.
            TapError: the API does not list its accounts.
        """
        # Accounts that are queried together are one id in the state, joined by commas.
        there = (ids for ids, each in self.state.coverage.items() if each.is_loaded)
        loaded = {each for ids in there for each in ids.split(",")}
        check_against_lists(lookups, self.report, loaded)
        accounts = lookups.accounts_of(self.report, is_dated=self.schema.is_dated)
        scope = scope_of(
            self.report,
            one_spelling(lookups, self.report, accounts, loaded),
            now,
            replication_key=self.schema.replication_key,
            is_dated=self.schema.is_dated,
        )
        _check_accounts(self.report, scope)
        self._log_share(scope)
        self._warn_of_first_days()
        if scope.has_no_day:
            logger.warning("%s: no day to ask for, %s", self.report.name, _why(self.report, scope))
        if len(scope.groups) > 1 and ACCOUNT_ID not in self.schema.key_properties:
            logger.warning(
                "%s.key_properties: without %s, rows of several accounts may replace each other",
                self.report.path,
                ACCOUNT_ID,
            )
        return scope

    def _log_share(self, scope: Scope) -> None:
        shard = self.report.shard
        if scope.is_elsewhere:
            logger.info("%s: nothing of it is in shard %s", self.report.name, shard)
        elif not shard.is_whole:
            count = len(scope.accounts)
            logger.info("%s: shard %s has %d of its accounts", self.report.name, shard, count)

    def _log_left_behind(self, scope: Scope, plan: ReportPlan) -> None:
        firsts = [part.dates.first for each in plan.accounts for part in each.parts if part.dates]
        if scope.wanted and firsts and min(firsts) < scope.wanted.first:
            logger.info(
                "%s: read from %s on, as no run has loaded all days before %s (`start_date`, which "
                "moves)",
                self.report.name,
                min(firsts),
                scope.wanted.first,
            )

    def _warn_of_first_days(self) -> None:
        """Warn of days that are not requested any more: no answer could ever contradict that."""
        state = self.state
        firsts = Counter(state.coverage_of(each).not_before for each in state.coverage)
        for first, count in firsts.items():
            if state.start and first and state.start < first:
                of_some = f" of {counted(count, 'account', 'accounts')}" if len(firsts) > 1 else ""
                text = (
                    "%s: days before %s%s are not asked for, as the API refused them in an earlier "
                    "run; set `start_date` to that day, or remove `not_before` from bookmarks.%s "
                    "of the state to have them asked for again"
                )
                logger.warning(text, self.report.name, first, of_some, self.report.name)

    def test_plan(self, scope: Scope) -> PlannedReport:
        """Plan the few queries of a connection test."""
        return PlannedReport(known=self, plan=plan_test(self.report, scope))

    def plan(
        self, scope: Scope, retained: RetainedResults, *, ignores_coverage: bool
    ) -> PlannedReport:
        """Plan the report.

        Args:
            scope: what it wants.
            retained: results that the API retains; forgets those of other requests.
            ignores_coverage: whether to read all again.

        Raises:
            TapError: rows were loaded under another id or another key, and would be doubled.
        """
        state, query_hash = self.state, self.report.query_hash
        # Before `query_hash` of the state changes.
        is_tried_first = self.may_be_refused
        request_hash = wire.request_hash(self.report)
        # Refused before the state changes, so that a corrected configuration finds it unchanged.
        check_day(self.report, self.schema, state)
        check_key(self.report, self.schema, state)
        check_groups(self.report, scope, state)
        is_other = state.query_hash not in {"", query_hash}
        warnings = [*type_changes(self.report, self.schema, state)]
        warnings += class_changes(self.report, self.schema, state)
        warnings += range_gap(self.report, self.schema, scope, state)
        warnings += [query_change(self.report, state)] if is_other else []
        if is_other or request_hash != state.request_hash:
            retained.forget(self.report.name)
        retained.forget_half_days(self.report, scope.last_complete)
        # Batches that this run waits for are named again when the engine takes them over.
        state.query_hash, state.request_hash, state.batches = query_hash, request_hash, ()
        state.shard = self.report.shard
        account_ids = [account_id_of(group) for group in scope.groups]
        state.begin(account_ids)
        moves = scope.start_moves and scope.is_incremental
        state.want_from(scope.wanted.first if scope.wanted and moves else None, account_ids)
        # After `forget`: results of no use must not shape the plan.
        mine = [each for each in retained.queries if each.report == self.report.name]
        known = {account_id: state.coverage_of(account_id) for account_id in state.coverage}
        plan = plan_report(self.report, scope, known, mine, ignores_coverage=ignores_coverage)
        self._log_left_behind(scope, plan)
        return PlannedReport(
            known=self,
            plan=replace(
                plan, is_tried_first=is_tried_first, header_in_totals=state.header_in_totals
            ),
            warnings=warnings,
        )


@dataclass(slots=True, kw_only=True)
class PlannedReport:
    """One report on its way through a run.

    Attributes:
        known: the report, its schema and its state.
        plan: what is queried.
        warnings: what has changed since days were loaded before, a line each.
        mismatches: values that were changed to fit.
        sampled: how many results have numbers that the data source estimated.
        cached: what came from the API's cache.
        deviations: how results deviate from what was requested, counted.
        others: keys of all accounts, where the key has no account.
        answered: ids of accounts with a result in this run.
        lacking: how many results had one row less than their total.
    """

    known: KnownReport
    plan: ReportPlan
    warnings: Sequence[str] = ()
    mismatches: Mismatches = field(init=False)
    sampled: int = 0
    cached: FromCache = field(default_factory=FromCache)
    deviations: Counter[str] = field(default_factory=Counter)
    others: OtherAccounts | None = None
    answered: set[str] = field(default_factory=set)
    lacking: int = 0
    _rows_by_day: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mismatches = Mismatches(are_refused=self.known.report.on_type_mismatch == "fail")
        if len(self.plan.accounts) > 1 and ACCOUNT_ID not in self.known.schema.key_properties:
            self.others = OtherAccounts()

    def begin(self) -> None:
        """Mark the days that are read again as stale, until they were read."""
        for account in self.plan.accounts:
            # Only covered days become stale.
            dates = (part.dates for part in account.parts)
            self.known.state.mark_stale(account.whole.account_id, *dates)

    def emit(self, result: Result, convert: Converter[T]) -> Iterator[T]:
        """Yield the records of a result.

        Raises:
            ApiError: the rows fit no record; the records before them are right.
        """
        known, reader = self.known, self._reader(result)
        self._rows_by_day = reader.checks.rows_by_day
        for number, made in enumerate(convert(reader, result.spool.blocks())):
            if not number:
                # The target has a table now, even if the rest of the result fails.
                learn_types(known.report, known.schema, known.state)
            yield made

    def rows_of_days(self, result: Result) -> list[int]:
        """Return how many rows each day of the result that was emitted last has.

        Its days are those that were requested, or that the API made of a range. Empty where it has
        one day only, or where its rows have no day.
        """
        dates = result.dates or result.echoed_dates
        if not dates or dates.days == 1 or sum(self._rows_by_day.values()) != result.row_count:
            return []
        return [self._rows_by_day.get(str(day), 0) for day in dates.each_day()]

    def commit(self, result: Result) -> DateRange | None:
        """Count the days of a result as read: every record of it was written.

        Returns:
            Its days that were over when its numbers were made.
        """
        report, state, provenance = self.known.report, self.known.state, result.provenance
        self.sampled += provenance.is_sampled
        self.cached.undated += provenance.is_cached and provenance.cached_at is None
        count_deviations(self.deviations, result)
        covered = self._covered(result)
        self.answered.add(result.query.account_id)
        self._learn_totals(result)
        state.mark_done(
            result.query.account_id,
            covered,
            # Numbers from the cache are as old as in there, whenever they were fetched.
            min(result.fetched_at, provenance.cached_at or result.fetched_at),
            _lookback_of(report, self.plan.scope, provenance),
        )
        schema = self.known.schema
        state.key_properties, state.joined = schema.key_properties, schema.joined
        learn_types(report, schema, state)  # of an empty result too
        return covered

    def _learn_totals(self, result: Result) -> None:
        """Learn whether totals count a header: one whole result refutes it, a few confirm it."""
        self.lacking += result.missing or 0
        if result.row_count and result.missing == 0:
            self.known.state.header_in_totals = False
        elif self.lacking >= CONFIRMED_BY:
            self.known.state.header_in_totals = True

    def _covered(self, result: Result) -> DateRange | None:
        """Return the days that a result covers: those that were over when its numbers were made."""
        dates, cached_at = self.plan.scope.complete(result.dates), result.provenance.cached_at
        if dates is None or cached_at is None:
            return dates
        # The day on which the numbers were made was not over then.
        made_on = cached_at.astimezone(self.known.report.timezone).date()
        known = self.known.state.coverage_of(result.query.account_id).covered
        self.cached.count_days(dates, known, made_on, self.plan.scope.last_complete)
        last = min(dates.last, made_on - ONE_DAY)
        return replace(dates, last=last) if dates.first <= last else None

    def remarks(self) -> Iterator[str]:
        """Yield remarks on the values that were written, a line each."""
        name = self.known.report.name
        yield from remarks_on_values(name, self.mismatches)
        yield from remarks_on_results(name, self.deviations, self.sampled)
        yield from remarks_on_cache(name, self.cached)

    def fail(self, failed: Failed, at: datetime) -> None:
        """Mark the days of a query as stale.

        Args:
            failed: the query, with its error.
            at: now, with offset.
        """
        account_id, state = failed.query.account_id, self.known.state
        state.mark_stale(account_id, failed.query.dates)
        # Neither what stops a run nor one day of an account that answers is about the account.
        is_of_account = failed.was_submitted and failed.error.reach not in _OF_ALL
        if is_of_account and account_id not in self.answered:
            state.mark_tried(account_id, at)

    def _reader(self, result: Result) -> RecordReader:
        """Return a reader that makes records of a result's rows."""
        dates = result.query.dates
        # With several days, only the rows have theirs.
        day = str(dates.first) if dates and dates.days == 1 else None
        return RecordReader(
            self.known.schema,
            result.fields,
            {
                ACCOUNT_ID: result.query.account_id,
                DATE: day,
                FETCHED_AT: result.fetched_at.isoformat(timespec="milliseconds"),
                SCHEDULE_ID: result.schedule_id,
            },
            self.mismatches,
            dates,
            others=self.others,
            width=result.width,
        )


def _lookback_of(report: Report, scope: Scope, provenance: Provenance) -> Lookback:
    """Return the lookback as it was when numbers were made."""
    last = min(scope.last_wanted, scope.last_complete or date.max)
    if provenance.is_cached:
        # The API does not always state how old they are.
        made_at = provenance.cached_at
        last = min(last, _day_before(made_at, report)) if made_at else date.min
    return Lookback(
        days=report.lookback_days,
        last_wanted=scope.last_wanted,
        last_known=last,
        is_timed=bool(report.refresh_after_hours),
    )


def _day_before(moment: datetime, report: Report) -> date:
    return moment.astimezone(report.timezone).date() - ONE_DAY


def _why(report: Report, scope: Scope) -> str:
    """Return why a report has dates, but no day to query."""
    start = report.start_date and report.start_date.fixed
    if start and scope.last_complete and start > scope.last_complete:
        return f"it begins on {start} (`start_date`)"
    return "its first is after its last; see `start_date`, `end_date`"


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
