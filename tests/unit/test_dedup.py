"""The removal of near-duplicate documents as a stage: every one leaves by one door, and the manifest says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import Columns
from schemas.config_filters import DedupSettings
from tests.support import prose, run_doors, write_corpus
from transforms.dedup import DropNearDuplicates
from transforms.minhash import jaccard, shingle_hashes
from transforms.read import ReadCorpus, plan_corpus


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
    figures = {name: n for (_, kind, *name), n in out["counts"].items() if kind == "figure" for name in name}
    assert figures["candidates"] == 6 and figures["components"] == 2 and figures["largest_component"] == 4
    assert figures["comparisons"] == 2
