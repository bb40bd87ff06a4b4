"""Fetches the results of one query: every page, counted, checked, into a spool."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.api import wire
from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.api.fields import FieldEcho
from tap_supermetrics.extraction import polling
from tap_supermetrics.extraction.deviations import deviations_of
from tap_supermetrics.extraction.pages import Pages
from tap_supermetrics.extraction.questions import Question
from tap_supermetrics.extraction.results import Result, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_supermetrics.extraction.events import Succeeded
    from tap_supermetrics.extraction.page_requests import PageAccess
    from tap_supermetrics.model import Report
    from tap_supermetrics.model.echoed_accounts import KnownAccounts

logger = logging.getLogger(__name__)

FETCH_AGAIN_S: Final = (2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Waits for results that come later than the status said: submitting the query again is dearer."""
MAX_DAMAGE_RETRIES: Final = 2
"""Retries of results that came, but lack rows or belong to another query."""
MAX_EMPTY_RETRIES: Final = 3
"""After so many retries in vain, there are no more."""


def _may_be_early(error: ApiError) -> bool:
    """Return whether an error may mean that results are not complete yet."""
    return error.is_not_there or error.code in {"RESULT_INCOMPLETE", "RESULT_MISMATCH"}


@dataclass(slots=True, kw_only=True)
class Downloader:
    """Fetches results, by any number of threads.

    Attributes:
        access: how pages are requested.
        reports: by name.
        accounts: those that answers may be about, by name of the report.
        listed: the fields of reports in order, as the API lists them.
        now: the wall clock, with offset.
        empty_retries: how many retries found nothing.
    """

    access: PageAccess
    reports: Mapping[str, Report]
    accounts: Mapping[str, KnownAccounts]
    listed: Mapping[str, tuple[FieldEcho, ...]]
    now: Callable[[], datetime]
    empty_retries: int = 0

    def fetch(self, wanted: Succeeded) -> Result:
        """Return all rows of a query that succeeded; where there are none yet, read again.

        Args:
            wanted: the query, and its entry in the status.

        Raises:
            ApiError: the request failed; RESULT_INCOMPLETE when rows are missing, repeated or too
                many; RESULT_CUT_OFF when the result is as long as `max_rows`; RESULT_MISMATCH when
                it belongs to other days.
        """
        report, retries = self.reports[wanted.query.report], 0
        while True:
            try:
                return self._fetch_surely(wanted, report)
            except ApiError as error:
                if not self._may_come(error, retries, wanted.finished_at):
                    self.empty_retries += retries > 0 and _may_be_early(error)
                    raise
            time.sleep(FETCH_AGAIN_S[retries])
            retries += 1

    def _may_come(self, error: ApiError, retries: int, finished_at: datetime | None) -> bool:
        """Return whether one more retry may give what the last try did not."""
        is_over = retries >= len(FETCH_AGAIN_S) or self.empty_retries >= MAX_EMPTY_RETRIES
        if is_over or not _may_be_early(error):
            return False
        age_s = (self.now() - finished_at).total_seconds() if finished_at else 0.0
        return not retries or (
            age_s < polling.YOUNG_S if error.is_not_there else retries < MAX_DAMAGE_RETRIES
        )

    def _fetch_surely(self, wanted: Succeeded, report: Report) -> Result:
        """Fetch all pages; twice where several lack one row, which may be dropped between them."""
        result = self._fetch(wanted, report)
        read_twice = self.access.read_twice
        if not result.missing or result.page_count == 1 or report.ds_id in read_twice:
            return result
        result.spool.close()
        second = self._fetch(wanted, report)
        if (second.missing, second.row_count) == (result.missing, result.row_count):
            read_twice.add(report.ds_id)
        return second

    def _fetch(self, wanted: Succeeded, report: Report) -> Result:
        """Fetch all pages of a query once, and check them against the query."""
        query, entry = wanted.query, wanted.entry
        facts = entry.result_info or wire.ResultFacts()
        spool = Spool()
        try:
            address = wire.results_address(entry.schedule_id)
            if self.access.names_results_of(facts.results_url, entry.schedule_id):
                address = facts.results_url
            question = Question(
                query=query,
                report=report,
                schedule_id=entry.schedule_id,
                known=self.accounts[query.report],
                listed=self.listed[query.report],
            )
            pages = Pages(self.access, question, facts, address)
            for block in pages:
                spool.add(block)
            # After the pages: the echo is known only then.
            question.check_excluded(pages.echo)
            return Result(
                query=query,
                dates=question.answered_dates(pages.echo),
                echoed_dates=question.echoed_dates(pages.echo),
                schedule_id=entry.schedule_id,
                finished_at=wanted.finished_at,
                fetched_at=self.now(),
                fields=columns_of(report, pages.echo.fields, pages.width),
                width=_width_of(pages),
                # Known only now: `pages` counted while it was iterated.
                row_count=pages.row_count,
                missing=pages.missing,
                provenance=pages.provenance,
                deviations=(*_errors_of(entry), *self._deviations(question, pages)),
                latency_s=pages.requests.latency_s,
                page_bytes=pages.requests.page_bytes,
                page_count=pages.page_count,
                spool=spool,
            )
        except BaseException:
            spool.close()
            raise

    def _deviations(self, question: Question, pages: Pages) -> Iterator[str]:
        """Return in words where a result is not about what was requested."""
        return deviations_of(question, pages.echo, now=self.now(), has_rows=bool(pages.row_count))


def _width_of(pages: Pages) -> int:
    """Return how many cells each row has to have: as many as the first, or as is stated.

    The stated width counts only where it is the number of fields: another would fail all results.
    """
    fields = len(pages.echo.fields or ())
    return fields if fields and pages.stated_width == fields else pages.width or 0


def _errors_of(entry: wire.BatchQuery) -> Iterator[str]:
    """Yield the error that a query reports although it succeeded: rows may be missing."""
    if entry.error_info and entry.error_info.code:
        yield f"beside its rows it tells {entry.error_info.code}"


def columns_of(
    report: Report, echoed: Sequence[FieldEcho], width: int | None
) -> tuple[FieldEcho, ...]:
    """Return the fields of a result, each with its column.

    An answer without `meta.query.fields`, or without their `data_column`, is read in the order of
    the requested fields; but only where it has one column for each of them. A field that is split
    by column has none, so some with and some without are left as they are.

    Args:
        report: whose fields were requested.
        echoed: the fields in the echo of the answer.
        width: how many columns the first row has; None without rows.
    """
    if any(each.data_column is not None for each in echoed):
        return tuple(echoed)
    fields = echoed or [FieldEcho(id=name) for name in report.fields]
    # To guess would put numbers under wrong names; without columns, the query fails aloud.
    if width not in {None, len(fields)}:
        return tuple(echoed)
    if width is not None:
        text = "%s: a result does not tell its columns; they are read in the order of `fields`"
        logger.warning(text, report.name)
    return tuple(
        msgspec.structs.replace(each, data_column=place) for place, each in enumerate(fields)
    )
