"""Checks of what is written: that keys are unique, and that days are those requested.

A target that knows the key retains one of the records that share it, and drops the others in
silence. So keys are compared as they are written: two different cells may become one value. And a
date that is not the row's day, such as the start of a campaign, is the same on many days.

Two queries of a plan cannot write the same key: they differ in account or day, both are in the
default key, and the day of every row is checked against its query. Where a chosen key has no
account, keys are compared with those of other accounts too.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.api.errors import ApiError
from tap_supermetrics.dates import same_moment
from tap_supermetrics.model.columns import ACCOUNT_ID
from tap_supermetrics.records.kinds import ValueKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_supermetrics.dates import DateRange

MAX_HASHES: Final = 200_000
"""How many keys are in a set of hashes, 100 bytes each; older ones take 8 bytes each."""
_OF_BLANKS: Final = {
    True: " (a blank is written so, and a value may be: change `blank_key_value`)",
    False: " (null and an empty text are written alike: `filter` may leave such rows out)",
}
"""What may make keys of blanks equal, by whether `blank_key_value` is a text of its own."""
_EXACT: Final = frozenset({ValueKind.TEXT, ValueKind.DATE, ValueKind.TIME})
"""Kinds whose values are texts: their hashes of 64 bits differ where the texts do."""


def in_key(kind: ValueKind) -> Callable[[Any], Any] | None:
    """Return a function that makes a value of a kind comparable in a key; None where it is already.

    Hashes of numbers repeat: -1 and -2 share one.
    """
    if kind in _EXACT:
        return None
    return _IN_KEY.get(kind, str)


def _number_in_key(value: float) -> str:
    # As a target stores it: 1 and 1.0 are one number, and so are 0.0 and -0.0.
    return repr(float(value) + 0.0)


_IN_KEY: Final[Mapping[ValueKind, Callable[[Any], str]]] = {
    ValueKind.NUMBER: _number_in_key,
    # Noon with an offset of two hours is ten o'clock, as targets store it.
    ValueKind.DATETIME: same_moment,
}


@dataclass(slots=True, kw_only=True)
class OtherAccounts:
    """Keys of all results of a report, each with its account; the first 200,000 of them."""

    _owners: dict[int, str] = field(default_factory=dict)

    def owner(self, key: int, account: str) -> str:
        """Return the account that has a key, by its hash; the given one if no other has it."""
        if len(self._owners) < MAX_HASHES:
            return self._owners.setdefault(key, account)
        return self._owners.get(key, account)


@dataclass(slots=True, kw_only=True)
class RecordChecks:
    """Checks of the records of one result.

    Attributes:
        key: columns of the key whose values differ within a result.
        whole_key: all columns of the key, as messages name them.
        day: the field with the day of a row; empty where none has it.
        dates: the requested days; None where the API determines them.
        blank: replaces a blank text of the key.
        account: whose result it is.
        others: the keys of other accounts; None where the key has the account.
        rows_by_day: how many rows each day has; only counted where the result may have several.
    """

    key: tuple[str, ...]
    whole_key: tuple[str, ...]
    day: str
    dates: DateRange | None
    blank: str = ""
    account: str = ""
    others: OtherAccounts | None = None
    rows_by_day: Counter[str] = field(default_factory=Counter)
    _hashes: set[int] = field(default_factory=set)
    _older: list[array[int]] = field(default_factory=list)

    @property
    def only_day(self) -> str:
        """Return the day that all rows have; empty where they may have others."""
        return str(self.dates.first) if self.dates and self.dates.days == 1 else ""

    @property
    def counts_days(self) -> bool:
        """Return whether rows are counted by day: where the result has several."""
        return bool(self.day) and not self.only_day

    def check_days(self, days: Iterable[str]) -> None:
        """Check days of rows against the requested days.

        Raises:
            ApiError: RESULT_MISMATCH when a row has another day.
        """
        if self.dates is None:
            return
        first, last = str(self.dates.first), str(self.dates.last)
        for day in days:
            if not first <= day <= last:
                raise ApiError(
                    "RESULT_MISMATCH",
                    f"{self.day} is {day} in a result for {self.dates}, so it is not the day of "
                    "the row",
                )

    def check_key(self, key: Any) -> None:  # noqa: ANN401 - a value, or a tuple of values
        """Compare a key with those before it.

        Raises:
            ApiError: KEY_NOT_UNIQUE when a record before has it.
        """
        # A hash represents its key, at a fraction of the memory: see `_EXACT`.
        if hash(key) in self._hashes:
            raise self._not_unique(key)
        self._check_others((key,))
        self._hashes.add(hash(key))
        if len(self._hashes) >= MAX_HASHES:
            self._put_away()

    def check_keys(self, keys: Callable[[], Iterable[Any]], count: int) -> None:
        """Compare keys with each other and with those before them.

        Args:
            keys: returns them, each time anew.
            count: how many there are.

        Raises:
            ApiError: KEY_NOT_UNIQUE when two records share a key.
        """
        # Fewer than expected means that two are equal: one comparison for a whole block.
        expected = len(self._hashes) + count
        self._hashes.update(map(hash, keys()))
        if len(self._hashes) != expected:
            raise self._not_unique(_first_again(keys()))
        self._check_others(keys())
        if len(self._hashes) >= MAX_HASHES:
            self._put_away()

    def _check_others(self, keys: Iterable[Any]) -> None:
        if self.others is None:
            return
        for key in keys:
            owner = self.others.owner(hash((key, self.only_day)), self.account)
            if owner != self.account:
                raise ApiError(
                    "KEY_NOT_UNIQUE",
                    f"rows of the accounts {owner} and {self.account} share the key "
                    f"{', '.join(self.whole_key)}, for example {repr(key)[:200]}; add {ACCOUNT_ID} "
                    "to `key_properties`",
                )

    def finish(self) -> None:
        """Compare keys that are far apart in a long result.

        Raises:
            ApiError: KEY_NOT_UNIQUE when two records share a key.
        """
        # Else all keys are in one set, and were compared with each other as they came.
        if self._older:
            self._put_away()

    def _put_away(self) -> None:
        # Comparing a set with an array costs less than a search for each key.
        if not all(map(self._hashes.isdisjoint, self._older)):
            raise self._not_unique(None)
        # `q`: the hashes of Python are signed numbers of 64 bits.
        self._older.append(array("q", self._hashes))
        self._hashes = set()

    def _not_unique(self, example: Any) -> ApiError:  # noqa: ANN401 - a value, or a tuple of values
        # A key that all rows of a day share has nothing to show.
        details = "" if example in (None, ()) else f", for example {repr(example)[:200]}"
        values = example if isinstance(example, tuple) else (example,)
        if self.blank in values:
            details += _OF_BLANKS[bool(self.blank)]
        return ApiError(
            "KEY_NOT_UNIQUE",
            f"rows share the key {', '.join(self.whole_key)}{details}; a target would keep one of "
            "them",
        )


def _first_again(keys: Iterable[Any]) -> Any:  # noqa: ANN401 - a value, or a tuple of values
    seen = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None
