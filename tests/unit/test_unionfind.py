"""The union-find of near-duplicates: what its components are, whatever the edges' order, grouping and number."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

from transforms import unionfind
from transforms.unionfind import UnionFind


def ids(*values: int) -> unionfind.Ids:
    return np.array(values, np.int64)


def found(*edges: tuple[int, int]) -> list[tuple[int, int]]:
    union = UnionFind()
    union.add_edges(ids(*(a for a, _ in edges)), ids(*(b for _, b in edges)))
    return listed(union)


def listed(union: UnionFind) -> list[tuple[int, int]]:
    members, roots = union.components()
    assert members.dtype == roots.dtype == np.int64
    return list(zip(members.tolist(), roots.tolist(), strict=True))


def test_each_member_has_the_smallest_id_of_its_component() -> None:
    assert found((5, 3), (7, 5), (9, 8)) == [(3, 3), (5, 3), (7, 3), (8, 8), (9, 8)]
    assert found((3, 5), (3, 5), (5, 3)) == [(3, 3), (5, 3)]
    assert found((-4, 2**62), (2**62, 0)) == [(-4, -4), (0, -4), (2**62, -4)]


def test_without_edges_there_are_no_components() -> None:
    assert listed(UnionFind()) == found() == []
    union = UnionFind()
    union.merge(UnionFind())
    assert listed(union) == []


def test_an_id_alone_is_no_component() -> None:
    assert found((4, 4)) == []
    assert found((4, 4), (1, 2)) == [(1, 1), (2, 1)]


def test_merging_joins_components_and_leaves_the_other_as_it_was() -> None:
    one, other = UnionFind(), UnionFind()
    one.add_edges(ids(2, 4), ids(1, 3))
    other.add_edges(ids(4), ids(2))
    one.merge(other)
    assert listed(one) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert listed(other) == [(2, 2), (4, 2)]
    one.merge(one)
    assert listed(one) == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_asking_changes_nothing_and_edges_may_follow() -> None:
    union = UnionFind()
    union.add_edges(ids(2), ids(1))
    assert listed(union) == listed(union) == [(1, 1), (2, 1)]
    union.add_edges(ids(0), ids(2))
    assert listed(union) == [(0, 0), (1, 0), (2, 0)]


def test_edges_are_taken_over_as_they_are_now() -> None:
    members, roots = ids(2), ids(1)
    union = UnionFind()
    union.add_edges(members, roots)
    members[0] = 9
    assert listed(union) == [(1, 1), (2, 1)]
    union.components()[0][0] = 9
    assert listed(union) == [(1, 1), (2, 1)]


def test_smaller_integers_are_taken_and_what_may_not_fit_is_refused() -> None:
    union = UnionFind()
    union.add_edges(np.array([2], np.int32), np.array([1], np.uint32))
    assert listed(union) == [(1, 1), (2, 1)]
    for members, roots, named in (
        (ids(1, 2), ids(1), r"int64\[2\] and int64\[1\]"),
        (np.array([1], np.uint64), ids(1), "uint64"),
        (ids(1), np.array([1.0]), "float64"),
        (ids(1).reshape(1, 1), ids(1).reshape(1, 1), r"int64\[1, 1\]"),
    ):
        with pytest.raises(ValueError, match=named):
            union.add_edges(members, roots)
    assert listed(union) == [(1, 1), (2, 1)]


def test_a_pickle_holds_members_not_edges_and_goes_on_as_before() -> None:
    union = UnionFind()
    rng = np.random.default_rng(0)
    for _ in range(10):
        union.add_edges(rng.integers(0, 1000, 50_000), rng.integers(0, 1000, 50_000))
    union.add_edges(ids(2001), ids(2000))
    data = pickle.dumps(union)
    assert len(data) < 1001 * 16 + 500
    copy = pickle.loads(data)
    assert listed(copy) == listed(union)
    copy.add_edges(ids(2000), ids(5))
    assert listed(copy) == [(i, 0) for i in [*range(1000), 2000, 2001]]
    assert listed(pickle.loads(pickle.dumps(UnionFind()))) == []


def test_waiting_edges_are_compressed_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unionfind, "_BACKLOG", 100)
    union = UnionFind()
    for number in range(1000):
        union.add_edges(np.full(10, number % 7 + 1), np.arange(10))
        assert sum(len(members) for members, _ in union._edges) <= 100
    assert listed(union) == [(i, 0) for i in range(10)]


@pytest.mark.parametrize("shape", ["path", "shuffled path", "star", "star around the largest", "zigzag", "pairs"])
def test_a_million_ids_of_any_shape_take_seconds(shape: str) -> None:
    n = 1_000_000
    ordered = np.arange(n)
    order = {
        "path": ordered,
        "shuffled path": np.random.default_rng(1).permutation(n),
        "zigzag": ordered.reshape(2, -1).T.ravel(),
    }.get(shape, ordered)
    left, right = order[:-1], order[1:]
    if shape.startswith("star"):
        left = np.full(n - 1, n - 1 if "largest" in shape else 0)
        right = ordered[:-1] if "largest" in shape else ordered[1:]
    if shape == "pairs":
        left, right = order[::2], order[1::2]
    union = UnionFind()
    start = time.process_time()
    union.add_edges(left, right)
    members, roots = union.components()
    assert time.process_time() - start < 10
    assert (members == ordered).all()
    assert (roots == (ordered // 2 * 2 if shape == "pairs" else 0)).all()
