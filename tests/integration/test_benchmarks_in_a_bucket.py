"""Evaluation sets, their index and what is audited, all of it in a bucket."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from tests.benchmark_sets import SUMS
from tests.caches import leaves_sockets, needs_emulator
from tests.support import webscale_rl
from tests.weather import numbered_parts
from transforms.benchmarks.index import open_index
from transforms.files import open_parquet, write_parquet, write_text

pytestmark = [needs_emulator, leaves_sockets]


def test_build_and_check_in_a_bucket(
    bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{bucket}/sets"
    numbered_parts(monkeypatch)
    rows = [{"q": question, "a": answer} for question, answer in zip(SUMS.questions, SUMS.answers, strict=True)]
    write_text(f"{place}/sums.jsonl", "\n".join(map(json.dumps, rows)))
    write_parquet(
        f"{place}/pairs.parquet",
        pa.table({"id": ["one", "two"], "question": ["Is it clean?", SUMS.questions[0]], "answer": ["yes", "62"]}),
    )
    build = ("benchmarks", "build", f"sums={place}/sums.jsonl:q:a", "--output", f"{place}/index")
    check = ("benchmarks", "check", f"{place}/index", "--input", f"{place}/*.parquet", "--output", f"{place}/audit")
    assert webscale_rl(*build) == webscale_rl(*build) == webscale_rl(*check) == 0
    assert "1 of 2 pairs (50.00%) are contaminated" in capsys.readouterr().out
    with open_parquet(f"{place}/audit/contamination.parquet") as file:
        marks = file.read()["contamination"].to_pylist()
    assert marks == [[], [{"benchmark": "sums", "rule": "exact", "score": 1.0}]]
    assert webscale_rl(*check) == 2 and "holds contamination.parquet already" in capsys.readouterr().err
    other = ("benchmarks", "build", f"sums={place}/sums.jsonl:q:a", "--output", place)
    assert webscale_rl(*other) == 2 and "it is no index" in capsys.readouterr().err
    assert open_index(f"{place}/index").names == ("sums",)
    missing = ("benchmarks", "check", f"{place}/none", "--input", f"{place}/*.parquet", "--output", f"{place}/a")
    assert webscale_rl(*missing) == 2 and f"{place}/none is no index" in capsys.readouterr().err
