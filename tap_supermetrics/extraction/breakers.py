"""Circuit breakers: queries that would meet a known refusal are not paid for."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.doubts import DOUBT_LIMITS, Doubts
from tap_supermetrics.extraction.history import FirstDays
from tap_supermetrics.extraction.trials import Trials
from tap_supermetrics.planning.scope import recent_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.extraction.doubts import Key
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

MISFITS: Final = 20
"""After so many results of a report that fit no record, its history is not submitted."""
ALL_MISFITS: Final = 60
"""After so many, nothing of the report is submitted."""

_IN_WORDS: Final = {
    Reach.ACCOUNT: "the account",
    Reach.REPORT: "the report",
    Reach.SOURCE: "the data source",
}


class Misfits:
    """Results that fit no record, of reports and accounts without one that fits.

    A mistake in a report, so that no result fits, must not cost its whole history; nor must an
    account whose rows differ from those of all others.
    """

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._given_up: dict[Key, tuple[date, ApiError]] = {}
        self._fitting: set[Key] = set()

    def fitted(self, keys: Iterable[Key]) -> None:
        """Note that rows became records: types and key are right, others are odd."""
        self._fitting.update(keys)

    def count(self, key: Key) -> int:
        """Count one more result; return the count, 0 where other rows fit."""
        self._counts[key] += 1
        count = 0 if key in self._fitting else self._counts[key]
        if count in {MISFITS, ALL_MISFITS}:
            of_reach, name, account_id = key
            of = f"{name}, account {account_id}" if of_reach is Reach.ACCOUNT else name
            text = "%s: none of %d results fitted its types and its key: less is submitted now"
            logger.warning(text, of, count)
        return count

    def give_up_history(self, key: Key, plan: ReportPlan, error: ApiError) -> bool:
        """Submit only the newest days of a report or account; return whether it has others."""
        if plan.scope.wanted is None or not plan.scope.is_incremental:
            return False
        first_day = recent_days(plan.report, plan.scope.wanted).first
        self._given_up[key] = first_day, error
        return True

    def error_for(self, query: Query, keys: Iterable[Key]) -> ApiError | None:
        """Return why a query is not submitted; None where it may be."""
        for key in keys if query.dates else ():
            first_day, error = self._given_up.get(key, (date.min, None))
            if query.dates and query.dates.last < first_day:
                return error
        return None


class Breakers:
    """The known refusals: of an account, of a report, of a data source, of a time.

    Some errors state how far they reach. Others may concern one day or all. An account that gave
    nothing but failures, each paid for, is therefore probed with its newest query, because history
    fails most; when that fails too, the account is given up for this run. So are a report and a
    data source, which are probed with several accounts.

    Args:
        plans: what each report requests, by its name.

    Attributes:
        doubts: what gives nothing so far, and its probes.
        first_days: the first day that the API gives, by report.
        trials: of days that may never be given, a few are tried first.
    """

    def __init__(self, plans: Mapping[str, ReportPlan]) -> None:
        self._plans = plans
        self.doubts = Doubts({name: plan.report.ds_id for name, plan in plans.items()})
        self._misfits = Misfits()
        self.first_days = {name: FirstDays() for name in plans}
        self.trials = Trials.of(plans)
        for name, plan in plans.items():
            self.doubts.breakers[Reach.REPORT, name, ""].is_tried_first = plan.is_tried_first

    def error_for(self, query: Query) -> ApiError | None:
        """Return the refusal that a query would meet; None where it may be answered."""
        known = (each.error for each in self.doubts.breakers_of(query))
        return (
            next(filter(None, known), None)
            or self.first_days[query.report].bounds_of(query).error_for(query)
            or self.trials.error_for(query)
            or self._misfits.error_for(query, self.doubts.keys_of(query))
        )

    def must_wait(self, query: Query) -> bool:
        """Return whether a query waits for probes."""
        is_probing = any(
            each.probes and each.error is None  # With an error, it is spared at once.
            for each in self.doubts.breakers_of(query)
        )
        return (
            is_probing
            or self.trials.must_wait(query)
            or self.first_days[query.report].bounds_of(query).is_unknown(query)
        )

    def answered(self, query: Query) -> list[Key]:
        """Note that the API gave the results of a query; return the keys released."""
        return [*self.doubts.answered(query), *self._keys(query, self.trials.end(query))]

    def given(self, query: Query) -> list[Key]:
        """Note that the API ran a query; return the keys released."""
        return self._keys(query, self.first_days[query.report].given(query))

    def paid_for_nothing(self, query: Query, error: ApiError) -> list[Key]:
        """Count a failed query, whatever its remedy; return the keys that are in doubt by it."""
        # Of history: the account may well give later days. A trial of some days has a bound of its
        # own; one of all days of an account counts for its report too.
        trial = self.trials.trial_of(query)
        is_of_some_days = trial is not None and trial.error is None and not trial.is_of_all
        is_of_history = self._is_of_history(query, error) or is_of_some_days
        return [] if is_of_history else self.doubts.failed(query)

    def failed(self, query: Query, error: ApiError, *, was_paid: bool) -> list[Key]:
        """Learn from a query that failed for good; return the keys concerned."""
        finished = self.doubts.forget_probe(query)
        # A refusal of history says more than a trial would.
        is_of_history = self._is_of_history(query, error)
        reach = self.trials.end(query) if is_of_history else self.trials.failed(query, error)
        concerned = [*finished, *self._keys(query, reach)]
        undecided = self.doubts.end_first_tries(finished)
        if error.reach in DOUBT_LIMITS:  # The error itself says how far it reaches.
            key = self.doubts.key_of(query, error.reach)
            breaker = self.doubts.breakers[key]
            breaker.error, breaker.is_guessed = error, False
            return [key, *concerned]
        if is_of_history:
            last_wanted = self._plans[query.report].scope.last_wanted
            reach = self.first_days[query.report].refused(query, error, last_wanted)
            return [*self._keys(query, reach), *concerned]
        # An error of a query that was not even taken is the service's.
        for key in finished if was_paid else ():
            if key in undecided:
                continue
            text = "%s failed, as %d queries of %s before it: no more are submitted now"
            breaker = self.doubts.breakers[key]
            logger.warning(text, query, breaker.failures, _IN_WORDS[key[0]])
            breaker.error, breaker.is_guessed = error, True
        return concerned

    def given_up(self, query: Query) -> list[Key]:
        """Note that a query is no probe any more; return the keys that need another one."""
        keys = self.doubts.forget_probe(query)
        return [*keys, *self._keys(query, self.trials.end(query))]

    def fitted(self, query: Query) -> None:
        """Note that rows of a report became records."""
        self._misfits.fitted(self.doubts.keys_of(query))

    def did_not_fit(self, query: Query, error: ApiError) -> list[Key]:
        """Note that a result fits no record; return the keys concerned."""
        given_up = []
        for reach in (Reach.REPORT, Reach.ACCOUNT):
            key = self.doubts.key_of(query, reach)
            count = self._misfits.count(key)
            if count == ALL_MISFITS:
                self.doubts.breakers[key].error = error
                given_up.append(key)
            elif count == MISFITS:
                plan = self._plans[query.report]
                if self._misfits.give_up_history(key, plan, error):
                    given_up.append(key)
        return given_up

    def _keys(self, query: Query, reach: Reach | None) -> list[Key]:
        return [self.doubts.key_of(query, reach)] if reach else []

    def _is_of_history(self, query: Query, error: ApiError) -> bool:
        is_incremental = self._plans[query.report].scope.is_incremental
        return error.reach is Reach.HISTORY and is_incremental
