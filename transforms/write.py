"""WriteRecords: pairs, rejected rows and errors become sorted shards whose number and content no runner can change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.records import Failed, Pair, Pending, Rejected, Superseded, arrow_schema
from transforms.files import ShardKey, replacing, run_metadata, shard_count, shard_path
from transforms.output import check_at_work, has_ended

OUTPUTS: Final[Mapping[str, pa.Schema]] = {
    "qa": arrow_schema(Pair),
    "pairs": arrow_schema(Pair),
    "rejected": arrow_schema(Rejected),
    "errors": arrow_schema(Failed),
    "pending": arrow_schema(Pending),
    "superseded": arrow_schema(Superseded),
}
"""The columns of each output directory."""

_NAMES: Final = ("id", "doc_id", "text_sha256", "source_sha256", "pair_id", "stage")


def shard_of(name: str, shards: int) -> int:
    """Return the shard of a row by its name, 32 bits or more in hexadecimal that are uniform: ranges of equal width."""
    return int(name[:8], 16) * shards >> 32


class WriteRecords(beam.PTransform):
    """Write the tables of the output directories.

    Input: (directory, table of its columns). Output: (directory, rows) of each shard written. Every directory gets at
    least one shard, and only an output without rows has an empty one.

    Args:
      output: the run's directory, which says whether the run is at work.
      run_id: the run.
      directories: the columns of each; a hash in hexadecimal (`id`, `pair_id`, ...) or a `source` names its rows.
      within: where the directories are; the output itself when null.
      row_group_size: rows of a row group; null leaves it to Parquet.
    """

    def __init__(
        self,
        output: str,
        run_id: str,
        directories: Mapping[str, pa.Schema],
        within: str | None = None,
        row_group_size: int | None = None,
    ) -> None:
        super().__init__()
        self.output = output
        self.run_id = run_id
        self.directories = directories
        self.within = within or output
        self.row_group_size = row_group_size

    def expand(self, tables: Any) -> Any:
        seeds = tables.pipeline | "Seeds" >> beam.Create(
            [(directory, schema.empty_table()) for directory, schema in self.directories.items()], reshuffle=False
        )
        packed = (tables, seeds) | "WithSeeds" >> beam.Flatten() | "Pack" >> beam.Map(lambda kv: (kv[0], pack(kv[1])))
        rows = packed | "Sizes" >> beam.Map(lambda kv: (kv[0], kv[1][0])) | "Rows" >> beam.CombinePerKey(sum)
        return (
            packed
            | "Split" >> beam.FlatMap(_split, rows=beam.pvalue.AsDict(rows))
            | "GroupShards" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(self._write)
        )

    def _write(self, element: tuple[ShardKey, Iterable[bytes]]) -> tuple[str, int]:
        key, blobs = element
        table = sort_rows(pa.concat_tables([unpack(blob) for blob in blobs]))
        if has_ended(self.output, self.run_id):
            return key[0], table.num_rows  # a runner that tries a step again after the last one: the shard is there
        table = table.replace_schema_metadata(run_metadata(self.run_id))
        with replacing(shard_path(self.within, key)) as stream:
            pq.write_table(table, stream, compression="zstd", row_group_size=self.row_group_size)
            check_at_work(self.output, self.run_id)
        return key[0], table.num_rows


def pack(table: pa.Table) -> tuple[int, bytes]:
    """Return (rows, compressed Arrow stream) of a table: what travels is a fifth of the rows' size."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return table.num_rows, sink.getvalue().to_pybytes()


def unpack(blob: bytes) -> pa.Table:
    """Return the table of a compressed Arrow stream."""
    with pa.ipc.open_stream(blob) as reader:
        return reader.read_all()


def _split(element: tuple[str, tuple[int, bytes]], rows: Mapping[str, int]) -> Iterator[tuple[ShardKey, bytes]]:
    directory, (_, blob) = element
    shards = shard_count(rows[directory])
    if shards == 1:
        yield (directory, 0, 1), blob
        return
    table = unpack(blob)
    shard = np.array([shard_of(name, shards) for name in row_names(table)], np.int64)
    for number in np.unique(shard).tolist():
        yield (directory, number, shards), pack(table.filter(pa.array(shard == number)))[1]


def row_names(table: pa.Table) -> list[str]:
    """Return what each row is sharded by: a hash it has, or one of the document's place and the pair's id."""
    if "source" not in table.column_names or "id" in table.column_names:
        hashed = next(name for name in ("id", "source_sha256", "text_sha256", "pair_id") if name in table.column_names)
        return table[hashed].to_pylist()
    places = (pc.struct_field(table["source"], name).to_pylist() for name in ("path", "row_group", "row"))
    names = zip(*places, table["pair_id"].to_pylist(), strict=True)
    return [hashlib.sha256(repr(name).encode("utf-8")).hexdigest()[:8] for name in names]


def sort_rows(table: pa.Table) -> pa.Table:
    """Return the rows in their stable order: by id for pairs, else by document, pair and place in the corpus."""
    columns = [table[name] for name in _NAMES if name in table.column_names]
    if "source" in table.column_names:
        columns += [pc.struct_field(table["source"], name) for name in ("path", "row_group", "row")]
    keys = pa.table({str(i): column for i, column in enumerate(columns)})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return table.take(order)
