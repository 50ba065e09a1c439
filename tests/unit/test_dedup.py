"""Near-duplicate removal: who survives, what is verified, and that nothing is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Columns
from schemas.config_filters import DedupSettings
from schemas.records import Source, text_sha256
from tests.support import prose, run_doors, write_corpus
from transforms.dedup import Candidate, DropNearDuplicates, resolve, star_edges
from transforms.minhash import jaccard, shingle_hashes
from transforms.read import ReadCorpus, plan_corpus


def candidate(ordinal: int, text: str, doc_id: str | None = None, keys: tuple[int, ...] = (7,)) -> Candidate:
    source = Source(doc_id or f"d{ordinal}", "a.parquet", 0, ordinal, text_sha256(text))
    return Candidate(ordinal, source, len(text), shingle_hashes(text), np.array(keys, np.uint64))


def words(*numbers: range) -> str:
    return " ".join(f"w{i}" for part in numbers for i in part)


def test_the_longest_survives_then_the_smallest_id_then_the_first_place() -> None:
    long, short = words(range(101)), words(range(100))
    (removal,) = resolve([candidate(1, short), candidate(2, long)], 0.7)
    assert (removal.survivor.ordinal, removal.candidate.ordinal, removal.reason) == (2, 1, "near_duplicate")
    (removal,) = resolve([candidate(1, long, "b"), candidate(2, long, "a")], 0.7)
    assert (removal.survivor.source.doc_id, removal.reason, removal.similarity) == ("a", "exact_duplicate", 1.0)
    (removal,) = resolve([candidate(5, long, "a"), candidate(2, long, "a")], 0.7)
    assert removal.survivor.ordinal == 2


def test_a_chain_of_resemblances_removes_only_what_resembles_a_survivor() -> None:
    chain = [candidate(i, words(range(10 * i, 10 * i + 100))) for i in range(9)]
    similar = [(a, b) for a in range(9) for b in range(9) if jaccard(chain[a].shingles, chain[b].shingles) >= 0.7]
    assert (0, 1) in similar and (0, 8) not in similar
    removals = resolve(chain, 0.7)
    survivors = {c.ordinal for c in chain} - {r.candidate.ordinal for r in removals}
    assert 1 < len(survivors) < len(chain)
    assert all((r.candidate.ordinal, r.survivor.ordinal) in similar for r in removals)
    assert all(r.survivor.ordinal in survivors for r in removals)


def test_only_documents_that_share_a_band_are_compared() -> None:
    text = words(range(100))
    other = words(range(101))
    assert resolve([candidate(1, text, keys=(1, 2)), candidate(2, other, keys=(3, 4))], 0.7) == []
    assert len(resolve([candidate(1, text, keys=(1, 2)), candidate(2, other, keys=(2, 4))], 0.7)) == 1


def test_the_threshold_is_met_or_not() -> None:
    a, b = words(range(100)), words(range(7, 100))
    similarity = jaccard(shingle_hashes(a), shingle_hashes(b))
    assert len(resolve([candidate(1, a), candidate(2, b)], similarity)) == 1
    assert resolve([candidate(1, a), candidate(2, b)], similarity + 1e-9) == []


def test_a_copy_of_a_removed_document_names_the_same_survivor_with_the_same_similarity() -> None:
    long, short = words(range(101)), words(range(100))
    removals = resolve([candidate(1, long), candidate(2, short), candidate(3, short)], 0.7)
    assert {r.survivor.ordinal for r in removals} == {1}
    assert len({r.similarity for r in removals}) == 1 and removals[0].similarity < 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.randoms())
def test_the_result_does_not_depend_on_the_order_and_always_leaves_a_survivor(
    starts: list[int], random: Random
) -> None:
    candidates = [candidate(i, words(range(9 * start, 9 * start + 80))) for i, start in enumerate(starts)]
    expected = {(r.candidate.ordinal, r.survivor.ordinal) for r in resolve(candidates, 0.7)}
    random.shuffle(candidates)
    assert {(r.candidate.ordinal, r.survivor.ordinal) for r in resolve(candidates, 0.7)} == expected
    removed = {removed for removed, _ in expected}
    assert len(removed) < len(candidates)
    assert not removed & {survivor for _, survivor in expected}


def test_star_edges_bind_each_document_to_the_first_of_its_key() -> None:
    keys = np.array([5, 3, 5, 9, 3, 5], np.uint64)
    members, roots = star_edges(keys, np.array([10, 20, 4, 30, 7, 11], np.int64))
    assert sorted(zip(members.tolist(), roots.tolist(), strict=True)) == [(10, 4), (11, 4), (20, 7)]
    assert star_edges(np.array([], np.uint64), np.array([], np.int64))[0].tolist() == []


def edited(text: str, changes: int) -> str:
    parts = text.split()
    for i in range(changes):
        parts[(i * 37 + 11) % len(parts)] = f"changed{i}"
    return " ".join(parts)


@pytest.mark.parametrize("row_group_size", [3, 1000])
def test_the_stage_keeps_one_of_each_cluster_and_every_other_document(tmp_path: Path, row_group_size: int) -> None:
    texts = [prose(i) for i in range(40)]
    texts += [prose(3), edited(prose(5), 2), edited(prose(5), 3), prose(5)]
    path = write_corpus(tmp_path / "a.parquet", texts, row_group_size=row_group_size)
    plan = plan_corpus([path], Columns())
    out = run_doors(lambda p: (p | ReadCorpus(plan)).kept | DropNearDuplicates(plan, DedupSettings()))
    assert sum(len(selection.rows) for selection in out["kept"]) == 40
    removed = {(row["doc_id"], row["reason"]) for row in out["rejected"]}
    assert len(removed) == 4
    assert ("a-40", "exact_duplicate") in removed
    for row in out["rejected"]:
        one, other = (shingle_hashes(texts[int(row[name].split("-")[1])]) for name in ("doc_id", "duplicate_of"))
        assert row["similarity"] == pytest.approx(jaccard(one, other)) and row["similarity"] >= 0.7
    assert out["counts"]["dedup", "in"] == 44
    assert out["counts"]["dedup", "kept"] + out["counts"]["dedup", "rejected"] == 44
