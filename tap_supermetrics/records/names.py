"""Names of columns as targets see them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tap_supermetrics.words import with_parted_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_NAME_BYTES: Final = 63
"""PostgreSQL cuts longer names off (its documentation, "Identifiers and Key Words")."""

_SHOWN: Final = 80
OF_LOADERS: Final = "_sdc_"
"""The prefix of columns that loaders add."""


def as_targets_see(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return a name as common loaders store it: snake case, cut off, by default to the shortest."""
    plain = re.sub(r"\W+|_+", "_", with_parted_words(name)).strip("_").casefold()
    return plain.encode()[:max_bytes].decode(errors="ignore")


def as_the_sdk_sees(name: str) -> str:
    """Return a name as loaders on the SDK's default store it: without signs and other letters.

    Source: singer-sdk, `SQLSink.conform_name`.
    """
    plain = re.sub(r"[^a-zA-Z0-9_\-.\s]", "", name).strip().casefold()
    return re.sub(r"[-. ]", "_", plain)


def clashes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that targets cannot distinguish from an earlier one, after that one."""
    known: dict[tuple[object, str], str] = {}
    for name in names:
        seen = ((see, see(name)) for see in (as_targets_see, as_the_sdk_sees))
        firsts = [known.setdefault(each, name) for each in seen]
        if other := next((each for each in firsts if each != name), None):
            yield other, name


def warnings_of_name(name: str) -> str:
    """Return why some targets refuse a name by itself; else nothing."""
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes: some targets cut it off, others refuse it"
    if not as_the_sdk_sees(name).strip("_"):
        return "has no letter or digit of ASCII, and some targets keep no others"
    if name.casefold().startswith(OF_LOADERS):
        return f"begins with {OF_LOADERS}, as columns of loaders do"
    return ""


def warnings_of_columns(names: Collection[str]) -> Iterator[str]:
    """Yield why some targets may change or refuse names of columns."""
    for name in names:
        if doubt := warnings_of_name(name):
            yield f"the name {name[:_SHOWN]} {doubt}; rename it by `stream_maps`"
    for first, second in clashes(names):
        yield (
            f"{first} and {second} are one column to some targets, which compare names "
            "in small letters, signs as `_`, cut off at 63 bytes; leave one out, or rename it by "
            "`stream_maps`"
        )
