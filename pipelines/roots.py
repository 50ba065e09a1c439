"""A root: the directory of a dataset that grows night by night, and what may lie in it."""

from __future__ import annotations

import contextlib
import posixpath
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from pipelines.options import UsageError
from schemas.catalog import Catalog, Takedown
from schemas.records import Superseded, arrow_schema
from transforms.catalog import (
    CATALOG,
    FORGOTTEN,
    RUNS,
    STATE,
    CatalogError,
    change_catalog,
    noted_in,
    read_catalog,
    write_catalog,
)
from transforms.exports.source import SourceError, check_columns
from transforms.files import copy, delete, delete_tree, exists, list_files, open_parquet
from transforms.llm.batch.journal import BATCH, Journal, JournalError
from transforms.lock import LOCK, HeldError, beating, describe, release, take
from transforms.output import SCRATCH, is_output, is_temporary
from transforms.read import forgotten_ids
from transforms.state import absolute
from transforms.storage import StorageError
from transforms.swap import ConflictError, SwapError


def superseded(root: str, runs: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (directory of the run that took it out, row of its `superseded/`) of what runs have replaced.

    Raises:
      SourceError: a shard is another version's.
    """
    for run in runs:
        for path in list_files(f"{run_directory(root, run)}/superseded/part-*.parquet"):
            with open_parquet(path) as file:
                check_columns(path, file, arrow_schema(Superseded))
                for batch in file.iter_batches():
                    for row in batch.to_pylist():
                        yield run_directory(root, run), row


def live_pairs(root: str, catalog: Catalog) -> int:
    """Return how many pairs of a root's runs no later one has replaced; those to be forgotten count until swept.

    Raises:
      UsageError: a shard is another version's, or cannot be read.
    """
    with told():
        gone = sum(len(row["pair_ids"] or ()) for _, row in superseded(root, catalog.run_ids))
    return sum(run.rows.get("qa", 0) for run in catalog.runs) - gone


def forgotten(root: str, catalog: Catalog) -> frozenset[str]:
    """Return the hashes of the ids of documents that are to be forgotten, and of which runs may still have rows."""
    return forgotten_ids([noted_in(root, each.id) for each in catalog.forgotten if not each.swept])


def last_night(place: str) -> tuple[list[str], list[str]]:
    """Return the runs that the last refresh of a root has added, and the directories of runs that are not part of it.

    What is no root stands for itself.

    Raises:
      UsageError: its catalogue cannot be read.
    """
    place = place.rstrip("/")
    with told():
        if not exists(f"{place}/{CATALOG}"):
            return [place], []
        there = _files(place, RUNS)  # first, so that a run that enters meanwhile is not taken for a dead one
        catalog, _ = read_catalog(place)
        known, last = (catalog.run_ids, catalog.last_night) if catalog else ((), ())
        strays = sorted(there.keys() - set(known))
        return [run_directory(place, run) for run in last], [run_directory(place, run) for run in strays]


def run_directory(root: str, run_id: str) -> str:
    """Return where a run of a root lies."""
    return f"{root}/{RUNS}/{run_id}"


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what is wrong with a root's files into a `UsageError`."""
    try:
        yield
    except (CatalogError, JournalError, SourceError, StorageError, SwapError) as error:
        raise UsageError(str(error)) from None
    except (BeamIOError, OSError, pa.ArrowException) as error:
        raise UsageError(f"--root: {type(error).__name__}: {' '.join(str(error).split())}") from None


class Held:
    """A lock that is held.

    Attributes:
      left: set where the lock was left to a job that goes on without this process, whose last step gives it up.
    """

    left = False


@contextlib.contextmanager
def locked(root: str, run_id: str) -> Iterator[Held]:
    """Hold the lock of a root for the block, unless the run's last step has given it up before.

    Raises:
      UsageError: somebody else holds it, or it cannot be read or written.
    """
    held = Held()
    with told():
        try:
            dead = take(root, run_id)
        except HeldError as error:
            raise UsageError(_held(root, error)) from None
    if dead is not None:
        print(f"Took over the lock of {describe(dead, time.time())}, who is dead.", file=sys.stderr)
    try:
        with beating(root, run_id):
            yield held
    finally:
        if not held.left:
            with contextlib.suppress(CatalogError, SwapError):  # it falls to the next one once its lease is over
                release(root, run_id)


def _held(root: str, error: HeldError) -> str:
    holder = error.holder
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(holder.beaten + holder.lease_s))
    return (
        f"{root} is being refreshed by {describe(holder, time.time())}: wait for it; should it be dead, its lock is"
        f" free from {ends} on, or at once when you delete {root}/{LOCK}"
    )


def opened(root: str) -> Catalog:
    """Return the catalogue of a root, a new one where nothing lies there yet; under its lock.

    Raises:
      UsageError: it cannot be read, or is missing where there are runs.
    """
    with told():
        catalog, token = read_catalog(root)
        if catalog is None:
            if list_files(f"{root}/{RUNS}/**"):
                raise UsageError(
                    f"{root} has runs but no {CATALOG}: restore it, or move {root}/{RUNS} and {root}/{STATE} away and"
                    " refresh again (answers in the cache are not paid twice, and what was forgotten stays so)"
                )
            catalog = Catalog(forgotten=_noted(root))
            try:
                write_catalog(root, catalog, token)
            except ConflictError:
                raise UsageError(f"{root}/{CATALOG} was made by somebody else; give the same command again") from None
        return catalog


def _noted(root: str) -> tuple[Takedown, ...]:
    """Return the takedowns of a catalogue that was lost: what they have noted still must not come back."""
    found = []
    for path in list_files(noted_in(root, "*")):
        with open_parquet(path) as file:
            name = posixpath.basename(path).removesuffix(".parquet")
            found.append(Takedown(id=name, ids=file.metadata.num_rows, swept=False))
    return tuple(found)


def check_root(root: str, inputs: Sequence[str], *, there: bool) -> None:
    """Check that a directory may be a root.

    Args:
      inputs: the corpus.
      there: whether it must be one already.

    Raises:
      UsageError: it is a run's output, or none yet, or the corpus lies in it.
    """
    with told():
        if is_output(root):
            raise UsageError(f"--root {root} is a run's --output; name a directory of its own")
        if there and not exists(f"{root}/{CATALOG}"):
            raise UsageError(
                f"--root {root} has no {CATALOG}: name the dataset to forget in; a first one wants --input"
            )
    for path in inputs:
        if absolute(path).startswith(f"{absolute(root)}/"):
            raise UsageError(f"--input {path} lies in --root {root}; name another --root")


def clear(root: str, catalog: Catalog) -> tuple[Catalog, list[str]]:
    """Remove what dead runs have left, and what newer ones have replaced; under the lock.

    A job that was taken for dead may live, and enter the catalogue at any moment. So that goes one generation on before
    anything is deleted: then the job's run is in it already, and stays, or cannot be added any more.

    Returns:
      The catalogue then, and the directories of runs that stay, because batches that they have sent are not collected.
    """
    with told():
        runs, states = _files(root, RUNS), _files(root, STATE)
        if not runs.keys() | states.keys() <= set(catalog.run_ids):
            catalog = change_catalog(root, lambda before: before.next())
        known = set(catalog.run_ids)
        places = [run_directory(root, run) for run in sorted(runs.keys() - known)]
        unfinished = [place for place in places if Journal(place).open()]
        for place in places:
            if place not in unfinished:
                delete_tree(place)
        for run in sorted(states.keys() - known):
            delete_tree(f"{root}/{STATE}/{run}")
        for run in sorted(known):  # what died after it had entered
            if any(path.startswith(f"{run_directory(root, run)}/{SCRATCH}/") for path in runs[run]):
                delete_tree(f"{run_directory(root, run)}/{SCRATCH}")
            delete([path for path in (*runs[run], *states[run]) if is_temporary(path)])
        remembered = {noted_in(root, takedown.id) for takedown in catalog.forgotten}
        delete([path for path in list_files(f"{root}/{FORGOTTEN}/*") if path not in remembered])
    return catalog, unfinished


def carry(unfinished: Sequence[str], output: str) -> None:
    """Hand batches that dead runs have sent on to the next run, which asks for the same."""
    with told():
        for place in unfinished:
            for path in list_files(f"{place}/{BATCH}/*"):
                copy(path, f"{output}/{BATCH}/{posixpath.basename(path)}")
            delete_tree(place)


def _files(root: str, kind: str) -> defaultdict[str, list[str]]:
    """Return the files below the directories of one of a root's, by the names of these; empty ones do not count."""
    start = len(f"{root}/{kind}/")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in list_files(f"{root}/{kind}/**"):
        found[path[start:].split("/")[0]].append(path)
    return found
