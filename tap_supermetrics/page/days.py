"""A letter for each day of an account, and how they are written: `300d2em`, a number before each.

`d` done, `e` done and empty, `p` done by estimates of the data source (sampled), `s` stale, `f` not
there because its query failed, `m` missing.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from tap_supermetrics.sync.days_read import EMPTY, FAILED, MISSING, ROWS, SAMPLED, STALE, UNREAD

if TYPE_CHECKING:
    from tap_supermetrics.dates import DateRange
    from tap_supermetrics.sync.calendar import AccountDays

LETTERS: Final = f"{ROWS}{EMPTY}{SAMPLED}{STALE}{FAILED}{MISSING}"
MAX_DAYS: Final = 200_000
"""A calendar with more days was not written by the tap."""
_AS_COVERED: Final = str.maketrans(f"{STALE}{FAILED}{MISSING}{UNREAD}", ROWS * 4)
_AS_MISSING: Final = str.maketrans(f"{ROWS}{EMPTY}{SAMPLED}{STALE}{UNREAD}", MISSING * 5)
_RUN: Final = re.compile(r"(.)\1*")
_WRITTEN: Final = re.compile(rf"(\d{{0,6}})([{LETTERS}])")


def letters_of(account: AccountDays, before: str, read: str) -> str:
    """Return a letter for each day of an account.

    The state has the loaded days; what else is known of them comes from runs.

    Args:
        account: its days as the state has them.
        before: the letters of the same days that earlier runs left.
        read: what this run found on the same days.
    """
    noted = read
    if UNREAD in read:
        noted = "".join(b if r == UNREAD else r for b, r in zip(before, read, strict=True))
    letters = [*noted.translate(_AS_COVERED)]
    for dates in account.missing:
        place = _place(account.wanted, dates)
        letters[place] = noted[place].translate(_AS_MISSING)
    for dates in account.stale:
        letters[_place(account.wanted, dates)] = STALE * dates.days
    return "".join(letters)


def written(letters: str) -> str:
    """Return letters run-length encoded; a count of one is left out."""
    found = (match for match in _RUN.finditer(letters))
    return "".join(f"{_number(len(match[0]))}{match[1]}" for match in found)


def read(text: str) -> str:
    """Return the letters of an encoded text; none where the tap did not write it."""
    runs = [(int(number or 1), letter) for number, letter in _WRITTEN.findall(text)]
    if "".join(chain.from_iterable((_number(n), each) for n, each in runs)) != text:
        return ""
    return "" if sum(n for n, _ in runs) > MAX_DAYS else "".join(n * each for n, each in runs)


def _number(count: int) -> str:
    return str(count) if count > 1 else ""


def _place(whole: DateRange, part: DateRange) -> slice:
    first = (part.first - whole.first).days
    return slice(first, first + part.days)
