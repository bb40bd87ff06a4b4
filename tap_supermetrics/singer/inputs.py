"""Checks what a user gives to the SDK: its own settings, state, catalog.

The SDK takes much of it as it is, and drops rows or ends in a traceback where it is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import logging.config
import os
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from singer_sdk.exceptions import MappingError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig, StorageTarget
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib import Catalog
from singer_sdk.singerlib.schema import STANDARD_KEYS
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_supermetrics.errors import SettingsError
from tap_supermetrics.redaction import without_key
from tap_supermetrics.settings.reading import half_in, hint
from tap_supermetrics.singer.batch_files import local_folder
from tap_supermetrics.singer.catalog_entries import (
    columns_of,
    ignored_words,
    method_of,
    mistakes_in_metadata,
    normalized,
    passed_on_words,
)
from tap_supermetrics.singer.catalog_form import mistakes_in_form
from tap_supermetrics.words import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


logger = logging.getLogger(__name__)

_SHOWN: Final = 200
"""How much of the SDK's message on a value is shown."""
KEYS_WITHIN: Final[Mapping[tuple[str, ...], Sequence[str]]] = {
    ("batch_config",): [each.name for each in fields(BatchConfig)],
    ("batch_config", "encoding"): [each.name for each in fields(BaseBatchFileEncoding)],
    ("batch_config", "storage"): [each.name for each in fields(StorageTarget)],
    ("faker_config",): ["seed", "locale"],
}
"""The keys of settings that are objects, by their path."""
_FOLDERS: Final = ("journal_dir", "report_dir")

NOTHING_SELECTED: Final = (
    "no stream is selected, so nothing is loaded: select some (with Meltano, `select: ['*.*']`), "
    "check --catalog, or run without it; and see whether `stream_maps` drops what is selected"
)
_WORDS: Final = {*STANDARD_KEYS, "properties", "items"}
"""Words of JSON Schema that the SDK knows, and passes on."""
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Settings


def check_log_level(environment: Mapping[str, str]) -> None:
    """Refuse a level of the log that Python does not know, before anything is logged.

    Raises:
        SettingsError: naming the variable.
    """
    for variable in ("TAP_SUPERMETRICS_LOGLEVEL", "LOGLEVEL"):
        if level := environment.get(variable):
            if not isinstance(logging.getLevelName(level.upper()), int):
                text = f"expected one of {', '.join(LOG_LEVELS)}, got {level!r}"
                raise SettingsError([f"{variable}: {text}"])
            return


def check_log_config(environment: Mapping[str, str]) -> None:
    """Refuse a configuration of the log that cannot be read: the SDK would fail at it.

    Raises:
        SettingsError: naming the variable.
    """
    path = environment.get("SINGER_SDK_LOG_CONFIG")
    if not path or not os.path.isfile(path):  # noqa: PTH113 - any text
        return
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - any text
            # Only here, as few have one.
            import yaml  # noqa: PLC0415

            # Put into effect, as nothing less shows what is wrong with it.
            logging.config.dictConfig(yaml.safe_load(file))
    except Exception as error:  # noqa: BLE001 - it may name any class, which raises anything
        text = f"SINGER_SDK_LOG_CONFIG: {path} is no configuration of a log ({in_one_line(error)})"
        raise SettingsError([text]) from None


def read_config(paths: Sequence[str]) -> _ConfigInput:
    """Read configuration files; `ENV` stands for the environment.

    Raises:
        SettingsError: a file is missing or no JSON.
    """
    doubled = [f"{path}: {each}" for path in paths for each in _doubled(path)]
    try:
        read = _ConfigInput.from_cli_args(*paths)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SettingsError([f"--config: expected JSON objects ({error})"]) from None
    if doubled:
        raise SettingsError([f"--config: {each} is there twice; keep one" for each in doubled])
    return read


def _doubled(path: str) -> Iterator[str]:
    """Yield keys that an object in a file has twice; JSON would take the last.

    Raises:
        SettingsError: the file is no JSON.
    """
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        found.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

    # A pipe can be read once only, and was.
    if path != "ENV" and Path(path).is_file():
        try:
            json.loads(Path(path).read_text(encoding="utf-8-sig"), object_pairs_hook=note)
        except (OSError, ValueError, RecursionError) as error:
            text = f"--config: {path}: expected a JSON object ({error})"
            raise SettingsError([text]) from None
    yield from found


def mistakes_in_sdk_settings(config: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """Return mistakes in the SDK's settings; the mapper checks the content of stream maps."""
    checked = {**schemas, "stream_maps": {"type": "object"}}
    given = {name: config[name] for name in schemas if name in config}
    key = str(config.get("api_key", ""))
    errors = DEFAULT_JSONSCHEMA_VALIDATOR({"properties": checked}).iter_errors(given)
    mistakes = [
        f"{'.'.join(map(str, each.absolute_path))}: {without_key(each.message, key)[:_SHOWN]}"
        for each in errors
    ]
    mistakes += _unknown_keys(given)
    if (batch := given.get("batch_config")) and not mistakes:
        mistakes += _mistakes_in_batches(batch, key)
    return mistakes


def _unknown_keys(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield keys within settings of the SDK's that it would pass over, or fail for by a traceback.

    Its own schema lacks some that it has.
    """
    for (setting, *part), known in KEYS_WITHIN.items():
        given: Any = config.get(setting)
        for each in part:
            given = given.get(each) if isinstance(given, dict) else None
        for key in given if isinstance(given, dict) else ():
            if key not in known:
                yield f"{'.'.join((setting, *part, key))}: unknown setting{hint(key, known)}"


def mistakes_in_characters(config: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return a mistake for each of some settings that has half a character."""
    return [
        f"{name}: a text has half a character ({half})"
        for name in names
        if (half := half_in(config.get(name)))
    ]


def mistakes_in_folders(config: Mapping[str, Any]) -> list[str]:
    """Return a mistake for each folder below a home where there is none, as in some containers."""
    folders = ((name, config.get(name)) for name in _FOLDERS)
    return [
        f"{name}: expected a folder, and {path} is below no home that is known here; write it whole"
        for name, path in folders
        if isinstance(path, str) and os.path.expanduser(path.strip()).startswith("~")  # noqa: PTH111
    ]


def _mistakes_in_batches(given: dict[str, Any], key: str) -> list[str]:
    """Return what is wrong with `batch_config`, beyond its schema."""
    try:
        config = BatchConfig.from_dict(given)
    except TypeError as error:
        text = without_key(str(error), key)[:_SHOWN]
        return [f"batch_config: expected encoding.format and storage.root ({text})"]
    if type(config.batch_size) is not int or config.batch_size < 1:
        return [
            f"batch_config.batch_size: expected a whole number over 0, got {config.batch_size!r}"
        ]
    if config.encoding.format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        advice = "parquet needs pyarrow: install tap-supermetrics[parquet], or take jsonl"
        return [f"batch_config.encoding.format: {advice}"]
    return [f"batch_config.storage.root: {each}" for each in _mistakes_in_root(config.storage)]


def _mistakes_in_root(storage: StorageTarget) -> Iterator[str]:
    """Yield why no file can be written there, before anything costs quota."""
    folder = local_folder(storage)
    if folder is None:
        # Only here, as few need it.
        from fsspec.registry import get_filesystem_class  # type: ignore[import-untyped] # noqa: PLC0415

        protocol = storage.root.partition("://")[0]
        try:
            get_filesystem_class(protocol)
        except (ImportError, ValueError) as error:
            yield f"{protocol} cannot be written ({in_one_line(error)}); name a folder, or add it"
        return
    try:
        # Where the folder does not exist yet, the nearest one that does decides.
        there = next(each for each in (folder, *folder.parents) if each.exists())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        yield f"no folder can be called so ({reason}); name another one"
        return
    if not there.is_dir():
        yield f"{there} is no folder; name another one"
    elif not os.access(there, os.W_OK | os.X_OK):
        yield f"{there} cannot be written by this user; give it the right, or name another folder"


# Files


def read_json(file: IO[str] | None, option: str) -> dict[str, Any] | None:
    """Return the JSON object in a file; None for no file.

    Raises:
        SettingsError: it contains something else.
    """
    if file is None:
        return None
    try:
        # With a mark at its begin, as editors of Windows write a file.
        value = json.loads(text := file.read().removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise SettingsError([f"{option}: expected JSON in UTF-8 ({error.reason})"]) from None
    except RecursionError as error:
        raise SettingsError([f"{option}: expected JSON ({error})"]) from None
    except ValueError as error:
        raise SettingsError([f"{option}: expected JSON ({error}){_several(text)}"]) from None
    except OSError as error:
        text = f"{option}: {file.name} cannot be read ({error.strerror})"
        raise SettingsError([text]) from None
    if not isinstance(value, dict):
        raise SettingsError([f"{option}: expected a JSON object"])
    return value


def _several(text: str) -> str:
    """Return advice for an empty file, or one of many messages, as a target prints them."""
    if not text.strip():
        return "; it is empty: leave the option out, or write {}"
    lines = [line for line in text.splitlines() if line.strip()]
    is_each_json = len(lines) > 1 and all(line.startswith("{") for line in (lines[0], lines[-1]))
    return "; of several messages, keep the last (`tail -n 1`)" if is_each_json else ""


def unwrapped(given: dict[str, Any]) -> dict[str, Any]:
    """Return the Singer state in a state, as Meltano or a STATE message wraps it."""
    wrapped = given.get("singer_state", given.get("value"))
    return wrapped if isinstance(wrapped, dict) and "bookmarks" not in given else given


def unmatched_bookmarks(
    state: Mapping[str, Any], reports: Sequence[str], logs: Collection[str] = ()
) -> Iterator[str]:
    """Find bookmarks of no report beside a report that has none: it was renamed, or mistyped.

    Args:
        state: checked.
        reports: names of the reports.
        logs: names of other streams.
    """
    bookmarks = state.get("bookmarks") or {}
    new = [name for name in reports if name not in bookmarks]
    old = [name for name in bookmarks if name not in reports and name not in logs]
    # The most alike come first: each report was one other at most.
    for name in sorted(old, key=lambda each: not nearest(each, new)):
        if new:
            like = nearest(name, new) or new[0]
            new.remove(like)
            yield (
                f"state.bookmarks.{name}: no report is called so, and {like} has no bookmark: "
                "all its days are queried; if it is the same report, rename it in the state "
                f"(`tap-supermetrics state merge --rename {name}={like}`)"
            )


def json_at(path: str, option: str = "") -> dict[str, Any]:
    """Return the JSON object in the file at a path.

    Args:
        path: of the file.
        option: that names the path on the command line; empty where none does.

    Raises:
        SettingsError: it cannot be read, or contains something else.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as the SDK opens it
            return read_json(file, option or path) or {}
    except OSError as error:
        where = f"{option}: {path}" if option else path
        raise SettingsError([f"{where} cannot be read ({error.strerror})"]) from None


def catalog_of(raw: dict[str, Any] | None) -> Catalog | None:
    """Return a Singer catalog, checked; None for none.

    Args:
        raw: its JSON.

    Raises:
        SettingsError: it is something else, or contradicts itself.
    """
    if raw is None:
        return None
    if mistakes := [*mistakes_in_form(raw)]:
        raise SettingsError(mistakes)
    try:
        streams = [normalized(each) for each in raw.get("streams", [])]
        catalog = Catalog.from_dict({**raw, "streams": streams})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"--catalog: expected a Singer catalog ({type(error).__name__}: {error})"
        raise SettingsError([message]) from None
    _check_catalog(catalog)
    for stream in streams:
        _check_extras(catalog, stream)
    return catalog


def _check_extras(catalog: Catalog, stream: dict[str, Any]) -> None:
    if mistakes := [*mistakes_in_metadata(stream)]:
        raise SettingsError(mistakes)
    for warning in (*ignored_words(stream, _WORDS), *passed_on_words(stream)):
        logger.warning("%s", warning)
    if entry := catalog.get_stream(stream["tap_stream_id"]):
        entry.replication_method = method_of(stream)


def _check_catalog(catalog: Catalog) -> None:
    mistakes = [
        f"--catalog: replication_key of {entry.tap_stream_id}: {entry.replication_key} is not in "
        "the stream's schema"
        for entry in catalog.streams
        if entry.replication_key and entry.replication_key not in columns_of(entry)
    ]
    if mistakes:
        raise SettingsError(mistakes)


def in_one_line(error: Exception) -> str:
    """Return the message of an error of the SDK or an expression, on one line."""
    text = str(error).rstrip(".")
    if isinstance(error, MappingError):
        return " ".join(f"{text} ({error.__cause__})".split() if error.__cause__ else text.split())
    return " ".join(f"{type(error).__name__}: {text}".split())
