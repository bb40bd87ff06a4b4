"""Spelling of ids in a query: accounts and fields as texts, or as lists.

The page of 2023 shows texts, "Get data" takes both, the newest page says texts; an id may contain
a comma.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class ItemForm(Enum):
    """The form of accounts and fields in an item of a batch."""

    TEXTS = "comma-separated texts"
    LISTS = "lists"


MAX_TEXT: Final = 1000
"""Longest text that accounts or fields may be (the API's schema)."""


def spelt(body: Mapping[str, Any], form: ItemForm) -> dict[str, Any]:
    """Return the body of "Start batch run" with items in a form; lists where texts cannot be."""
    if form is ItemForm.LISTS:
        return dict(body)
    return {**body, "queries": [_as_texts(each) for each in body.get("queries", ())]}


def _as_texts(item: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _text(item[name]) for name in ("ds_accounts", "fields") if name in item}
    return {**item, **texts}


def _text(ids: list[str] | str) -> list[str] | str:
    if isinstance(ids, str):
        return ids
    text = ",".join(ids)
    is_clear = not any("," in each or each != each.strip() for each in ids)
    return text if is_clear and len(text) <= MAX_TEXT else ids


def ids_of(raw: Any) -> list[str] | None:  # noqa: ANN401 - any JSON
    """Return the ids that an answer echoes, in whatever form; None where it echoes none.

    Documented is a list of texts. A text of several, objects, and ids as keys are understood too.
    """
    if isinstance(raw, dict):
        raw = [raw] if any(map(_is_id, raw)) else [*raw]
    if isinstance(raw, str):
        raw = [each for each in re.split("[,;]", raw) if each.strip()]
    elif isinstance(raw, int) and not isinstance(raw, bool):
        raw = [raw]
    if not isinstance(raw, list):
        return None
    ids = [_id_of(each) for each in raw]
    return [each for each in ids if each is not None] if None not in ids else None


def _is_id(key: str) -> bool:
    """Return whether a member of an object is an id: `id`, `account_id`."""
    return re.fullmatch("(.*_)?id", key) is not None


def _id_of(raw: Any) -> str | None:  # noqa: ANN401 - any JSON
    if isinstance(raw, dict):
        raw = next((value for key, value in raw.items() if _is_id(key)), None)
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    is_plain = isinstance(raw, (str, int)) and not isinstance(raw, bool)
    return str(raw).strip() if is_plain else None
