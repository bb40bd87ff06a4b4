"""Packs records, a line of JSON each, by the encoding of BATCH files."""

from __future__ import annotations

import io
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tap_supermetrics.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.helpers._batch import BaseBatchFileEncoding

FASTEST: Final = 1
"""Level of gzip: four times as fast as the usual one, a quarter larger."""
_GZIP: Final = 16 + zlib.MAX_WBITS


def packing(
    encoding: BaseBatchFileEncoding, properties: Mapping[str, Any]
) -> tuple[str, Callable[[Sequence[bytes]], bytes]]:
    """Return the suffix of file names, as the SDK has it, and a function that packs lines.

    Args:
        encoding: the requested one.
        properties: JSON Schema of each column that the records have.
    """
    is_gzip = encoding.compression == "gzip"
    if encoding.format == "parquet":
        pack = partial(_parquet, properties, "gzip" if is_gzip else "snappy")
        return ".parquet.gz" if is_gzip else ".parquet", pack
    return (".json.gz", _gzip) if is_gzip else (".json", b"".join)


def _gzip(lines: Sequence[bytes]) -> bytes:
    packer = zlib.compressobj(FASTEST, zlib.DEFLATED, _GZIP)
    # In one call: after each call to zlib, this thread waits for the one that makes lines.
    return packer.compress(b"".join(lines)) + packer.flush()


def _parquet(properties: Mapping[str, Any], compression: str, lines: Sequence[bytes]) -> bytes:
    """Pack lines into a table whose columns have the same types in each file.

    Raises:
        TapError: a value does not fit the type of its column.
    """
    import pyarrow as pa  # noqa: PLC0415 - installed for Parquet only
    from pyarrow import json, parquet  # noqa: PLC0415 - same

    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        # Days and times are texts, as in RECORD messages.
        "string": pa.string(),
    }
    columns = [pa.field(name, types[kind]) for name, kind in _kinds_of(properties) if kind in types]
    data, file = b"".join(lines), io.BytesIO()
    try:
        table = json.read_json(
            pa.BufferReader(data),
            json.ReadOptions(block_size=len(data), use_threads=False),
            json.ParseOptions(pa.schema(columns)),
        )
    except pa.ArrowException as error:
        raise TapError(
            f"a BATCH file of Parquet cannot hold the records ({' '.join(str(error).split())}): "
            "set `batch_config.encoding.format` to jsonl"
        ) from None
    parquet.write_table(table, file, compression=compression)
    return file.getvalue()


def _kinds_of(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield columns with the one JSON type of their values; a catalog may name several, or none."""
    for name, schema in properties.items():
        given = schema.get("type") or []
        kinds = {given} if isinstance(given, str) else {*given}
        if len(kinds := kinds - {"null"}) == 1:
            yield name, kinds.pop()
