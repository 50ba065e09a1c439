"""How different questions are: the distance to the nearest other one, and how evenly they fill clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from transforms.report.layout import neighbours
from transforms.report.vectors import Floats, Vectors

CLUSTERS: Final = 20
BARS: Final = 20
"""Of the histogram of distances, from 0 to 1."""
_ROUNDS: Final = 30
_NAMED_BY: Final = 2
_FUNCTION_WORDS: Final = frozenset(
    "about above after again against although among because been before being below between both could does doing done"
    " down during each either else ever every from further have having here into itself just like made many more most"
    " much must name named neither never once only other over same shall should since some such than that their them"
    " then there these they this those through under until upon used very were what when where whether which while whom"
    " whose will with within without would your".split()
)
_COMMON: Final = 0.05
"""A word in a larger share of all questions names no cluster."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of each question, int64[n], and the words that each has more of than the others.

    They are no function words of English, longer than three letters, of more than one question, and of a twentieth of
    all at most. A cluster without any has an empty name.
    """

    of: Any
    names: tuple[str, ...]


def cluster(vectors: Vectors) -> Clusters:
    """Return k-means clusters, `CLUSTERS` of them or one for five questions; the same for the same vectors."""
    k = max(1, min(CLUSTERS, len(vectors.vectors) // 5))
    of = _k_means(vectors.vectors, k)
    used = np.unique(of)
    overall = vectors.weights.mean(axis=0)
    common = (vectors.weights > 0).mean(axis=0) > _COMMON
    names = []
    for number in used:
        excess = vectors.weights[of == number].mean(axis=0) - overall
        shared = ((vectors.weights[of == number] > 0).sum(axis=0) > 1) & ~common
        order = np.argsort(-excess, kind="stable").tolist()
        best = [place for place in order if shared[place] and _names(vectors.terms[place])]
        names.append(", ".join(vectors.terms[place] for place in best[:_NAMED_BY]))
    return Clusters(np.searchsorted(used, of), tuple(names))


def _names(word: str) -> bool:
    return len(word) > 3 and word not in _FUNCTION_WORDS


def _k_means(vectors: Floats, k: int) -> Any:
    """Return the cluster of each vector, begun by k-means++ (Arthur and Vassilvitskii, 2007)."""
    random = np.random.default_rng(0)
    centres = vectors[:1]
    while len(centres) < k:
        distance = np.maximum(0, 1 - (vectors @ centres.T).max(axis=1)).astype(np.float64)
        if not distance.sum():
            break  # there are no more different vectors
        centres = np.concatenate([centres, vectors[[random.choice(len(vectors), p=distance / distance.sum())]]])
    of = np.argmax(vectors @ centres.T, axis=1)
    for _ in range(_ROUNDS):
        sums = np.stack([vectors[of == i].sum(axis=0) if (of == i).any() else centres[i] for i in range(len(centres))])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
        before, of = of, np.argmax(vectors @ centres.T, axis=1)
        if np.array_equal(before, of):
            break
    return of


def diversity(vectors: Floats, of: Any, clusters: int) -> dict[str, Any] | None:
    """Return the figures of some questions, null for fewer than two.

    `effective_clusters` is the exponential of the entropy of the clusters' sizes: as many clusters of one size would
    be as even. It depends on the number of questions and clusters, as distances do, so that both must be the same where
    runs are compared.

    Args:
      of: the cluster of each, int64[n].
      clusters: how many there are.
    """
    if len(vectors) < 2:
        return None
    distances = neighbours(vectors, 1)[1][:, 0]
    shares = np.bincount(of, minlength=clusters) / len(of)
    present = shares[shares > 0]
    low, middle, high = np.quantile(distances, [0.1, 0.5, 0.9]).tolist()
    bars = np.bincount(np.minimum((distances * BARS).astype(np.int64), BARS - 1), minlength=BARS)
    return {
        "questions": len(vectors),
        "nearest": {"p10": round(low, 4), "median": round(middle, 4), "p90": round(high, 4)},
        "bars": bars.tolist(),
        "clusters": clusters,
        "effective_clusters": round(float(np.exp(-(present * np.log(present)).sum())), 2),
    }
