"""Parquet and plain files through Beam's filesystems: a local path and `gs://` are one code path."""

from __future__ import annotations

import contextlib
import itertools
import json
import posixpath
import re
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from schemas.elements import DOCUMENT_COLUMNS, CorpusPlan, RowGroup, Spill
from schemas.records import text_hashes
from transforms.storage import StorageError, fetch_at_least, finishing, reaching
from transforms.text.c4 import clean

BATCH_BYTES = 16 << 20
"""A table read at once holds at most about this many bytes of columns (or one row)."""
BATCH_ROWS = 1024
_FETCH_BYTES = 1 << 20
"""The least of a Parquet file that is asked of a store at once: a row group of scratch, all its columns, has less."""
ROWS_PER_SHARD = 50_000

ShardKey = tuple[str, int, int]
"""(directory, shard, number of shards)."""


@contextlib.contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file for reading; closes it afterwards."""
    with reading(path) as stream:
        fetch_at_least(stream, _FETCH_BYTES)
        with pq.ParquetFile(stream) as file:
            yield file


def read_batches(file: pq.ParquetFile, number: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield a row group in batches of at most `BATCH_ROWS` rows and about `BATCH_BYTES`, decoded one at a time."""
    group = file.metadata.row_group(number)
    row_bytes = max(1, group.total_byte_size // max(1, group.num_rows))
    yield from file.iter_batches(
        batch_size=min(BATCH_ROWS, max(1, BATCH_BYTES // row_bytes)),
        row_groups=[number],
        columns=columns,
        use_threads=False,  # they gain nothing on so few columns, and each keeps memory: 40 MB on two cores
    )


def read_rows(plan: CorpusPlan, group: RowGroup) -> Iterator[tuple[int, pa.Table]]:
    """Yield (number of the first row, table) over a row group: the columns of the plan under the names of their roles.

    The id is cast to a string; strings are not checked to be UTF-8 yet.
    """
    first = 0
    names = list(dict.fromkeys(plan.columns.values()))
    with open_parquet(group.path) as file:
        present = set(file.schema_arrow.names)
        for batch in read_batches(file, group.number, [name for name in names if name in present]):
            columns = {
                role: batch.column(name).cast(pa.string()) if name in present else pa.nulls(batch.num_rows, pa.string())
                for role, name in plan.columns.items()
            }
            yield first, pa.table(columns)
            first += batch.num_rows


def document_table(rows: Any, raw: pa.Table) -> pa.Table:
    """Return some rows of the corpus as `DOCUMENT_COLUMNS`.

    Args:
      rows: int[n], their numbers within the row group.
      raw: them as `read_rows` has them, each with an id and a text of valid UTF-8.
    """
    columns = {"row": pa.array(rows, pa.int64()), "doc_id": raw["id"], "text": raw["text"]}
    columns["text_sha256"] = pa.array(text_hashes(raw["text"]), pa.string())
    for name in DOCUMENT_COLUMNS.names:
        if name not in columns:
            columns[name] = raw[name] if name in raw.column_names else pa.nulls(len(rows), pa.string())
    return pa.table({name: columns[name] for name in DOCUMENT_COLUMNS.names}, schema=DOCUMENT_COLUMNS)


def read_documents(plan: CorpusPlan, group: RowGroup, rows: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row, document) for some rows of a row group: `text`, `doc_id`, and what else of `Source` the corpus has.

    The text is the corpus's, or what the plan's `clean` leaves of it.

    Args:
      rows: int[n], ascending row numbers within the group; they must have passed the filters.
    """
    for first, table in read_rows(plan, group):
        inside = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + table.num_rows)]
        picked = table.take(pa.array(inside - first, pa.int64())).rename_columns({"id": "doc_id"})
        for row, document in zip(inside.tolist(), picked.to_pylist(), strict=True):
            if plan.clean is not None:
                document["text"] = clean(document["text"], plan.clean)
            yield row, document


def read_spill(spill: Spill) -> pa.Table:
    """Read a row group of a scratch file."""
    with open_parquet(spill.path) as file:
        return file.read_row_group(spill.number)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[Any]:
    """Open a file for writing that appears under its name only when complete; a repeated bundle replaces it.

    In a filesystem that has directories it is written under a temporary name beside the target, which ends in `.tmp`,
    and renamed. A store without them shows an object when its upload has ended, whole: there the name is the target's
    own, which saves a copy and a deletion, and who dies in between leaves nothing.
    """
    with reaching("write", path):
        if not FileSystems.get_filesystem(path).has_dirs():
            with finishing(FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)) as stream:
                yield stream
            return
    with contextlib.suppress(OSError):  # exists already, an error to Beam; one that cannot be made fails just below
        FileSystems.mkdirs(posixpath.dirname(path))
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            yield stream
        FileSystems.rename([temporary], [path])
    except BaseException:
        with contextlib.suppress(Exception):
            FileSystems.delete([temporary])
        raise


def write_parquet(path: str, table: pa.Table, *, row_group_size: int | None = None) -> None:
    """Write a table as one zstd-compressed Parquet file."""
    with replacing(path) as stream:
        pq.write_table(table, stream, compression="zstd", row_group_size=row_group_size)


def copy(source: str, target: str) -> None:
    """Copy a file, also from one filesystem to another."""
    with reading(source) as stream, replacing(target) as copied:
        shutil.copyfileobj(stream, copied)


def write_text(path: str, text: str) -> None:
    """Write a small UTF-8 text file."""
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


@contextlib.contextmanager
def reading(path: str) -> Iterator[Any]:
    """Open a file for reading, as it is; closes it afterwards."""
    with (
        reaching("read", path),
        FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream,
    ):
        yield stream


def read_bytes(path: str) -> bytes:
    """Read a small file."""
    with reading(path) as stream:
        return bytes(stream.read())


def read_json(path: str) -> Any:
    """Read a JSON file."""
    return json.loads(read_bytes(path))


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, each with its newline; the last one may lack it."""
    with reading(path) as stream:
        yield from stream


def list_files(pattern: str) -> list[str]:
    """Return the paths that match a glob, sorted; none is an empty list. `**` is any number of directories, or none."""
    return sorted(list_updates(pattern))


def list_updates(pattern: str) -> dict[str, tuple[int, float]]:
    """Return (bytes, when it was updated, in seconds since 1970) of the files that match a glob, by their paths."""
    patterns = _each_or_none(pattern)
    with reaching("list", pattern):
        found = [entry for result in FileSystems.match(patterns) for entry in result.metadata_list]
    return {entry.path: (entry.size_in_bytes, entry.last_updated_in_seconds) for entry in found}


def _each_or_none(pattern: str) -> list[str]:
    """Return a glob with each of its ** between slashes, and without: to Beam it is one directory at least."""
    first, *rest = re.split(r"/(?:\*\*/)+", pattern)
    ways = itertools.product(("/**/", "/"), repeat=len(rest))
    return [first + "".join(f"{slash}{part}" for slash, part in zip(way, rest, strict=True)) for way in ways]


def exists(path: str) -> bool:
    """Return whether a file is there, or a directory of this machine."""
    with reaching("read", path):
        return bool(FileSystems.exists(path))


def delete(paths: list[str]) -> None:
    """Delete files; what is not there is no error."""
    present = [path for path in paths if exists(path)]
    if present:
        with reaching("delete", present[0]):
            FileSystems.delete(present)


def delete_tree(directory: str) -> None:
    """Delete a directory and all that lies in it; what is not there is no error."""
    with reaching("delete", directory):
        if FileSystems.get_filesystem(directory).has_dirs():
            delete([directory])
            return
        # What ends in a slash is a prefix, whose objects go by the hundred; a failure is told to the log alone.
        FileSystems.delete([f"{directory}/"])
    if left := list_files(f"{directory}/**"):
        raise StorageError(f"cannot delete {left[0]} (it is there still); delete {directory} yourself, or try again")


def shard_count(rows: int) -> int:
    """Return how many shards hold `rows` rows: at least one, each of about 50,000 rows at most."""
    return max(1, -(-rows // ROWS_PER_SHARD))


def shard_path(output: str, key: ShardKey) -> str:
    """Return the path of a shard."""
    directory, shard, shards = key
    return f"{output}/{directory}/part-{shard:05d}-of-{shards:05d}.parquet"


def run_metadata(run_id: str) -> dict[str, str]:
    """Return the metadata of a Parquet file that a run writes."""
    return {"webscale_rl.run_id": run_id}
