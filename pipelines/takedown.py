"""`--forget`: some documents and all that came of them leave a root, and do not come back.

First the hashes of the ids are remembered, so that whatever ends the rest, the next refresh takes it up. Each step
finds what it needs in what later steps remove: heirs and keys of answers in the rows, pairs in the state's documents,
and what names either as what it duplicates in all of these.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystem import BeamIOError

from pipelines.due import duplicates_of
from pipelines.options import UsageError
from pipelines.roots import run_directory, told
from schemas.catalog import Catalog, Takedown
from schemas.records import text_hashes
from transforms.catalog import CACHE, RUNS, STATE, change_catalog, noted_in
from transforms.files import delete, delete_tree, exists, list_files, open_parquet, read_json, write_parquet, write_text
from transforms.llm.batch.journal import BATCH, Journal
from transforms.llm.cache import CacheError, open_segments
from transforms.llm.cache.maintain import remove_answers
from transforms.output import MANIFEST, REPORT
from transforms.read import forgotten_ids
from transforms.state import GROUP_ROWS

_DIRECTORIES: Final = ("qa", "rejected", "errors", "superseded")

Keep = Callable[[pa.Table], pa.Table]


@dataclass(slots=True)
class _Found:
    """What came of some ids: which there were, the keys of answers, the pairs."""

    ids: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)


def read_ids(path: str) -> list[str]:
    """Return the ids of a Parquet file, each once.

    Raises:
      UsageError: it cannot be read, or has no column `id` of strings or integers.
    """
    try:
        with open_parquet(path) as file:
            names = file.schema_arrow.names
            if "id" not in names:
                raise UsageError(
                    f"--forget {path} has no column 'id' (it has {', '.join(names) or 'none'}); name it so"
                )
            column = file.read(["id"])["id"]
            kind = column.type
            if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise UsageError(f"--forget {path}: column 'id' is {kind}; it must be a string or an integer")
            return sorted({value for value in column.cast(pa.string()).to_pylist() if value is not None})
    except (OSError, BeamIOError, ValueError, pa.ArrowException) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"--forget {path} cannot be read: {' '.join(str(error).split())}; name a Parquet file with a column 'id'"
        ) from None


def remember(root: str, catalog: Catalog, name: str, ids: list[str]) -> Catalog:
    """Note ids that are to be forgotten, those that are not noted yet; from then on they do not come back.

    Args:
      name: of the takedown.
    """
    with told():
        noted = forgotten_ids([noted_in(root, each.id) for each in catalog.forgotten])
        new = sorted(set(text_hashes(pa.chunked_array([ids], pa.string()))) - noted)
        if not new:
            return catalog
        takedown = Takedown(id=name, ids=len(new), swept=False)
        write_parquet(noted_in(root, name), pa.table({"sha256": new}))
        return change_catalog(root, lambda catalog: catalog.next(forgotten=(*catalog.forgotten, takedown)))


def sweep(root: str, catalog: Catalog) -> tuple[Catalog, set[str]]:
    """Remove what came of all ids that were remembered and not swept yet, from every run, the state and the cache.

    Returns:
      The catalogue then, and those of the ids that were there.

    Raises:
      UsageError: a file cannot be read or written; the next refresh takes it up.
    """
    due = [takedown for takedown in catalog.forgotten if not takedown.swept]
    if not due:
        return catalog, set()
    with told():
        found = _find(root, forgotten_ids([noted_in(root, takedown.id) for takedown in due]))
        gone = pa.array(sorted(found.ids), pa.string())
        heirs = duplicates_of(root, catalog, gone, catalog.run_ids)
        catalog = change_catalog(root, lambda catalog: catalog.next(heirs=tuple(sorted({*catalog.heirs, *heirs}))))
        for place in {posixpath.dirname(path) for path in list_files(f"{root}/{RUNS}/*/{BATCH}/*")}:
            Journal(posixpath.dirname(place)).drop(found.keys)
        _remove_answers(root, found.keys)
        named = pa.array(sorted(found.ids | found.pairs), pa.string())
        for run in catalog.run_ids:
            _rewrite(f"{run_directory(root, run)}/rejected", lambda table: _unnamed(table, named))
        _sweep_state(root, catalog, gone, found.pairs)
        rows = {run: _sweep_run(run_directory(root, run), gone) for run in catalog.run_ids}
        return change_catalog(root, lambda catalog: _swept(catalog, rows)), found.ids


def _swept(catalog: Catalog, rows: dict[str, dict[str, int]]) -> Catalog:
    return catalog.next(
        runs=tuple(run.model_copy(update={"rows": rows[run.id]}) for run in catalog.runs),
        forgotten=tuple(takedown.model_copy(update={"swept": True}) for takedown in catalog.forgotten),
    )


def _find(root: str, hashes: frozenset[str]) -> _Found:
    """Return which ids there are in the runs and the state, those of dead runs included, and what came of them."""
    found = _Found()
    places = [f"{root}/{RUNS}/*/{name}" for name in (*_DIRECTORIES, "pending")]
    for place in (*places, f"{root}/{STATE}/*/documents"):
        for shard in list_files(f"{place}/part-*.parquet"):
            with open_parquet(shard) as file:
                there = file.schema_arrow.names
                names = [name for name in ("doc_id", "source", "pair_ids", "calls") if name in there]
                names += ["id"] if "request" in there else []  # of a pair elsewhere
                for batch in file.iter_batches(columns=names):
                    _look(pa.table(batch), hashes, found)
    return found


def _look(table: pa.Table, hashes: frozenset[str], found: _Found) -> None:
    ids = doc_ids(table)
    names = pc.unique(ids).drop_null()
    inside = [sha256 in hashes for sha256 in text_hashes(pa.chunked_array([names], pa.string()))]
    wanted = pc.is_in(ids, names.filter(pa.array(inside, pa.bool_())))
    if not pc.any(wanted).as_py():
        return
    found.ids.update(pc.unique(ids.filter(wanted)).to_pylist())
    rows = table.filter(wanted)
    if "calls" in rows.column_names:
        for calls in rows["calls"].to_pylist():
            found.keys.update(key for keys in calls.values() if keys for key in keys.split())
    if "id" in rows.column_names:
        found.keys.update(rows["id"].to_pylist())
    if "pair_ids" in rows.column_names:
        for pairs in rows["pair_ids"].to_pylist():
            found.pairs.update(pairs or ())


def doc_ids(table: pa.Table) -> pa.ChunkedArray:
    """Return the document that each row is about."""
    return table["doc_id"] if "doc_id" in table.column_names else pc.struct_field(table["source"], "doc_id")


def _remove_answers(root: str, keys: set[str]) -> None:
    place = f"{root}/{CACHE}"
    if not keys or ("://" not in place and not exists(place)):
        return
    try:
        remove_answers(open_segments(place), keys)
    except CacheError as error:
        raise UsageError(f"{error}; the next refresh takes the documents out that are to be forgotten") from None


def _sweep_state(root: str, catalog: Catalog, gone: pa.Array, pairs: set[str]) -> None:
    """Take documents and their questions out of the state; the questions first, as documents tell which they are."""
    pair_ids = pa.array(sorted(pairs), pa.string())
    for run in catalog.run_ids:
        _rewrite(
            f"{root}/{STATE}/{run}/questions", lambda table: _without(table, table["pair_id"], pair_ids), GROUP_ROWS
        )
    for run in catalog.run_ids:
        _rewrite(f"{root}/{STATE}/{run}/documents", lambda table: _without(table, table["doc_id"], gone), GROUP_ROWS)


def _sweep_run(output: str, gone: pa.Array) -> dict[str, int]:
    """Take rows out of a run's directories and note it in its manifest; returns the rows that each has now."""
    manifest: dict[str, Any] = read_json(f"{output}/{MANIFEST}")
    rows: dict[str, int] = dict(manifest["rows"])
    delete([f"{output}/{REPORT}"])  # which shows texts; `webscale-rl report` makes it again, of what is left
    earlier = manifest.get("forgotten", {})
    before = {name: rows[name] + earlier.get(name, 0) for name in _DIRECTORIES}
    for name in _DIRECTORIES:
        rows[name] = _rewrite(f"{output}/{name}", lambda table: _without(table, doc_ids(table), gone))
    delete_tree(f"{output}/{BATCH}")  # whose batches have been collected, and which holds texts
    # Of the files and not of this pass, so that a second one after a crash says the same.
    forgotten = {name: before[name] - rows[name] for name in _DIRECTORIES}
    if any(forgotten.values()):
        content = {**manifest, "rows": rows, "forgotten": forgotten}
        write_text(f"{output}/{MANIFEST}", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return {name: rows[name] for name in _DIRECTORIES}


def _rewrite(directory: str, keep: Keep, row_group_size: int | None = None) -> int:
    """Write the shards of a directory anew where that changes them, and return the rows they have then."""
    rows = 0
    for shard in list_files(f"{directory}/part-*.parquet"):
        with open_parquet(shard) as file:
            before = file.read()
        after = keep(before)
        rows += after.num_rows
        if not after.equals(before):
            write_parquet(shard, after, row_group_size=row_group_size)
    return rows


def _without(table: pa.Table, names: pa.ChunkedArray, gone: pa.Array) -> pa.Table:
    """Return the rows whose names are none of some."""
    return table.filter(pc.invert(pc.is_in(names, gone)))


def _unnamed(table: pa.Table, gone: pa.Array) -> pa.Table:
    """Return rejected rows without the ids, of documents or pairs, that they name as what they duplicate."""
    column = table["duplicate_of"]
    blank = pc.if_else(pc.is_in(column, gone), pa.scalar(None, pa.string()), column)
    return table.set_column(table.column_names.index("duplicate_of"), table.schema.field("duplicate_of"), blank)
