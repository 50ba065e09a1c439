"""Two hundred thousand documents, a tenth of them from one template: what a crowded band costs, and that it says so."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.config import Columns
from schemas.config_filters import DedupSettings
from tests.support import run_doors
from transforms.dedup import DropNearDuplicates
from transforms.minhash import jaccard, shingle_hashes
from transforms.read import ReadCorpus, plan_corpus

DOCUMENTS = 200_000
WORDS = 30
TEMPLATE = 22
"""Words of the template: 18 of a document's 26 shingles, so that two documents of it have a Jaccard index of 0.53."""
SECONDS = 300


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Random words, each tenth document behind one template; some documents of both kinds nearly twice."""
    words = np.random.default_rng(7).integers(0, 10**6, (DOCUMENTS, WORDS)).astype("U7")
    words[::10, :TEMPLATE] = words[0, :TEMPLATE]
    texts = [" ".join(row) for row in words.tolist()]
    for number in range(5, 2000, 10):
        texts[number + 100_000] = texts[number] + " more"
        texts[number + 100_005] = texts[number + 5] + " more"
    return texts


def test_a_bucket_with_a_tenth_of_the_corpus(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"id": [f"d{number}" for number in range(DOCUMENTS)], "text": texts})
    pq.write_table(table, path, row_group_size=20_000)
    plan, settings = plan_corpus([str(path)], Columns()), DedupSettings()
    began = time.monotonic()
    out = run_doors(lambda pipeline: (pipeline | ReadCorpus(plan)).kept | DropNearDuplicates(plan, settings))
    assert time.monotonic() - began < SECONDS

    counts = out["counts"]
    assert counts["dedup", "in"] == DOCUMENTS == counts["dedup", "kept"] + counts["dedup", "rejected"]
    assert sum(len(selection.rows) for selection in out["kept"]) == counts["dedup", "kept"]
    figures = {key[2]: n for key, n in counts.items() if key[1] == "figure"}
    assert figures["largest_component"] > 15_000 and figures["capped"] > 10_000
    assert figures["comparisons"] < figures["candidates"] * settings.max_comparisons

    removed = {row["doc_id"]: row["duplicate_of"] for row in out["rejected"]}
    for row in out["rejected"]:
        pair = (shingle_hashes(texts[int(row[name][1:])]) for name in ("doc_id", "duplicate_of"))
        assert row["similarity"] == pytest.approx(jaccard(*pair)) and row["similarity"] >= settings.threshold
    # Two documents of a pair have 26 of 27 shingles in common, so both kinds are found, in the crowd as well.
    assert removed == {f"d{number}": f"d{number + 100_000}" for number in range(5, 2005, 5)}
