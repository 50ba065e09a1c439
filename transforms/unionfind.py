"""A mergeable union-find over 64-bit ids, as the accumulator of a combiner."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Ids = np.ndarray[Any, np.dtype[np.int64]]

_BACKLOG: Final = 1 << 20
"""Edges that may wait before they are compressed: 16 MB."""


class UnionFind:
    """Connected components from edges that come in any order and any grouping, with the same result.

    Edges wait in arrays, and are compressed to a star a component (a pair of ids for each member but the smallest) when
    as many wait as the last compression left; so memory follows the members, not the edges. It pickles compressed.
    """

    def __init__(self) -> None:
        self._edges: list[tuple[Ids, Ids]] = []
        self._waiting = 0
        self._limit = _BACKLOG

    def add_edges(self, members: Ids, roots: Ids) -> None:
        """Join `members[i]` with `roots[i]`, for each i; which of two is called the root does not matter.

        Args:
          members: int64[n], or a type that fits into int64.
          roots: the same.

        Raises:
          ValueError: the arrays differ in length, or hold what does not fit.
        """
        fit = np.can_cast(members.dtype, np.int64) and np.can_cast(roots.dtype, np.int64)
        if not fit or members.shape != roots.shape or members.ndim != 1:
            raise ValueError(
                f"edges are two int64 arrays of one length, not {members.dtype}{list(members.shape)} and"
                f" {roots.dtype}{list(roots.shape)}: convert the ids first"
            )
        # Copies, because a view would keep, and follow, the array it shows.
        self._edges.append((members.astype(np.int64), roots.astype(np.int64)))
        self._settle(len(members))

    def merge(self, other: UnionFind) -> None:
        """Take over the edges of another; the other stays as it is."""
        self._edges.extend(other._edges)
        self._settle(other._waiting)

    def components(self) -> tuple[Ids, Ids]:
        """Return (members int64[n], roots int64[n]): the smallest id of each member's component, sorted by member.

        Only components of two or more ids appear; the smallest id of one is a member, and its own root.
        """
        members, roots = self._compressed()
        smallest = np.unique(roots)
        members, roots = np.concatenate((members, smallest)), np.concatenate((roots, smallest))
        order = np.argsort(members)
        return members[order], roots[order]

    def __getstate__(self) -> tuple[Ids, Ids]:
        return self._compressed()

    def __setstate__(self, state: tuple[Ids, Ids]) -> None:
        self._edges, self._waiting = [state], len(state[0])
        self._limit = max(_BACKLOG, 2 * self._waiting)

    def _settle(self, added: int) -> None:
        self._waiting += added
        if self._waiting > self._limit:
            self._compressed()

    def _compressed(self) -> tuple[Ids, Ids]:
        """Return, and keep in place of all edges, one edge for each member but the smallest of its component."""
        none = np.array([], np.int64)
        edges = _stars(
            np.concatenate([none, *(members for members, _ in self._edges)]),
            np.concatenate([none, *(roots for _, roots in self._edges)]),
        )
        self._edges, self._waiting = [edges], len(edges[0])
        # Twice what is left: each compression is paid for by the edges that came since the last.
        self._limit = max(_BACKLOG, 2 * self._waiting)
        return edges


def _stars(members: Ids, roots: Ids) -> tuple[Ids, Ids]:
    """Return (member, smallest id of its component) for all members but the smallest, sorted by member.

    Labels spread by hooking and pointer jumping (Shiloach and Vishkin 1982): each round hangs every root on the
    smallest of its neighbours if that is smaller, flattens the trees, and shrinks the edges to the roots. Two rounds
    leave at most half of the roots that have neighbours, so the number of rounds is logarithmic.
    """
    ids, numbers = np.unique(np.concatenate((members, roots)), return_inverse=True)
    left, right = numbers[: len(members)], numbers[len(members) :]
    parent = np.arange(len(ids))
    while True:
        left, right = parent[left], parent[right]
        apart = left != right
        if not apart.any():
            break
        left, right = left[apart], right[apart]
        np.minimum.at(parent, np.maximum(left, right), np.minimum(left, right))
        while not np.array_equal(above := parent[parent], parent):
            parent = above
    below = np.flatnonzero(parent != np.arange(len(ids)))
    return ids[below], ids[parent[below]]
