"""What earlier runs leave for later ones: a directory of Parquet files, appended to by run and read by reference.

`STATE/RUN_ID/` holds `documents/` and `questions/`, `run.json`, which names the run's output, and `_SUCCESS`, which
comes last. A run without it counts only when its output is complete, for then it died between the two; so a crashed run
leaves nothing that a later one would see. Running again in an output first forgets what that output had left.
Where there is a catalogue, it says which runs count, and nothing else does.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from schemas.elements import RowGroups
from transforms.files import copy, delete, delete_tree, exists, list_files, open_parquet, read_json, write_text
from transforms.minhash import FINGERPRINT
from transforms.output import SUCCESS, run_in
from transforms.storage import StorageError

KEPT: Final = "kept"
REJECTED: Final = "rejected"
ERROR: Final = "error"
SUPERSEDED: Final = "superseded"
OUTCOMES: Final = (KEPT, REJECTED, ERROR, SUPERSEDED)

DOCUMENTS: Final = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("source_sha256", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("pair_ids", pa.list_(pa.string())),
        pa.field("text_sha256", pa.string()),
        pa.field("length", pa.int64()),
        pa.field("signature", pa.list_(pa.uint32())),
        pa.field("shingles", pa.list_(pa.uint32())),
    ]
)
"""A document that a model was asked about: the hash of its text in the corpus, its outcome and its pairs.

Kept has pairs, rejected has none, superseded stands for a text that a later one replaced. Kept ones have what a
comparison needs: hash and characters of the text as it went on, MinHash signature, `minhash.halves` of its shingles.
"""

QUESTIONS: Final = pa.schema([pa.field(name, pa.string()) for name in ("pair_id", "question", "answer")])
"""A pair that was kept, question and answer normalised."""

SCHEMAS: Final = {"documents": DOCUMENTS, "questions": QUESTIONS}
_RUN: Final = "run.json"
GROUP_ROWS: Final = 4096
"""Rows of a row group: some 8 MB of documents with signature and shingles."""


class StateError(ValueError):
    """The state cannot be read; one line that names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class _Remedies:
    """What to do about a state that cannot be used: begin another one, or go on without one run."""

    anew: str
    less: str

    def without(self, place: str) -> str:
        return self.less.format(place=place)


_ALONE: Final = _Remedies("name another --state", "delete {place}, whose documents may then come again")
_IN_A_ROOT: Final = _Remedies("refresh with --full", "refresh with --full")
"""Where the catalogue names the runs, none may be missing, and there is no other state."""


class Shelf(RowGroups):
    """The row groups of one kind of file, in the order of runs; ordinals are below 0 and ascend to -1."""

    @property
    def rows(self) -> int:
        """How many rows all groups have."""
        return -int(self.first_row[0])

    def run_of(self, index: int) -> str:
        """Return the run that wrote a row group."""
        return posixpath.basename(posixpath.dirname(posixpath.dirname(self.path(index))))

    def read(self, index: int, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a row group."""
        with open_parquet(self.path(index)) as file:
            return file.read_row_group(int(self.number_of[index]), columns=list(columns))


@dataclass(frozen=True, slots=True)
class State:
    """What the runs before this one have left.

    Attributes:
      directory: where.
      output: the output of the run that reads it, absolute; what that left before is not part of it.
      permutations: minima of a signature.
      replaced: the run that the output holds, which this one replaces; null for none.
      runs: the earlier runs, oldest first.
      documents: their files of `DOCUMENTS`; questions: of `QUESTIONS`.
    """

    directory: str
    output: str
    permutations: int
    replaced: str | None
    runs: tuple[str, ...]
    documents: Shelf
    questions: Shelf

    @property
    def figures(self) -> dict[str, int]:
        """What a run reports of it."""
        return {"runs": len(self.runs), "documents": self.documents.rows, "questions": self.questions.rows}


def open_state(directory: str, output: str, permutations: int, listed: Sequence[str] | None = None) -> State:
    """Read what earlier runs left: their names and the footers of their files.

    Args:
      directory: of the state, local or on a bucket; it need not exist.
      output: of the run that is to start.
      permutations: minima that it will compare.
      listed: the runs that count, oldest first; null takes those that are complete.

    Raises:
      StorageError: the store does not answer, or refuses.
      StateError: a file is missing or damaged, its signatures are of another version or too short, an output is not
        what the state knows, or the output's run is not the latest.
    """
    directory, output = directory.rstrip("/"), absolute(output)
    replaced = None
    if listed is None:
        replaced, runs = _completed(directory, output, permutations)
    else:
        runs = list(listed)
        for run in runs:
            _check(directory, run, _described(f"{directory}/{run}/{_RUN}", _IN_A_ROOT), permutations, _IN_A_ROOT)
    remedies = _ALONE if listed is None else _IN_A_ROOT
    return State(
        directory,
        output,
        permutations,
        replaced,
        tuple(runs),
        _shelf(
            [path for run in runs for path in list_files(f"{directory}/{run}/documents/*.parquet")], DOCUMENTS, remedies
        ),
        _shelf(
            [path for run in runs for path in list_files(f"{directory}/{run}/questions/*.parquet")], QUESTIONS, remedies
        ),
    )


def _completed(directory: str, output: str, permutations: int) -> tuple[str | None, list[str]]:
    """Return the run that an output holds, null for none, and the complete runs of all others."""
    replaced = _made(output, output)
    runs, own = [], ""
    for run, left in _left(directory):
        if left["output"] == output or run == replaced:
            own = run if _counts(directory, run, left) else own
        elif _committed(directory, run, left):
            _check(directory, run, left, permutations, _ALONE)
            runs.append(run)
    if own and runs and runs[-1] > own:
        raise StateError(
            f"{output} is not the last run of {directory}, {runs[-1]} goes on from it: name another --output, where"
            " what ended as an error comes again by itself"
        )
    return replaced, runs


def absolute(path: str) -> str:
    """Return a path by which an output is recognised, whatever the directory it is named from."""
    return path.rstrip("/") if "://" in path else os.path.realpath(path)


def _left(directory: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (run, content of its run.json), oldest first."""
    described = list_files(f"{directory}/*/{_RUN}")
    places = {posixpath.dirname(path) for path in described}
    for path in list_files(f"{directory}/*/documents/*.parquet"):
        if (place := posixpath.dirname(posixpath.dirname(path))) not in places:
            raise StateError(
                f"{place} lacks its {_RUN}; restore it, or delete {place}, whose documents may then come again"
            )
    for path in described:
        yield posixpath.basename(posixpath.dirname(path)), _described(path, _ALONE)


def _described(path: str, remedies: _Remedies) -> dict[str, Any]:
    """Return the content of a run.json."""
    try:
        left: dict[str, Any] = read_json(path)
        if left["minhash"] != FINGERPRINT:
            raise StateError(
                f"{path}: its signatures were made by other hash functions ({left['minhash']}, ours are"
                f" {FINGERPRINT}); {remedies.anew}, or go on with the version that made it"
            )
        left["output"], left["files"], left["permutations"]
    except StorageError:
        raise  # the store does not answer, or not to us: nothing there is damaged
    except (OSError, BeamIOError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise StateError(
            f"{path} cannot be read: {type(error).__name__} {' '.join(str(error).split())}; restore it, or"
            f" {remedies.without(posixpath.dirname(path))}"
        ) from None
    return left


def _committed(directory: str, run: str, left: dict[str, Any]) -> bool:
    """Return whether a run counts, and check that what it made is there still."""
    if not _counts(directory, run, left):
        return False
    if _made(left["output"], f"{directory}/{run}") not in (None, run):
        raise StateError(
            f"{left['output']} was made again without --state {directory}: delete {directory}/{run}, and what is no"
            " longer there comes again"
        )
    return True


def _check(directory: str, run: str, left: dict[str, Any], permutations: int, remedies: _Remedies) -> None:
    """Check that what a run has left is there and can be compared with."""
    if left["permutations"] != permutations:
        raise StateError(
            f"{directory}/{run} has signatures of {left['permutations']} hashes, and dedup.bands x dedup.rows"
            f" is {permutations}: choose bands and rows whose product is {left['permutations']}, or"
            f" {remedies.anew}"
        )
    for name in left["files"]:
        if not exists(f"{directory}/{run}/{name}"):
            raise StateError(
                f"{directory}/{run} lacks its file {name}; restore it, or {remedies.without(f'{directory}/{run}')}"
            )


def _counts(directory: str, run: str, left: dict[str, Any]) -> bool:
    """Return whether a run counts; one that died between the output's `_SUCCESS` and its own here gets the latter."""
    if exists(f"{directory}/{run}/{SUCCESS}"):
        return True
    if not exists(f"{left['output']}/{SUCCESS}") or _made(left["output"], f"{directory}/{run}") != run:
        return False
    write_text(f"{directory}/{run}/{SUCCESS}", "")
    return True


def _made(output: str, place: str) -> str | None:
    """Return the run to which an output belongs now; null where it has been moved away."""
    try:
        return run_in(output)
    except StorageError:
        raise
    except (OSError, BeamIOError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"{output}: which run it holds cannot be read: {type(error).__name__} {' '.join(str(error).split())};"
            f" restore its manifest.json, or delete {place}, whose documents may then come again"
        ) from None


def _shelf(paths: list[str], columns: pa.Schema, remedies: _Remedies) -> Shelf:
    sizes = []
    for number, path in enumerate(paths):
        try:
            with open_parquet(path) as file:
                if lacking := [name for name in columns.names if name not in file.schema_arrow.names]:
                    raise StateError(
                        f"{path} lacks its columns {', '.join(lacking)}, another version of webscale-rl has written it:"
                        f" {remedies.anew}, or go on with that version"
                    )
                sizes += [
                    (number, group, file.metadata.row_group(group).num_rows) for group in range(file.num_row_groups)
                ]
        except StorageError:
            raise
        except (OSError, pa.ArrowException) as error:
            run = posixpath.dirname(posixpath.dirname(path))
            raise StateError(
                f"{path} cannot be read: {' '.join(str(error).split())}; restore it, or {remedies.without(run)}"
            ) from None
    ends = np.cumsum([0, *(rows for _, _, rows in sizes)], dtype=np.int64)
    return Shelf(
        tuple(paths),
        np.array([path for path, _, _ in sizes], np.int32),
        np.array([group for _, group, _ in sizes], np.int32),
        ends - ends[-1],
    )


def withdraw(state: State) -> None:
    """Let what runs into this output have left no longer count: what they made is about to go."""
    for run in _own(state):
        delete([f"{state.directory}/{run}/{SUCCESS}"])


def forget(state: State) -> None:
    """Remove what runs into this output have left, whether it was complete or not."""
    for run in _own(state):
        for name in SCHEMAS:
            delete_tree(f"{state.directory}/{run}/{name}")
        delete_tree(f"{state.directory}/{run}")  # last, with what tells whose the rest is


def _own(state: State) -> list[str]:
    return [run for run, left in _left(state.directory) if left["output"] == state.output or run == state.replaced]


def lay_down(state: State, run_id: str, scratch: str) -> None:
    """Copy what a run leaves into the state, where it does not count yet.

    Args:
      scratch: directory with the run's `documents/` and `questions/`.
    """
    place = f"{state.directory}/{run_id}"
    files = [path for name in SCHEMAS for path in list_files(f"{scratch}/{name}/part-*.parquet")]
    names = [f"{posixpath.basename(posixpath.dirname(path))}/{posixpath.basename(path)}" for path in files]
    left = {"output": state.output, "minhash": FINGERPRINT, "permutations": state.permutations, "files": names}
    # First, so that what is half laid down can be told and cleared away.
    write_text(f"{place}/{_RUN}", json.dumps(left, indent=2) + "\n")
    for path, name in zip(files, names, strict=True):
        copy(path, f"{place}/{name}")


def confirm(state: State, run_id: str) -> None:
    """Let what a run has laid down count."""
    write_text(f"{state.directory}/{run_id}/{SUCCESS}", "")
