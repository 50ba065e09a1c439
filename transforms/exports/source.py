"""Pairs out of the shards of runs, some thousand at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.records import Pair, arrow_schema, lacking_column, text_hashes
from transforms.files import list_files, open_parquet

COLUMNS: Final = tuple(arrow_schema(Pair).names)
_AT_ONCE: Final = 2_000


class SourceError(ValueError):
    """The shards of a run are not as its manifest says; one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run whose pairs are exported.

    Attributes:
      run_id: its name.
      directory: where it lies.
      rows: of its `qa/`, as the manifest says.
      gone: ids of its pairs that later runs have superseded, in order.
      forgotten: hashes of the ids of documents that are to be forgotten.
    """

    run_id: str
    directory: str
    rows: int
    gone: pa.Array
    forgotten: frozenset[str] = frozenset()

    def shards(self) -> list[str]:
        """Return its files of pairs.

        Raises:
          SourceError: they have not the pairs or the columns that the manifest promises.
        """
        found, rows = list_files(f"{self.directory}/qa/part-*.parquet"), 0
        for path in found:
            with open_parquet(path) as file:
                check_columns(path, file, arrow_schema(Pair))
                rows += file.metadata.num_rows
        if rows != self.rows:
            raise SourceError(
                f"{self.directory}/qa has {rows:,} pairs and its manifest says {self.rows:,}: restore its shards, or if"
                " somebody is at work there, wait"
            )
        return found

    def live(self, table: pa.Table) -> pa.Table:
        """Return the pairs that are still part of the dataset."""
        if len(self.gone) and table.num_rows:
            table = table.filter(pc.invert(pc.is_in(table["id"], self._gone_of(table["id"]))))
        if self.forgotten:
            ids = pa.chunked_array([pc.fill_null(pc.struct_field(table["source"], "doc_id"), "").combine_chunks()])
            stays = [sha256 not in self.forgotten for sha256 in text_hashes(ids)]
            table = table.filter(pa.array(stays, pa.bool_()))
        return table

    def _gone_of(self, ids: pa.ChunkedArray) -> pa.Array:
        """Return those of `gone` from the least to the largest of some ids.

        A set for a lookup is hashed at every call; shards are in order, so this one is no larger than it must be.
        """
        ends = pc.min_max(ids).as_py()
        first = bisect_left(self.gone, ends["min"], key=_text)
        return self.gone[first : bisect_right(self.gone, ends["max"], lo=first, key=_text)]


def _text(scalar: pa.Scalar) -> str:
    return str(scalar.as_py())


def check_columns(path: str, file: pq.ParquetFile, fields: Iterable[pa.Field]) -> None:
    """Check that a shard has the columns that this version writes.

    Raises:
      SourceError: it lacks one.
    """
    if field := lacking_column(fields, file.schema_arrow):
        raise SourceError(
            f"{path} has no column {field.name!r} of {field.type}: another version of webscale-rl has written it;"
            " read it with that one"
        )


def tables(parts: Sequence[Part], columns: Sequence[str] = COLUMNS) -> Iterator[tuple[int, pa.Table]]:
    """Yield (pairs read, those of them that are live), run after run, in the order of their ids.

    Args:
      columns: id and source, and perhaps others.

    Raises:
      SourceError: as `Part.shards`.
    """
    for part in parts:
        for path in part.shards():
            with open_parquet(path) as file:
                for batch in file.iter_batches(batch_size=_AT_ONCE, columns=list(columns), use_threads=False):
                    yield batch.num_rows, part.live(pa.table(batch))
