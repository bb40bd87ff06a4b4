"""Circuit breakers: queries that would meet a known refusal are not paid for."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach
from tap_supermetrics.extraction.history import HistoryLimit
from tap_supermetrics.planning.scope import recent_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query
    from tap_supermetrics.planning.plan import ReportPlan

logger = logging.getLogger(__name__)

MISFITS: Final = 20
"""After so many results of a report that fit no record, its history is not submitted."""
ALL_MISFITS: Final = 60
"""After so many, nothing of the report is."""

Key = tuple[Reach, str, str]
"""How far a breaker reaches, and of what: a data source, a report, an account of a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Limits of what is paid before an account, a report or a data source is given up.

    Attributes:
        failures: paid for, and none answered, until there is doubt.
        probes: queries that then find out, at the same time.
        is_renewed: whether an answer is no end of doubt: after it, as many failures in a row begin
            it anew, or as many as answers came. Else parts of what answered could not be told
            from all of it.
    """

    failures: int
    probes: int
    is_renewed: bool = False


PATIENCE: Final = {
    # Most accounts may be dead, and the first ones at that: so many are tried.
    Reach.SOURCE: Patience(failures=120, probes=20),
    Reach.REPORT: Patience(failures=60, probes=20),
    Reach.ACCOUNT: Patience(failures=20, probes=1, is_renewed=True),
}
"""By reach, the widest first."""
_IN_WORDS: Final = {
    Reach.ACCOUNT: "the account",
    Reach.REPORT: "the report",
    Reach.SOURCE: "the data source",
}


@dataclass(slots=True, kw_only=True)
class Breaker:
    """The state of a data source, a report, or an account of a report.

    Closed while it has an answer or few failures; doubtful, when only failures came; probing, while
    `probes` are on their way; open, when `error` says what every query would meet.

    Attributes:
        failures: since the last answer.
        answers: in all.
        probes: queries on their way that find out for others.
        error: what every query would meet.
        is_guessed: whether only failed probes say so, and an answer refutes it.
    """

    failures: int = 0
    answers: int = 0
    probes: set[Query] = field(default_factory=set)
    error: ApiError | None = None
    is_guessed: bool = False

    def is_doubtful(self, patience: Patience) -> bool:
        """Return whether nothing but failures came, and too many of them."""
        if self.error or self.failures < patience.failures:
            return False
        return self.failures > self.answers if patience.is_renewed else not self.answers

    def answer(self) -> None:
        """Count an answer, which is no failure in a row."""
        self.answers += 1
        self.failures = 0
        self.probes.clear()
        if self.is_guessed:
            self.error = None


class Misfits:
    """Results that fit no record, of reports or accounts of which none fits.

    A mistake in a report, by which no result fits, must not cost its whole history; nor must an
    account whose rows are of another kind than those of all others.
    """

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._given_up: dict[Key, tuple[date, ApiError]] = {}
        self._fitting: set[Key] = set()

    def fitted(self, keys: Iterable[Key]) -> None:
        """Learn that rows became records: types and key are right, others are odd."""
        self._fitting.update(keys)

    def count(self, key: Key) -> int:
        """Count one more result; return how many came, 0 for what has rows that fit."""
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
    """The refusals that are known: of an account, of a report, of a data source, of a time.

    Some errors say how far they reach. Others may be of one day or of all. So an account of which
    nothing but failures came, each paid for, is tried with its newest query, because history is
    what fails most; when that fails too, it is given up for this run. The same holds for a report
    and for a data source, which are tried with several accounts.

    Args:
        plans: what each report asks for, by its name.
    """

    def __init__(self, plans: Mapping[str, ReportPlan]) -> None:
        self._plans = plans
        self._breakers: defaultdict[Key, Breaker] = defaultdict(Breaker)
        self._misfits = Misfits()
        self.history = {name: HistoryLimit() for name in plans}

    def error_for(self, query: Query) -> ApiError | None:
        """Return the refusal that a query would meet; None where it may be answered."""
        known = (self._breakers[key].error for key in self._keys(query))
        return (
            next(filter(None, known), None)
            or self.history[query.report].limit_of(query).error_for(query)
            or self._misfits.error_for(query, self._keys(query))
        )

    def is_held(self, query: Query) -> bool:
        """Return whether a query waits for what probes find out."""
        is_probing = any(
            each.probes and each.error is None  # With an error, it is spared at once.
            for each in (self._breakers[key] for key in self._keys(query))
        )
        return is_probing or self.history[query.report].limit_of(query).is_doubtful(query)

    def is_in_doubt(self, query: Query) -> bool:
        """Return whether a failed query, which is no probe, must not be submitted again now."""
        doubts = self._doubts(query)
        return bool(doubts) and not any(  # A probe, or a part of one, must go on.
            _lies_in(query, probe) for key in doubts for probe in self._breakers[key].probes
        )

    def wants_probe(self, query: Query) -> bool:
        """Return whether nothing finds out yet about a doubt that a query is in."""
        return any(not self._breakers[key].probes for key in self._doubts(query))

    def probes_wanted(self, query: Query, reach: Reach) -> int:
        """Return how many probes would find out about the account, report or source of a query."""
        keys = [key for key in self._doubts(query) if key[0] is reach]
        return PATIENCE[reach].probes if keys and not self._breakers[keys[0]].probes else 0

    def probing(self, probe: Query, reach: Reach = Reach.SOURCE) -> None:
        """Let a query find out for others, up to a reach, where there is doubt.

        That an account is dead says little of its report: so its probe is none of the report.
        """
        reaches = [*PATIENCE]
        for key in self._doubts(probe):
            breaker = self._breakers[key]
            is_within = reaches.index(key[0]) >= reaches.index(reach)
            if is_within and len(breaker.probes) < PATIENCE[key[0]].probes:
                breaker.probes.add(probe)

    def is_probing(self, query: Query) -> bool:
        """Return whether a query is on its way to find out for others."""
        return any(query in self._breakers[key].probes for key in self._keys(query))

    def has_failed(self, query: Query) -> bool:
        """Return whether the last query of an account failed."""
        return self._breakers[self._key(query, Reach.ACCOUNT)].failures > 0

    def answered(self, query: Query) -> bool:
        """Learn that the API gave the results of a query; return whether others may go on."""
        # One answer clears all three: the account's says that report and source work too.
        breakers = [self._breakers[key] for key in self._keys(query)]
        # Asked before the answer is noted, which ends the doubt.
        was_held = bool(self._doubts(query)) or any(
            each.probes or (each.error and each.is_guessed) for each in breakers
        )
        for breaker in breakers:
            breaker.answer()
        return was_held

    def given(self, query: Query) -> bool:
        """Learn that the API ran a query; return whether that taught anything of history."""
        return self.history[query.report].given(query)

    def paid_for_nothing(self, query: Query, error: ApiError) -> bool:
        """Count a query that failed, whatever becomes of it; return whether doubt has begun."""
        if self._is_of_history(query, error):  # The account may well give later days.
            return False
        has_begun = False
        for key in self._keys(query):
            breaker, patience = self._breakers[key], PATIENCE[key[0]]
            was_doubtful = breaker.is_doubtful(patience)
            breaker.failures += 1
            # Said once, as doubt begins: whoever hears it looks through all that is held back.
            has_begun = has_begun or (breaker.is_doubtful(patience) and not was_doubtful)
        return has_begun

    def failed(self, query: Query, error: ApiError, *, was_paid: bool) -> bool:
        """Learn from a query that failed for good; return whether others are concerned."""
        finished = self._forget_probe(query)
        if error.reach in PATIENCE:  # The error itself says how far it reaches.
            self._breakers[self._key(query, error.reach)].error = error
            return True
        if self._is_of_history(query, error):
            last_wanted = self._plans[query.report].scope.last_wanted
            return self.history[query.report].refused(query, error, last_wanted) or bool(finished)
        # The service did not even take it: that says nothing of what it asks for.
        for key in finished if was_paid else ():
            text = "%s failed, as %d queries of %s before it: no more are submitted now"
            logger.warning(text, query, self._breakers[key].failures, _IN_WORDS[key[0]])
            self._breakers[key].error, self._breakers[key].is_guessed = error, True
        return bool(finished)

    def given_up(self, query: Query) -> bool:
        """Learn that a query will find out nothing; return whether another one has to."""
        return bool(self._forget_probe(query))

    def _forget_probe(self, query: Query) -> list[Key]:
        """Remove a query from all probes; return the keys that have no probe left by that."""
        last_of = []
        for key in self._keys(query):
            breaker = self._breakers[key]
            # A probe may have been split: its newest part stands for it.
            others = {probe for probe in breaker.probes if not _is_part_of(query, probe)}
            if breaker.probes and not others:
                last_of.append(key)
            breaker.probes = others
        return last_of

    def fitted(self, query: Query) -> None:
        """Learn that rows of a report became records."""
        self._misfits.fitted(self._keys(query))

    def did_not_fit(self, query: Query, error: ApiError) -> bool:
        """Learn that a result fits no record; return whether others are concerned."""
        is_news = False
        for reach in (Reach.REPORT, Reach.ACCOUNT):
            key = self._key(query, reach)
            count = self._misfits.count(key)
            if count == ALL_MISFITS:
                self._breakers[key].error = error
                is_news = True
            elif count == MISFITS:
                plan = self._plans[query.report]
                is_news = self._misfits.give_up_history(key, plan, error) or is_news
        return is_news

    def _is_of_history(self, query: Query, error: ApiError) -> bool:
        is_incremental = self._plans[query.report].scope.is_incremental
        return error.reach is Reach.HISTORY and is_incremental

    def _doubts(self, query: Query) -> list[Key]:
        keys = self._keys(query)
        return [key for key in keys if self._breakers[key].is_doubtful(PATIENCE[key[0]])]

    def _keys(self, query: Query) -> list[Key]:
        return [self._key(query, reach) for reach in PATIENCE]

    def _key(self, query: Query, reach: Reach) -> Key:
        if reach is Reach.SOURCE:
            return reach, self._plans[query.report].report.ds_id, ""
        return reach, query.report, query.account_id if reach is Reach.ACCOUNT else ""


def _is_part_of(query: Query, probe: Query) -> bool:
    """Return whether a query is a probe, or reaches to its last day, as it may have been split."""
    if query.report_account != probe.report_account:
        return False
    if probe.dates is None or query.dates is None:
        return query == probe
    return query.dates.last >= probe.dates.last


def _lies_in(query: Query, probe: Query) -> bool:
    """Return whether a query is a probe, or any part of one."""
    if query.report_account != probe.report_account:
        return False
    if probe.dates is None or query.dates is None:
        return query == probe
    return probe.dates.first <= query.dates.first and query.dates.last <= probe.dates.last
