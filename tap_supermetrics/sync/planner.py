"""Plans the reports of a run, as far as it may pay for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.errors import TapError
from tap_supermetrics.planning.budget import within_budget
from tap_supermetrics.sync.discovery import refusal_of
from tap_supermetrics.sync.idle import repeated_reports
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.extraction.retained_results import RetainedResults
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.lookups import Lookups
    from tap_supermetrics.sync.report_sync import KnownReport, PlannedReport
    from tap_supermetrics.sync.summary import Summary

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The reports that a run reads, and how.

    Attributes:
        names: of reports, in the order in which their records will be requested.
        full_table: those of them that are to be read whole, whatever was read before.
        refused: why reports are ruled out, by the API's description of their fields or by a
            catalog, by name.
        is_test: query only the newest day of a few accounts.
    """

    names: Sequence[str]
    full_table: Collection[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    is_test: bool = False


class Planner:
    """Plans the reports of one run; submits nothing.

    Args:
        settings: the configuration.
        lookups: what the API lists.
        selection: the reports.
        summary: records the reports that cannot be planned, and what the plans leave out.
        started_at: when the run began, with offset.
    """

    def __init__(
        self,
        settings: Settings,
        lookups: Lookups,
        selection: Selection,
        summary: Summary,
        started_at: datetime,
    ) -> None:
        self._settings = settings
        self._lookups = lookups
        self._selection = selection
        self._summary = summary
        self._started_at = started_at

    def planned(
        self, known: Mapping[str, KnownReport], retained: RetainedResults
    ) -> dict[str, PlannedReport]:
        """Return the reports that can be planned, by name; record why others cannot.

        Args:
            known: the reports that the API describes, by name.
            retained: results that the API retains; forgets those of other requests.

        Raises:
            ApiError: the API refuses everything.
        """
        planned = {name: self._planned(each, retained) for name, each in known.items()}
        for warning in repeated_reports(
            known[name].report for name, each in planned.items() if each
        ):
            logger.warning("%s", warning)
        refused = self._selection.refused
        unread = {*self._selection.names} - known.keys()
        for report in self._settings.reports:
            if report.name in refused:
                self._summary.report_failed(report.name, refused[report.name])
            elif report.name in unread:
                self._summary.report_failed(report.name, str(refusal_of(self._lookups, report)))
        return {name: each for name, each in planned.items() if each}

    def _planned(self, known: KnownReport, retained: RetainedResults) -> PlannedReport | None:
        """Return a planned report; None where it cannot be planned, which is logged."""
        name = known.report.name
        try:
            scope = known.resolve(self._lookups, self._started_at)
            if self._selection.is_test:
                return known.test_plan(scope)
            is_full = name in self._selection.full_table
            planned = known.plan(scope, retained, ignores_coverage=is_full)
        except TapError as error:
            if isinstance(error, ApiError):
                error.raise_if_it_refuses_everything()
            # Its batches are not cancelled: the next run may plan it, and collect them.
            retained.leave(name)
            logger.error("%s: %s", name, error)  # noqa: TRY400 - its text says all
            self._summary.report_failed(name, str(error))
            return None
        planned.begin()  # Before any record: a killed run must know that these days are half read.
        for warning in planned.warnings:
            logger.warning("%s", warning)
            self._summary.remarks.append(warning)
        return planned

    def within_budget(
        self, planned: Iterable[PlannedReport], free: Collection[Query]
    ) -> dict[str, ReportPlan]:
        """Return the plans, cut to what comes first where a run may not pay for all queries.

        Args:
            planned: the reports.
            free: their queries whose results the API still retains, which cost nothing.
        """
        limit = self._settings.max_queries_per_run
        # Such a run may end after any query: what was never loaded has to come first.
        by_rank = self._settings.max_rows_per_run is not None
        plans = [replace(each.plan, is_by_rank=by_rank) for each in planned]
        costly = sum(map(len, plans)) - len(free)
        if limit is not None and costly > limit:
            plans = [*within_budget(plans, limit, free)]
            self._summary.remarks.append(
                f"{counted(costly - limit, 'query was', 'queries were')} not asked, as "
                "`max_queries_per_run` says; "
                "the last days of what is loaded come first, then days that were never loaded, "
                "then reports that are read whole, then days to be read again, then accounts that "
                "gave nothing last"
            )
            self._summary.remarks += [
                f"{plan.report.name}: a catalog wants all of it reloaded (FULL_TABLE), for which "
                "`max_queries_per_run` does not suffice: of what is there, the newest days come "
                "first"
                for plan in plans
                if any(account.is_read_anyway for account in plan.accounts)
            ]
        return {plan.report.name: plan for plan in plans}
