"""Removes from what people read: the API key, however it is spelt, and control characters."""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_KEY: Final = 8
"""Shorter texts are no keys, and would be found within ordinary words."""
LONGEST_TEXT: Final = 2_000
"""Longest text of a server that is shown."""
LONGEST_SEARCHED: Final = 20_000
"""Longest text that is searched for parts of the key."""
_MASK: Final = "(the key)"
_SHORTEST_PART: Final = 12
"""Shorter parts of the key are no secret: a vendor names keys by their first letters."""
_IN_SMALL: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_ROUNDS: Final = 8
"""How many levels of escapes a key is searched in."""


class OneLine(logging.LogRecord):
    """A record of the log whose message is one line: no text of a server forges another.

    Attributes:
        secrets: keys that no message shows, whoever logs it.
    """

    secrets: ClassVar[set[str]] = set()

    def getMessage(self) -> str:  # noqa: N802 - the name that `logging` calls
        """Return the message, readable and without the key."""
        message = without_secrets(super().getMessage())
        is_ours = self.name.startswith(("tap_supermetrics", "tap-supermetrics"))
        return readable(message) if is_ours and not message.isprintable() else message


def without_secrets(text: str) -> str:
    """Return a text without any of the keys that no message shows."""
    for key in OneLine.secrets:
        text = without_key(text, key)
    return text


def without_key(text: str, key: str) -> str:
    """Return a text without the key, however it is spelt, and without large parts of it.

    It may be in capitals, escaped as addresses, HTML, JSON or Python escape, in Base64, or cut.
    Texts longer than servers' are composed of texts that were searched before.
    """
    if len(key) < SHORTEST_KEY:
        return text
    for form in sorted(_forms(key), key=len, reverse=True):
        text = text.replace(form, _MASK)
    if len(text) > LONGEST_SEARCHED:
        return text
    text = _spelt(key).sub(_MASK, text)
    for secret in (key, *_in_base64(key)):
        text = _without_parts(text, secret)
    return text


@lru_cache(maxsize=8)
def _spelt(key: str) -> re.Pattern[str]:
    """Return a pattern of the key, each letter plain or escaped, in any case."""
    return re.compile("".join(map(_spelt_letter, key)), re.IGNORECASE)


def _spelt_letter(letter: str) -> str:
    code = ord(letter)
    in_address = "".join(f"%(?:25)*{byte:02x}" for byte in letter.encode(errors="replace"))
    in_json = rf"\\+u{code:04x}"
    return rf"(?:\\*{re.escape(letter)}|{in_address}|&#0*{code};|&#x0*{code:x};|{in_json})"


def _in_base64(key: str) -> Iterator[str]:
    """Yield the Base64 of the key, for each place where it may begin in the encoded text."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + key.encode(errors="replace")).decode().rstrip("=")
        yield encoded[before + (before > 0) : -1]


def _without_parts(text: str, secret: str) -> str:
    """Return a text without parts of a secret that are as long as half of it."""
    size = max(_SHORTEST_PART, -(-len(secret) // 2))
    plain, secret = text.translate(_IN_SMALL), secret.translate(_IN_SMALL)
    parts = {secret[first : first + size] for first in range(len(secret) - size + 1)}
    found = [first for first in range(len(plain)) if plain[first : first + size] in parts]
    if not found:
        return text
    shown, end = list[str](), 0
    for first in found:
        if first > end or not shown:
            shown += [text[end:first], _MASK]
        end = first + size
    return "".join(shown) + text[end:]


def _forms(key: str) -> set[str]:
    """Return the spellings of a key in texts, addresses and JSON; none of a short one."""
    if len(key) < SHORTEST_KEY:
        return set()
    in_json = json.dumps(key)[1:-1]
    unescaped = json.dumps(key, ensure_ascii=False)[1:-1]
    forms = {key, repr(key)[1:-1], in_json, unescaped, quote(key, safe="")}
    # PHP escapes slashes in JSON.
    forms |= {each.replace("/", "\\/") for each in (in_json, unescaped)}
    # JSON within a text of JSON is escaped twice.
    return forms | {json.dumps(in_json)[1:-1]}


def readable(text: str) -> str:
    """Return a text of a server as one line without keys or control characters, of bounded length.

    Control characters, marks that turn the direction of writing and the like become U+FFFD.
    """
    # Cut first, as it may be megabytes long; but to its final length only without the key, as half
    # of it is still a secret.
    text = without_secrets(text[:LONGEST_SEARCHED])
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
    """Return an address without the parameters that contain the key, in JSON too."""
    if not shows_key(address, key):
        return address
    parts = urlsplit(address)
    shown = [
        (name, _json_without_key(value, key) if shows_key(value, key) else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not shows_key(name, key)
    ]
    query = urlencode([(name, value) for name, value in shown if value is not None])
    return urlunsplit(parts._replace(query=query))


def _json_without_key(value: str, key: str) -> str | None:
    """Return an object in JSON without the members that contain the key; None for another value."""
    try:
        members: Any = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    shown = {name: each for name, each in members.items() if not shows_key(f"{name} {each}", key)}
    return json.dumps(shown, separators=(",", ":"))
