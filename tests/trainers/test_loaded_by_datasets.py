"""`datasets.load_dataset` on each export: by the header of its README, and its rows by their types."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict, List, Value, load_dataset

STRING = Value("string")


def rows_of(export: Path) -> dict[str, int]:
    files = [(path.name.split("-")[0], pq.read_metadata(path).num_rows) for path in (export / "data").iterdir()]
    return {side: sum(rows for name, rows in files if name == side) for side in ("train", "validation")}


@pytest.mark.parametrize("target", ["hf", "trl", "openrlhf", "verl"])
def test_a_directory_is_loaded_with_its_splits(target: str, exports: dict[str, Path]) -> None:
    loaded = load_dataset(str(exports[target]))
    assert isinstance(loaded, DatasetDict)
    assert {side: len(rows) for side, rows in loaded.items()} == rows_of(exports[target])
    assert min(rows_of(exports[target]).values()) > 0
    streamed = load_dataset(str(exports[target]), split="train", streaming=True)
    assert next(iter(streamed)) == loaded["train"][0]


def test_the_published_columns_have_their_types(exports: dict[str, Path]) -> None:
    loaded = load_dataset(str(exports["hf"]), split="train")
    for name in ("id", "question", "answer", "answer_type", "domain", "persona", "evidence"):
        assert loaded.features[name] == STRING
    assert loaded.features["aliases"] == List(STRING)
    assert loaded.features["difficulty"] == {"model": STRING, "samples": Value("int64"), "passes": Value("int64")}
    assert set(loaded.features["source"]) == {"doc_id", "text_sha256", "url", "license", "dataset"}
    assert loaded[0]["difficulty"] is None or loaded[0]["difficulty"]["samples"] is None
    assert all(loaded["question"]) and all(loaded["answer"])


def test_json_lines_are_loaded(exports: dict[str, Path]) -> None:
    files = [str(path) for path in exports["nemo-gym"].rglob("train-*.jsonl")]
    loaded = load_dataset("json", data_files=files, split="train")
    assert loaded.features["expected_answer"] == STRING and len(loaded) == rows_of(exports["hf"])["train"]
