"""WriteRecords: pairs, rejected rows and errors become sorted shards whose number and content no runner can change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.records import Failed, Pair, Rejected, to_table
from transforms.files import ShardKey, run_metadata, shard_count, shard_path, write_parquet

RECORDS: Final[Mapping[str, type]] = {"qa": Pair, "pairs": Pair, "rejected": Rejected, "errors": Failed}
"""The row class of each output directory."""


def shard_of(name: str, shards: int) -> int:
    """Return the shard of a row by its name, 32 bits or more in hexadecimal that are uniform: ranges of equal width."""
    return int(name[:8], 16) * shards >> 32


class WriteRecords(beam.PTransform):
    """Write the tables of the output directories.

    Input: (directory, table of its record class). Output: (directory, rows) of each shard written. Every directory gets
    at least one shard, and only an output without rows has an empty one.
    """

    def __init__(self, output: str, run_id: str, directories: Iterable[str]) -> None:
        super().__init__()
        self.output = output
        self.run_id = run_id
        self.directories = tuple(directories)

    def expand(self, tables: Any) -> Any:
        seeds = tables.pipeline | "Seeds" >> beam.Create(
            [(directory, to_table(RECORDS[directory], [])) for directory in self.directories]
        )
        packed = (tables, seeds) | "WithSeeds" >> beam.Flatten() | "Pack" >> beam.Map(lambda kv: (kv[0], pack(kv[1])))
        rows = packed | "Sizes" >> beam.Map(lambda kv: (kv[0], kv[1][0])) | "Rows" >> beam.CombinePerKey(sum)
        return (
            packed
            | "Split" >> beam.FlatMap(_split, rows=beam.pvalue.AsDict(rows))
            | "GroupShards" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(_write_shard, output=self.output, run_id=self.run_id)
        )


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
    shard = np.array([shard_of(name, shards) for name in row_names(directory, table)], np.int64)
    for number in np.unique(shard).tolist():
        yield (directory, number, shards), pack(table.filter(pa.array(shard == number)))[1]


def row_names(directory: str, table: pa.Table) -> list[str]:
    """Return what each row is sharded by: the pair's id, or a hash of the document's place and the pair's id."""
    if RECORDS[directory] is Pair:
        return table["id"].to_pylist()
    places = (pc.struct_field(table["source"], name).to_pylist() for name in ("path", "row_group", "row"))
    names = zip(*places, table["pair_id"].to_pylist(), strict=True)
    return [hashlib.sha256(repr(name).encode("utf-8")).hexdigest()[:8] for name in names]


def sort_rows(table: pa.Table) -> pa.Table:
    """Return the rows in their stable order: by id for pairs, else by document, pair and place in the corpus."""
    place = [pc.struct_field(table["source"], name) for name in ("path", "row_group", "row")]
    named = [table[name] for name in ("id", "doc_id", "pair_id", "stage") if name in table.column_names]
    keys = pa.table({str(i): column for i, column in enumerate([*named, *place])})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return table.take(order)


def _write_shard(element: tuple[ShardKey, Iterable[bytes]], output: str, run_id: str) -> tuple[str, int]:
    key, blobs = element
    table = sort_rows(pa.concat_tables([unpack(blob) for blob in blobs]))
    write_parquet(shard_path(output, key), table.replace_schema_metadata(run_metadata(run_id)))
    return key[0], table.num_rows
