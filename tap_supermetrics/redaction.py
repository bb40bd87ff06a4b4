"""Keeps out of what people read: the API key, however it is spelt, and what steers a terminal."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SHORTEST_KEY: Final = 8
"""Shorter texts are no keys, and would be found within ordinary words."""
LONGEST_TEXT: Final = 2_000
"""Longest text of a server that is shown."""
_ROUNDS: Final = 8
"""How often a key is looked for that is escaped again and again."""


def without_key(text: str, key: str) -> str:
    """Return a text without the key: plain, as Python and JSON escape it, and in addresses."""
    # The longest first: a shorter form may be part of it, and would leave the rest.
    for form in sorted(_forms(key), key=len, reverse=True):
        text = text.replace(form, "(the key)")
    return text


def _forms(key: str) -> set[str]:
    """Return the spellings of a key in texts, addresses and JSON; none of a short one."""
    if len(key) < SHORTEST_KEY:
        return set()
    in_json = json.dumps(key)[1:-1]
    unescaped = json.dumps(key, ensure_ascii=False)[1:-1]
    forms = {key, repr(key)[1:-1], in_json, unescaped, quote(key, safe="")}
    # PHP escapes slashes in JSON.
    forms |= {each.replace("/", "\\/") for each in (in_json, unescaped)}
    # JSON may stand within a text of JSON, and is escaped twice then.
    return forms | {json.dumps(in_json)[1:-1]}


def readable(text: str) -> str:
    """Return a text of a server as one line that steers no terminal, of a length to be read.

    Control characters, marks that turn the direction of writing and the like become U+FFFD.
    """
    # Cut before anything else is done with it, as it may be megabytes long.
    line = " ".join(text[: 2 * LONGEST_TEXT].split())
    shown = "".join(each if each.isprintable() else "\ufffd" for each in line)
    return f"{shown[:LONGEST_TEXT]}..." if len(shown) > LONGEST_TEXT else shown


def shows_key(address: str, key: str) -> bool:
    """Return whether the key is in an address, however often it is escaped there."""
    forms = _forms(key)
    for _ in range(_ROUNDS):
        if any(form in address for form in forms):
            return True
        address = unquote(address)
    return False


def address_without_key(address: str, key: str) -> str:
    """Return an address without the parameters that name the key, also where they are in JSON."""
    if not shows_key(address, key):
        return address
    parts = urlsplit(address)
    kept = [
        (name, _json_without_key(value, key) if shows_key(value, key) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not shows_key(name, key)
    ]
    query = urlencode([(name, value) for name, value in kept if value is not None])
    return urlunsplit(parts._replace(query=query))


def _json_without_key(value: str, key: str) -> str | None:
    """Return an object in JSON without the members that name the key; None for another value."""
    try:
        members: Any = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    kept = {name: each for name, each in members.items() if not shows_key(f"{name} {each}", key)}
    return json.dumps(kept, separators=(",", ":"))
