"""Shards: how many, what is in which, in what order, and where documents are cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import Columns
from schemas.elements import Selection
from schemas.records import Failed, Rejected, Source, to_table
from tests.support import collect, write_corpus
from transforms import documents, write
from transforms.documents import WriteDocuments, split_selection
from transforms.files import shard_count, write_text
from transforms.output import MANIFEST, OWNER
from transforms.read import plan_corpus
from transforms.write import OUTPUTS, WriteRecords, pack, shard_of, sort_rows, unpack


@pytest.mark.parametrize(("rows", "shards"), [(0, 1), (1, 1), (50_000, 1), (50_001, 2), (100_001, 3)])
def test_shards_of_about_fifty_thousand_rows(rows: int, shards: int) -> None:
    assert shard_count(rows) == shards


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 1000))
def test_shards_are_ranges_of_names(a: int, b: int, shards: int) -> None:
    low, high = sorted((a, b))
    assert 0 <= shard_of(f"{low:08x}", shards) <= shard_of(f"{high:08x}", shards) < shards


def rejected(doc_id: str | None, row: int, pair_id: str | None = None) -> Rejected:
    return Rejected(doc_id, pair_id, "filter", "min_tokens", "3", Source(doc_id, "a.parquet", 0, row))


def test_rows_are_sorted_by_document_pair_and_place() -> None:
    rows = [rejected("b", 0), rejected("a", 2), rejected("a", 1), rejected("a", 1, "p"), rejected(None, 0)]
    ordered = sort_rows(to_table(Rejected, rows)).to_pylist()
    assert [(row["doc_id"], row["pair_id"], row["source"]["row"]) for row in ordered] == [
        ("a", "p", 1), ("a", None, 1), ("a", None, 2), ("b", None, 0), (None, None, 0),
    ]  # fmt: skip


def test_a_packed_table_comes_back() -> None:
    table = to_table(Rejected, [rejected("a", 1), rejected(None, 2)])
    rows, blob = pack(table)
    assert rows == 2
    assert unpack(blob) == table


def at_work(output: Path, run_id: str = "run") -> None:
    write_text(f"{output}/{OWNER}", json.dumps({"run_id": run_id}))


def write_all(output: Path, tables: list) -> list[tuple[str, int]]:
    directories = {name: OUTPUTS[name] for name in ("rejected", "errors")}
    return collect(lambda p: {"out": p | beam.Create(tables) | WriteRecords(str(output), "run", directories)})["out"]


def test_every_directory_has_a_shard_and_only_an_output_without_rows_an_empty_one(tmp_path: Path) -> None:
    at_work(tmp_path)
    written = write_all(tmp_path, [("rejected", to_table(Rejected, [rejected("a", 1)]))])
    assert sorted(written) == [("errors", 0), ("rejected", 1)]
    (path,) = (tmp_path / "errors").iterdir()
    assert path.name == "part-00000-of-00001.parquet"
    assert pq.read_table(path).schema.names == to_table(Failed, []).schema.names
    assert pq.read_metadata(path).metadata[b"webscale_rl.run_id"] == b"run"


def test_many_shards_hold_every_row_once_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "shard_count", lambda rows: -(-rows // 100) or 1)
    at_work(tmp_path)
    rows = [rejected(f"doc {i:04d}", i) for i in range(950)]
    tables = [("rejected", to_table(Rejected, rows[i::7])) for i in range(7)]
    written = write_all(tmp_path, tables)
    shards = sorted((tmp_path / "rejected").iterdir())
    assert [path.name for path in shards] == [f"part-{i:05d}-of-00010.parquet" for i in range(10)]
    names = [pq.read_table(path)["doc_id"].to_pylist() for path in shards]
    assert all(part == sorted(part) and part for part in names)
    assert sorted(name for part in names for name in part) == [row.doc_id for row in rows]
    assert sum(n for directory, n in written if directory == "rejected") == 950
    assert {pq.read_metadata(path).row_group(0).column(0).compression for path in shards} == {"ZSTD"}


def layout(selections: list[Selection]) -> tuple[np.ndarray, np.ndarray]:
    combiner = documents._Layout()
    sizes = [(part.group, int(part.rows[0]), len(part.rows)) for part in selections]
    return combiner.extract_output(combiner.merge_accumulators([[combiner.add_input([], s)[0]] for s in sizes]))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.randoms())
def test_documents_are_cut_into_equal_ranges_in_the_order_of_the_corpus(sizes: list[int], random: object) -> None:
    selections = [Selection(group, np.arange(size, dtype=np.int32)) for group, size in enumerate(sizes)]
    random.shuffle(selections)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "shard_count", lambda rows: max(1, -(-rows // 25)))
        parts = [cut for part in selections for cut in split_selection(part, layout(selections))]
    total = sum(sizes)
    by_shard: dict[int, list[tuple[int, int]]] = {}
    for (_, shard, shards), part in parts:
        assert shards == max(1, -(-total // 25))
        by_shard.setdefault(shard, []).extend((part.group, row) for row in part.rows.tolist())
    everything = [row for shard in sorted(by_shard) for row in sorted(by_shard[shard])]
    assert everything == [(group, row) for group, size in enumerate(sizes) for row in range(size)]
    assert all(len(rows) <= -(-total // shards) for rows in by_shard.values())


def test_documents_keep_the_columns_of_the_source_and_gain_the_verdicts(tmp_path: Path) -> None:
    first = write_corpus(tmp_path / "a.parquet", ["one", "two", "three"], row_group_size=2, score=[1, 2, 3])
    second = write_corpus(tmp_path / "b.parquet", ["four"], url=["u"])
    plan = plan_corpus([first, second], Columns())
    chosen = [
        Selection(2, np.array([0], np.int32)),
        Selection(0, np.array([1], np.int32)),
        Selection(1, np.array([0], np.int32)),
    ]
    output = tmp_path / "out"
    at_work(output)
    collect(lambda p: {"out": p | beam.Create(chosen) | WriteDocuments(plan, str(output), "run")})
    (path,) = (output / "documents").iterdir()
    rows = pq.read_table(path).to_pylist()
    assert [(row["text"], row["score"], row["url"]) for row in rows] == [
        ("two", 2, None),
        ("three", 3, None),
        ("four", None, "u"),
    ]
    assert all(len(row["webscale_rl"]["text_sha256"]) == 64 and row["webscale_rl"]["screen"] is None for row in rows)


def test_no_documents_is_one_empty_shard(tmp_path: Path) -> None:
    at_work(tmp_path)
    plan = plan_corpus([write_corpus(tmp_path / "a.parquet", ["one"])], Columns())
    out = collect(lambda p: {"out": p | beam.Create([]) | WriteDocuments(plan, str(tmp_path), "run")})["out"]
    assert out == [("documents", 0)]
    assert pq.read_table(tmp_path / "documents").num_rows == 0


Writer = Callable[[Path], list[tuple[str, int]]]


def write_documents(tmp_path: Path) -> list[tuple[str, int]]:
    plan = plan_corpus([write_corpus(tmp_path / "a.parquet", ["one", "two"])], Columns())
    chosen = [Selection(0, np.array([0, 1], np.int32))]
    return collect(lambda p: {"out": p | beam.Create(chosen) | WriteDocuments(plan, str(tmp_path), "run")})["out"]


def write_errors(tmp_path: Path) -> list[tuple[str, int]]:
    return write_all(tmp_path, [("rejected", to_table(Rejected, [rejected("a", 1), rejected("b", 2)]))])


WRITERS = [write_documents, write_errors]


def shards_in(output: Path) -> list[Path]:
    return [path for path in output.glob("*/*") if path.name.startswith("part-")]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_late_attempt_leaves_the_shards_of_a_run_that_has_ended(tmp_path: Path, writer: Writer) -> None:
    (tmp_path / MANIFEST).write_text('{"run_id": "run"}', encoding="utf-8")
    assert 2 in dict(writer(tmp_path)).values(), "a runner that tries the step again is told the same"
    assert not shards_in(tmp_path)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_late_attempt_leaves_the_shards_of_the_run_that_came_after(tmp_path: Path, writer: Writer) -> None:
    at_work(tmp_path, "another")
    with pytest.raises(RuntimeError, match="belongs to the run another by now; run must not write there"):
        writer(tmp_path)
    assert not shards_in(tmp_path)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_shard_gets_no_name_when_the_run_ends_while_it_is_written(
    tmp_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MANIFEST).write_text('{"run_id": "run"}', encoding="utf-8")
    for module in (documents, write):
        monkeypatch.setattr(module, "has_ended", lambda output, run_id: False)
    with pytest.raises(RuntimeError, match="the run run has ended"):
        writer(tmp_path)
    assert not shards_in(tmp_path), "neither under its name nor under a temporary one"
