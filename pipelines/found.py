"""Where the rows of a pair or a document lie: in a run, or in the runs of a root's dataset."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from pipelines.life import document_in
from pipelines.options import UsageError
from pipelines.roots import forgotten, opened, run_directory, superseded, told
from pipelines.rundir import no_run, read_manifest
from schemas.config import RunConfig
from schemas.records import Document, DocumentVerdicts, Failed, Pair, Pending, Rejected, arrow_schema
from transforms.catalog import CATALOG, FORGOTTEN
from transforms.documents import VERDICTS
from transforms.exports.source import SourceError, check_columns
from transforms.files import exists, list_files, open_parquet
from transforms.output import MANIFEST

_ROWS: Final[Mapping[str, tuple[type, Sequence[str]]]] = {
    "qa": (Pair, ("id", "source.doc_id")),
    "pairs": (Pair, ("id", "source.doc_id")),
    "rejected": (Rejected, ("pair_id", "source.doc_id")),
    "errors": (Failed, ("pair_id", "source.doc_id")),
    "pending": (Pending, ("doc_id",)),
}
"""What the rows of a directory are, and the columns with ids, in the order in which they are looked through."""
_CONFIG: Final = (
    "columns", "filters", "checks", "models", "closed_book", "decontaminate", "calls", "prompts", "cache",
    "max_document_tokens", "until",
)  # fmt: skip
"""Keys of a run's configuration that its prompts and answers depend on."""


@dataclass(frozen=True, slots=True)
class Door:
    """A row by which a pair or a document left, or was taken out later.

    Attributes:
      place: the directory of the row.
      fields: what the row says, without the source.
      pair_id: the pair it is of; null for one of a document.
      source: where the corpus has the document; null where the row does not say.
      document: null where only the corpus has it.
    """

    place: str
    fields: Mapping[str, Any]
    pair_id: str | None = None
    source: Mapping[str, Any] | None = None
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """A run that is looked through.

    Attributes:
      directory: where it lies.
      superseded: (the run that took it out, a row of `superseded/` there) of what of it is in the dataset no longer.
      forgotten: hashes of the ids of documents that are to be forgotten, by the directory where they are noted.
    """

    directory: str
    superseded: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    forgotten: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


def searched(directory: str) -> list[Searched]:
    """Return a run, or those of a root, the oldest first.

    Raises:
      UsageError: there is none, or what a root says of its runs cannot be read.
    """
    if exists(f"{directory}/{CATALOG}"):
        catalog = opened(directory)
        with told():
            noted = {f"{directory}/{FORGOTTEN}": forgotten(directory, catalog)}
            gone = list(superseded(directory, catalog.run_ids))
        return [
            Searched(run_directory(directory, run), tuple(one for one in gone if one[1]["run_id"] == run), noted)
            for run in catalog.run_ids
        ]
    if not exists(f"{directory}/{MANIFEST}"):
        raise no_run(directory)
    return [Searched(directory)]


def doors(run: Searched, name: str) -> list[Door]:
    """Return the rows of a run that are of a pair or a document, and behind them those that have taken it out.

    Raises:
      UsageError: a shard is another version's.
    """
    try:
        found = [*_rows(run.directory, name), *_documents(run.directory, name)]
    except SourceError as error:
        raise UsageError(str(error)) from None
    if not found:
        return []
    pair_id = name if any(door.pair_id == name for door in found) else None
    for by, row in run.superseded:
        if name in (row["doc_id"], *(row["pair_ids"] or ())):
            found.append(Door(f"{by}/superseded", row, pair_id))
    doc_id = next((door.source["doc_id"] for door in found if door.source is not None), name) or ""
    sha256 = hashlib.sha256(doc_id.encode()).hexdigest()
    found += [Door(place, {"doc_id": doc_id}, pair_id) for place, hashes in run.forgotten.items() if sha256 in hashes]
    return found


def config_of(run: str) -> RunConfig:
    """Return a run's configuration, as far as its prompts and answers depend on it.

    Raises:
      UsageError: another version has written it.
    """
    manifest = read_manifest(run)
    try:
        given = {key: value for key, value in manifest["config"].items() if key in _CONFIG}
        given["columns"] = {role: name for role, name in given["columns"].items() if role != name}  # those it was told
        return RunConfig.model_validate({"input": ["-"], **given, "output": run})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise UsageError(
            f"{run}/{MANIFEST} is not of this version ({type(error).__name__}); inspect it with the one that wrote it"
        ) from None


def _rows(run: str, name: str) -> Iterator[Door]:
    for directory, (record, ids) in _ROWS.items():
        for path in list_files(f"{run}/{directory}/part-*.parquet"):
            for row in _matching(path, arrow_schema(record), ids, name):
                source = row.pop("source", None)
                yield Door(f"{run}/{directory}", row, row.get(ids[0]) if source else None, source)


def _documents(run: str, name: str) -> Iterator[Door]:
    """Yield the rows of `documents/`, whose columns are the corpus's own."""
    shards = list_files(f"{run}/documents/part-*.parquet")
    if not shards:
        return
    config, verdicts = config_of(run), pa.field(VERDICTS, pa.struct(list(arrow_schema(DocumentVerdicts))))
    for path in shards:
        for row in _matching(path, [verdicts], (config.columns.id,), name):
            document = document_in(config, row)
            yield Door(f"{run}/documents", row[VERDICTS], None, dataclasses.asdict(document.source), document)


def _matching(path: str, fields: Iterable[pa.Field], ids: Sequence[str], name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a shard that have a name in one of some columns."""
    with open_parquet(path) as file:
        check_columns(path, file, fields)
        for number in range(file.num_row_groups):
            columns = file.read_row_group(number, columns=list(ids)).flatten().columns
            wanted = [pc.equal(column.cast(pa.string()), name).fill_null(False) for column in columns]
            rows = pc.indices_nonzero(functools.reduce(pc.or_, wanted).combine_chunks())
            if len(rows):
                yield from file.read_row_group(number).take(rows).to_pylist()
