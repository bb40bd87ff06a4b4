"""Keeps the API key out of whatever people read, however it is spelt there."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

SHORTEST_KEY: Final = 8
"""Shorter texts are no keys, and would be found within ordinary words."""


def without_key(text: str, key: str) -> str:
    """A text without the key: plain, as Python and JSON escape it, once or twice, in addresses."""
    if len(key) < SHORTEST_KEY:
        return text
    in_json = json.dumps(key)[1:-1]
    unescaped = json.dumps(key, ensure_ascii=False)[1:-1]
    forms = {key, repr(key)[1:-1], in_json, unescaped, quote(key, safe="")}
    forms |= {each.replace("/", "\\/") for each in (in_json, unescaped)}
    forms |= {json.dumps(in_json)[1:-1]}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "(the key)")
    return text
