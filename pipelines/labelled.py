"""Parquet with a text and a label in each row: examples for a quality classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from pipelines.verdicts import Example
from transforms.files import open_parquet, read_batches

_KINDS: Final = "labels are booleans, 0 and 1, or two strings of which --positive names the one to keep"


class LabelledParquet:
    """Files whose rows say whether they are worth keeping."""

    def __init__(self, paths: Sequence[str], text_column: str, label_column: str, positive: str | None) -> None:
        """
        Args:
          paths: the files.
          text_column: a column of strings.
          label_column: a column of booleans, of 0 and 1, or of two strings.
          positive: the string that says keep; null where labels are no strings.
        """
        self._paths = paths
        self._text = text_column
        self._label = label_column
        self._positive = positive
        self._seen: set[str] = set()

    def examples(self) -> Iterator[Example]:
        """Yield each row's text and label, file after file; a null stays one.

        Raises:
          UsageError: a file cannot be read, lacks a column, or has labels of another kind.
        """
        for path in self._paths:
            try:
                with open_parquet(path) as file:
                    self._check_columns(path, file)
                    for number in range(file.num_row_groups):
                        for batch in read_batches(file, number, list(dict.fromkeys([self._text, self._label]))):
                            texts = batch.column(self._text).cast(pa.string()).to_pylist()
                            yield from zip(texts, self._kept(path, batch.column(self._label)), strict=True)
            except (OSError, BeamIOError, pa.ArrowException, UnicodeDecodeError) as error:
                raise UsageError(
                    f"{path} cannot be read: {' '.join(str(error).split())[:200]}; name readable Parquet files"
                ) from None
        if self._positive is not None and self._positive not in self._seen:
            raise UsageError(
                f"--positive {self._positive} is no label in column {self._label!r}, which has"
                f" {', '.join(sorted(self._seen)) or 'none'}"
            )

    def _check_columns(self, path: str, file: pq.ParquetFile) -> None:
        schema = file.schema_arrow
        for name, flag in ((self._text, "--text-column"), (self._label, "--label-column")):
            if schema.names.count(name) != 1:
                held = f"it has {', '.join(schema.names) or 'none'}"
                raise UsageError(f"{path} has no single column {name!r} ({held}); name another one with {flag}")
        kind = _plain(schema.field(self._text).type)
        if not (_is_string(kind) or pa.types.is_null(kind)):
            raise UsageError(
                f"{path}: column {self._text!r} is {kind}, a text is a string; name another one with --text-column"
            )

    def _kept(self, path: str, labels: pa.Array) -> list[bool | None]:
        kind = _plain(labels.type)
        where = f"{path}: column {self._label!r}"
        if _is_string(kind):
            return self._named(where, labels.cast(pa.string()).to_pylist())
        if self._positive is not None and not pa.types.is_null(kind):
            raise UsageError(f"{where} is {kind}, and --positive is for strings; leave it out")
        if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise UsageError(f"{where} is {kind}; {_KINDS}")
        values = labels.cast(kind).to_pylist()
        for value in values:
            if value not in (None, 0, 1):
                raise UsageError(f"{where} holds {value}; {_KINDS}")
        return [None if value is None else bool(value) for value in values]

    def _named(self, where: str, labels: list[str | None]) -> list[bool | None]:
        self._seen.update(label for label in labels if label is not None)
        shown = ", ".join(sorted(self._seen)[:3])
        if len(self._seen) > 2:
            raise UsageError(f"{where} has more than two labels ({shown}, ...); {_KINDS}")
        if self._positive is None and self._seen:
            raise UsageError(f"{where} holds strings ({shown}); name the one to keep with --positive")
        return [None if label is None else label == self._positive for label in labels]


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
