"""Spellings of account ids: four answers to whether two ids are one account.

They differ on purpose. What settings name is refused where it is doubtful; what the API answers is
paid for, and taken where it can be right; what a person may have meant is only a guess. So none of
them stands for another: `act-123` and `123` are one for `Spellings`, but not for `are_one`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from unicodedata import decimal

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DIGITS: Final = 6
"""Fewest digits that identify an account, whatever stands around them."""
_PREFIX: Final = re.compile(r"([A-Za-z]+[_/:])+")
AS_A_NUMBER: Final = r"(\d+)(?:\.(\d+))?(?:e\+?(\d{1,2}))?"
"""An id as a spreadsheet shows it."""


# Ids in settings and state


def core_of(account: str) -> str:
    """Return what identifies an account however it is spelt: its number, if it is one.

    Ids that share it need not be of one account: `are_one` decides.
    """
    number = re.sub(r"[-\s]", "", account.removeprefix(_prefix_of(account)))
    return (number.lstrip("0") or "0") if number.isdigit() else account


def are_one(first: str, second: str) -> bool:
    """Return whether two ids are one account: `act_123` is `123`, but not `ig_123`.

    It takes hyphens, spaces, leading zeros and one prefix (`act_`, `customers/`, `urn:li:account:`)
    for nothing in a number, and any difference in other ids for two accounts. Two accounts taken
    for one have their report refused, with a message; one taken for two is loaded twice.
    """
    prefixes = {_words_of(_prefix_of(each)) for each in (first, second)} - {""}
    return core_of(first) == core_of(second) and len(prefixes) < 2  # noqa: PLR2004 - two differ


def is_spelling_of(first: str, second: str) -> bool:
    """Return whether two ids that are both known are one account: zeros may distinguish them."""
    return are_one(first, second) and digits_of(first) == digits_of(second)


def _prefix_of(account: str) -> str:
    found = _PREFIX.match(account)
    return found[0] if found else ""


def _words_of(prefix: str) -> str:
    return re.sub(r"[\W_]", "", prefix).casefold()


# Ids in answers


def folded(account: str) -> str:
    """Return an account id without punctuation and case: `12-34` and `1234` are one account.

    Two accounts taken for one would have their rows loaded under the wrong id, so it counts only
    where the ids of one query stay apart. One taken for two costs a paid result.
    """
    return re.sub(r"[^\w]|_", "", account.casefold())


class Spellings:
    """Accounts to compare with: `act_123` is `123`, and `ig_123` is, but not each other.

    It takes for one what `folded` does, and a number with letters before it or without. It only
    refuses results of accounts that nobody requested. Two accounts taken for one let such a result
    pass; one taken for two fails a query that is right.
    """

    def __init__(self, accounts: Iterable[str]) -> None:
        self._whole = {folded(each) for each in accounts}
        self._numbers = set(map(_number, self._whole))

    def contains(self, account: str) -> bool:
        """Return whether an account is one of these."""
        one = folded(account)
        return one in self._whole or one in self._numbers or _number(one) in self._whole


def _number(account: str) -> str:
    """Return the digits after the letters of a folded id, where nothing else follows."""
    return re.sub(r"^[a-z]+(?=\d+$)", "", account)


# Ids that the API does not list


def likely_core_of(account: str) -> str:
    """Return what most likely identifies an account: its digits, where these are many.

    It takes for one whatever has the same digits, on any keyboard and in any format of a
    spreadsheet. It only finds the listed id that is meant by one that is not listed. Two accounts
    taken for one cost a wrong "did you mean", before anything is paid; one taken for two costs the
    hint.
    """
    digits = digits_of(_as_whole(account)).lstrip("0")
    return digits if len(digits) >= MIN_DIGITS else re.sub(r"[\W_]", "", account).casefold()


def digits_of(written: str) -> str:
    """Return the digits of a text, of whatever keyboard."""
    return "".join(str(decimal(each)) for each in written if each.isdecimal())


def _as_whole(written: str) -> str:
    """Return an id that a spreadsheet took for a number, `4713896205.0` or `4.7E+09`, in full."""
    found = re.fullmatch(AS_A_NUMBER, written.casefold())
    if not found or not (found[2] or found[3]):
        return written
    number = Decimal(written)
    return f"{number:.0f}" if number == number.to_integral_value() else written
