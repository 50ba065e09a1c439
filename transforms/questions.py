"""DropDuplicateQuestions: one pair a question, over the whole run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa

from schemas.elements import Spill
from schemas.records import Rejected, Source, StageNames
from transforms.files import read_spill
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors

STAGE: Final = "questions"
_PARTITIONS: Final = 16
_SEPARATORS: Final = re.compile(r"\W+")
_ARTICLES: Final = frozenset({"a", "an", "the"})

Entry = tuple[bytes, str, str, int]
"""(question key, pair id, scratch file, row)."""


def question_key(question: str) -> bytes:
    """Return 16 bytes that two questions share when they differ in case, punctuation, spacing or articles at most.

    Normalisation as SQuAD's evaluation does it (Rajpurkar et al. 2016, section 6.1).
    """
    words = [word for word in _SEPARATORS.split(question.casefold()) if word and word not in _ARTICLES]
    return hashlib.blake2b(" ".join(words).encode("utf-8"), digest_size=16).digest()


def repeated(entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
    """Return (entry, pair id it repeats) for each entry whose question another one of a smaller pair id has too."""
    first: dict[bytes, str] = {}
    out = []
    for entry in sorted(entries):
        survivor = first.setdefault(entry[0], entry[1])
        if survivor != entry[1]:
            out.append((entry, survivor))
    return out


class DropDuplicateQuestions(beam.PTransform):
    """`Spill`s of pairs -> `Doors` whose kept elements are tables of `Pair`. Rejected: `duplicate_question`.

    Of the pairs with one question the smallest pair id stays. Only keys and references meet a shuffle.
    """

    def expand(self, spills: Any) -> Doors:
        removed = (
            spills
            | "Keys" >> beam.FlatMap(_keys_of)
            | "GroupQuestions" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_removals)
        )
        outputs = (
            {"spill": spills | "ByFile" >> beam.Map(lambda spill: (spill.path, spill)), "removed": removed}
            | "JoinRemovals" >> beam.CoGroupByKey()
            | "Split" >> beam.ParDo(_Split()).with_outputs(*SIDE_DOORS, main="kept")
        )
        return doors(outputs)


def _keys_of(spill: Spill) -> Iterator[tuple[int, list[Entry]]]:
    table = read_spill(spill)
    parts: dict[int, list[Entry]] = {}
    for row, (pair, question) in enumerate(zip(table["id"].to_pylist(), table["question"].to_pylist(), strict=True)):
        key = question_key(question)
        parts.setdefault(key[0] % _PARTITIONS, []).append((key, pair, spill.path, row))
    yield from parts.items()


def _removals(group: tuple[int, Iterable[list[Entry]]]) -> Iterator[tuple[str, tuple[int, str]]]:
    entries = [entry for part in group[1] for entry in part]
    for (_, _, path, row), survivor in repeated(entries):
        yield path, (row, survivor)


class _Split(LedgerDoFn):
    """(file, {spill, removed}) -> table of the pairs that stay."""

    stage = STAGE

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        (spill,) = element[1]["spill"]
        removed = dict(element[1]["removed"])
        table = read_spill(spill)
        self.ledger.count("in", table.num_rows)
        rows = sorted(removed)
        repeats = table.take(pa.array(rows, pa.int64())).to_pylist()
        self.ledger.reject([_rejected(pair, removed[row]) for row, pair in zip(rows, repeats, strict=True)])
        kept = np.setdiff1d(np.arange(table.num_rows), np.array(rows, np.int64))
        self.ledger.count("kept", len(kept))
        yield from self.ledger.flush()
        if len(kept):
            yield table.take(pa.array(kept))


def _rejected(pair: dict[str, Any], survivor: str) -> Rejected:
    return Rejected(
        doc_id=pair["source"]["doc_id"],
        pair_id=pair["id"],
        stage=STAGE,
        reason="duplicate_question",
        value=None,
        source=Source(**pair["source"]),
        duplicate_of=survivor,
        similarity=1.0,
        question=pair["question"],
        answer=pair["answer"],
        calls=StageNames(**pair["calls"]),
    )
