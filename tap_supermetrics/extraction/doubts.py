"""Doubt about an account, a report or a data source that gives nothing, and its probes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tap_supermetrics.api.verdicts import Reach

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_supermetrics.api.errors import ApiError
    from tap_supermetrics.model import Query

Key = tuple[Reach, str, str]
"""The reach of a breaker and its subject: a data source, a report, an account of a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtLimit:
    """The limit of failures before an account, a report or a data source is given up.

    Attributes:
        failures: paid for, and none answered, until there is doubt.
        probes: queries that then probe, at the same time.
        is_renewed: whether doubt returns after an answer, with as many failures in a row, or as
            many as answers came. Else one answer would hide the fault of all others.
    """

    failures: int
    probes: int
    is_renewed: bool = False


DOUBT_LIMITS: Final = {
    # Most accounts may be dead, and the first ones at that: so many are tried.
    Reach.SOURCE: DoubtLimit(failures=120, probes=20),
    Reach.REPORT: DoubtLimit(failures=60, probes=20),
    Reach.ACCOUNT: DoubtLimit(failures=20, probes=1, is_renewed=True),
}
"""By reach, the widest first."""


@dataclass(slots=True, kw_only=True)
class Breaker:
    """The state of a data source, a report, or an account of a report.

    Closed while it has an answer or few failures; doubtful, when only failures came; probing, while
    `probes` are on their way; open, when `error` says what every query would meet.

    Attributes:
        failures: since the last answer.
        answers: in all.
        probes: queries on their way that decide for others.
        error: what every query would meet.
        is_guessed: whether only failed probes say so, and an answer refutes it.
        is_tried_first: whether there is doubt before the first answer, and one probe is enough.
    """

    failures: int = 0
    answers: int = 0
    probes: set[Query] = field(default_factory=set)
    error: ApiError | None = None
    is_guessed: bool = False
    is_tried_first: bool = False

    def is_doubtful(self, limit: DoubtLimit) -> bool:
        """Return whether nothing but failures came, and too many of them, or it is tried first."""
        if self.error or (self.failures < limit.failures and not self.is_tried_first):
            return False
        return self.failures > self.answers if limit.is_renewed else not self.answers

    def answer(self) -> None:
        """Count an answer, which is no failure in a row."""
        self.answers += 1
        self.failures = 0
        self.is_tried_first = False
        self.probes.clear()
        if self.is_guessed:
            self.error = None


class Doubts:
    """The breakers by key, and the probes on their way.

    Args:
        ds_ids: of the data source of each report, by its name.

    Attributes:
        breakers: by key.
    """

    def __init__(self, ds_ids: Mapping[str, str]) -> None:
        self._ds_ids = ds_ids
        self.breakers: defaultdict[Key, Breaker] = defaultdict(Breaker)

    def breakers_of(self, query: Query) -> list[Breaker]:
        """Return the breakers of a query, the widest first."""
        return [self.breakers[key] for key in self.keys_of(query)]

    def answered(self, query: Query) -> list[Key]:
        """Count an answer; return the keys that it releases."""
        released = []
        # One answer clears all three: the account's says that report and source work too.
        for key in self.keys_of(query):
            breaker = self.breakers[key]
            was_given_up = breaker.error and breaker.is_guessed
            if was_given_up or breaker.probes or breaker.is_doubtful(DOUBT_LIMITS[key[0]]):
                released.append(key)
            breaker.answer()
        return released

    def failed(self, query: Query) -> list[Key]:
        """Count a paid failure; return the keys that are in doubt from now on."""
        begun = []
        for key in self.keys_of(query):
            breaker, limit = self.breakers[key], DOUBT_LIMITS[key[0]]
            was_doubtful = breaker.is_doubtful(limit)
            breaker.failures += 1
            # Returned once, as doubt begins: the caller goes through all that breakers hold back.
            if breaker.is_doubtful(limit) and not was_doubtful:
                begun.append(key)
        return begun

    def is_in_doubt(self, query: Query) -> bool:
        """Return whether a failed query, which is no probe, must not be submitted again now."""
        doubts = self.doubtful_keys(query)
        return bool(doubts) and not any(  # A probe, or a part of one, must go on.
            _lies_in(query, probe) for key in doubts for probe in self.breakers[key].probes
        )

    def unprobed(self, query: Query) -> list[Key]:
        """Return the doubts that a query is in, and that have no probe yet."""
        return [key for key in self.doubtful_keys(query) if not self.breakers[key].probes]

    def probes_wanted(self, query: Query, reach: Reach) -> int:
        """Return how many probes the account, report or source of a query needs."""
        breaker = self.breakers[self.key_of(query, reach)]
        if breaker.probes or not breaker.is_doubtful(DOUBT_LIMITS[reach]):
            return 0
        return 1 if breaker.is_tried_first else DOUBT_LIMITS[reach].probes

    def probing(self, probe: Query, reach: Reach = Reach.SOURCE) -> None:
        """Make a query a probe, up to a reach, where there is doubt.

        A dead account says little about its report: a probe of an account is none of the report.
        """
        reaches = [*DOUBT_LIMITS]
        for key in self.doubtful_keys(probe):
            breaker = self.breakers[key]
            is_within = reaches.index(key[0]) >= reaches.index(reach)
            if is_within and len(breaker.probes) < DOUBT_LIMITS[key[0]].probes:
                breaker.probes.add(probe)

    def is_probing(self, query: Query) -> bool:
        """Return whether a query is a probe on its way."""
        return any(query in self.breakers[key].probes for key in self.keys_of(query))

    def has_failed(self, query: Query) -> bool:
        """Return whether the last query of an account failed."""
        return self.breakers[self.key_of(query, Reach.ACCOUNT)].failures > 0

    def forget_probe(self, query: Query) -> list[Key]:
        """Remove a query from all probes; return the keys that have no probe left by that."""
        last_of = []
        for key in self.keys_of(query):
            breaker = self.breakers[key]
            # A probe may have been split: its newest part stands for it.
            others = {probe for probe in breaker.probes if not _ends_as_late_as(query, probe)}
            if breaker.probes and not others:
                last_of.append(key)
            breaker.probes = others
        return last_of

    def end_first_tries(self, keys: Collection[Key]) -> list[Key]:
        """End first tries; return their keys: one failure does not decide about them."""
        ended = [key for key in keys if self.breakers[key].is_tried_first]
        for key in ended:
            self.breakers[key].is_tried_first = False
        return ended

    def doubtful_keys(self, query: Query) -> list[Key]:
        """Return the keys of the doubtful breakers of a query."""
        keys = self.keys_of(query)
        return [key for key in keys if self.breakers[key].is_doubtful(DOUBT_LIMITS[key[0]])]

    def keys_of(self, query: Query) -> list[Key]:
        """Return the keys of a query, the widest first."""
        return [self.key_of(query, reach) for reach in DOUBT_LIMITS]

    def key_of(self, query: Query, reach: Reach) -> Key:
        """Return the key of a query, of one reach."""
        if reach is Reach.SOURCE:
            return reach, self._ds_ids[query.report], ""
        return reach, query.report, query.account_id if reach is Reach.ACCOUNT else ""


def widest(keys: Collection[Key]) -> Reach:
    """Return the widest reach of at least one key."""
    reaches = {key[0] for key in keys}
    return next(reach for reach in DOUBT_LIMITS if reach in reaches)


def _ends_as_late_as(query: Query, probe: Query) -> bool:
    """Return whether a query is a probe, or of its account and its last day or later ones.

    A probe may have been split. One that ends later had the better chance of an answer.
    """
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
    return probe.dates.contains(query.dates)
