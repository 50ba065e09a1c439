"""The elements that travel between the stages of the first half: references and bounded tables, never loose bodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from schemas.config_filters import C4Limits
from schemas.records import DocumentVerdicts, Source, arrow_schema

DOCUMENT_COLUMNS: Final = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("text", pa.string()),
        *(arrow_schema(Source).field(name) for name in ("doc_id", "text_sha256", "url", "license", "dataset")),
    ]
)
"""Columns of a `Batch`: the row's number within its row group, the text, and what `Source` wants to know."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a corpus file.

    Attributes:
      index: its place in the plan.
      path: the file.
      number: its number within the file.
      rows: how many rows it has.
      first_row: its first row's number in the whole corpus (the ordinal).
    """

    index: int
    path: str
    number: int
    rows: int
    first_row: int


@dataclass(frozen=True, slots=True)
class RowGroups:
    """The row groups of some files, held in arrays, so that they pickle small. A row's number in all is its ordinal.

    Attributes:
      paths: the files.
      path_of: int32[groups], the file of each row group.
      number_of: int32[groups], its number within that file.
      first_row: int64[groups + 1], the ordinals at which the groups start, and where the last ends.
    """

    paths: tuple[str, ...]
    path_of: np.ndarray[Any, np.dtype[np.int32]]
    number_of: np.ndarray[Any, np.dtype[np.int32]]
    first_row: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.path_of)

    def path(self, index: int) -> str:
        """Return the file of a row group."""
        return self.paths[int(self.path_of[index])]

    def runs(self, ordinals: np.ndarray[Any, Any]) -> Iterator[tuple[int, np.ndarray[Any, Any], slice]]:
        """Yield (row group, rows within it, their slice of `ordinals`) for each row group that has any of them.

        Args:
          ordinals: int64[n], ascending.
        """
        groups = np.searchsorted(self.first_row, ordinals, side="right") - 1
        indices, starts = np.unique(groups, return_index=True)
        ends = np.append(starts, len(groups))[1:]
        for index, start, end in zip(indices.tolist(), starts.tolist(), ends.tolist(), strict=True):
            inside = slice(start, end)
            yield index, ordinals[inside] - self.first_row[index], inside


@dataclass(frozen=True, slots=True)
class CorpusPlan(RowGroups):
    """Every row group of the input, in the order of paths (sorted) and rows; ordinals ascend from 0.

    Attributes:
      unreadable: (path, message) of the files without a readable footer.
      sample: sorted int64 ordinals of the rows to take; null takes all.
      columns: column names by role (id, text and those of url, license, dataset that the corpus has).
      schema: the unified schema of the files.
      clean: the rules that choose the lines of each text that stay, once a document has passed the filters; null takes
        all.
      forgotten: files with the SHA-256 of ids that must not be read again, in the column `sha256`.
    """

    unreadable: tuple[tuple[str, str], ...]
    sample: np.ndarray[Any, np.dtype[np.int64]] | None
    columns: dict[str, str]
    schema: pa.Schema
    clean: C4Limits | None = None
    forgotten: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that reading must account for: those of the footers (or the sample) and one per unreadable file."""
        known = int(self.first_row[-1]) if self.sample is None else len(self.sample)
        return known + len(self.unreadable)

    def group(self, index: int) -> RowGroup:
        """Return one row group."""
        start, end = int(self.first_row[index]), int(self.first_row[index + 1])
        return RowGroup(index, self.path(index), int(self.number_of[index]), end - start, start)

    def index_of(self) -> dict[tuple[str, int], int]:
        """Return the index of each row group by its file and its number within it."""
        return {(self.path(index), int(number)): index for index, number in enumerate(self.number_of)}

    def wanted(self, group: RowGroup) -> np.ndarray[Any, np.dtype[np.int64]] | None:
        """Return the sampled rows of a group (numbers within it, sorted), or null for all of them."""
        if self.sample is None:
            return None
        bounds = np.searchsorted(self.sample, [group.first_row, group.first_row + group.rows])
        return self.sample[bounds[0] : bounds[1]] - group.first_row


@dataclass(frozen=True, slots=True)
class Batch:
    """Some documents of one row group: a table of `DOCUMENT_COLUMNS`, bounded in rows and bytes."""

    group: RowGroup
    table: pa.Table

    def sources(self, rows: Sequence[int]) -> list[Source]:
        """Return where the documents at some positions of the table came from."""
        picked = self.table.select(["row", "doc_id", "text_sha256", "url", "license", "dataset"]).take(
            pa.array(rows, pa.int64())
        )
        return [Source(path=self.group.path, row_group=self.group.number, **row) for row in picked.to_pylist()]


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of a corpus row group that go on.

    Attributes:
      group: the index of the row group in the plan.
      rows: int32[n], ascending row numbers within the group.
      verdicts: the `webscale_rl` struct of each row; null before any model has seen the documents.
    """

    group: int
    rows: np.ndarray[Any, np.dtype[np.int32]]
    verdicts: tuple[DocumentVerdicts, ...] | None = None


@dataclass(frozen=True, slots=True)
class Spill:
    """A row group of a scratch file: `rows` documents, or `rows` pairs."""

    path: str
    number: int
    rows: int
