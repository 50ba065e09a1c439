"""DropNearDuplicates: exact and near-duplicate documents, each removal verified against the survivor it names.

Only references, band keys and, for candidates alone, shingle hashes meet a shuffle; the texts stay in their files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput

from schemas.config_filters import DedupSettings
from schemas.elements import Batch, CorpusPlan, Selection
from schemas.records import Rejected, Source, text_sha256
from transforms.files import read_documents
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn
from transforms.minhash import band_keys, band_keys_of, jaccard, shingle_hashes, signature
from transforms.unionfind import UnionFind

Ordinals = np.ndarray[Any, np.dtype[np.int64]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]

STAGE = "dedup"
_ROWS_PER_PARTITION = 2_000_000
"""Documents whose keys of one band are sorted together: 32 MB of blobs."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that shares a band with another.

    Attributes:
      ordinal: its row number in the corpus.
      source: where it came from, with the hash of its text.
      length: characters of its text.
      shingles: sorted unique shingle hashes of its text.
      keys: its band keys.
    """

    ordinal: int
    source: Source
    length: int
    shingles: Hashes
    keys: Hashes


@dataclass(frozen=True, slots=True)
class Removal:
    """A candidate that goes, the survivor it duplicates, and how alike they are (word 5-gram Jaccard)."""

    candidate: Candidate
    survivor: Candidate
    similarity: float

    @property
    def reason(self) -> str:
        """The name of the rule."""
        same = self.candidate.source.text_sha256 == self.survivor.source.text_sha256
        return "exact_duplicate" if same else "near_duplicate"


def resolve(candidates: Iterable[Candidate], threshold: float) -> list[Removal]:
    """Choose the survivors of one component and verify every removal.

    Candidates are taken longest first, then by smallest id, then by place in the corpus, whatever their order here. One
    is removed when its true Jaccard similarity with an earlier survivor that shares a band is at least `threshold`, and
    survives otherwise; so a chain of resemblances alone removes nothing, and a component always keeps a document.
    """
    ordered = sorted(candidates, key=lambda c: (-c.length, c.source.doc_id or "", c.ordinal))
    by_text: dict[str | None, tuple[Candidate, float]] = {}
    by_key: dict[int, list[int]] = {}
    survivors: list[Candidate] = []
    removals = []
    for candidate in ordered:
        twin = by_text.get(candidate.source.text_sha256)
        if twin is not None:
            removals.append(Removal(candidate, *twin))
            continue
        removal = _first_alike(candidate, [survivors[i] for i in _sharing(candidate, by_key)], threshold)
        if removal is not None:
            removals.append(removal)
            by_text[candidate.source.text_sha256] = removal.survivor, removal.similarity
            continue
        by_text[candidate.source.text_sha256] = candidate, 1.0
        for key in candidate.keys.tolist():
            by_key.setdefault(key, []).append(len(survivors))
        survivors.append(candidate)
    return removals


def _sharing(candidate: Candidate, by_key: dict[int, list[int]]) -> list[int]:
    return sorted({i for key in candidate.keys.tolist() for i in by_key.get(key, ())})


def _first_alike(candidate: Candidate, survivors: Sequence[Candidate], threshold: float) -> Removal | None:
    for survivor in survivors:
        similarity = jaccard(candidate.shingles, survivor.shingles)
        if similarity >= threshold:
            return Removal(candidate, survivor, similarity)
    return None


def star_edges(keys: Hashes, ordinals: Ordinals) -> tuple[Ordinals, Ordinals]:
    """Return (members, roots): every document that shares a key with others, bound to the first of them.

    Args:
      keys: uint64[n], one band's keys.
      ordinals: int64[n], the documents they belong to.
    """
    order = np.lexsort((ordinals, keys))
    keys, ordinals = keys[order], ordinals[order]
    _, starts = np.unique(keys, return_index=True)
    sizes = np.diff(np.append(starts, len(keys)))
    roots = np.repeat(ordinals[starts], sizes)
    members = roots != ordinals
    return ordinals[members], roots[members]


class DropNearDuplicates(beam.PTransform):
    """Remove exact and near duplicates.

    Input: `Batch`es. Output: `Doors` whose kept elements are `Selection`s, one a row group that keeps any document.
    Rejected: `exact_duplicate`, `near_duplicate`, with the survivor's id and the similarity.
    """

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        super().__init__()
        self.plan = plan
        self.settings = settings

    def expand(self, batches: Any) -> Doors:
        signed = batches | "Sign" >> beam.ParDo(_Sign(self.plan, self.settings)).with_outputs(
            "members", "counts", main="bands"
        )
        components = (
            signed.bands
            | "GroupBands" >> beam.GroupByKey()
            | "StarEdges" >> beam.FlatMap(_edges_of)
            | "Components" >> beam.CombineGlobally(_Components())
            | "ByRowGroup" >> beam.ParDo(_SplitByRowGroup(self.plan))
            | "SpreadRowGroups" >> beam.Reshuffle()
        )
        resolved = (
            components
            | "ReadCandidates" >> beam.ParDo(_ReadCandidates(self.plan, self.settings))
            | "GroupComponents" >> beam.GroupByKey()
            | "Verify"
            >> beam.ParDo(_Verify(self.plan, self.settings.threshold)).with_outputs(*SIDE_DOORS, main="removed")
        )
        kept = (
            {"members": signed.members, "removed": resolved.removed}
            | "JoinRemovals" >> beam.CoGroupByKey()
            | "Select" >> beam.ParDo(_Select()).with_outputs("counts", main="kept")
        )
        counts = (signed.counts, resolved.counts, kept.counts) | "Counts" >> beam.Flatten()
        return Doors(kept.kept, resolved.rejected, resolved.errors, counts)


class _Sign(LedgerDoFn):
    """Batch -> ((band, partition), (keys uint64[n], ordinals int64[n])); tag `members`: (row group, rows int32[n])."""

    stage = STAGE

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.settings = settings
        self.partitions = max(1, -(-plan.rows // _ROWS_PER_PARTITION))

    def process(self, batch: Batch) -> Iterator[Any]:
        table = batch.table
        self.ledger.count("in", table.num_rows)
        rows = table["row"].to_numpy()
        yield TaggedOutput("members", (batch.group.index, rows.astype(np.int32)))
        keys = _keys(table["text"].to_pylist(), table["text_sha256"].to_pylist(), self.settings)
        for band, column in enumerate(keys.T):
            partition = column % np.uint64(self.partitions)
            for number in np.unique(partition).tolist():
                inside = partition == number
                yield (band, number), (column[inside], rows[inside] + batch.group.first_row)


def _keys(texts: Sequence[str], hashes: Sequence[str], settings: DedupSettings) -> Hashes:
    """Return uint64[n, bands + 1]: the band keys of each text, and the first 64 bits of its hash as one band more."""
    exact = np.array([int(value[:16], 16) for value in hashes], np.uint64)
    return np.column_stack([band_keys_of(texts, settings.bands, settings.rows), exact])


def _edges_of(group: tuple[Any, Iterable[tuple[Hashes, Ordinals]]]) -> Iterator[tuple[Ordinals, Ordinals]]:
    blobs = list(group[1])
    members, roots = star_edges(
        np.concatenate([keys for keys, _ in blobs]), np.concatenate([rows for _, rows in blobs])
    )
    if len(members):
        yield members, roots


class _Components(beam.CombineFn):
    """(members, roots) -> connected components, as (members int64[n], roots int64[n])."""

    def create_accumulator(self) -> UnionFind:
        return UnionFind()

    def add_input(self, accumulator: UnionFind, edges: tuple[Ordinals, Ordinals]) -> UnionFind:
        accumulator.add_edges(*edges)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[UnionFind]) -> UnionFind:
        merged = UnionFind()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: UnionFind) -> tuple[Ordinals, Ordinals]:
        return accumulator.components()


class _SplitByRowGroup(beam.DoFn):
    """Components -> (row group, (rows, roots)) for each row group that holds a candidate."""

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan

    def process(self, components: tuple[Ordinals, Ordinals]) -> Iterator[tuple[int, tuple[Ordinals, Ordinals]]]:
        members, roots = components
        groups = self.plan.group_of(members)
        indices, starts = np.unique(groups, return_index=True)  # members are sorted, so each row group's are a run
        for index, start, end in zip(indices.tolist(), starts, np.append(starts, len(groups))[1:], strict=True):
            yield index, (members[start:end] - self.plan.first_row[index], roots[start:end])


class _ReadCandidates(beam.DoFn):
    """(row group, (rows, roots)) -> (root, Candidate)."""

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.settings = settings

    def process(self, element: tuple[int, tuple[Ordinals, Ordinals]]) -> Iterator[tuple[int, Candidate]]:
        index, (rows, roots) = element
        group = self.plan.group(index)
        root_of = dict(zip(rows.tolist(), roots.tolist(), strict=True))
        for row, values in read_documents(self.plan, group, rows):
            text = values.pop("text")
            source = Source(path=group.path, row_group=group.number, row=row, text_sha256=text_sha256(text), **values)
            shingles = shingle_hashes(text)
            keys = band_keys(
                signature(shingles, self.settings.bands * self.settings.rows), self.settings.bands, self.settings.rows
            )
            yield root_of[row], Candidate(group.first_row + row, source, len(text), shingles, keys)


class _Verify(LedgerDoFn):
    """(root, its Candidates) -> (row group, rows int64[n] to remove)."""

    stage = STAGE

    def __init__(self, plan: CorpusPlan, threshold: float) -> None:
        self.plan = plan
        self.threshold = threshold

    def process(self, component: tuple[int, Iterable[Candidate]]) -> Iterator[Any]:
        removals = resolve(component[1], self.threshold)
        self.ledger.reject([_rejected(removal) for removal in removals])
        yield from self.ledger.flush()
        ordinals = np.sort(np.array([removal.candidate.ordinal for removal in removals], np.int64))
        groups = self.plan.group_of(ordinals)
        for index in np.unique(groups).tolist():
            yield index, ordinals[groups == index] - self.plan.first_row[index]


def _rejected(removal: Removal) -> Rejected:
    source = removal.candidate.source
    return Rejected(
        doc_id=source.doc_id,
        pair_id=None,
        stage=STAGE,
        reason=removal.reason,
        value=f"{removal.similarity:.4f}",
        source=source,
        duplicate_of=removal.survivor.source.doc_id,
        similarity=removal.similarity,
    )


class _Select(LedgerDoFn):
    """(row group, {members, removed}) -> Selection of the rows that stay."""

    stage = STAGE

    def process(self, element: tuple[int, dict[str, Iterable[Ordinals]]]) -> Iterator[Any]:
        index, joined = element
        rows = np.setdiff1d(_concatenate(joined["members"]), _concatenate(joined["removed"]))
        self.ledger.count("kept", len(rows))
        yield from self.ledger.flush()
        if len(rows):
            yield Selection(index, rows.astype(np.int32))


def _concatenate(arrays: Iterable[Ordinals]) -> Ordinals:
    return np.concatenate([np.array([], np.int64), *arrays])
