"""Who duplicates whom: what the removal of documents and that of questions share.

Band keys meet in a shuffle as blobs of arrays and become edges, edges become connected components, and inside a
component every removal is verified. An ordinal is the number of a document or question, from 0; those of earlier runs
have ordinals below 0.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import apache_beam as beam
import numpy as np

from schemas.config_filters import DedupSettings
from transforms.minhash import Halves, jaccard
from transforms.unionfind import UnionFind

Ordinals = np.ndarray[Any, np.dtype[np.int64]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

EXACT: Final = -1
"""The number of the band whose keys are hashes of whole texts."""
ROWS_PER_PARTITION: Final = 2_000_000
"""Keys of one band that are sorted together: 8 to 16 MB of blobs, or 24 of the exact band's."""

Blob = tuple[int, int, bytes, bytes, bytes]
"""(smallest ordinal, keys, the keys, distances, marks): little-endian, in the order of ordinals.

Each ordinal is its distance from the smallest, or, where they lie close together, a bit that is set among the marks.
Plain bytes, because Beam pickles an array and copies these.
"""


def pack(keys: np.ndarray[Any, Any], ordinals: Ordinals) -> Blob:
    """Return keys (of any unsigned type) and their ordinals, each of them once, as a blob."""
    order = np.argsort(ordinals)
    first = int(ordinals[order[0]])
    distances = ordinals[order] - first
    narrow = np.min_scalar_type(int(distances[-1])).newbyteorder("<")
    sorted_keys = keys[order].astype(keys.dtype.newbyteorder("<")).tobytes()
    if distances[-1] // 8 < len(keys) * narrow.itemsize:
        marks = np.zeros(int(distances[-1]) + 1, bool)
        marks[distances] = True
        return first, len(keys), sorted_keys, b"", np.packbits(marks).tobytes()
    return first, len(keys), sorted_keys, distances.astype(narrow).tobytes(), b""


def unpack(blob: Blob) -> tuple[np.ndarray[Any, Any], Ordinals]:
    """Return the keys and ordinals of a blob, in the order of ordinals."""
    first, count, keys, distances, marks = blob
    if marks:
        found = np.flatnonzero(np.unpackbits(np.frombuffer(marks, np.uint8)))
    else:
        found = np.frombuffer(distances, f"<u{len(distances) // count}").astype(np.int64)
    return np.frombuffer(keys, f"<u{len(keys) // count}"), found + first


def band_blobs(
    bands: Hashes, exact: Hashes, ordinals: Ordinals, partitions: int
) -> Iterator[tuple[tuple[int, int], Blob]]:
    """Yield ((band, partition), blob) of some documents' keys.

    A band's keys are cut to 32 bits: among the documents of one partition some hundred pairs a band then meet by
    chance, which verification sorts out, and half the bytes are shuffled.

    Args:
      bands: uint64[n, bands], the band keys.
      exact: uint64[n], hashes of the whole texts.
      ordinals: int64[n].
      partitions: how many parts each band has.
    """
    high = (bands >> np.uint64(32)).astype(np.uint32)
    for band in range(EXACT, bands.shape[1]):
        spread, keys = (exact, exact) if band == EXACT else (bands[:, band], high[:, band])
        partition = spread % np.uint64(partitions)
        for number in range(partitions):
            inside = partition == number
            if inside.any():
                yield (band, number), pack(keys[inside], ordinals[inside])


def star_edges(keys: np.ndarray[Any, Any], ordinals: Ordinals) -> tuple[Ordinals, Ordinals]:
    """Return (members, roots): everything that shares a key, bound to the smallest ordinal that has it.

    A key that only earlier runs have binds nothing: they have been compared.

    Args:
      keys: uint[n], keys of one band.
      ordinals: int64[n], whose they are.
    """
    order = np.lexsort((ordinals, keys))
    keys, ordinals = keys[order], ordinals[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.array([], np.intp)
    sizes = np.diff(np.append(starts, len(keys)))
    roots = np.repeat(ordinals[starts], sizes)
    news = np.repeat(ordinals[starts + sizes - 1] >= 0, sizes)
    members = news & (roots != ordinals)
    return ordinals[members], roots[members]


class Components(NamedTuple):
    """Connected components.

    Attributes:
      members: int64[n], ascending ordinals of all that share a key with another.
      roots: int64[n], the smallest ordinal of each member's component.
      copies: bool[n], whether a smaller ordinal has the same text, by its hash.
      edges: how many edges made them.
    """

    members: Ordinals
    roots: Ordinals
    copies: Flags
    edges: int

    @property
    def figures(self) -> dict[str, int]:
        """What a run reports of them."""
        sizes = np.unique(self.roots, return_counts=True)[1]
        return {
            "candidates": len(self.members),
            "edges": self.edges,
            "components": len(sizes),
            "largest_component": int(sizes.max(initial=0)),
        }


def together(label: str, collections: list[Any]) -> Any:
    """Return PCollections as one; a single one as it is, because a Flatten of one costs a copy of its elements."""
    return collections[0] if len(collections) == 1 else collections | label >> beam.Flatten()


class FindComponents(beam.PTransform):
    """((band, partition), blob) -> one `Components`; none where there is no blob."""

    def expand(self, blobs: Any) -> Any:
        return (
            blobs
            | "GroupBands" >> beam.GroupByKey()
            | "StarEdges" >> beam.FlatMap(_edges_of)
            | "Components" >> beam.CombineGlobally(_Join()).without_defaults()
        )


def _edges_of(group: tuple[tuple[int, int], Iterable[Blob]]) -> Iterator[tuple[bool, Ordinals, Ordinals]]:
    (band, _), blobs = group
    keys, ordinals = zip(*map(unpack, blobs), strict=True)
    # Also where there are none, so that there are components, with figures of zero, wherever there is a document.
    yield (band == EXACT, *star_edges(np.concatenate(keys), np.concatenate(ordinals)))


class _Join(beam.CombineFn):
    """(whether texts are equal, members, roots) -> `Components`."""

    def create_accumulator(self) -> tuple[UnionFind, list[Ordinals], int]:
        return UnionFind(), [], 0

    def add_input(
        self, accumulator: tuple[UnionFind, list[Ordinals], int], edges: tuple[bool, Ordinals, Ordinals]
    ) -> tuple[UnionFind, list[Ordinals], int]:
        union, copies, count = accumulator
        exact, members, roots = edges
        union.add_edges(members, roots)
        return union, [*copies, members] if exact else copies, count + len(members)

    def merge_accumulators(
        self, accumulators: Iterable[tuple[UnionFind, list[Ordinals], int]]
    ) -> tuple[UnionFind, list[Ordinals], int]:
        merged, copies, count = self.create_accumulator()
        for union, more, edges in accumulators:
            merged.merge(union)
            copies.extend(more)
            count += edges
        return merged, copies, count

    def extract_output(self, accumulator: tuple[UnionFind, list[Ordinals], int]) -> Components:
        union, copies, count = accumulator
        members, roots = union.components()
        return Components(members, roots, np.isin(members, np.concatenate([np.array([], np.int64), *copies])), count)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document or question that shares a key with another.

    Attributes:
      ordinal: its number; below 0 it comes from an earlier run and cannot be removed.
      name: its id.
      text: the hash of its text: equal for equal texts only.
      length: the longer survives.
      shingles: the `minhash.halves` of its shingles; empty for a copy of a smaller ordinal, which has them.
      keys: its band keys; empty for a copy.
      kind: only what is of one kind is nearly the same: for questions, the answer.
      record: what its stage wants to know when it goes.
      gone: it is of an earlier run and has been superseded: it lends copies its shingles, and takes no part itself.
    """

    ordinal: int
    name: str
    text: str
    length: int
    shingles: Halves
    keys: Hashes
    kind: str = ""
    record: Any = None
    gone: bool = False

    def packed(self) -> bytes:
        """Return it as bytes: a runner that holds what it groups decoded then holds a third."""
        return pickle.dumps(self)


@dataclass(frozen=True, slots=True)
class Removal:
    """A candidate that goes, the survivor it duplicates, and how alike they are (word 5-gram Jaccard)."""

    candidate: Candidate
    survivor: Candidate
    similarity: float

    @property
    def exact(self) -> bool:
        """Whether the two have one text."""
        return self.candidate.text == self.survivor.text


class Resolution(NamedTuple):
    """What goes of a component, how many pairs were compared, and how many candidates met the cap."""

    removals: list[Removal]
    comparisons: int
    capped: int


def resolve_packed(component: Iterable[bytes], settings: DedupSettings) -> Resolution:
    """Return `resolve` of the candidates that were packed."""
    return resolve(map(pickle.loads, component), settings)


def resolve(candidates: Iterable[Candidate], settings: DedupSettings) -> Resolution:
    """Choose the survivors of one component and verify every removal.

    Those of earlier runs survive. The others are taken longest first, then by smallest id, then by smallest ordinal,
    whatever their order here. One is removed when its true Jaccard similarity with an earlier survivor that shares a
    band is at least the threshold, and survives otherwise; so a chain of resemblances alone removes nothing, and a
    component always keeps a member. The survivors that share the most bands are compared first.
    """
    ordered = sorted(_whole(list(candidates)), key=lambda c: (c.ordinal >= 0, -c.length, c.name, c.ordinal))
    survivors = _Survivors(settings)
    by_text: dict[str, Candidate] = {}
    removed: dict[tuple[str, str], tuple[Candidate, float]] = {}
    removals = []
    for candidate in ordered:
        found: tuple[Candidate, float] | None = None
        if twin := by_text.get(candidate.text):
            found = twin, 1.0
        elif candidate.ordinal >= 0:
            # A copy of what is gone shares its fate without another comparison.
            place = candidate.text, candidate.kind
            found = removed.get(place) or survivors.alike(candidate)
            if found is not None:
                removed[place] = found
        if found is None:
            by_text[candidate.text] = candidate
            survivors.add(candidate)
        elif candidate.ordinal >= 0:
            removals.append(Removal(candidate, *found))
    return Resolution(removals, survivors.comparisons, survivors.capped)


def _whole(candidates: list[Candidate]) -> Iterator[Candidate]:
    """Yield the candidates but those that are gone, the copies with the shingles and keys of the text they copy.

    Copies are told by 64 bits of a hash. Should another text share them, nothing is known of it, so it survives.
    """
    whole = {candidate.text: candidate for candidate in candidates if len(candidate.shingles)}
    for candidate in (candidate for candidate in candidates if not candidate.gone):
        known = whole.get(candidate.text, candidate)
        yield dataclasses.replace(candidate, shingles=known.shingles, keys=known.keys)


class _Survivors:
    """The survivors so far, by band key. A key lists `max_comparisons` at most, and so many are compared with one."""

    def __init__(self, settings: DedupSettings) -> None:
        self._threshold, self._most = settings.threshold, settings.max_comparisons
        self._survivors: list[Candidate] = []
        self._by_key: dict[int, list[int]] = {}
        self._left_out: set[int] = set()
        self.comparisons = self.capped = 0

    def add(self, candidate: Candidate) -> None:
        for key in candidate.keys.tolist():
            listed = self._by_key.setdefault(key, [])
            if len(listed) < self._most:
                listed.append(len(self._survivors))
            else:
                self._left_out.add(key)
        self._survivors.append(candidate)

    def alike(self, candidate: Candidate) -> tuple[Candidate, float] | None:
        """Return a survivor that is similar enough, and how much."""
        keys = candidate.keys.tolist()
        shared = Counter(number for key in keys for number in self._by_key.get(key, ()))
        ranked = sorted(shared, key=lambda number: (-shared[number], number))
        for number in ranked[: self._most]:
            survivor = self._survivors[number]
            if survivor.kind == candidate.kind and _may_reach(candidate.shingles, survivor.shingles, self._threshold):
                self.comparisons += 1
                similarity = jaccard(candidate.shingles, survivor.shingles)
                if similarity >= self._threshold:
                    return survivor, similarity
        self.capped += len(ranked) > self._most or not self._left_out.isdisjoint(keys)
        return None


def _may_reach(a: Halves, b: Halves, threshold: float) -> bool:
    """Return whether the sizes of two sets allow a Jaccard index of `threshold`."""
    return min(len(a), len(b)) >= threshold * max(len(a), len(b))
