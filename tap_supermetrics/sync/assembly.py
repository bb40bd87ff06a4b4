"""Assembles the engine that carries out the plans of a run."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING

from tap_supermetrics.api.fields import FieldEcho
from tap_supermetrics.extraction.async_queries import AsyncQueries
from tap_supermetrics.extraction.batch_starts import SubmissionNotes
from tap_supermetrics.extraction.batches import Batches
from tap_supermetrics.extraction.downloads import Downloader
from tap_supermetrics.extraction.engine import Engine
from tap_supermetrics.extraction.in_flight import Limits
from tap_supermetrics.extraction.page_requests import PageAccess
from tap_supermetrics.extraction.scheduler import Scheduler
from tap_supermetrics.extraction.ways import Ways
from tap_supermetrics.model.echoed_accounts import KnownAccounts
from tap_supermetrics.settings import Mode

if TYPE_CHECKING:
    from tap_supermetrics.planning.plan import ReportPlan
    from tap_supermetrics.records.schema import RecordSchema
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.preparation import Prepared


def engine_of(prepared: Prepared) -> Engine:
    """Return the engine that carries out the plans; it has not begun."""
    plans, retained, client, now = prepared.plans, prepared.retained, prepared.client, prepared.now
    # Before `running` and `unneeded` are read: this decides which batches are which.
    adopted = retained.adopt(prepared.retained_queries)
    reports = {name: plan.report for name, plan in plans.items()}
    notes = prepared.journal or SubmissionNotes()
    ways = Ways(
        client=client,
        batches=Batches(client, reports, now, retained.running, notes),
        queries=AsyncQueries(
            client, plans, now, prepared.async_run, notes, is_resumed=prepared.is_resumed
        ),
        downloader=Downloader(
            access=PageAccess(client=client),
            reports=reports,
            accounts={name: _accounts_of(plan, prepared) for name, plan in plans.items()},
            listed={name: _listed(prepared.known[name].schema) for name in plans},
            now=now,
        ),
    )
    scheduler = Scheduler(plans, limits_of(prepared.settings), adopted)
    return Engine(scheduler, ways, retained.unneeded)


def _accounts_of(plan: ReportPlan, prepared: Prepared) -> KnownAccounts:
    """Return the accounts that an answer may name: those of the report, and those listed."""
    names = prepared.account_names.get(plan.report.ds_id)
    return KnownAccounts((*plan.scope.accounts, *plan.report.accounts.ids), names)


def _listed(schema: RecordSchema) -> tuple[FieldEcho, ...]:
    """Return the fields of a report in order, as the API lists them."""
    return tuple(
        FieldEcho(
            id=each.name,
            field_name=each.title,
            field_type="" if each.is_dimension else "met",
        )
        for each in schema.fields
    )


def limits_of(settings: Settings) -> Limits:
    """Return how queries may be submitted."""
    return Limits(
        by_batch=settings.mode is not Mode.ASYNC,
        one_by_one=settings.mode is not Mode.BATCH,
        max_running_batches=settings.max_running_batches,
        max_running_queries=settings.max_running_queries,
        max_rows=settings.max_rows_per_run or maxsize,
        max_queries=settings.max_queries_per_run or maxsize,
        requests_per_second=settings.requests_per_second,
    )
