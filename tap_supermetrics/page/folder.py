"""The files of a folder: each written whole or not at all, a bounded number retained."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from operator import attrgetter
from secrets import token_hex
from typing import TYPE_CHECKING, Final

import msgspec

from tap_supermetrics.page.run_json import FORMAT, RunJson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

MAX_RUNS: Final = 90
"""How many runs are retained, the newest ones."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""A longer file was not written by the tap."""
_NAME: Final = re.compile(r"run-\d{8}T\d{6}Z-[0-9a-f]{8}\.json")
_UNFINISHED: Final = re.compile(r"\.(run-[\w-]+\.json|index\.html)\.[0-9a-f]{8}")


def write_run(folder: Path, run: RunJson, text: bytes) -> None:
    """Write the JSON of a run, and remove the oldest ones.

    Raises:
        OSError: it cannot be written; no part of it is there.
    """
    moment = re.sub(r"\W", "", run.started_at[:19])
    write_whole(folder / f"run-{moment}Z-{run.run_id}.json", text)
    for path in _names(folder)[MAX_RUNS:]:
        path.unlink(missing_ok=True)


def stored_runs(folder: Path) -> Iterator[RunJson]:
    """Yield the stored runs, the newest first; what is no JSON of a run is left out.

    Each calendar comes once, as the newest run left it: all of them would fill the memory.
    """
    known: set[tuple[str, str]] = set()
    for path in _names(folder)[:MAX_RUNS]:
        try:
            text = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
            run = msgspec.json.decode(text, type=RunJson)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            logger.warning("report_dir: %s cannot be read and is left out (%s)", path, error)
            continue
        if run.format == FORMAT:
            _drop_known(run, known)
            yield run


def _drop_known(run: RunJson, known: set[tuple[str, str]]) -> None:
    for report in run.reports:
        name = report.name
        report.accounts = [x for x in report.accounts if (name, x.account_id) not in known]
        known |= {(name, each.account_id) for each in report.accounts}


def write_whole(path: Path, text: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one.

    Args:
        path: of the file.
        text: its content.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()  # A link stays one.
    if path.exists() and not path.is_file():
        path.write_bytes(text)  # A pipe or a device, which nothing may replace.
        return
    # Others may be writing the same file.
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        with unfinished.open("xb") as file:
            file.write(text)
        # A rename within a folder is one step.
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path, before: float) -> None:
    """Remove files that killed runs left half written before a moment, in seconds since 1970."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def _names(folder: Path) -> list[Path]:
    # A pipe of that name would be read for ever.
    found = (
        path for path in folder.glob("run-*.json") if _NAME.fullmatch(path.name) and path.is_file()
    )
    return sorted(found, key=attrgetter("name"), reverse=True)
