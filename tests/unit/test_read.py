"""Planning and reading the corpus: footers, columns, samples, and rows that are no documents."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.config import Columns
from schemas.elements import CorpusPlan
from schemas.records import text_hashes
from tests.support import run_doors, write_corpus
from transforms.read import CorpusError, ReadCorpus, draw, missing, plan_corpus


def texts(plan: CorpusPlan) -> dict[str, list]:
    return run_doors(lambda pipeline: pipeline | ReadCorpus(plan))


def test_a_plan_numbers_the_rows_of_all_files(tmp_path: Path) -> None:
    first = write_corpus(tmp_path / "a.parquet", [f"text {i}" for i in range(5)], row_group_size=2)
    second = write_corpus(tmp_path / "b.parquet", ["one", "two"])
    plan = plan_corpus([first, second], Columns())
    assert [plan.group(i).rows for i in range(len(plan))] == [2, 2, 1, 2]
    assert [plan.group(i).first_row for i in range(len(plan))] == [0, 2, 4, 5]
    assert plan.rows == 7
    runs = [(index, rows.tolist()) for index, rows, _ in plan.runs(np.array([0, 1, 2, 4, 5, 6]))]
    assert runs == [(0, [0, 1]), (1, [0]), (2, [0]), (3, [0, 1])]
    assert list(plan.runs(np.array([], np.int64))) == []


def test_a_sample_is_distinct_sorted_and_repeatable() -> None:
    sample = draw(1000, 50)
    assert len(set(sample.tolist())) == 50
    assert sample.tolist() == sorted(sample.tolist())
    assert sample.tolist() == draw(1000, 50).tolist()
    assert draw(3, 50).tolist() == [0, 1, 2]


def test_a_sample_is_what_is_read(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "a.parquet", [f"text number {i}" for i in range(100)], row_group_size=7)
    plan = plan_corpus([path], Columns(), sample=10)
    out = texts(plan)
    assert plan.rows == 10
    rows = [batch.group.first_row + row for batch in out["kept"] for row in batch.table["row"].to_pylist()]
    assert sorted(rows) == plan.sample.tolist()
    assert out["counts"] == Counter({("read", "in"): 10, ("read", "kept"): 10})


@pytest.mark.parametrize(
    ("doc_id", "text", "reason"),
    [
        (None, "text", "null_id"),
        ("", "text", "empty_id"),
        ("a", None, "null_text"),
        ("a", " \n\t", "empty_text"),
        ("a", "x", None),
    ],
)
def test_rows_that_are_no_documents(doc_id: str | None, text: str | None, reason: str | None) -> None:
    assert missing(doc_id, text) == reason


def test_bad_rows_leave_by_name_and_the_others_are_unharmed(tmp_path: Path) -> None:
    rows = [b"good", None, b"  ", b"\xff\xfe broken", b"also good"]
    table = pa.table({"id": ["a", "b", "c", "d", None], "text": pa.array(rows, pa.binary()).view(pa.string())})
    path = str(tmp_path / "a.parquet")
    pq.write_table(table, path)
    out = texts(plan_corpus([path], Columns()))
    assert [text for batch in out["kept"] for text in batch.table["text"].to_pylist()] == ["good"]
    assert {(row["doc_id"], row["reason"]) for row in out["rejected"]} == {
        ("b", "null_text"), ("c", "empty_text"), (None, "null_id"),
    }  # fmt: skip
    assert [(row["error"], row["source"]["row"]) for row in out["errors"]] == [("invalid_utf8", 3)]
    assert out["counts"] == Counter(
        {
            ("read", "in"): 5,
            ("read", "kept"): 1,
            ("read", "rejected"): 3,
            ("read", "errors"): 1,
            ("read", "reason", "null_text"): 1,
            ("read", "reason", "empty_text"): 1,
            ("read", "reason", "null_id"): 1,
            ("read", "failure", "invalid_utf8"): 1,
        }
    )


def test_of_a_forgotten_row_its_place_is_told_and_nothing_about_it(tmp_path: Path) -> None:
    path, noted = f"{tmp_path}/a.parquet", f"{tmp_path}/noted.parquet"
    about = {"url": ["u", "v"], "license": ["l", "m"], "dataset": ["s", "t"]}
    pq.write_table(pa.table({"id": ["gone", "empty"], "text": ["some", " "], **about}), path)
    pq.write_table(pa.table({"sha256": text_hashes(pa.chunked_array([["gone"]], pa.string()))}), noted)
    plan = plan_corpus([path], Columns())
    out = texts(dataclasses.replace(plan, forgotten=(noted,)))
    told = {row["reason"]: row["source"] for row in out["rejected"]}
    place = {"path": path, "row_group": 0}
    assert (
        told["forgotten"].items() >= {"doc_id": "gone", "url": None, "license": None, "dataset": None, **place}.items()
    )
    assert told["empty_text"].items() >= {"doc_id": "empty", "url": "v", "license": "m", "dataset": "t"}.items()


def test_a_truncated_file_is_one_error_and_the_others_are_read(tmp_path: Path) -> None:
    good = write_corpus(tmp_path / "a.parquet", ["one", "two"])
    bad = tmp_path / "b.parquet"
    bad.write_bytes(Path(good).read_bytes()[:-20])
    plan = plan_corpus([good, str(bad)], Columns())
    out = texts(plan)
    assert plan.rows == 3
    assert out["counts"]["read", "kept"] == 2
    assert [(row["error"], row["source"]["path"]) for row in out["errors"]] == [("unreadable_file", str(bad))]


@pytest.mark.parametrize("held", [0, 1 << 20], ids=["read twice", "held"])
def test_a_damaged_row_group_is_an_error_a_row_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr("transforms.read._HELD_BYTES", held)
    path = Path(write_corpus(tmp_path / "a.parquet", [f"text {i} " * 50 for i in range(6)], row_group_size=3))
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(bytes(data))
    out = texts(plan_corpus([str(path)], Columns()))
    assert out["counts"]["read", "in"] == 6
    assert out["counts"]["read", "kept"] == 3
    assert [(row["error"], row["source"]["row"]) for row in out["errors"]] == [("unreadable_rows", i) for i in range(3)]


def test_a_missing_column_names_the_file_what_it_has_and_the_flag(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "a.parquet", ["one"])
    with pytest.raises(CorpusError, match=r"a\.parquet has no column 'body' \(it has id, text\); .*--text-column"):
        plan_corpus([path], Columns(text="body"))
    with pytest.raises(CorpusError, match=r"no column 'link'.*columns\.url"):
        plan_corpus([path], Columns(url="link"))
    assert plan_corpus([path], Columns()).columns == {"id": "id", "text": "text"}


def test_a_text_column_of_numbers_is_refused_and_integer_ids_are_not(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [1, 2], "text": ["one", "two"], "n": [1, 2]}), path)
    with pytest.raises(CorpusError, match="column 'n' is int64, the text must be a string"):
        plan_corpus([path], Columns(text="n"))
    out = texts(plan_corpus([path], Columns()))
    assert [batch.table["doc_id"].to_pylist() for batch in out["kept"]] == [["1", "2"]]


def test_files_that_disagree_name_the_column(tmp_path: Path) -> None:
    first, second = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    pq.write_table(pa.table({"id": ["1"], "text": ["one"], "score": [0.5]}), first)
    pq.write_table(pa.table({"id": ["2"], "text": ["two"], "score": ["high"]}), second)
    with pytest.raises(
        CorpusError, match=r"b\.parquet does not fit .*a\.parquet: column 'score' is string here and double"
    ):
        plan_corpus([first, second], Columns())


def test_files_with_more_columns_or_wider_numbers_are_unified(tmp_path: Path) -> None:
    first, second = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    pq.write_table(pa.table({"id": ["1"], "text": ["one"], "n": pa.array([1], pa.int32())}), first)
    pq.write_table(pa.table({"id": ["2"], "text": ["two"], "n": pa.array([1], pa.int64()), "url": ["u"]}), second)
    plan = plan_corpus([first, second], Columns())
    assert plan.schema.field("n").type == pa.int64()
    assert plan.columns["url"] == "url"
    urls = sorted(str(url) for batch in texts(plan)["kept"] for url in batch.table["url"].to_pylist())
    assert urls == ["None", "u"]
