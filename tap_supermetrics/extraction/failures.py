"""Decides about queries that failed, or will not be submitted.

Every decision about a failure is made here, by the fate and the reach of the error.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tap_supermetrics.api.verdicts import Fate, Reach
from tap_supermetrics.extraction.consequences import Consequences
from tap_supermetrics.extraction.doubts import widest
from tap_supermetrics.extraction.events import CancelBatches
from tap_supermetrics.extraction.remedies import Failure, Remedy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.backlog import Backlog
    from tap_supermetrics.extraction.deliveries import Deliveries
    from tap_supermetrics.extraction.doubts import Key
    from tap_supermetrics.extraction.events import Action
    from tap_supermetrics.extraction.remedies import Remedies
    from tap_supermetrics.model import Query


class _Parked:
    """The failed queries that wait for probes."""

    def __init__(self) -> None:
        self._waiting: dict[Query, Failure] = {}

    def add(self, failure: Failure) -> None:
        """Park a query; its place in the order stays."""
        self._waiting[failure.query] = failure

    def take(self, of: Query | None = None) -> list[Failure]:
        """Return those that wait, all or of the account of one query, newest first.

        One that still has to wait is added again.
        """
        taken = (
            each for each in self._waiting if of is None or each.report_account == of.report_account
        )
        # The newest has the best chance of an answer, as history fails most.
        return [self._waiting.pop(each) for each in sorted(taken, key=_newest_first)]


class Failures:
    """Gives every query that failed a remedy, or its failure.

    Args:
        remedies: what may help.
        backlog: what waits to be submitted.
        deliveries: where outcomes go.

    Attributes:
        remedies: what may help.
        backlog: what waits to be submitted.
        consequences: carries out what is decided.
    """

    def __init__(self, remedies: Remedies, backlog: Backlog, deliveries: Deliveries) -> None:
        self.remedies = remedies
        self.backlog = backlog
        self.consequences = Consequences(remedies, deliveries, backlog)
        self._breakers = remedies.breakers
        self._drawing = backlog.drawing
        self._deliveries = deliveries
        self._parked = _Parked()
        self._cancels: list[Action] = []

    @property
    def stopped_by(self) -> ApiError | None:
        """Return why nothing more is submitted; None while it is."""
        return self.consequences.stopped_by

    def take_cancels(self) -> list[Action]:
        """Return what is to be cancelled since the last call."""
        cancels, self._cancels = self._cancels, []
        return cancels

    def decide(self, query: Query, error: ApiError, *, has_results: bool = False) -> None:
        """Decide about a query that failed; see `Failure`."""
        if not self._deliveries.sequence.is_open(query):
            return  # Its batch was given up, and its own end was reported after all.
        if self.stopped_by:
            # Where another try may help, the reason why there is none says more than the error.
            is_own = error.fate in {Fate.FAIL, Fate.STOP, Fate.SPLIT}
            known = error if is_own else self.stopped_by
            self.fail([query], known, was_submitted=is_own, is_retained=has_results)
        # First stopped, then failed: parts that its failure releases must fail too.
        elif error.fate is Fate.STOP:
            self.stop(error)
            self.fail([query], error)
        elif self.remedies.is_budget_used:
            # Any remedy would cost a query more than may be paid for.
            self.fail([query], error, is_retained=has_results)
        else:
            # Counted before it is remedied: this very failure may be the one that begins the doubt.
            begun = self._breakers.paid_for_nothing(query, error)
            self._remedy(Failure(query=query, error=error, has_results=has_results))
            self.release(query, [*begun, *self._breakers.doubts.unprobed(query)])

    def _remedy(self, failure: Failure) -> None:
        """Carry out the remedy for a query that failed."""
        query, error = failure.query, failure.error
        remedy = self.remedies.choose(failure)
        # Its place in the order stays, and it has no outcome until the probes have one.
        if remedy is Remedy.WAIT:
            self._parked.add(failure)
        elif remedy is Remedy.SPLIT:
            self.consequences.split(query, error)
        elif remedy is Remedy.RESUBMIT:
            self.consequences.resubmit(query, error)
        else:
            self.fail([query], error, is_retained=failure.has_results)

    def fail(
        self,
        queries: Iterable[Query],
        error: ApiError,
        *,
        was_submitted: bool = True,
        was_paid: bool = True,
        is_retained: bool = False,
    ) -> None:
        """Give queries up for this run, with those that waited for them.

        Args:
            queries: the queries.
            error: why.
            was_submitted: whether they were submitted.
            was_paid: whether it took them.
            is_retained: whether it has their results.
        """
        for query in queries:
            how = {"was_submitted": was_submitted, "is_retained": is_retained}
            settled = self.consequences.fail(query, error, **how)
            # A query that was never submitted teaches nothing of its account.
            taught = settled if was_submitted else ()
            keys = (self._breakers.failed(each, error, was_paid=was_paid) for each in taught)
            if changed := [*chain.from_iterable(keys)]:
                self._deliveries.note_first_day(query.report, self._breakers.first_days)
            self.release(query, changed)

    def stop(self, error: ApiError, *, cancel: bool = True) -> None:
        """Submit nothing more. The results of running batches are still fetched.

        Args:
            error: why; queries that were not submitted fail with it.
            cancel: whether running batches are of no use any more.
        """
        # The first reason counts: later failures mostly follow from it.
        if self.stopped_by:
            return
        # Before anything fails below: a failure may release parts, which must not be submitted.
        self.consequences.stopped_by = error
        self.place_drawn()  # A query without a place could not fail.
        # Before anything fails: a failure may end a search, which would draw new probes from here.
        left = self._drawing.give_up()
        for parked in self._parked.take():
            self.fail([parked.query], parked.error, is_retained=parked.has_results)
        self.consequences.leave(left, error)
        # A budget that is used up lets running batches end, as they are paid for.
        if cancel:
            self._cancels.append(CancelBatches())

    def place_drawn(self) -> None:
        """Give every query that was drawn its place, and those that were spared their failure."""
        # Round after round: to fail a query may end a search or a doubt, which draws new probes.
        while self._drawing.has_news:
            for query in self._drawing.take_new():
                self._deliveries.sequence.expect(query)
            # Its like was paid for in vain: a spared query failed, it was not left out.
            for query, error in self._drawing.take_spared():
                self.consequences.fail(query, error, was_submitted=True)
                # If it was the last probe of others, they would wait for its answer for ever.
                self.release(query, self._breakers.given_up(query))

    def release(self, query: Query, changed: Collection[Key]) -> None:
        """Take up what was held back, where breakers changed; draw new probes.

        Args:
            query: the one that changed them.
            changed: their keys; without any, nothing is done.
        """
        # Drawing has ended: nothing is left to take up.
        if self.stopped_by or not changed:
            return
        reach = widest(changed)
        self._drawing.take_up(query, reach)
        for parked in self._parked.take(query if reach is Reach.ACCOUNT else None):
            # All others of its account or report were submitted: it is the probe itself.
            is_refused = self._breakers.error_for(parked.query)
            if not is_refused and self._breakers.doubts.unprobed(parked.query):
                self._breakers.doubts.probing(parked.query)
            self._remedy(parked)


def _newest_first(query: Query) -> int:
    return -query.dates.last.toordinal() if query.dates else 0
