"""What the free rules, MinHash and the union-find keep for any input at all."""

from __future__ import annotations

import pickle
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.config_filters import CheckLimits
from schemas.domains import ANSWER_TYPES
from tests.support import hashed_words, words
from transforms import checks
from transforms.minhash import band_keys, band_keys_of, jaccard, shingle_hashes, shingles_of, signature, signatures_of
from transforms.pair_rules.grounding import folded
from transforms.unionfind import UnionFind

# Any code point, surrogates too.
TEXT = st.text(st.characters(), max_size=60)
QUESTION = st.lists(
    st.sampled_from(
        [
            "What",
            "is",
            "this",
            "the",
            "author",
            "text",
            "in",
            "it",
            "she",
            "according to",
            ",",
            ":",
            '"',
            "5",
            "or",
            "Rome",
            "?",
        ]
    ),
    max_size=15,
).map(" ".join)


@given(QUESTION | TEXT, TEXT, st.sampled_from(ANSWER_TYPES) | TEXT, TEXT, TEXT)
def test_every_pair_gets_one_decision(question: str, answer: str, kind: str, evidence: str, document: str) -> None:
    reason = checks.reject_reason(question, answer, kind, evidence, document)
    assert reason == checks.reject_reason(question, answer, kind, evidence, document)
    assert reason is None or (reason[0] and len(reason[1]) <= 200)


WORDS = st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=1, max_size=30)


@given(WORDS, st.data(), st.text(" \n\t\u00a0", min_size=1, max_size=3))
def test_an_answer_cut_from_its_evidence_is_grounded(tokens: list[str], data: st.DataObject, space: str) -> None:
    start = data.draw(st.integers(0, len(tokens) - 1))
    answer = " ".join(tokens[start : start + data.draw(st.integers(1, 12))])
    question = "Which letters stand in the very middle?"
    free = CheckLimits(max_answer_characters=None)
    document = f"before {space.join(tokens)} after"
    reason = checks.reject_reason(question, answer.title(), "phrase", " ".join(tokens), document, free)
    assert reason is None or reason[0] in ("mutation_rewarded", "idle_words_rewarded")  # "a" is an article as well


@given(WORDS, st.text("xyz", min_size=1, max_size=4), st.data())
def test_an_answer_with_a_foreign_word_is_not_grounded(tokens: list[str], foreign: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(tokens)))
    answer = " ".join([*tokens[:place], foreign, *tokens[place:]])
    free = CheckLimits(max_answer_characters=None, max_answer_words=None)
    evidence = " ".join(tokens)
    reason = checks.reject_reason("Which letters stand in the very middle?", answer, "phrase", evidence, evidence, free)
    assert reason == ("answer_not_in_evidence", answer[:200])


@given(TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))}


SHINGLED = st.one_of(
    TEXT, st.lists(st.sampled_from(["a", "b", "\u00e9", "\u6f22", "-", "a_b", "\ud800"]), max_size=30).map(" ".join)
)


@given(SHINGLED, SHINGLED)
def test_hashes_stand_for_shingles(a: str, b: str) -> None:
    left, right = shingles(a), shingles(b)
    assert len(shingle_hashes(a)) == len(left)
    assert jaccard(shingle_hashes(a), shingle_hashes(b)) == len(left & right) / len(left | right)


@given(st.lists(SHINGLED, max_size=8), st.integers(1, 5), st.integers(1, 4))
def test_what_is_made_in_bulk_is_what_is_made_one_by_one(texts: list[str], bands: int, rows: int) -> None:
    hashed = hashed_words(texts)
    sets = [shingle_hashes(text) for text in texts]
    signatures = [signature(shingles, bands * rows) for shingles in sets]
    assert [found.tolist() for found in shingles_of(hashed)] == [shingles.tolist() for shingles in sets]
    assert signatures_of(hashed, bands * rows).tolist() == [minima.tolist() for minima in signatures]
    expected = [band_keys(minima, bands, rows).tolist() for minima in signatures]
    assert band_keys_of(hashed, bands, rows).tolist() == expected


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_the_signature_of_a_union_is_the_minimum_of_signatures(a: list[int], b: list[int]) -> None:
    left, right, both = (signature(np.array(values, np.uint64), 8) for values in (a, b, a + b))
    assert np.minimum(left, right).tolist() == both.tolist()


EDGES = st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), max_size=60)


def components(edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(member, smallest id of its component), by relabelling until nothing changes."""
    label = {node: node for edge in edges for node in edge}
    changed = True
    while changed:
        changed = False
        for a, b in edges:
            low = min(label[a], label[b])
            changed |= label[a] != low or label[b] != low
            label[a] = label[b] = low
    sizes = list(label.values())
    return sorted((node, root) for node, root in label.items() if sizes.count(root) > 1)


def added(union: UnionFind, edges: list[tuple[int, int]]) -> UnionFind:
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    union.add_edges(pairs[:, 0], pairs[:, 1])
    return union


def listed(union: UnionFind) -> list[tuple[int, int]]:
    members, roots = union.components()
    return list(zip(members.tolist(), roots.tolist(), strict=True))


@given(EDGES)
def test_components_are_those_of_the_graph(edges: list[tuple[int, int]]) -> None:
    assert listed(added(UnionFind(), edges)) == components(edges)


@given(EDGES, st.integers(1, 6), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_any_split_and_any_order_of_merging_give_the_same(
    edges: list[tuple[int, int]], parts: int, rng: Random
) -> None:
    expected = components(edges)
    turned = [edge if rng.random() < 0.5 else edge[::-1] for edge in edges]
    rng.shuffle(turned)
    unions = [added(UnionFind(), turned[part::parts]) for part in range(parts)]
    while len(unions) > 1:
        taken = unions.pop(rng.randrange(len(unions)))
        if rng.random() < 0.5:
            taken = pickle.loads(pickle.dumps(taken))
        if rng.random() < 0.3:
            taken.components()
        unions[rng.randrange(len(unions))].merge(taken)
    assert listed(unions[0]) == expected
