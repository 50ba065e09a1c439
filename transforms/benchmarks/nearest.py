"""The items that are likest to a question by their words: candidates for who asks whether two questions mean the same.

A paraphrase shares few runs of words with its original but most of its rare words, so that here words are compared one
by one, each weighed as a run is in `rules`, by the cosine of the two questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.benchmarks.index import QUESTIONS, BenchmarkIndexError, Opened, read_part
from transforms.benchmarks.lists import Lists, spread
from transforms.text.hashes import Hashes
from transforms.text.squeezed import Places, squeeze

FLOOR: Final = 0.3
"""The least cosine of a candidate: paraphrases have more, questions on one subject often have less."""
_LEAST_NORM: Final = 1e-6  # of a text without words, which is like none


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item that is like a question: its benchmark, its text, the cosine."""

    benchmark: str
    question: str
    score: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The items of an index that holds their questions, by their words.

    Attributes:
      words: with the items that have each; weights: of each, the larger the fewer items have it.
      item_starts, item_words: the numbers of each item's words.
      norms: the square root of the sum of the squares of the weights of an item's words.
    """

    items: pa.Table
    words: Lists
    weights: npt.NDArray[np.float64]
    item_starts: Places
    item_words: Places
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
        near = self._candidates(words, floor * norm)
        counts = self.item_starts[near + 1] - self.item_starts[near]
        theirs = self.item_words[spread(self.item_starts[near], counts)]
        both = np.isin(theirs, words)
        pair = np.repeat(np.arange(len(near)), counts)[both]
        shared = np.bincount(pair, self.weights[theirs[both]] ** 2, minlength=len(near))
        scores = shared / (self.norms[near] * max(norm, _LEAST_NORM))
        ranked = np.lexsort((near, -scores))[:k]
        chosen = [(int(near[place]), float(scores[place])) for place in ranked.tolist() if scores[place] >= floor]
        rows = self.items.take(pa.array([item for item, _ in chosen], pa.int64())).to_pylist()
        return [Neighbour(**row, score=score) for row, (_, score) in zip(rows, chosen, strict=True)]

    def _candidates(self, words: Places, least: float) -> Places:
        """Return the items that have one of a question's words, without the commonest of these.

        What an item shares with a question is in its norm as well. So words whose own norm is below `least`, the norm
        of the question times the floor, bring an item that has no other to no cosine that counts.
        """
        words = words[np.argsort(self.weights[words], kind="stable")]
        words = words[np.sqrt(np.cumsum(self.weights[words] ** 2)) >= least]
        return np.unique(self.words.items[spread(self.words.starts[words], self.words.counts[words])])


def open_neighbours(path: str) -> Neighbours:
    """Return the items of the index in a directory; once a process.

    Raises:
      BenchmarkIndexError: as `open_index`; or the index holds hashes alone.
    """
    return _OPENED(path)


def _neighbours(path: str, manifest: Mapping[str, Any]) -> Neighbours:
    if QUESTIONS not in manifest["files"]:
        raise BenchmarkIndexError(f"{path} holds hashes alone; build it again with --with-questions")
    items = read_part(path, manifest, QUESTIONS)
    hashes, owner = _words(items["question"])
    order = np.argsort(hashes, kind="stable")
    words = Lists.of(hashes[order], owner[order])
    weights = np.log1p(len(items) / words.counts)
    numbers = np.repeat(np.arange(len(words.counts)), words.counts)
    squares = np.bincount(words.items, weights[numbers] ** 2, minlength=len(items))
    return Neighbours(
        items,
        words,
        weights,
        item_starts=np.concatenate(([0], np.cumsum(np.bincount(words.items, minlength=len(items))))),
        item_words=numbers[np.argsort(words.items, kind="stable")],
        norms=np.maximum(np.sqrt(squares), _LEAST_NORM),
    )


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


_OPENED: Final = Opened(_neighbours)
