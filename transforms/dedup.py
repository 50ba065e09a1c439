"""DropNearDuplicates: exact and near-duplicate documents, each removal verified against the survivor it names.

Only references, band keys and, for candidates alone, shingle hashes meet a shuffle; the texts stay in their files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput

from schemas.config_filters import DedupSettings
from schemas.elements import Batch, CorpusPlan, Selection
from schemas.records import Rejected, Source, text_sha256
from transforms.files import read_documents
from transforms.ledger import COUNTS, SIDE_DOORS, Doors, LedgerDoFn, windowed
from transforms.minhash import band_keys, band_keys_of, shingle_hashes, signature
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
    resolve,
)
from transforms.text.hashes import words_of

STAGE: Final = "dedup"
_ROWS_PER_BLOB: Final = 256
"""Keys that a blob should hold: what a blob costs beside its keys is then little."""
_NONE: Final = np.array([], np.uint64)

Places = tuple[Ordinals, Ordinals, Flags]
"""Candidates of one row group: their rows, the roots of their components, whether they copy a smaller ordinal."""


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
            "members", COUNTS, main="bands"
        )
        places = (
            signed.bands
            | "FindComponents" >> FindComponents()
            | "ByRowGroup" >> beam.ParDo(_ByRowGroup(self.plan)).with_outputs(COUNTS, main="places")
        )
        resolved = (
            places.places
            | "SpreadRowGroups" >> beam.Reshuffle()
            | "ReadCandidates" >> beam.ParDo(_ReadCandidates(self.plan, self.settings))
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

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.settings = settings
        self.partitions = max(1, -(-plan.rows // ROWS_PER_PARTITION))

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
    """Components -> (row group, `Places`) for each row group that holds a candidate; their figures as counts."""

    def __init__(self, plan: CorpusPlan) -> None:
        self.plan = plan

    def process(self, components: Components) -> Iterator[Any]:
        # Verification, which counts the comparisons, sees nothing where nothing is alike.
        figures = {"comparisons": 0, "capped": 0, **components.figures}
        yield TaggedOutput(COUNTS, Counter({(STAGE, "figure", name): n for name, n in figures.items()}))
        groups = self.plan.group_of(components.members)
        indices, starts = np.unique(groups, return_index=True)  # members ascend, so each row group's are a run
        for index, start, end in zip(indices.tolist(), starts, np.append(starts, len(groups))[1:], strict=True):
            rows = components.members[start:end] - self.plan.first_row[index]
            yield index, (rows, components.roots[start:end], components.copies[start:end])


class _ReadCandidates(beam.DoFn):
    """(row group, `Places`) -> (root, Candidate)."""

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.settings = settings

    def process(self, element: tuple[int, Places]) -> Iterator[tuple[int, Candidate]]:
        index, (rows, roots, copies) = element
        group = self.plan.group(index)
        place = {row: number for number, row in enumerate(rows.tolist())}
        for row, values in read_documents(self.plan, group, rows):
            text = values.pop("text")
            source = Source(path=group.path, row_group=group.number, row=row, text_sha256=text_sha256(text), **values)
            shingles, keys = self._scan(text) if not copies[place[row]] else (_NONE, _NONE)
            yield (
                int(roots[place[row]]),
                Candidate(
                    ordinal=group.first_row + row,
                    name=source.doc_id or "",
                    text=source.text_sha256 or "",
                    length=len(text),
                    shingles=shingles,
                    keys=keys,
                    record=source,
                ),
            )

    def _scan(self, text: str) -> tuple[Hashes, Hashes]:
        shingles = shingle_hashes(text)
        bands, rows = self.settings.bands, self.settings.rows
        return shingles, band_keys(signature(shingles, bands * rows), bands, rows)


class _Verify(LedgerDoFn):
    """(root, its Candidates) -> (row group, rows int64[n] to remove)."""

    stage = STAGE

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.settings = settings

    def process(self, component: tuple[int, Iterable[Candidate]]) -> Iterator[Any]:
        removals, comparisons, capped = resolve(component[1], self.settings)
        self.ledger.figure("comparisons", comparisons)
        self.ledger.figure("capped", capped)
        self.ledger.reject([_rejected(removal) for removal in removals])
        yield from self.ledger.flush()
        ordinals = np.sort(np.array([removal.candidate.ordinal for removal in removals], np.int64))
        groups = self.plan.group_of(ordinals)
        for index in np.unique(groups).tolist():
            yield index, ordinals[groups == index] - self.plan.first_row[index]


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
