"""Which corpus files the next run of a root reads, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.roots import run_directory
from schemas.catalog import Catalog
from transforms.files import list_files, open_parquet

Listed = Mapping[str, tuple[int, float]]
"""(bytes, when it was updated) of the files of a corpus, by path."""


@dataclass(frozen=True, slots=True)
class Due:
    """The files that a run is to read, by the first reason that there is.

    Attributes:
      new: never read; changed: of another size or time than when they were read.
      heirs: those with documents whose survivor went.
      errors: those with rows that ended as errors, and may end otherwise.
      rest: all others, where everything is made anew.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    heirs: tuple[str, ...]
    errors: tuple[str, ...]
    rest: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """All of them, sorted."""
        return sorted((*self.new, *self.changed, *self.heirs, *self.errors, *self.rest))

    def __str__(self) -> str:
        names = {
            "new": self.new,
            "changed": self.changed,
            "with documents whose survivor went": self.heirs,
            "with errors": self.errors,
            "as before": self.rest,
        }
        return ", ".join(f"{len(paths):,} {name}" for name, paths in names.items() if paths)


def due_files(catalog: Catalog, corpus: Listed, *, errors: bool, full: bool) -> Due:
    """Return what is due of a corpus.

    Args:
      errors: whether rows that ended as errors are tried again.
      full: whether everything is made anew.
    """
    by_reason: dict[str, list[str]] = {name: [] for name in ("new", "changed", "heirs", "errors", "rest")}
    heirs = set(catalog.heirs)
    for path, (size, updated) in corpus.items():
        seen = catalog.files.get(path)
        if seen is None:
            by_reason["new"].append(path)
        elif seen.differs(size, updated):
            by_reason["changed"].append(path)
        elif path in heirs:
            by_reason["heirs"].append(path)
        elif errors and seen.errors > seen.lasting:
            by_reason["errors"].append(path)
        elif full:
            by_reason["rest"].append(path)
    return Due(**{name: tuple(paths) for name, paths in by_reason.items()})


def heirs_of_superseded(root: str, catalog: Catalog) -> set[str]:
    """Return the files with documents that were duplicates of what the catalogue's runs superseded, not settled yet."""
    found: set[str] = set()
    for place, run in enumerate(catalog.runs):
        if not run.settled:
            gone = pa.array(_superseded(run_directory(root, run.id)), pa.string())
            # The run itself compared with what stayed.
            found |= duplicates_of(root, catalog, gone, catalog.run_ids[:place])
    return found


def _superseded(output: str) -> list[str]:
    """Return the ids of the documents that a run has superseded."""
    ids: list[str] = []
    for shard in list_files(f"{output}/superseded/part-*.parquet"):
        with open_parquet(shard) as file:
            ids += file.read(["doc_id"])["doc_id"].to_pylist()
    return ids


def duplicates_of(root: str, catalog: Catalog, gone: pa.Array, runs: tuple[str, ...]) -> set[str]:
    """Return the files with documents that hold as duplicates of some others.

    Of a document what the run says holds that read its file last; what earlier ones have said does not.

    Args:
      gone: the ids of those others.
      runs: those to look through.
    """
    found: set[str] = set()
    for run in runs if len(gone) else ():
        for shard in list_files(f"{run_directory(root, run)}/rejected/part-*.parquet"):
            with open_parquet(shard) as file:
                for batch in file.iter_batches(columns=["stage", "duplicate_of", "source.path"]):
                    wanted = pc.and_(pc.equal(batch["stage"], "dedup"), pc.is_in(batch["duplicate_of"], gone))
                    paths = pc.struct_field(batch["source"], "path").filter(wanted)
                    found.update(path for path in pc.unique(paths).to_pylist() if _read_last(catalog, path) == run)
    return found


def _read_last(catalog: Catalog, path: str) -> str | None:
    seen = catalog.files.get(path)
    return None if seen is None else seen.run
