"""DropDuplicateQuestions: one pair a question, over this run and those before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from schemas.config_filters import DedupSettings
from schemas.elements import Spill
from schemas.records import Rejected, Source, StageNames, text_sha256
from transforms.files import read_spill
from transforms.ledger import COUNTS, SIDE_DOORS, Doors, LedgerDoFn
from transforms.minhash import band_keys, band_keys_of, halves, shingle_hashes, signature
from transforms.near_duplicates import (
    Candidate,
    Components,
    FindComponents,
    Ordinals,
    Removal,
    band_blobs,
    resolve_packed,
    together,
)
from transforms.state import State
from transforms.text.hashes import words_of

STAGE: Final = "questions"
_ROWS_PER_PARTITION: Final = 500_000
"""Questions that are held together: some 100 MB."""
_SEPARATORS: Final = re.compile(r"\W+")
_ARTICLES: Final = frozenset({"a", "an", "the"})


def normalised(text: str) -> str:
    """Return a question or an answer without what may differ between two that ask or say the same.

    Case, punctuation, spacing and articles, as SQuAD's evaluation does it (Rajpurkar et al. 2016, section 6.1).
    """
    words = [word for word in _SEPARATORS.split(text.casefold()) if word and word not in _ARTICLES]
    return " ".join(words)


class Entry(NamedTuple):
    """A question of this run, which can be removed, or of an earlier one.

    Attributes:
      pair_id: 32 hexadecimal digits.
      question: normalised; answer: the same.
      path: the scratch file that holds the pair, null for an earlier run's; row: its place there.
      run: the earlier run that kept it.
    """

    pair_id: str
    question: str
    answer: str
    path: str | None = None
    row: int = 0
    run: str | None = None

    @property
    def ordinal(self) -> int:
        """63 bits of the pair's id, below 0 for an earlier run's; two that meet by chance are compared by text."""
        number = int(self.pair_id[:16], 16) >> 1
        return number if self.run is None else -1 - number

    @property
    def text(self) -> str:
        """The hash of the question."""
        return text_sha256(self.question)

    def candidate(self, settings: DedupSettings) -> Candidate:
        """Return what is compared: of two that are alike the smaller pair id survives."""
        shingles = shingle_hashes(self.question)
        keys = band_keys(signature(shingles, settings.bands * settings.rows), settings.bands, settings.rows)
        return Candidate(self.ordinal, self.pair_id, self.text, 0, halves(shingles), keys, self.answer, self)


class DropDuplicateQuestions(beam.PTransform):
    """`Spill`s of pairs -> `Doors` whose kept elements are tables of `Pair`.

    Rejected: `duplicate_question`, a question asked before, and `near_duplicate_question`, one whose wording is nearly
    that of another with the same answer (word 5-grams, as for documents: one word changes five of them, so that two
    questions about different things seldom come near; where they do, their answers tell them apart).

    Of the pairs with one question an earlier run's stays, then the smallest pair id.

    Args:
      rows: about how many pairs there will be.
      earlier: what earlier runs left, and (row group of its documents, rows int64[n]) of what they kept and is gone by
        now, with its pairs; null compares with nothing.
    """

    def __init__(self, settings: DedupSettings, rows: int, earlier: tuple[State, Any] | None = None) -> None:
        super().__init__()
        self.settings = settings
        self.earlier = earlier
        self.partitions = max(1, -(-(rows + (earlier[0].questions.rows if earlier else 0)) // _ROWS_PER_PARTITION))

    def expand(self, spills: Any) -> Doors:
        entries, gone = [spills | "Entries" >> beam.Map(_entries_of)], []
        if self.earlier:
            state, rows = self.earlier
            entries.append(spills.pipeline | "Earlier" >> _EarlierEntries(state))
            gone.append(rows | "PairsGone" >> beam.FlatMap(_pairs_gone, state, self.partitions))
        entered = together("AllEntries", entries)
        components = (
            entered
            | "Sign" >> beam.FlatMap(_blobs_of, settings=self.settings, partitions=self.partitions)
            | "FindComponents" >> FindComponents()
            | "ByPartition" >> beam.ParDo(_ByPartition(self.partitions)).with_outputs(COUNTS, main="places")
        )
        resolved = (
            {
                "entries": entered | "Spread" >> beam.FlatMap(_by_partition, partitions=self.partitions),
                "gone": gone | "Gone" >> beam.Flatten(pipeline=spills.pipeline),
                "places": components.places,
            }
            | "JoinPlaces" >> beam.CoGroupByKey()
            | "Candidates" >> beam.FlatMap(_candidates, settings=self.settings)
            | "GroupComponents" >> beam.GroupByKey()
            | "Verify" >> beam.ParDo(_Verify(self.settings)).with_outputs(COUNTS, main="removed")
        )
        outputs = (
            {"spill": spills | "ByFile" >> beam.Map(lambda spill: (spill.path, spill)), "removed": resolved.removed}
            | "JoinRemovals" >> beam.CoGroupByKey()
            | "Split" >> beam.ParDo(_Split()).with_outputs(*SIDE_DOORS, main="kept")
        )
        counts = (components.counts, resolved.counts, outputs.counts) | "Counts" >> beam.Flatten()
        return Doors(outputs.kept, outputs.rejected, outputs.errors, counts)


def _entries_of(spill: Spill) -> list[Entry]:
    table = read_spill(spill)
    columns = (table[name].to_pylist() for name in ("id", "question", "answer"))
    return [
        Entry(pair, normalised(question), normalised(answer), spill.path, row)
        for row, (pair, question, answer) in enumerate(zip(*columns, strict=True))
    ]


class _EarlierEntries(beam.PTransform):
    """A pipeline -> lists of the `Entry`s that earlier runs left."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def expand(self, pipeline: Any) -> Any:
        groups = pipeline | "RowGroups" >> beam.Create(range(len(self.state.questions)), reshuffle=True)
        return groups | "Read" >> beam.Map(self._entries)

    def _entries(self, index: int) -> list[Entry]:
        rows = self.state.questions.read(index, ["pair_id", "question", "answer"]).to_pylist()
        return [Entry(**row, run=self.state.questions.run_of(index)) for row in rows]


def _blobs_of(entries: list[Entry], settings: DedupSettings, partitions: int) -> Iterator[Any]:
    if entries:
        words = words_of(pa.array([entry.question for entry in entries], pa.string()))
        keys = band_keys_of(words, settings.bands, settings.rows)
        exact = np.array([int(entry.text[:16], 16) for entry in entries], np.uint64)
        yield from band_blobs(keys, exact, np.array([entry.ordinal for entry in entries], np.int64), partitions)


def _by_partition(entries: list[Entry], partitions: int) -> Iterator[tuple[int, list[Entry]]]:
    parts: dict[int, list[Entry]] = {}
    for entry in entries:
        parts.setdefault(entry.ordinal % partitions, []).append(entry)
    yield from parts.items()


def _pairs_gone(element: tuple[int, Ordinals], state: State, partitions: int) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield (partition, (run, pair id)) of the pairs of some documents of the state."""
    index, rows = element
    run = state.documents.run_of(index)
    for pair_ids in state.documents.read(index, ["pair_ids"])["pair_ids"].take(pa.array(rows)).to_pylist():
        for pair_id in pair_ids:
            yield Entry(pair_id, "", "", run=run).ordinal % partitions, (run, pair_id)


class _ByPartition(beam.DoFn):
    """Components -> (partition, (ordinals, roots)) of those in it; their figures as counts."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def process(self, components: Components) -> Iterator[Any]:
        figures = {"comparisons": 0, "capped": 0, **components.figures}
        yield TaggedOutput(COUNTS, Counter({(STAGE, "figure", name): n for name, n in figures.items()}))
        members, roots, _, _ = components
        partition = members % self.partitions
        for number in np.unique(partition).tolist():
            inside = partition == number
            yield number, (members[inside], roots[inside])


def _candidates(element: tuple[int, dict[str, Iterable[Any]]], settings: DedupSettings) -> Iterator[tuple[int, bytes]]:
    """Yield (root, packed Candidate) of one partition's questions that share a key with another."""
    joined = element[1]
    root_of = {
        member: root
        for members, roots in joined["places"]
        for member, root in zip(members.tolist(), roots.tolist(), strict=True)
    }
    gone = set(joined["gone"])
    for entry in (entry for entries in joined["entries"] for entry in entries):
        root = root_of.get(entry.ordinal)
        if root is not None and (entry.run, entry.pair_id) not in gone:
            yield root, entry.candidate(settings).packed()


class _Verify(LedgerDoFn):
    """(root, its packed Candidates) -> (scratch file, (row, Removal))."""

    stage = STAGE

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def process(self, component: tuple[int, Iterable[bytes]]) -> Iterator[tuple[str, tuple[int, Removal]]]:
        removals, comparisons, capped = resolve_packed(component[1], self.settings)
        self.ledger.figure("comparisons", comparisons)
        self.ledger.figure("capped", capped)
        for removal in removals:
            entry = removal.candidate.record
            yield entry.path, (entry.row, removal)


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


def _rejected(pair: dict[str, Any], removal: Removal) -> Rejected:
    return Rejected(
        doc_id=pair["source"]["doc_id"],
        pair_id=pair["id"],
        stage=STAGE,
        reason="duplicate_question" if removal.exact else "near_duplicate_question",
        value=None if removal.exact else f"{removal.similarity:.4f}",
        source=Source(**pair["source"]),
        duplicate_of=removal.survivor.name,
        similarity=removal.similarity,
        question=pair["question"],
        answer=pair["answer"],
        calls=StageNames(**pair["calls"]),
    )
