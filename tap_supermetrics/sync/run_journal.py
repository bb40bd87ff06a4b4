"""The journal of a run: what dead runs left goes to the reports, what the API accepts is noted."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import intersect
from tap_supermetrics.extraction.batch_starts import SubmissionNotes
from tap_supermetrics.extraction.running import RETAINED_S
from tap_supermetrics.model import AsyncRun, SubmittedBatch, account_id_of
from tap_supermetrics.planning.coverage import Coverage
from tap_supermetrics.sync.journal import Journal
from tap_supermetrics.sync.journal_folder import Owner
from tap_supermetrics.words import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from tap_supermetrics.api.client import Client
    from tap_supermetrics.settings import Settings
    from tap_supermetrics.sync.report_sync import KnownReport

logger = logging.getLogger(__name__)

_HOUR: Final = timedelta(hours=1)
MAX_AGE: Final = timedelta(seconds=RETAINED_S)
"""The API retains nothing of what was submitted longer ago."""


class RunJournal(SubmissionNotes):
    """The journal of one run, by the reports of the run; for all threads.

    Args:
        journal: where the submissions are noted, and what dead runs left there.
        known: the reports of this run.
    """

    def __init__(self, journal: Journal, known: Iterable[KnownReport]) -> None:
        self._journal = journal
        self._known = {each.report.name: each for each in known}
        self._noted: set[str] = set()

    def take_over(self, client: Client, now: datetime, full_table: Collection[str] = ()) -> None:
        """Add to the states of the reports what dead runs submitted for them.

        Args:
            client: the API, which may know batches whose ids no dead run has learned.
            now: the wall clock, with offset.
            full_table: names of reports that are read whole, whatever was read before.

        Raises:
            ApiError: the API refuses everything.
        """
        self._find_unanswered(client, now)
        self._hand_over(now, full_table)

    def _find_unanswered(self, client: Client, now: datetime) -> None:
        """Look for batches that were sent by runs which were killed before the answer came."""
        journal = self._journal
        sent = [entry for entry in journal.unanswered if entry.report in self._known]
        if not sent:
            return
        ds_ids = {self._known[entry.report].report.ds_id for entry in sent}
        ages = [max(now - entry.at, timedelta()) for entry in sent]
        tokens = {entry.token for entry in sent}
        try:
            found = client.find_batches(
                tokens,
                sorted(ds_ids),
                hours=max(ages) // _HOUR + 1,
                age_s=min(ages).total_seconds(),
                known=journal.ids,
            )
        except ApiError as error:
            error.raise_if_it_refuses_everything()
            logger.info("Query batches of a killed run cannot be looked for: %s", error)
            return
        for token in tokens:
            journal.answered(token, found.get(token, ()))
        count = counted(len(tokens), "query batch", "query batches")
        logger.info("%s sent by a run that was killed just then; found %d", count, len(found))

    def _hand_over(self, now: datetime, full_table: Collection[str]) -> None:
        """Have the states name what dead runs submitted."""
        journal = self._journal
        for name, known in self._known.items():
            request_hash, state = wire.request_hash(known.report), known.state
            left = journal.left_for(name, request_hash)
            if not left:
                continue
            batches = [each for each in left if isinstance(each, SubmittedBatch)]
            runs = [each for each in left if isinstance(each, AsyncRun)]
            if name not in full_table and not runs and not _are_needed(known, batches, now):
                journal.leave(name)
                continue
            # What the state names was submitted with another request, and is of no use now.
            if state.request_hash != request_hash:
                state.batches, state.async_run = (), None
                state.request_hash = request_hash
            runs += [state.async_run] if state.async_run else []
            # A run can go on under one id only: the API retains most of the newest.
            state.async_run = max(runs, key=attrgetter("submitted_at"), default=None)
            by_id = {each.id: each for each in (*batches, *state.batches)}
            state.batches = tuple(by_id.values())
            text = "%s: what a run submitted that was killed is used, if the API holds it"
            logger.info(text, name)

    def batch_begins(self, token: str, batch: SubmittedBatch) -> None:
        """Note a query batch that is about to be sent; it has no id yet."""
        self._note(batch, {item.report for item in batch.items.values()}, token)

    def batch_answered(self, token: str, batch_id: str | None) -> None:
        """Note the id of a query batch that was sent; None where the API has refused it."""
        self._journal.answered(token, [batch_id] if batch_id else [])

    def queries_begin(self, report: str, run: AsyncRun) -> None:
        """Note the run under which queries of a report are submitted by themselves."""
        # This is called before every query, but the run is named once a report.
        if report not in self._noted:
            self._noted.add(report)
            self._note(run, {report})

    def _note(
        self, submitted: SubmittedBatch | AsyncRun, reports: Iterable[str], token: str = ""
    ) -> None:
        hashes = {name: wire.request_hash(self._known[name].report) for name in reports}
        self._journal.submitted(submitted, hashes, token)

    def ended(self) -> None:
        """Forget all submissions of the run: it ended, and all of it was written."""
        self._journal.forget(self._known)

    def close(self) -> None:
        """Leave to the next run what was not forgotten."""
        self._journal.close()


def journal_of(
    settings: Settings, known: Iterable[KnownReport], now: datetime, *, may_submit: bool
) -> RunJournal | None:
    """Return the journal of a run; None where `journal_dir` is not set.

    Args:
        settings: the configuration.
        known: the reports of this run.
        now: the wall clock, with offset.
        may_submit: whether the run submits anything; else what dead runs left is only read.
    """
    if not settings.journal_dir:
        return None
    parts = urlsplit(settings.api_url)
    owner = Owner(
        origin=f"{parts.scheme}://{parts.netloc}",
        api_key=settings.api_key,
        shard="" if settings.shard.is_whole else str(settings.shard),
    )
    begin = Journal.open if may_submit else Journal.peek
    return RunJournal(begin(Path(settings.journal_dir).expanduser(), owner, now, MAX_AGE), known)


def _are_needed(known: KnownReport, batches: Iterable[SubmittedBatch], now: datetime) -> bool:
    """Return whether most days of the batches that dead runs submitted are still to be read.

    Else another pipeline submitted them, into another loader: a state that does not name a batch
    is as it was when this pipeline would have submitted it.
    """
    named = {each.id for each in known.state.batches}
    report = known.report
    last = report.end_date.on(now.astimezone(report.timezone).date())
    submitted = needed = 0
    for batch in batches:
        if batch.id in named:
            return True
        for item in batch.items.values():
            if item.dates is None:
                return True
            for group in batch.split.accounts.groups(item.accounts):
                coverage = known.state.coverage.get(account_id_of(group), Coverage())
                # The lookback counts from the last day that the report wants, not this batch.
                wanted = replace(item.dates, last=max(item.dates.last, last))
                left = coverage.needed(wanted, report.lookback_days)
                submitted += item.dates.days
                needed += sum(each.days for each in intersect(item.dates, left))
    return 2 * needed >= submitted
