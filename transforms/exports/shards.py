"""Rows into files of equal size: Parquet, or JSON lines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.exports.target import Target
from transforms.files import replacing

ROW_GROUP: Final = 5_000
"""Rows that are held until they are written; small ones let a reader that shuffles take a part."""


class ChangedError(ValueError):
    """What is written is not what was counted before; one line with the remedy."""


Write = Callable[[Sequence[Mapping[str, Any]]], None]


class Shards:
    """One side of an export: rows go in, files come out, each with as many rows as the others, or one less.

    A file has its name once it is complete. Leaving the context with rows missing is an error.
    """

    def __init__(self, directory: str, target: Target, side: str, rows: int) -> None:
        self.paths = [f"{directory}/{path}" for path in target.files(side, rows)]
        self.target = target
        self.rows = rows
        self.written = 0
        self._shard = 0
        self._waiting: list[Mapping[str, Any]] = []
        self._open = contextlib.ExitStack()
        self._write: Write | None = None

    def __enter__(self) -> Shards:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self._open.__exit__(kind, error, trace) or kind is not None:
            return
        if self.written != self.rows:
            raise self._changed(f"{self.written:,}")

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one more row."""
        if self.written == self.rows:
            raise self._changed("more")
        self._waiting.append(row)
        self.written += 1
        ends = self.written == self._end(self._shard)
        if ends or len(self._waiting) == ROW_GROUP:
            self._flush()
        if ends:
            self._open.close()
            self._write = None
            self._shard += 1

    def _changed(self, came: str) -> ChangedError:
        return ChangedError(
            f"{self.rows:,} pairs were counted for {self.target.name} and {came} came: they change; export again"
            " to another directory"
        )

    def _end(self, shard: int) -> int:
        return self.rows * (shard + 1) // len(self.paths)

    def _flush(self) -> None:
        if self._write is None:
            stream = self._open.enter_context(replacing(self.paths[self._shard]))
            self._write = _lines(stream) if self.target.schema is None else self._parquet(stream, self.target.schema)
        self._write(self._waiting)
        self._waiting = []

    def _parquet(self, stream: Any, schema: pa.Schema) -> Write:
        writer = self._open.enter_context(pq.ParquetWriter(stream, schema, compression="zstd"))
        return lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _lines(stream: Any) -> Write:
    def write(rows: Sequence[Mapping[str, Any]]) -> None:
        stream.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8"))

    return write
