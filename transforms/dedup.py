"""DropNearDuplicates: exact and near-duplicate documents, each removal verified against the survivor it names.

Only references, band keys and, for candidates alone, shingle hashes meet a shuffle; the texts stay in their files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.pvalue import TaggedOutput

from schemas.config_filters import DedupSettings
from schemas.elements import Batch, CorpusPlan, Selection
from schemas.records import Rejected, Source, text_sha256
from transforms.files import read_documents
from transforms.ledger import COUNTS, SIDE_DOORS, Doors, LedgerDoFn, windowed
from transforms.minhash import Halves, band_keys, band_keys_of, halves, shingles_of
from transforms.near_duplicates import (
    ROWS_PER_PARTITION,
    Candidate,
    Components,
    FindComponents,
    Flags,
    Hashes,
    Ordinals,
    Removal,
    band_blobs,
    resolve_packed,
    together,
)
from transforms.state import KEPT, State
from transforms.text.hashes import words_of

STAGE: Final = "dedup"
_ROWS_PER_BLOB: Final = 256
"""Keys that a blob should hold: what a blob costs beside its keys is then little."""
_CHARACTERS_AT_ONCE: Final = 1 << 20
_NONE: Final = np.array([], np.uint32), np.array([], np.uint64)

Places = tuple[Ordinals, Ordinals, Flags]
"""Candidates of one row group: their rows, the roots of their components, whether they copy a smaller ordinal."""


Place = tuple[int, bool, tuple[int, dict[str, Any]]]
"""A candidate: root, whether it is a copy, (row, the document's columns)."""


class DropNearDuplicates(beam.PTransform):
    """Remove exact and near duplicates, of this run's documents and of those that earlier runs kept.

    Input: `Batch`es. Output: `Doors` whose kept elements are `Selection`s, one a row group that keeps any document.
    Rejected: `exact_duplicate`, `near_duplicate`, with the survivor's id and the similarity.

    Args:
      earlier: what earlier runs left, and (row group of its documents, rows int64[n]) of what they kept and is gone by
        now; null compares with nothing.
    """

    def __init__(self, plan: CorpusPlan, settings: DedupSettings, earlier: tuple[State, Any] | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.settings = settings
        self.earlier = earlier

    def expand(self, batches: Any) -> Doors:
        rows = self.plan.rows + (self.earlier[0].documents.rows if self.earlier else 0)
        partitions = max(1, -(-rows // ROWS_PER_PARTITION))
        signed = batches | "Sign" >> beam.ParDo(_Sign(self.settings, partitions)).with_outputs(
            "members", COUNTS, main="bands"
        )
        bands, candidates = [signed.bands], []
        if self.earlier:
            bands.append(batches.pipeline | "SignEarlier" >> _SignEarlier(self.settings, self.earlier[0], partitions))
        places = (
            together("Bands", bands)
            | "FindComponents" >> FindComponents()
            | "ByRowGroup"
            >> beam.ParDo(_ByRowGroup(self.plan, self.earlier)).with_outputs("earlier", COUNTS, main="places")
        )
        candidates.append(
            places.places
            | "SpreadRowGroups" >> beam.Reshuffle()
            | "ReadCandidates" >> beam.ParDo(_ReadCandidates(self.plan, self.settings))
        )
        if self.earlier:
            candidates.append(
                {"places": places.earlier, "gone": self.earlier[1]}
                | "JoinGone" >> beam.CoGroupByKey()
                | "ReadEarlier" >> beam.ParDo(_ReadEarlier(self.settings, self.earlier[0]))
            )
        resolved = (
            together("Candidates", candidates)
            | "GroupComponents" >> beam.GroupByKey()
            | "Verify" >> beam.ParDo(_Verify(self.plan, self.settings)).with_outputs(*SIDE_DOORS, main="removed")
        )
        kept = (
            {"members": signed.members, "removed": resolved.removed}
            | "JoinRemovals" >> beam.CoGroupByKey()
            | "Select" >> beam.ParDo(_Select()).with_outputs(COUNTS, main="kept")
        )
        counts = (signed.counts, places.counts, resolved.counts, kept.counts) | "Counts" >> beam.Flatten()
        return Doors(kept.kept, resolved.rejected, resolved.errors, counts)


class _Sign(LedgerDoFn):
    """Batch -> ((band, partition), blob); tag `members`: (row group, rows int32[n])."""

    stage = STAGE

    def __init__(self, settings: DedupSettings, partitions: int) -> None:
        self.settings = settings
        self.partitions = partitions

    def start_bundle(self) -> None:
        super().start_bundle()
        self.waiting: list[tuple[Hashes, Hashes, Ordinals]] = []

    def process(self, batch: Batch) -> Iterator[Any]:
        table = batch.table
        self.ledger.count("in", table.num_rows)
        rows = table["row"].to_numpy()
        yield TaggedOutput("members", (batch.group.index, rows.astype(np.int32)))
        bands = band_keys_of(words_of(table["text"]), self.settings.bands, self.settings.rows)
        self.waiting.append((bands, _exact(table["text_sha256"].to_pylist()), rows + batch.group.first_row))
        if sum(len(ordinals) for _, _, ordinals in self.waiting) >= _ROWS_PER_BLOB * self.partitions:
            yield from self._blobs()

    def finish_bundle(self) -> Iterator[Any]:
        yield from map(windowed, self._blobs())
        yield from super().finish_bundle()

    def _blobs(self) -> Iterator[Any]:
        if self.waiting:
            bands, exact, ordinals = map(np.concatenate, zip(*self.waiting, strict=True))
            self.waiting = []
            yield from band_blobs(bands, exact, ordinals, self.partitions)


def _exact(hashes: Sequence[str]) -> Hashes:
    """Return the first 64 bits of each text's hash."""
    return np.array([int(value[:16], 16) for value in hashes], np.uint64)


class _ByRowGroup(beam.DoFn):
    """Components -> (row group, `Places`) for each that holds a candidate; tag `earlier`: of the state's; figures."""

    def __init__(self, plan: CorpusPlan, earlier: tuple[State, Any] | None) -> None:
        self.plan = plan
        self.earlier = earlier[0].documents if earlier else None

    def process(self, components: Components) -> Iterator[Any]:
        # Verification, which counts the comparisons, sees nothing where nothing is alike.
        figures = {"comparisons": 0, "capped": 0, **components.figures}
        yield TaggedOutput(COUNTS, Counter({(STAGE, "figure", name): n for name, n in figures.items()}))
        members, roots, copies, _ = components
        new = int(np.searchsorted(members, 0))
        for index, rows, at in self.plan.runs(members[new:]):
            yield index, (rows, roots[new:][at], copies[new:][at])
        if self.earlier is not None:
            for index, rows, at in self.earlier.runs(members[:new]):
                yield TaggedOutput("earlier", (index, (rows, roots[:new][at], copies[:new][at])))


class _ReadCandidates(beam.DoFn):
    """(row group, `Places`) -> (root, packed Candidate)."""

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.settings = settings

    def process(self, element: tuple[int, Places]) -> Iterator[tuple[int, bytes]]:
        index, (rows, roots, copies) = element
        group = self.plan.group(index)
        places = zip(roots.tolist(), copies.tolist(), read_documents(self.plan, group, rows), strict=True)
        for chunk in _chunks(places):
            scans = self._scans([document["text"] for _, copy, (_, document) in chunk if not copy])
            for root, copy, (row, document) in chunk:
                text = document.pop("text")
                source = Source(
                    path=group.path, row_group=group.number, row=row, text_sha256=text_sha256(text), **document
                )
                shingles, keys = _NONE if copy else next(scans)
                ordinal, name, sha256 = group.first_row + row, source.doc_id or "", source.text_sha256 or ""
                candidate = Candidate(ordinal, name, sha256, len(text), shingles, keys, record=source)
                yield root, candidate.packed()

    def _scans(self, texts: list[str]) -> Iterator[tuple[Halves, Hashes]]:
        words = words_of(pa.array(texts, pa.string()))
        return zip(
            map(halves, shingles_of(words)), band_keys_of(words, self.settings.bands, self.settings.rows), strict=True
        )


def _chunks(places: Iterable[Place]) -> Iterator[list[Place]]:
    """Yield candidates in runs of `_CHARACTERS_AT_ONCE`, and the one that goes beyond."""
    chunk: list[Place] = []
    characters = 0
    for place in places:
        chunk.append(place)
        characters += len(place[2][1]["text"])
        if characters >= _CHARACTERS_AT_ONCE:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


class _SignEarlier(beam.PTransform):
    """A pipeline -> ((band, partition), blob) of the documents that earlier runs kept."""

    def __init__(self, settings: DedupSettings, state: State, partitions: int) -> None:
        super().__init__()
        self.settings = settings
        self.state = state
        self.partitions = partitions

    def expand(self, pipeline: Any) -> Any:
        return (
            pipeline
            | "RowGroups" >> beam.Create(range(len(self.state.documents)), reshuffle=True)
            | "Keys" >> beam.FlatMap(self._blobs)
        )

    def _blobs(self, index: int) -> Iterator[Any]:
        documents = self.state.documents
        table = documents.read(index, ["outcome", "text_sha256", "signature"])
        kept = np.flatnonzero(pc.equal(table["outcome"], KEPT).to_numpy())
        if len(kept):
            table = table.take(pa.array(kept))
            bands = _bands(table["signature"], self.settings)
            exact = _exact(table["text_sha256"].to_pylist())
            yield from band_blobs(bands, exact, kept + documents.first_row[index], self.partitions)


class _ReadEarlier(beam.DoFn):
    """(row group of the state's documents, {places, gone}) -> (root, packed Candidate)."""

    def __init__(self, settings: DedupSettings, state: State) -> None:
        self.settings = settings
        self.state = state

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[int, bytes]]:
        index, joined = element
        documents = self.state.documents
        gone = {row for rows in joined["gone"] for row in rows.tolist()}
        for rows, roots, _ in joined["places"]:
            names = ["doc_id", "text_sha256", "length", "signature", "shingles"]
            table = documents.read(index, names).take(pa.array(rows))
            keys = _bands(table["signature"], self.settings)
            found = table.drop_columns(["signature"]).to_pylist()
            for row, root, own, values in zip(rows.tolist(), roots.tolist(), keys, found, strict=True):
                candidate = Candidate(
                    ordinal=int(documents.first_row[index]) + row,
                    name=values["doc_id"],
                    text=values["text_sha256"],
                    length=values["length"],
                    shingles=np.array(values["shingles"], np.uint32),
                    keys=own,
                    gone=row in gone,
                )
                yield root, candidate.packed()


def _bands(signatures: pa.ChunkedArray, settings: DedupSettings) -> Hashes:
    """Return the band keys of stored signatures."""
    minima = pc.list_flatten(signatures).to_numpy().reshape(-1, settings.bands * settings.rows)
    return band_keys(minima, settings.bands, settings.rows)


class _Verify(LedgerDoFn):
    """(root, its packed Candidates) -> (row group, rows int64[n] to remove)."""

    stage = STAGE

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.settings = settings

    def process(self, component: tuple[int, Iterable[bytes]]) -> Iterator[Any]:
        removals, comparisons, capped = resolve_packed(component[1], self.settings)
        self.ledger.figure("comparisons", comparisons)
        self.ledger.figure("capped", capped)
        self.ledger.reject([_rejected(removal) for removal in removals])
        yield from self.ledger.flush()
        ordinals = np.sort(np.array([removal.candidate.ordinal for removal in removals], np.int64))
        for index, rows, _ in self.plan.runs(ordinals):
            yield index, rows


def _rejected(removal: Removal) -> Rejected:
    return Rejected(
        doc_id=removal.candidate.name,
        pair_id=None,
        stage=STAGE,
        reason="exact_duplicate" if removal.exact else "near_duplicate",
        value=f"{removal.similarity:.4f}",
        source=removal.candidate.record,
        duplicate_of=removal.survivor.name,
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
