"""What travels between stages and what is written: frozen records, and the Arrow schemas derived from them.

The dataclasses are the one truth for columns: `arrow_schema` turns a record class into the schema of its Parquet files.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document came from. `path`, `row_group` and `row` (within the group) locate it in the corpus.

    `read_chars` is how many characters of its text the models were given, null for all of them.
    """

    doc_id: str | None
    path: str
    row_group: int | None = None
    row: int | None = None
    text_sha256: str | None = None
    url: str | None = None
    license: str | None = None
    dataset: str | None = None
    read_chars: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request: the model's name, the prompt's fingerprint, the key of the answer in the cache."""

    model: str
    prompt: str
    key: str


@dataclass(frozen=True, slots=True)
class StageNames:
    """One optional string for each stage that calls a model about a document or a pair.

    Of calls these are the keys of the answers in the cache: where a stage samples several, all of them, spaces between.
    """

    screen: str | None = None
    classify: str | None = None
    generate: str | None = None
    judge: str | None = None
    round_trip: str | None = None
    decontaminate: str | None = None
    closed_book: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of a pair."""

    has_context: bool
    answer_correct: bool
    leaks_answer: bool


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How often a policy model answered right without the document; `passes` is 0 where none of its samples did."""

    model: str
    samples: int
    passes: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One persona of a document, and its pair once it is generated. `pair_id` exists before the pair does."""

    pair_id: str
    persona: str
    question: str | None = None
    answer: str | None = None
    aliases: tuple[str, ...] = ()
    answer_type: str | None = None
    evidence: str | None = None
    thought: str | None = None
    checks: Verdict | None = None
    generate: Call | None = None
    judge: Call | None = None
    round_trip: Call | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document on its way through the model stages: its text, the verdicts so far and its persona slots."""

    source: Source
    text: str
    screen_thought: str | None = None
    domain: str | None = None
    screen: Call | None = None
    classify: Call | None = None
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Contamination:
    """One overlap of a question with an evaluation set."""

    benchmark: str
    rule: str
    score: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of `qa/` (and of `pairs/`, where what later stages decide is still null)."""

    id: str
    question: str | None
    answer: str | None
    aliases: tuple[str, ...]
    answer_type: str | None
    domain: str | None
    persona: str
    evidence: str | None
    source: Source
    models: StageNames
    prompts: StageNames
    calls: StageNames
    checks: Verdict | None = None
    contamination: tuple[Contamination, ...] = ()
    difficulty: Difficulty | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of `rejected/`: a named rule said no. `pair_id` is null for documents; `value` is what broke the rule."""

    doc_id: str | None
    pair_id: str | None
    stage: str
    reason: str
    value: str | None
    source: Source
    duplicate_of: str | None = None
    similarity: float | None = None
    question: str | None = None
    answer: str | None = None
    thought: str | None = None
    calls: StageNames = StageNames()


@dataclass(frozen=True, slots=True)
class Failed:
    """A row of `errors/`: what could not be decided; `error` is the failure's class, `attempts` the calls made."""

    doc_id: str | None
    pair_id: str | None
    stage: str
    error: str
    message: str
    attempts: int
    source: Source
    calls: StageNames = StageNames()


@dataclass(frozen=True, slots=True)
class Pending:
    """A row of `pending/`: a request that waits for a batch. `id` is the key that its answer will have in the cache.

    `doc_id` is of the document it is about, `request` the whole request as JSON.
    """

    id: str
    doc_id: str | None
    stage: str
    model: str
    prompt: str
    request: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """A row of `superseded/`: a document of an earlier run whose id has come with another text.

    `pair_ids` are the pairs it had, which are in the dataset no longer; `text_sha256` is of its text in the corpus.
    """

    doc_id: str
    text_sha256: str
    run_id: str
    pair_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScreenVerdict:
    """What the screen said of a document."""

    thought: str | None
    model: str
    prompt: str
    call: str


@dataclass(frozen=True, slots=True)
class ClassifyVerdict:
    """The domain of a document and its readers, each with the id of the pair it will get."""

    domain: str
    personas: tuple[str, ...]
    pair_ids: tuple[str, ...]
    model: str
    prompt: str
    call: str


@dataclass(frozen=True, slots=True)
class DocumentVerdicts:
    """The struct column `webscale_rl` of `documents/`: a null field is a stage the run has not reached."""

    text_sha256: str
    screen: ScreenVerdict | None = None
    classify: ClassifyVerdict | None = None


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def text_hashes(texts: pa.ChunkedArray) -> list[str]:
    """Return the `text_sha256` of each string of a column without nulls, without a Python string of it."""
    found = []
    for chunk in texts.chunks:
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1].tolist()
        view = memoryview(data or b"")
        found += [hashlib.sha256(view[start:end]).hexdigest() for start, end in itertools.pairwise(ends)]
    return found


def pair_id(doc_id: str, sha256: str, persona: str) -> str:
    """Return the name of the pair of one document and one persona: 32 hexadecimal digits, uniform over its range."""
    digest = hashlib.sha256()
    for part in (doc_id, sha256, persona):
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big") + data)  # lengths first, so that no two triples join alike
    return digest.hexdigest()[:32]


_SCALARS: Final[dict[type, pa.DataType]] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of an annotation: a scalar, a record class (struct), `tuple[X, ...]` (list), or `X | None`.

    Raises:
      TypeError: the annotation has no Arrow counterpart here.
    """
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if dataclasses.is_dataclass(annotation):
        return pa.struct(_arrow_fields(annotation))
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is types.UnionType and len(args) == 2 and args[1] is type(None):
        return arrow_type(args[0])
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return pa.list_(arrow_type(args[0]))
    raise TypeError(f"no Arrow type for the annotation {annotation!r}")


def _arrow_fields(record: Any) -> list[pa.Field]:
    hints = typing.get_type_hints(record)
    return [pa.field(item.name, arrow_type(hints[item.name])) for item in dataclasses.fields(record)]


def arrow_schema(record: type) -> pa.Schema:
    """Return the schema of the Parquet files that hold a record class, a column a field, all nullable."""
    return pa.schema(_arrow_fields(record))


def lacking_column(wanted: Iterable[pa.Field], there: pa.Schema) -> pa.Field | None:
    """Return the first field that a file has not, or has of another type; null where it has all."""
    return next(
        (each for each in wanted if each.name not in there.names or there.field(each.name).type != each.type), None
    )


def to_table(record: type, rows: Sequence[Any]) -> pa.Table:
    """Return records of one class as a table with that class's schema."""
    return pa.Table.from_pylist([_plain(row) for row in rows], schema=arrow_schema(record))


def _plain(value: Any) -> Any:
    """Return a record as dicts and lists, like `dataclasses.asdict` but without copying what it holds."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    names = _names(value.__class__)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


@functools.cache
def _names(kind: type) -> tuple[str, ...] | None:
    return tuple(item.name for item in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None
