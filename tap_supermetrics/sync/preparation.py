"""A run before its first submission: its reports, what the API still retains, and the plans."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tap_supermetrics.extraction.retained_results import RetainedResults, find_retained
from tap_supermetrics.model import AsyncRun
from tap_supermetrics.settings import Mode
from tap_supermetrics.sync.discovery import known_reports
from tap_supermetrics.sync.planner import Planner
from tap_supermetrics.sync.run_journal import MAX_AGE, RunJournal, journal_of
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.planner import Selection
    from tap_supermetrics.sync.report_sync import KnownReport, PlannedReport
    from tap_supermetrics.sync.summary import Summary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run that can begin.

    Attributes:
        settings: the configuration.
        client: the API.
        now: the wall clock, with offset.
        known: the reports, with schema and state, by name.
        planned: those that could be planned.
        plans: what is queried of each.
        retained: the results of an earlier run that the API still retains.
        retained_queries: the planned queries with such results; no budget leaves them out.
        async_run: the run under which queries are submitted by themselves.
        is_resumed: whether that one was begun by a run that was killed.
        account_names: of the accounts that were listed so far, by data source and id.
        journal: what is noted on the disk; None for a test, and without `journal_dir`.
    """

    settings: Settings
    client: Client
    now: Callable[[], datetime]
    known: Mapping[str, KnownReport]
    planned: Mapping[str, PlannedReport]
    plans: Mapping[str, ReportPlan]
    retained: RetainedResults
    retained_queries: Collection[Query]
    async_run: AsyncRun
    is_resumed: bool
    account_names: Mapping[str, Mapping[str, str]]
    journal: RunJournal | None

    def close(self) -> None:
        """Leave the journal to the next run."""
        if self.journal:
            self.journal.close()


def prepare(  # noqa: PLR0913 - all that a run begins with
    settings: Settings,
    lookups: Lookups,
    bookmarks: Mapping[str, Any],
    selection: Selection,
    *,
    summary: Summary,
    now: Callable[[], datetime],
) -> Prepared:
    """Plan the selected reports; submit nothing.

    Args:
        settings: the configuration.
        lookups: what the API lists, and the API itself.
        bookmarks: Singer's bookmarks, by stream.
        selection: the reports.
        summary: records the reports that cannot be planned.
        now: the wall clock, with offset.

    Raises:
        SettingsError: the state cannot be understood.
        ApiError: the API refuses everything.
    """
    started_at, client = now(), lookups.client
    by_name = {report.name: report for report in settings.reports}
    reports = [by_name[name] for name in selection.names]
    known = known_reports(lookups, reports, bookmarks, started_at)
    journal = None
    if not selection.is_test:
        journal = journal_of(settings, known.values(), started_at, may_submit=lookups.may_submit)
    with ExitStack() as at_failure:
        if journal:
            at_failure.callback(journal.close)
            # Before batches are looked up: it adds to the states what killed runs submitted.
            journal.take_over(client, started_at, selection.full_table)
        retained = RetainedResults()
        if not selection.is_test:
            batches = (batch for each in known.values() for batch in each.state.batches)
            retained = find_retained(client, batches, now())
            retained.leave_to_others(settings.shard)
        planner = Planner(settings, lookups, selection, summary, started_at)
        planned = planner.planned(known, retained)
        free = _planned_and_retained(planned.values(), retained)
        plans = planner.within_budget(planned.values(), free)
        at_failure.pop_all()
    killed = None if selection.is_test else _killed_run(known.values())
    if settings.mode is not Mode.ASYNC:
        _warn_of_queries(killed, started_at)
    count = counted(sum(map(len, plans.values())), "query", "queries")
    logger.info("Plan: %s of %s", count, counted(len(known), "report", "reports"))
    return Prepared(
        settings=settings,
        client=client,
        now=now,
        known=known,
        planned=planned,
        plans=plans,
        retained=retained,
        retained_queries=free,
        async_run=killed or AsyncRun(id=uuid4().hex, submitted_at=now()),
        is_resumed=killed is not None,
        account_names=lookups.accounts.known_names(),
        journal=journal,
    )


def _planned_and_retained(
    planned: Iterable[PlannedReport], retained: RetainedResults
) -> frozenset[Query]:
    found = {*retained.queries}
    return frozenset(
        query for each in planned for query in each.plan.singled_out() if query in found
    )


def _killed_run(known: Iterable[KnownReport]) -> AsyncRun | None:
    """Return the run that was killed while it submitted query by query; None without one.

    The next run goes on under its id, so as to find its queries.
    """
    started = (each.state.async_run for each in known)
    return max(filter(None, started), key=attrgetter("submitted_at"), default=None)


def _warn_of_queries(killed: AsyncRun | None, now: datetime) -> None:
    """Warn of queries of a killed run that only `mode: async` finds again."""
    if killed and now - killed.submitted_at < MAX_AGE:
        logger.warning(
            "A run that was killed asked query by query; by query batches, what it paid for is "
            "asked again. Set `mode: async` for this run to collect it"
        )
