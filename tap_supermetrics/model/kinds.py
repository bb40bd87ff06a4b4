"""The kinds of value that a setting may have: how each is checked, and its JSON Schema.

A kind reads what a person wrote, or says in one phrase what it expected instead. Values that come
as text from an environment variable (`"5"`, `"true"`, `"a, b"`) are understood too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from tap_supermetrics.dates import Day
from tap_supermetrics.model.shards import MAX_SHARDS, Shard
from tap_supermetrics.model.written_ids import (
    HYPHENS,
    SpoiltError,
    as_accounts,
    as_texts,
    reject,
    visible,
)
from tap_supermetrics.redaction import without_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_supermetrics.model.accounts import Accounts

T = TypeVar("T")
W = TypeVar("W", bound=str)
E = TypeVar("E", bound=Enum)

_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": ["array", "string"], "items": {"type": "string"}}
_MIDNIGHT = r"(?i)^(\d{4}-\d\d-\d\d)[t ]00:00(:00(\.0+)?)?(z|[+-]00:?00)?$"
_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
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
    # Each letter of it is searched in whatever is shown: a file's content would take minutes.
    r"(?s)^.{4097}": "has more than 4,096 letters, as no key has; copy the key alone",
    r"[*\u2022\u25cf]{3}|\.{3}|\u2026|^(x{6,}|your.*key.*)$": "is masked or an example, as a page "
    "shows it; copy the key itself",
}
_NO_FOLDER = frozenset({"true", "false", "null", "none", "yes", "no", "on", "off", "0", "1"})
_VARIABLE = re.compile(r"(?<![^/\\])\$[A-Za-z_]\w*|\$\{\w+\}|%[A-Za-z_]\w*%")
"""Where a part of a path begins, as elsewhere a name may have a `$`."""
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
        is_path: whether it names a file or a folder.
    """

    expected: str
    schema: Mapping[str, Any]
    meltano: str
    convert: Callable[[Any], T]
    options: tuple[str, ...] = ()
    is_secret: bool = False
    is_path: bool = False

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
        except SpoiltError as error:
            raise ValueError(f"expected {self.expected}; {error}") from None
        except json.JSONDecodeError as error:
            got = f"a text that is no JSON ({error}): {_short_and_safe(raw, key)}"
            raise ValueError(f"expected {self.expected}, got {got}") from None
        except RecursionError:
            raise ValueError(
                f"expected {self.expected}, got a value that nests too deeply"
            ) from None
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError):
            got = (
                "another value (not shown)"
                if self.is_secret and raw
                else f"{_what_of_json(raw)}{_short_and_safe(raw, key)}"
            )
            raise ValueError(f"expected {self.expected}, got {got}") from None


def text(expected: str = "a text", pattern: str = r".*\S.*") -> Kind[str]:
    """Return the kind of texts that match `pattern` as a whole; blanks around them are dropped."""

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        stripped = visible(raw).strip() if isinstance(raw, str) else reject()
        return stripped if re.fullmatch(pattern, stripped, re.DOTALL) else reject()

    return Kind(expected=expected, schema=_TEXT, meltano="string", convert=convert)


def folder() -> Kind[str]:
    """Return the kind of names of folders; what stands for none or for a variable is refused."""
    plain = text("a folder, or an empty text for none", r"[^\x00-\x1f]*")

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        name = plain.convert(raw)
        if name.casefold() in _NO_FOLDER:
            raise SpoiltError(f"{name} is a word; leave the text empty, or write ./{name}")
        if found := _VARIABLE.search(name):
            raise SpoiltError(
                f"the environment variable {found[0]} was not replaced; write the folder whole"
            )
        return name

    return replace(plain, convert=convert, is_path=True)


def secret(expected: str, pattern: str) -> Kind[str]:
    """Return the kind of texts that no message may repeat."""
    schema = {**_TEXT, "secret": True, "writeOnly": True}
    return replace(text(expected, pattern), schema=schema, is_secret=True)


def key() -> Kind[str]:
    """Return the kind of API keys; messages name what was copied beside a key, never the key."""
    plain = secret("a key of letters, digits and signs, without blanks", r"[!-~]+")

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        given = visible(raw).strip() if isinstance(raw, str) else ""
        # Before the form is checked: this says more than that the form is wrong.
        for pattern, what in _BESIDE_A_KEY.items():
            if re.search(pattern, given, re.IGNORECASE):
                raise SpoiltError(f"the key {what}")
        return plain.convert(raw)

    return replace(plain, convert=convert)


def address() -> Kind[str]:
    """Return the kind of an API's base address: scheme, host, path."""
    plain = text("an https address (http for localhost only)", r"https?://[^\s?#]+")

    def convert(raw: Any) -> str:  # noqa: ANN401 - whatever a person wrote
        url = plain.convert(raw)
        parts = urlsplit(url)
        # Reading `port` raises ValueError where it is no number.
        return url.rstrip("/") if parts.hostname and parts.port != 0 else reject()

    return replace(plain, convert=convert)


def shard() -> Kind[Shard]:
    """Return the kind of shards: one of several runs that share the accounts."""
    return Kind(
        expected=f"a number and how many there are, at most {MAX_SHARDS}, such as 2/5",
        schema=_TEXT,
        meltano="string",
        convert=lambda raw: Shard.parse(re.sub(r"\s", "", raw)),
    )


def choice(*words: W) -> Kind[W]:
    """Return the kind whose values are one of a few words."""
    return _words({word: word for word in words})


def one_of(words: type[E]) -> Kind[E]:
    """Return the kind whose values are the words of an enumeration, in its order."""
    return _words({str(each.value): each for each in words})


def either(*, true: str, false: str) -> Kind[bool]:
    """Return the kind whose values are two words, of which one means true."""
    return _words({false: False, true: True})


def _words(meanings: Mapping[str, T]) -> Kind[T]:
    """Return the kind whose values are words, each with what it means."""
    return Kind(
        expected=f"one of {', '.join(meanings)}",
        schema={**_TEXT, "enum": [*meanings]},
        meltano="options",
        convert=lambda raw: meanings[raw.strip().lower()],
        options=tuple(meanings),
    )


def whole(minimum: int, maximum: int) -> Kind[int]:
    """Return the kind of whole numbers between two bounds, both included."""

    def convert(raw: Any) -> int:  # noqa: ANN401 - whatever a person wrote
        number = int(raw) if isinstance(raw, str) else raw
        # To Python, true is an integer.
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        return number if is_whole and minimum <= number <= maximum else reject()

    return Kind(
        expected=f"a whole number from {minimum} to {maximum}",
        schema={"type": "integer", "minimum": minimum, "maximum": maximum},
        meltano="integer",
        convert=convert,
    )


def number(above: float, maximum: float) -> Kind[float]:
    """Return the kind of numbers over `above`, at most `maximum`."""

    def convert(raw: Any) -> float:  # noqa: ANN401 - whatever a person wrote
        value = reject() if isinstance(raw, bool) else float(raw)
        return value if above < value <= maximum else reject()

    return Kind(
        expected=f"a number over {above:g}, at most {maximum:g}",
        schema={"type": "number", "exclusiveMinimum": above, "maximum": maximum},
        # Meltano crashes on its own kind `decimal` when the value comes from the environment.
        meltano="string",
        convert=convert,
    )


def flag() -> Kind[bool]:
    """Return the kind whose values are true or false."""
    words = dict.fromkeys(("true", "1", "yes", "on"), True)
    words |= dict.fromkeys(("false", "0", "no", "off"), False)
    return Kind(
        expected="true or false",
        schema={"type": "boolean"},
        # Meltano casts any other word to false for its own kind `boolean`, in silence.
        meltano="string",
        convert=lambda raw: raw if isinstance(raw, bool) else words[str(raw).strip().lower()],
    )


def day() -> Kind[Day]:
    """Return the kind of days: calendar dates, or days relative to today."""
    return Kind(
        expected="YYYY-MM-DD, or words: `yesterday`, `30 days ago`, `first day of last month`",
        schema=_TEXT,
        meltano="string",
        convert=_as_day,
    )


def _as_day(raw: Any) -> Day:  # noqa: ANN401 - whatever a person wrote
    """Read a day; midnight, as other taps want a start to be written, is the day too."""
    # YAML makes a date of a day without quotes.
    written = str(raw) if isinstance(raw, (str, date)) else reject()
    plain = visible(written).translate(HYPHENS).strip()
    return Day.parse(re.sub(_MIDNIGHT, r"\1", plain))


def timezone() -> Kind[ZoneInfo]:
    """Return the kind of time zones, by their IANA names."""
    return Kind(
        expected="the IANA name of a time zone, such as UTC or Europe/Helsinki",
        schema=_TEXT,
        meltano="string",
        convert=_as_timezone,
    )


def _as_timezone(raw: Any) -> ZoneInfo:  # noqa: ANN401 - whatever a person wrote
    """Read a name in whatever case, with a blank for `_`, but for those of this machine's own."""
    name = re.sub(r"\s+", "_", raw.strip()) if isinstance(raw, str) else reject()
    if not name or name in _OF_THE_MACHINE:
        reject()
    try:
        return ZoneInfo(name)
    except (KeyError, OSError):
        known = {each.casefold(): each for each in available_timezones()}
        return ZoneInfo(known[name.casefold()])


def texts(expected: str = "a list of texts or a comma-separated text") -> Kind[tuple[str, ...]]:
    """Return the kind of lists with at least one text; one text with commas is a list too."""
    return Kind(expected=expected, schema=_TEXTS, meltano="array", convert=as_texts)


def fields() -> Kind[tuple[str, ...]]:
    """Return the kind of lists with at least one field, by its id or an object with its id only."""

    def convert(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever a person wrote
        return as_texts([_field_id(each) for each in raw] if isinstance(raw, list) else raw)

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
        return raw["id"] if set(raw) == {"id"} else reject()
    return raw


def accounts() -> Kind[Accounts]:
    """Return the kind of accounts: ids, a list of the vendor's, or a filter."""
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
        convert=as_accounts,
    )


def mapping(expected: str = "an object") -> Kind[Mapping[str, Any]]:
    """Return the kind of objects with any values."""
    return Kind(
        expected=expected,
        schema=_OBJECT,
        meltano="object",
        convert=_as_object,
    )


def _json_of(text: str) -> Any:  # noqa: ANN401 - any JSON
    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = Counter(name for name, _ in pairs)
        if twice := [name for name, count in names.items() if count > 1]:
            raise SpoiltError(f"{twice[0]} is there twice; keep one")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=checked)


def _as_object(raw: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a person wrote
    value = _json_of(raw) if isinstance(raw, str) else raw
    return dict(value) if isinstance(value, dict) else reject()


def entries(schema: Mapping[str, Any]) -> Kind[tuple[Any, ...]]:
    """Return the kind of lists with at least one entry, an object each; JSON is understood."""

    def convert(raw: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever a person wrote
        values = _json_of(raw) if isinstance(raw, str) else raw
        return tuple(values) if isinstance(values, list) and values else reject()

    return Kind(
        expected="a list with at least one entry",
        schema={"type": "array", "minItems": 1, "items": schema},
        meltano="array",
        convert=convert,
    )


def _what_of_json(raw: object) -> str:
    """Return what is odd in a text of JSON that Python can read, or not for its size."""
    if not isinstance(raw, str) or not raw.strip().startswith(("[", "{", '"')):
        return ""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return f"a text that cannot be read as JSON ({str(error).partition(';')[0]}): "
    is_twice = isinstance(value, str) and value.strip().startswith(("[", "{"))
    return "JSON that is encoded twice, as a text within a text: " if is_twice else ""


def _short_and_safe(raw: object, key: str) -> str:
    """Return a value, cut to fit a line, after its secrets are removed."""
    shown = "nothing" if raw is None or raw == "" else json.dumps(raw, default=str)
    # Before it is cut: half a key is still a secret.
    shown = without_key(shown, key)
    # Addresses may contain another key, or a password.
    shown = re.sub(r"(://[^\s\"?#]*)[?#](\(the key\)|[^\s\"\\])+", r"\1?(not shown)", shown)
    shown = re.sub(r"://[^\s\"/?#]*@", "://(not shown)@", shown)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - fits a line
