"""Who survives, what is verified, what is compared, and that a component always keeps a member."""

from __future__ import annotations

from random import Random

import apache_beam as beam
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config_filters import DedupSettings
from schemas.records import text_sha256
from tests.support import collect
from transforms.minhash import halves, jaccard, shingle_hashes
from transforms.near_duplicates import (
    EXACT,
    Candidate,
    FindComponents,
    band_blobs,
    pack,
    resolve,
    star_edges,
    unpack,
)

DEFAULT = DedupSettings()
NONE = np.array([], np.uint64)


def candidate(
    ordinal: int, text: str, name: str | None = None, keys: tuple[int, ...] = (7,), kind: str = ""
) -> Candidate:
    shingles, found = halves(shingle_hashes(text)), np.array(keys, np.uint64)
    return Candidate(ordinal, name or f"d{ordinal}", text_sha256(text), len(text), shingles, found, kind)


def copy_of(ordinal: int, text: str, name: str | None = None) -> Candidate:
    return Candidate(ordinal, name or f"d{ordinal}", text_sha256(text), len(text), NONE.astype(np.uint32), NONE)


def words(*numbers: range) -> str:
    return " ".join(f"w{i}" for part in numbers for i in part)


def fates(candidates: list[Candidate], settings: DedupSettings = DEFAULT) -> set[tuple[int, int]]:
    """Return (removed, survivor) by ordinal."""
    return {(r.candidate.ordinal, r.survivor.ordinal) for r in resolve(candidates, settings).removals}


def test_the_longest_survives_then_the_smallest_id_then_the_first_place() -> None:
    long, short = words(range(101)), words(range(100))
    (removal,) = resolve([candidate(1, short), candidate(2, long)], DEFAULT).removals
    assert (removal.survivor.ordinal, removal.candidate.ordinal, removal.exact) == (2, 1, False)
    (removal,) = resolve([candidate(1, long, "b"), copy_of(2, long, "a")], DEFAULT).removals
    assert (removal.survivor.name, removal.exact, removal.similarity) == ("a", True, 1.0)
    assert fates([copy_of(5, long, "a"), candidate(2, long, "a")]) == {(5, 2)}


def test_a_chain_of_resemblances_removes_only_what_resembles_a_survivor() -> None:
    chain = [candidate(i, words(range(10 * i, 10 * i + 100))) for i in range(9)]
    similar = [(a, b) for a in range(9) for b in range(9) if jaccard(chain[a].shingles, chain[b].shingles) >= 0.7]
    assert (0, 1) in similar and (0, 8) not in similar
    removed = fates(chain)
    survivors = set(range(9)) - {gone for gone, _ in removed}
    assert 1 < len(survivors) < len(chain)
    assert removed <= set(similar) and {survivor for _, survivor in removed} <= survivors


def test_only_what_shares_a_band_is_compared() -> None:
    text, other = words(range(100)), words(range(101))
    apart = resolve([candidate(1, text, keys=(1, 2)), candidate(2, other, keys=(3, 4))], DEFAULT)
    assert (apart.removals, apart.comparisons) == ([], 0)
    together = resolve([candidate(1, text, keys=(1, 2)), candidate(2, other, keys=(2, 4))], DEFAULT)
    assert (len(together.removals), together.comparisons) == (1, 1)


def test_sets_of_sizes_too_far_apart_are_not_compared() -> None:
    assert resolve([candidate(1, words(range(100))), candidate(2, words(range(60)))], DEFAULT)[1:] == (0, 0)


def test_the_threshold_is_met_or_not() -> None:
    a, b = words(range(100)), words(range(7, 100))
    similarity = jaccard(shingle_hashes(a), shingle_hashes(b))
    assert len(fates([candidate(1, a), candidate(2, b)], DedupSettings(threshold=similarity))) == 1
    assert not fates([candidate(1, a), candidate(2, b)], DedupSettings(threshold=similarity + 1e-9))


def test_a_copy_of_a_removed_document_names_the_same_survivor_with_the_same_similarity() -> None:
    long, short = words(range(101)), words(range(100))
    resolution = resolve([candidate(1, long), candidate(2, short), copy_of(3, short)], DEFAULT)
    assert {(r.candidate.ordinal, r.survivor.ordinal) for r in resolution.removals} == {(2, 1), (3, 1)}
    assert len({r.similarity for r in resolution.removals}) == 1 and resolution.removals[0].similarity < 1
    assert resolution.comparisons == 1


def test_a_copy_whose_text_is_another_after_all_survives() -> None:
    text = words(range(100))
    assert fates([candidate(1, text), copy_of(2, words(range(50)))]) == set()


def test_the_one_that_shares_most_bands_is_compared_first() -> None:
    first, second = words(range(103)), words(range(102))
    near = candidate(3, words(range(100)), keys=(1, 2, 3))
    assert fates([candidate(1, first, keys=(1, 8, 9)), candidate(2, second, keys=(2, 3, 7)), near]) >= {(3, 2)}


def test_comparisons_are_capped_and_the_cap_is_told() -> None:
    crowd = [candidate(i, words(range(1000 * i, 1000 * i + 200 - i))) for i in range(30)]
    free = resolve(crowd, DEFAULT)
    assert (free.removals, free.comparisons, free.capped) == ([], 30 * 29 // 2, 0)
    bound = resolve(crowd, DedupSettings(max_comparisons=5))
    assert (bound.removals, bound.capped) == ([], 24)
    assert bound.comparisons == 0 + 1 + 2 + 3 + 4 + 25 * 5


def test_earlier_runs_survive_though_they_are_shorter_and_alike() -> None:
    old = [candidate(-1, words(range(99))), candidate(-2, words(range(100)))]
    new = [candidate(0, words(range(101))), candidate(1, words(range(500, 600)))]
    assert {gone for gone, _ in fates([*old, *new])} == {0}
    assert fates([candidate(-1, words(range(99))), copy_of(4, words(range(99)))]) == {(4, -1)}


def test_what_is_of_another_kind_is_a_duplicate_only_when_its_text_is_the_same() -> None:
    long, short = words(range(101)), words(range(100))
    assert fates([candidate(1, long, kind="a"), candidate(2, short, kind="b")]) == set()
    assert fates([candidate(1, long, kind="a"), candidate(2, short, kind="a")]) == {(2, 1)}
    assert fates([candidate(1, long, kind="a"), candidate(2, long, kind="b")]) == {(2, 1)}
    # The second goes with the first; the third has the second's text, but not the kind for which it went.
    three = [candidate(1, long, kind="a"), candidate(2, short, kind="a"), candidate(3, short, kind="b")]
    assert fates(three) == {(2, 1)}


@st.composite
def crowds(draw: st.DrawFn) -> list[Candidate]:
    """Draw candidates of a few overlapping texts, band keys and kinds in any combination: any graph of resemblances."""
    out = []
    keys_of: dict[tuple[int, int], list[int]] = {}
    for number in range(draw(st.integers(1, 25))):
        start, length = draw(st.integers(0, 4)) * 9, draw(st.sampled_from([60, 64, 80]))
        if (start, length) not in keys_of:
            keys_of[start, length] = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
        keys = keys_of[start, length]
        old = draw(st.booleans()) and draw(st.booleans())
        text = words(range(start, start + length))
        out.append(candidate(-1 - number if old else number, text, keys=tuple(keys), kind=draw(st.sampled_from("ab"))))
    return out


@given(crowds(), st.randoms(), st.sampled_from([1, 3, 100]))
def test_any_component_keeps_a_survivor_whatever_the_order(crowd: list[Candidate], random: Random, most: int) -> None:
    settings = DedupSettings(max_comparisons=most)
    removals = resolve(crowd, settings).removals
    expected = {(r.candidate.ordinal, r.survivor.ordinal) for r in removals}
    gone = [r.candidate.ordinal for r in removals]
    assert len(gone) == len(set(gone)) < len(crowd) and all(ordinal >= 0 for ordinal in gone)
    assert not set(gone) & {r.survivor.ordinal for r in removals}
    for removal in removals:
        true = jaccard(removal.candidate.shingles, removal.survivor.shingles)
        assert removal.similarity == pytest.approx(true) and true >= settings.threshold
    random.shuffle(crowd)
    assert fates(crowd, settings) == expected


@given(
    st.dictionaries(st.integers(-(2**40), 2**40) | st.integers(0, 40), st.integers(0, 2**64 - 1), min_size=1),
    st.sampled_from([np.uint32, np.uint64]),
)
def test_blobs_are_as_they_were(rows: dict[int, int], kind: type) -> None:
    keys = np.array(list(rows.values()), np.uint64).astype(kind)
    found = unpack(pack(keys, np.array(list(rows), np.int64)))
    assert dict(zip(found[1].tolist(), found[0].tolist(), strict=True)) == dict(zip(rows, keys.tolist(), strict=True))
    assert found[0].dtype == keys.dtype and found[1].dtype == np.int64


@pytest.mark.parametrize(("step", "a_key"), [(1, 1 / 8), (7, 7 / 8), (100, 2), (10**5, 4), (10**9, 8)])
def test_a_document_takes_four_bytes_a_band_and_eight_for_its_text(step: int, a_key: float) -> None:
    generator = np.random.default_rng(0)
    bands, exact = generator.integers(0, 2**63, (256, 20)).astype(np.uint64), np.arange(256, dtype=np.uint64)
    blobs = [blob for _, blob in band_blobs(bands, exact, np.arange(256) * step + 10**9, 1)]
    assert sum(len(keys) for _, _, keys, _, _ in blobs) == 256 * (20 * 4 + 8)
    assert sum(len(part) for blob in blobs for part in blob[3:]) <= 21 * (256 * a_key + 1)


@pytest.mark.parametrize("partitions", [1, 3])
def test_band_blobs_lose_nothing_and_meet_by_key(partitions: int) -> None:
    generator = np.random.default_rng(1)
    bands = generator.integers(0, 2**63, (50, 4)).astype(np.uint64)
    exact = generator.integers(0, 2**63, 50).astype(np.uint64)
    bands[7], exact[7] = bands[31], exact[31]
    met = 0
    for (band, _), blob in band_blobs(bands, exact, np.arange(50), partitions):
        keys, ordinals = unpack(blob)
        assert keys.dtype.itemsize == (8 if band == EXACT else 4)
        met += {7, 31} <= set(ordinals.tolist()) and keys[ordinals == 7] == keys[ordinals == 31]
    assert met == 5


def test_star_edges_bind_each_to_the_first_of_its_key() -> None:
    keys = np.array([5, 3, 5, 9, 3, 5], np.uint64)
    members, roots = star_edges(keys, np.array([10, 20, 4, 30, 7, 11], np.int64))
    assert sorted(zip(members.tolist(), roots.tolist(), strict=True)) == [(10, 4), (11, 4), (20, 7)]
    assert star_edges(NONE, np.array([], np.int64))[0].tolist() == []


def test_star_edges_leave_alone_what_only_earlier_runs_have() -> None:
    members, roots = star_edges(np.array([5, 5, 8, 8], np.uint64), np.array([-3, -9, -2, 6], np.int64))
    assert (members.tolist(), roots.tolist()) == ([6], [-2])


def test_components_know_copies_and_their_figures() -> None:
    keys = np.array([[1, 9], [1, 8], [2, 7], [3, 7], [4, 6]], np.uint64) << np.uint64(32)
    exact = np.array([50, 50, 51, 52, 53], np.uint64)
    blobs = list(band_blobs(keys, exact, np.array([0, 1, 2, 3, 4]), 1))
    (found,) = collect(lambda pipeline: {"out": pipeline | beam.Create(blobs) | FindComponents()})["out"]
    assert found.members.tolist() == [0, 1, 2, 3] and found.roots.tolist() == [0, 0, 2, 2]
    assert found.copies.tolist() == [False, True, False, False]
    assert found.figures == {"candidates": 4, "edges": 3, "components": 2, "largest_component": 2}
