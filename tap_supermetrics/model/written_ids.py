"""Ids as people write them: in lists, between commas, with what came along as they were copied."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn
from unicodedata import category

from tap_supermetrics.model.accounts import Accounts, compile_filter

# Pages show numbers with these, so that they do not break.
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_LIST, _ALL = "list.", "all_accounts"


class SpoiltError(ValueError):
    """A value has something that is no part of it, or stands for another; the message says what."""


def reject() -> NoReturn:
    """Raise the error that a kind words."""
    raise ValueError


def as_texts(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a person wrote
    """Return the texts in a list, or in one text between commas.

    Raises:
        ValueError: there is none, or one is empty.
    """
    parts = _parted(raw) if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(_is_id(part) for part in parts):
        reject()
    stripped = tuple(visible(str(part)).strip() for part in parts)
    return stripped if stripped and all(stripped) else reject()


def _parted(written: str) -> list[Any]:
    """Return the parts of a text: of a list in JSON, or between commas, semicolons and lines."""
    if written.lstrip().startswith("["):
        parts: list[Any] = json.loads(written)
        return parts
    return re.split(r"\s*[,;]\s*|\s*[\r\n]\s*", written.strip())


def visible(written: str) -> str:
    """Return a text without invisible characters, which come with copied text."""
    return "".join(each for each in written if category(each) != "Cf")


def _is_id(raw: object) -> bool:
    # Ids of digits only are easily written as numbers in YAML.
    return isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool))


def as_accounts(raw: Any) -> Accounts:  # noqa: ANN401 - whatever a person wrote
    """Return the accounts that ids, a list of the vendor's, or a filter name, in JSON too.

    Raises:
        ValueError: they are none of these.
    """
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raw = json.loads(raw)
    if isinstance(raw, dict):
        return _as_account_filter(raw)
    texts = as_texts(raw if isinstance(raw, (str, list)) else [raw])
    ids = tuple(dict.fromkeys(each for text in texts for each in _account_ids(text)))
    if len(ids) == 1 and _is_list(ids[0]):
        name = ids[0][len(_LIST) :] or reject()
        return Accounts(list_name=_ALL if name.casefold() == _ALL else name)
    return Accounts(ids=ids) if not any(map(_is_list, ids)) else reject()


def _is_list(written: str) -> bool:
    return written.casefold().startswith(_LIST)


def _account_ids(written: str) -> tuple[str, ...]:
    """Return the ids in one entry of a list, where a person may have written several."""
    ids = [each.translate(HYPHENS).strip("\"'`") for each in _parted(written)]
    words = [word for each in ids for word in each.split()]
    # An id may contain a blank, as a name does; a number does not.
    is_numbers = all(re.search(r"\d", word) for word in words)
    return tuple(words if is_numbers else ids) if ids and all(ids) else reject()


def _as_account_filter(raw: dict[str, Any]) -> Accounts:
    # Exactly one: more or fewer of them raise ValueError here.
    ((key, pattern),) = raw.items()
    try:
        compile_filter(pattern or reject())
    except re.error as error:
        raise SpoiltError(f"the pattern of `{key}` is no regular expression: {error}") from None
    match key:
        case "filter_id":
            return Accounts(filter_id=pattern)
        case "filter_name":
            return Accounts(filter_name=pattern)
        case _:
            return reject()
