"""Files of BATCH messages: made of many lines at a time, whole before the target is notified."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tap_supermetrics.errors import BatchFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from singer_sdk.helpers._batch import StorageTarget

    from tap_supermetrics.records.encode import Lines
    from tap_supermetrics.singer.writer import MessageWriter
    from tap_supermetrics.sync.emission import Written

MAX_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of lines in a file, whatever `batch_size` is: targets read it whole into memory."""
MAX_RESULTS: Final = 1_000
"""Most results that wait for a file to be whole."""
MAX_OPEN_S: Final = 60.0
"""A file that was begun longer ago is ended with the next result, however short it is."""
_LOCAL: Final = "file://"


def local_folder(storage: StorageTarget) -> Path | None:
    """Return the folder of a storage; None where it is no folder of this machine."""
    root = storage.root.removeprefix(_LOCAL)
    return None if "://" in root else Path(root).absolute()


@dataclass(slots=True, kw_only=True)
class BatchFile:
    """One file, from its first line until the target was notified of it.

    Attributes:
        began: when, by the monotonic clock.
        blocks: lines, many together.
        count: how many records.
        size: bytes of the lines.
        results: those that ended in it: with it, the target has all of their records.
        path: where it is; None until it is written.
        packed: its content; None until its last line came.
    """

    began: float = field(default_factory=time.monotonic)
    blocks: list[bytes] = field(default_factory=list)
    count: int = 0
    size: int = 0
    results: list[Written] = field(default_factory=list)
    path: Path | None = None
    packed: Future[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the file, spelt as the SDK's targets read it: without escapes."""
        return f"{_LOCAL}{self.path}"


class BatchFiles:
    """Writes files of bounded size, each just before the target is notified of it.

    A file that was written is removed at the end if the target was not notified of it. While the
    lines of one are packed, those of the next are made.

    Args:
        folder: where they go; made if need be.
        name: how their names begin, and how they end.
        pack: makes the content of a file of its lines.
        max_records: most records of one.
        writer: notifies the target, by one message for each file.
    """

    def __init__(
        self,
        folder: Path,
        name: tuple[str, str],
        pack: Callable[[Sequence[bytes]], bytes],
        max_records: int,
        writer: MessageWriter,
    ) -> None:
        self._folder = folder
        self._start, self._suffix = f"{name[0]}-{uuid4()}", name[1]
        self._pack = pack
        self._max_records = max_records
        # One thread is enough: `zlib` works while Python makes the next lines.
        self._packer = ThreadPoolExecutor(1, "pack")
        self._number = 0
        self._open: BatchFile | None = None
        self._ended: BatchFile | None = None
        self._writer = writer
        self._last_path: Path | None = None
        self._messages_before = 0

    def __enter__(self) -> BatchFiles:  # noqa: PYI034 - `Self` came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._packer.shutdown(wait=False, cancel_futures=True)
        # A signal may end the run right after the message: only the writer knows that it is out.
        is_notified = self._writer.written > self._messages_before
        if self._last_path and not is_notified:
            with suppress(OSError):
                self._last_path.unlink(missing_ok=True)

    @property
    def has_pending(self) -> bool:
        """Return whether records wait in a file that is not whole yet."""
        return bool(self._open or self._ended)

    def add(self, lines: Lines) -> Iterator[BatchFile]:
        """Add lines; yield the files that are complete now."""
        if self._ended and self._ended.packed and self._ended.packed.done():
            yield from self._written()
        left, data = lines.count, lines.data
        while left:
            file = self._open = self._open or BatchFile()
            count = min(left, self._max_records - file.count)
            block, data = (data, b"") if count == left else _cut(data, count)
            file.blocks.append(block)
            file.count += count
            file.size += len(block)
            left -= count
            if file.count >= self._max_records or file.size >= MAX_BYTES:
                yield from self._end()

    def end_result(self, written: Written) -> Iterator[BatchFile]:
        """Note that a result ended; yield the files that must not wait any longer."""
        file = self._open or self._ended
        if file is None:
            raise RuntimeError("no file is pending")
        file.results.append(written)
        if len(file.results) >= MAX_RESULTS or time.monotonic() - file.began >= MAX_OPEN_S:
            yield from self.rest()

    def rest(self) -> Iterator[BatchFile]:
        """Yield all files that are left."""
        if self._open:
            yield from self._end()
        yield from self._written()

    def _end(self) -> Iterator[BatchFile]:
        """Begin to pack the open file; yield the one before."""
        yield from self._written()
        file, self._open = self._open, None
        if file:
            blocks, file.blocks = file.blocks, []
            file.packed = self._packer.submit(self._pack, blocks)
        self._ended = file

    def _written(self) -> Iterator[BatchFile]:
        """Write the file that is packed, and yield it."""
        file, self._ended = self._ended, None
        if file and file.packed:
            self._number += 1
            path = self._folder / f"{self._start}-{self._number}{self._suffix}"
            # Noted before it is written: a file that is half written is removed as well.
            self._messages_before = self._writer.written
            self._last_path = file.path = path
            _write(path, file.packed.result())
            file.packed = None
            yield file


def _cut(data: bytes, count: int) -> tuple[bytes, bytes]:
    """Return the first lines, and the others."""
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:count]), b"".join(lines[count:])


def _write(path: Path, content: bytes) -> None:
    """Write a file; it is on the disk before this returns.

    Raises:
        BatchFileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BatchFileError(str(path.parent), error.strerror or str(error)) from None
