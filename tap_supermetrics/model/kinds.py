"""The kinds of value that a setting may have: how each is checked, and its JSON Schema.

A kind reads what a person wrote, or says in one phrase what it expected instead. Values that come
as text from an environment variable (`"5"`, `"true"`, `"a, b"`) are understood too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from unicodedata import category
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from tap_supermetrics.dates import Day
from tap_supermetrics.model.accounts import Accounts, compile_filter
from tap_supermetrics.model.shards import MAX_SHARDS, Shard
from tap_supermetrics.redaction import without_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
W = TypeVar("W", bound=str)
E = TypeVar("E", bound=Enum)

_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": ["array", "string"], "items": {"type": "string"}}
_MIDNIGHT = r"(?i)^(\d{4}-\d\d-\d\d)[t ]00:00(:00(\.0+)?)?(z|[+-]00:?00)?$"
_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
# Pages show numbers with these, so that they do not break.
_HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e"
_BESIDE_A_KEY: Mapping[str, str] = {
    f"^[{_QUOTES}].*[{_QUOTES}]$": "begins and ends with a quotation mark; leave them out",
    f"^[{_QUOTES}]|[{_QUOTES}]$": "begins or ends with a quotation mark; leave it out",
    r"^(authorization\s*:\s*)?bearer\b": "begins with the word Bearer; leave it out",
    r"^(export\s+|set\s+)?\w*api_?key\w*\s*[=:]": "begins with the name of the setting; "
    "leave it out",
    r"^<.*>$": "stands in angle brackets, as an example does; put your own key there",
    r"^[{\[]": "is a list or an object, not a text; give the key alone",
    r"^[a-z][a-z0-9+.-]*://": "is an address; give the key alone, not where it is kept",
    r"[*\u2022\u25cf]{3}|\.{3}|\u2026|^(x{6,}|your.*key.*)$": "is masked or an example, as a page "
    "shows it; copy the key itself",
}
_LIST, _ALL = "list.", "all_accounts"
_OBJECT: Mapping[str, Any] = {"type": "object", "additionalProperties": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """One kind of setting.

    Attributes:
        expected: what a value must be, as a phrase that follows "expected".
        schema: JSON Schema of the raw value.
        meltano: Meltano's name for the kind.
        convert: gives the checked value, or raises ValueError, TypeError, LookupError or OSError.
        options: the allowed words, for a choice.
        is_secret: whether the value must never be shown.
    """

    expected: str
    schema: Mapping[str, Any]
    meltano: str
    convert: Callable[[Any], T]
    options: tuple[str, ...] = ()
    is_secret: bool = False

    def read(self, raw: object, key: str = "") -> T:
        """Return the checked value of what a person wrote.

        Args:
            raw: what came.
            key: the API key, which no message shows, not even a part of it.

        Raises:
            ValueError: it is not of this kind; the message says what was expected and what came.
        """
        try:
            return self.convert(raw)
        except SpoiltKeyError as error:
            raise ValueError(f"expected {self.expected}; {error}") from None
        except json.JSONDecodeError as error:
            got = f"a text that is no JSON ({error}): {_shown(raw, key)}"
            raise ValueError(f"expected {self.expected}, got {got}") from None
        except RecursionError:
            raise ValueError(
                f"expected {self.expected}, got a value that nests too deeply"
            ) from None
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError):
            got = "another value (not shown)" if self.is_secret and raw else _shown(raw, key)
            raise ValueError(f"expected {self.expected}, got {got}") from None


def text(expected: str = "a text", pattern: str = r".*\S.*") -> Kind[str]:
    """A text that matches `pattern` as a whole, blanks around it dropped."""

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        stripped = _visible(raw).strip() if isinstance(raw, str) else _reject()
        return stripped if re.fullmatch(pattern, stripped, re.DOTALL) else _reject()

    return Kind(expected=expected, schema=_TEXT, meltano="string", convert=convert)


def secret(expected: str, pattern: str) -> Kind[str]:
    """A text that no message may repeat."""
    schema = {**_TEXT, "secret": True, "writeOnly": True}
    return replace(text(expected, pattern), schema=schema, is_secret=True)


class SpoiltKeyError(ValueError):
    """A key is given together with something that is no part of it, which is named."""


def key() -> Kind[str]:
    """An API key, as it is copied; what is often copied with it is named, never the key."""
    plain = secret("a key of letters, digits and signs, without blanks", r"[!-~]+")

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        given = _visible(raw).strip() if isinstance(raw, str) else ""
        for pattern, what in _BESIDE_A_KEY.items():
            if re.search(pattern, given, re.IGNORECASE):
                raise SpoiltKeyError(f"the key {what}")
        return plain.convert(raw)

    return replace(plain, convert=convert)


def address() -> Kind[str]:
    """The base address of an API: scheme, host, path."""
    plain = text("an https address (http for localhost only)", r"https?://[^\s?#]+")

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        url = plain.convert(raw)
        parts = urlsplit(url)
        return url.rstrip("/") if parts.hostname and parts.port != 0 else _reject()

    return replace(plain, convert=convert)


def shard() -> Kind[Shard]:
    """One of several runs that share the accounts."""
    return Kind(
        expected=f"a number and how many there are, at most {MAX_SHARDS}, such as 2/5",
        schema=_TEXT,
        meltano="string",
        convert=lambda raw: Shard.parse(re.sub(r"\s", "", raw)),
    )


def choice(*words: W) -> Kind[W]:
    """One of a few words."""
    return _words({word: word for word in words})


def one_of(words: type[E]) -> Kind[E]:
    """One of the words of an enumeration, in its order."""
    return _words({str(each.value): each for each in words})


def either(*, true: str, false: str) -> Kind[bool]:
    """One of two words, of which one is true."""
    return _words({false: False, true: True})


def _words(meanings: Mapping[str, T]) -> Kind[T]:
    """Words, each with what it means."""
    return Kind(
        expected=f"one of {', '.join(meanings)}",
        schema={**_TEXT, "enum": [*meanings]},
        meltano="options",
        convert=lambda raw: meanings[raw.strip().lower()],
        options=tuple(meanings),
    )


def whole(minimum: int, maximum: int) -> Kind[int]:
    """A whole number between two bounds, both included."""

    def convert(raw: Any) -> int:  # noqa: ANN401 - whatever a person wrote
        number = int(raw) if isinstance(raw, str) else raw
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        return number if is_whole and minimum <= number <= maximum else _reject()

    return Kind(
        expected=f"a whole number from {minimum} to {maximum}",
        schema={"type": "integer", "minimum": minimum, "maximum": maximum},
        meltano="integer",
        convert=convert,
    )


def number(above: float, maximum: float) -> Kind[float]:
    """A number over `above`, at most `maximum`."""

    def convert(raw: Any) -> float:  # noqa: ANN401 - whatever a person wrote
        value = _reject() if isinstance(raw, bool) else float(raw)
        return value if above < value <= maximum else _reject()

    return Kind(
        expected=f"a number over {above:g}, at most {maximum:g}",
        schema={"type": "number", "exclusiveMinimum": above, "maximum": maximum},
        # Meltano crashes on its own kind `decimal` when the value comes from the environment.
        meltano="string",
        convert=convert,
    )


def flag() -> Kind[bool]:
    """True or false."""
    words = dict.fromkeys(("true", "1", "yes", "on"), True)
    words |= dict.fromkeys(("false", "0", "no", "off"), False)
    return Kind(
        expected="true or false",
        schema={"type": "boolean"},
        meltano="boolean",
        convert=lambda raw: raw if isinstance(raw, bool) else words[str(raw).strip().lower()],
    )


def day() -> Kind[Day]:
    """A calendar date or a day relative to today."""
    return Kind(
        expected="YYYY-MM-DD, `today`, `yesterday` or `N days ago`",
        schema=_TEXT,
        meltano="string",
        convert=_as_day,
    )


def _as_day(raw: Any) -> Day:  # noqa: ANN401 - whatever a person wrote
    """Read a day; midnight, as other taps want a start to be written, is the day too."""
    written = str(raw) if isinstance(raw, (str, date)) else _reject()
    plain = _visible(written).translate(_HYPHENS).strip()
    return Day.parse(re.sub(_MIDNIGHT, r"\1", plain))


def timezone() -> Kind[ZoneInfo]:
    """A time zone by its IANA name."""
    return Kind(
        expected="the IANA name of a time zone, such as UTC or Europe/Helsinki",
        schema=_TEXT,
        meltano="string",
        convert=_as_timezone,
    )


def _as_timezone(raw: Any) -> ZoneInfo:  # noqa: ANN401 - whatever a person wrote
    """Read a name in whatever case, with a blank for `_`, but for those of this machine's own."""
    name = re.sub(r"\s+", "_", raw.strip()) if isinstance(raw, str) else _reject()
    if not name or name in _OF_THE_MACHINE:
        _reject()
    try:
        return ZoneInfo(name)
    except (KeyError, OSError):
        known = {each.casefold(): each for each in available_timezones()}
        return ZoneInfo(known[name.casefold()])


def texts(expected: str = "a list of texts or a comma-separated text") -> Kind[tuple[str, ...]]:
    """At least one text, given as a list or separated by commas."""
    return Kind(expected=expected, schema=_TEXTS, meltano="array", convert=_as_texts)


def fields() -> Kind[tuple[str, ...]]:
    """At least one field, by its id; an object may hold nothing else than its id."""

    def convert(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a person wrote
        return _as_texts([_field_id(each) for each in raw] if isinstance(raw, list) else raw)

    items = {"type": ["string", "object"]}
    return Kind(
        expected=(
            "a list of field ids, of objects with an `id` only, or a comma-separated text "
            "(fields split by column and comparisons are not supported)"
        ),
        schema={"type": ["array", "string"], "items": items},
        meltano="array",
        convert=convert,
    )


def _field_id(raw: Any) -> Any:  # noqa: ANN401 - whatever a person wrote
    if isinstance(raw, dict):
        return raw["id"] if set(raw) == {"id"} else _reject()
    return raw


def accounts() -> Kind[Accounts]:
    """Account ids, a list of the vendor's, or a filter."""
    return Kind(
        expected=(
            "a list of account ids, a comma-separated text, `list.all_accounts`, `list.<slug>`, "
            "or an object with `filter_id` or `filter_name`"
        ),
        schema={
            "type": ["array", "string", "object", "integer"],
            "items": {"type": ["string", "integer"]},
        },
        meltano="array",
        convert=_as_accounts,
    )


def mapping(expected: str = "an object") -> Kind[Mapping[str, Any]]:
    """An object with any values."""
    return Kind(
        expected=expected,
        schema=_OBJECT,
        meltano="object",
        convert=_as_object,
    )


def _as_object(raw: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a person wrote
    value = json.loads(raw) if isinstance(raw, str) else raw
    return dict(value) if isinstance(value, dict) else _reject()


def entries(schema: Mapping[str, Any]) -> Kind[tuple[Any, ...]]:
    """At least one entry, each an object of its own settings; JSON text is understood."""

    def convert(raw: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever a person wrote
        values = json.loads(raw) if isinstance(raw, str) else raw
        return tuple(values) if isinstance(values, list) and values else _reject()

    return Kind(
        expected="a list with at least one entry",
        schema={"type": "array", "minItems": 1, "items": schema},
        meltano="array",
        convert=convert,
    )


def _as_texts(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a person wrote
    parts = _parted(raw) if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(_is_id(part) for part in parts):
        _reject()
    stripped = tuple(_visible(str(part)).strip() for part in parts)
    return stripped if stripped and all(stripped) else _reject()


def _parted(written: str) -> list[Any]:
    """Return the parts of a text: of a list in JSON, or between commas, semicolons and lines."""
    if written.lstrip().startswith("["):
        parts: list[Any] = json.loads(written)
        return parts
    return re.split(r"\s*[,;]\s*|\s*[\r\n]\s*", written.strip())


def _visible(written: str) -> str:
    """Return a text without the characters that nobody sees, which come with what is copied."""
    return "".join(each for each in written if category(each) != "Cf")


def _is_id(raw: object) -> bool:
    # Ids of digits only are easily written as numbers in YAML.
    return isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool))


def _as_accounts(raw: Any) -> Accounts:  # noqa: ANN401 - whatever a person wrote
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raw = json.loads(raw)
    if isinstance(raw, dict):
        return _as_account_filter(raw)
    texts = _as_texts(raw if isinstance(raw, (str, list)) else [raw])
    ids = tuple(dict.fromkeys(each for text in texts for each in _account_ids(text)))
    if len(ids) == 1 and _is_list(ids[0]):
        name = ids[0][len(_LIST) :] or _reject()
        return Accounts(list_name=_ALL if name.casefold() == _ALL else name)
    return Accounts(ids=ids) if not any(map(_is_list, ids)) else _reject()


def _is_list(written: str) -> bool:
    return written.casefold().startswith(_LIST)


def _account_ids(written: str) -> tuple[str, ...]:
    """Return the ids in one entry of a list, where a person may have written several."""
    ids = [each.translate(_HYPHENS).strip("\"'`") for each in _parted(written)]
    words = [word for each in ids for word in each.split()]
    # An id may hold a blank, as a name does; a number does not.
    is_numbers = all(re.search(r"\d", word) for word in words)
    return tuple(words if is_numbers else ids) if ids and all(ids) else _reject()


def _as_account_filter(raw: dict[str, Any]) -> Accounts:
    ((key, pattern),) = raw.items()
    compile_filter(pattern or _reject())
    match key:
        case "filter_id":
            return Accounts(filter_id=pattern)
        case "filter_name":
            return Accounts(filter_name=pattern)
        case _:
            return _reject()


def _reject() -> NoReturn:
    raise ValueError


def _shown(raw: object, key: str) -> str:
    """Return a value, cut to fit a line, after all that may be secret in it is gone."""
    shown = "nothing" if raw is None or raw == "" else json.dumps(raw, default=str)
    shown = without_key(shown, key)
    # Addresses may hold another key, or a password.
    shown = re.sub(r"(://[^\s\"?#]*)[?#](\(the key\)|[^\s\"\\])+", r"\1?(not shown)", shown)
    shown = re.sub(r"://[^\s\"/?#]*@", "://(not shown)@", shown)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - fits a line
