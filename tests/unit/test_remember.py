"""What a run leaves of each document: the highest of what was said of it and of its pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from schemas.config import Columns
from schemas.config_filters import DedupSettings
from schemas.records import Failed, Pair, Rejected, Source, StageNames, Superseded, to_table
from tests.support import collect, prose, write_corpus
from transforms.minhash import halves, shingle_hashes, signature
from transforms.read import plan_corpus
from transforms.remember import RememberRun
from transforms.state import DOCUMENTS, QUESTIONS


def pair(name: str, source: Source) -> Pair:
    names = StageNames()
    return Pair(name, "Who was it?", "Nobody.", (), "name", "Other", "reader", None, source, names, names, names)


def remember(path: str, **doors: list[Any]) -> dict[str, pa.Table]:
    """Return what is left of a run over one file, by directory."""
    plan = plan_corpus([path], Columns())
    classes = {"qa": Pair, "rejected": Rejected, "errors": Failed, "superseded": Superseded}

    def build(pipeline: beam.Pipeline) -> dict[str, Any]:
        tables = {
            name: pipeline | name >> beam.Create([to_table(kind, [row]) for row in doors.get(name, [])])
            for name, kind in classes.items()
        }
        return {"out": tables | RememberRun(plan, DedupSettings(), str.lower)}

    found = collect(build)["out"]
    schemas = {"documents": DOCUMENTS, "questions": QUESTIONS}
    return {
        name: pa.concat_tables([schema.empty_table(), *(table for directory, table in found if directory == name)])
        for name, schema in schemas.items()
    }


def test_kept_counts_before_error_and_error_before_rejected(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "a.parquet", [prose(n) for n in range(7)], row_group_size=3)
    at = [Source(f"a-{n}", path, n // 3, n % 3) for n in range(7)]

    def no(number: int, stage: str, pair_id: str | None = None) -> Rejected:
        return Rejected(f"a-{number}", pair_id, stage, "reason", None, at[number])

    def lost(number: int, stage: str, pair_id: str | None = None) -> Failed:
        return Failed(f"a-{number}", pair_id, stage, "timeout", "", 1, at[number])

    left = remember(
        path,
        qa=[pair("p1", at[0]), pair("p2", at[0]), pair("p3", at[4])],
        rejected=[no(0, "judge", "p"), no(1, "dedup"), no(2, "screen"), no(3, "check", "p"), no(5, "filter")],
        errors=[lost(0, "generate", "q"), lost(3, "judge", "q"), lost(6, "read")],
    )
    rows = {row["doc_id"]: row for row in left["documents"].to_pylist()}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "a-0": "kept",
        "a-2": "rejected",
        "a-3": "error",
        "a-4": "kept",
    }
    assert (rows["a-0"]["pair_ids"], rows["a-4"]["pair_ids"], rows["a-3"]["pair_ids"]) == (["p1", "p2"], ["p3"], [])
    shingles = shingle_hashes(prose(4))
    assert rows["a-4"]["shingles"] == halves(shingles).tolist() and rows["a-4"]["length"] == len(prose(4))
    assert rows["a-4"]["signature"] == signature(shingles, 120).tolist()
    assert rows["a-2"]["shingles"] is rows["a-2"]["signature"] is rows["a-2"]["text_sha256"] is None
    assert left["questions"].to_pylist()[0] == {"pair_id": "p1", "question": "who was it?", "answer": "nobody."}


def test_a_superseded_document_leaves_a_tombstone(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "a.parquet", [prose(1)])
    left = remember(path, superseded=[Superseded("x", "ab", "earlier", ("p1", "p2"))])
    (row,) = left["documents"].to_pylist()
    assert (row["doc_id"], row["source_sha256"], row["outcome"], row["pair_ids"]) == (
        "x",
        "ab",
        "superseded",
        ["p1", "p2"],
    )
    assert row["shingles"] is None and left["questions"].num_rows == 0
