"""The items that are likest to a question by their words: candidates for who asks whether two questions mean the same.

A paraphrase shares few runs of words with its original but most of its rare words, so that here words are compared one
by one, each weighed as a run is in `rules`, by the cosine of the two questions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.benchmarks.index import QUESTIONS, BenchmarkIndexError, read_manifest, read_part
from transforms.benchmarks.lists import Lists, spread
from transforms.text.hashes import Hashes
from transforms.text.squeezed import Places, squeeze

FLOOR: Final = 0.3
"""The least cosine of a candidate: paraphrases have more, questions on one subject often have less."""
_COMMON: Final = 1000
"""Items that have a word which brings none of them nearer: it would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item that is like a question: its benchmark, its place in that one's file, its text, the cosine."""

    benchmark: str
    row: int
    question: str
    score: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The items of an index that holds their questions, by their words."""

    items: pa.Table
    words: Lists
    weights: npt.NDArray[np.float64]
    norms: npt.NDArray[np.float64]

    def nearest(self, questions: Sequence[str], k: int, floor: float = FLOOR) -> list[list[Neighbour]]:
        """Return, for each question, the `k` likest items at most, the likest first."""
        hashes, owner = _words(pa.array(questions, pa.string()))
        which, numbers = self.words.keys.find(hashes)
        weights = np.full(len(hashes), np.log1p(len(self.items)))
        weights[which] = self.weights[numbers]
        norms = np.sqrt(np.bincount(owner, weights**2, minlength=len(questions)))
        parts = np.searchsorted(owner[which], np.arange(len(questions) + 1))
        return [
            self._nearest(numbers[parts[place] : parts[place + 1]], norms[place], k, floor)
            for place in range(len(questions))
        ]

    def _nearest(self, words: Places, norm: float, k: int, floor: float) -> list[Neighbour]:
        counts = self.words.counts[words]
        words, counts = words[counts <= _COMMON], counts[counts <= _COMMON]
        items = self.words.items[spread(self.words.starts[words], counts)]
        shared = np.bincount(items, np.repeat(self.weights[words] ** 2, counts), minlength=len(self.items))
        near = np.flatnonzero(shared)
        scores = shared[near] / (self.norms[near] * norm)
        ranked = np.lexsort((near, -scores))[:k]
        chosen = [(int(near[place]), float(scores[place])) for place in ranked.tolist() if scores[place] >= floor]
        rows = self.items.take(pa.array([item for item, _ in chosen], pa.int64())).to_pylist()
        return [Neighbour(**row, score=score) for row, (_, score) in zip(rows, chosen, strict=True)]


@functools.lru_cache(maxsize=8)
def open_neighbours(path: str) -> Neighbours:
    """Return the items of the index in a directory; once a process.

    Raises:
      BenchmarkIndexError: as `open_index`; or the index holds hashes alone.
    """
    manifest = read_manifest(path)
    if QUESTIONS not in manifest["files"]:
        raise BenchmarkIndexError(f"{path} holds hashes alone; build it again with --with-questions")
    items = read_part(path, manifest, QUESTIONS)
    hashes, owner = _words(items["question"])
    order = np.argsort(hashes, kind="stable")
    words = Lists.of(hashes[order], owner[order])
    weights = np.log1p(len(items) / words.counts)
    squares = np.bincount(words.items, np.repeat(weights**2, words.counts), minlength=len(items))
    return Neighbours(items, words, weights, np.sqrt(np.maximum(squares, 1e-12)))


def _words(texts: pa.StringArray | pa.ChunkedArray) -> tuple[Hashes, Places]:
    """Return the distinct words of each text as hashes, and the text of each."""
    found, owners, first = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], 0
    for run in squeeze(texts):
        hashes, owner = run.grams(1)
        order = np.lexsort((hashes, owner))
        hashes, owner = hashes[order], owner[order]
        fresh = np.ones(len(order), bool)
        fresh[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
        found.append(hashes[fresh])
        owners.append(owner[fresh] + first)
        first += len(run)
    return np.concatenate(found), np.concatenate(owners)
