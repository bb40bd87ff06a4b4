"""Spelling of the items of a query batch: accounts and fields as texts, or as lists.

The page of 2023 shows texts, "Get data" takes both, the newest page says texts; an id may hold a
comma.
"""

from __future__ import annotations

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
