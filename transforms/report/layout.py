"""Vectors as points of a plane: UMAP's layout (McInnes, Healy and Melville, arXiv 1802.03426) for some thousand points.

In numpy, because umap-learn compiles itself for seconds in every process and brings two hundred megabytes: at this size
all distances fit into memory, and each epoch moves all points at once. docs/adr/0011 compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from transforms.report.vectors import Floats, reduce

NEIGHBOURS: Final = 15
EPOCHS: Final = 200
NEGATIVES: Final = 5
"""Random points that each end of an edge is pushed away from."""
_A: Final = 1.577
_B: Final = 0.895
"""Of the curve 1 / (1 + a d^2b) that min_dist = 0.1 gives."""
_RATE: Final = 0.5
_CLIP: Final = 4.0


def lay_out(vectors: Floats) -> Floats:
    """Return a point for each vector, float32[n, 2], between 0 and 1; the same for the same vectors.

    Args:
      vectors: float32[n, d] of length 1.
    """
    if len(vectors) < 4:
        return np.linspace(0.1, 0.9, 2 * len(vectors), dtype=np.float32).reshape(len(vectors), 2)
    heads, tails, weights = _edges(vectors)
    points = _optimised(_start(vectors), heads, tails, weights)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / np.where(high > low, high - low, 1), np.float32)


def _edges(vectors: Floats) -> tuple[Any, Any, Any]:
    """Return the fuzzy graph of nearest neighbours: ends and weights of its edges, each once."""
    n = len(vectors)
    near, distances = neighbours(vectors, min(NEIGHBOURS, n - 1))
    nearest = distances[:, :1]
    low, high = np.full(n, 1e-6), np.full(n, 1e3)
    for _ in range(50):  # until the weights of a point add up to the logarithm of their number
        middle = np.sqrt(low * high)
        total = np.exp(-(distances - nearest) / middle[:, None]).sum(axis=1)
        above = total > np.log2(near.shape[1] + 1)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    graph = np.zeros((n, n), np.float32)
    np.put_along_axis(graph, near, np.exp(-(distances - nearest) / high[:, None]).astype(np.float32), axis=1)
    graph = graph + graph.T - graph * graph.T
    heads, tails = np.nonzero(np.triu(graph))
    return heads, tails, graph[heads, tails]


def neighbours(vectors: Floats, k: int) -> tuple[Any, Any]:
    """Return the k nearest others of each unit vector and their cosine distances, the nearest first."""
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -np.inf)
    near = np.argpartition(-alike, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(alike, near, axis=1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    return near, np.maximum(0, 1 - np.take_along_axis(alike, near, axis=1)).astype(np.float64)


def _start(vectors: Floats) -> Any:
    """Return the first two components, ten wide, with so much noise that no two points are one."""
    components = reduce(vectors - vectors.mean(axis=0), 2)
    plane = np.zeros((len(vectors), 2))  # of vectors with no words there are fewer than two
    plane[:, : components.shape[1]] = components
    spread = np.abs(plane).max() or 1.0
    return 10 * plane / spread + np.random.default_rng(1).normal(0, 1e-2, plane.shape)


def _optimised(points: Any, heads: Any, tails: Any, weights: Any) -> Any:
    """Return the points after all epochs: an edge pulls as often as its weight says, and pushes others away."""
    random = np.random.default_rng(2)
    n, share = len(points), weights / weights.max()
    for epoch in range(EPOCHS):
        rate = _RATE * (1 - epoch / EPOCHS)
        drawn = random.random(len(share)) < share
        ends = np.concatenate([heads[drawn], tails[drawn]])
        others = np.concatenate([tails[drawn], heads[drawn]])
        apart = points[ends] - points[others]
        square = (apart**2).sum(axis=1, keepdims=True)
        pull = -2 * _A * _B * np.maximum(square, 1e-6) ** (_B - 1) / (1 + _A * square**_B)
        move = _sum_by(ends, np.clip(pull * apart, -_CLIP, _CLIP), n)
        pushed = np.repeat(ends, NEGATIVES)
        apart = points[pushed] - points[random.integers(0, n, len(pushed))]
        square = (apart**2).sum(axis=1, keepdims=True)
        push = 2 * _B / ((0.001 + square) * (1 + _A * square**_B))
        points = points + rate * (move + _sum_by(pushed, np.clip(push * apart, -_CLIP, _CLIP), n))
    return points


def _sum_by(ends: Any, moves: Any, n: int) -> Any:
    return np.stack([np.bincount(ends, moves[:, axis], minlength=n) for axis in (0, 1)], axis=1)
