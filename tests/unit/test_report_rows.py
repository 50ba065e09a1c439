"""What a report takes of a run's rows: bounded, fair, and the same each time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.records import Pair, to_table
from tests.reports import pair, rejected, small_run, write_run
from tests.support import prose, write_corpus
from transforms.report import rows as rows_module
from transforms.report.rows import BARS, Sample, Tally, read_pairs, read_rejected
from transforms.report.sources import AROUND, add_excerpts, excerpt

TEXT = prose(1)


def table(numbers: range) -> pa.Table:
    return pa.table({"n": list(numbers)})


def test_a_sample_has_the_smallest_ranks_whatever_the_batches() -> None:
    ranks = [(n * 7919) % 1000 for n in range(1000)]
    wanted = sorted(range(1000), key=lambda n: ranks[n])[:10]
    for step in (1, 7, 1000):
        sample = Sample(10, 0)
        for start in range(0, 1000, step):
            numbers = range(start, min(start + step, 1000))
            sample.offer(table(numbers), [ranks[n] for n in numbers], ["all"] * len(numbers))
        assert [row["n"] for row in sample.rows()] == wanted
        assert sample.seen == 1000


def test_a_rare_kind_is_in_the_sample() -> None:
    sample = Sample(5, 2)
    sample.offer(table(range(100)), list(range(100)), ["often"] * 97 + ["rare"] * 3)
    assert [row["n"] for row in sample.rows()] == [0, 1, 2, 3, 4, 97, 98]


def test_a_tally_counts_what_the_pairs_are() -> None:
    tally = Tally()
    pairs = [
        pair(0, TEXT, "c", question="x" * 19, answer=None, persona="b", difficulty=None),
        pair(1, TEXT, "c", question="x" * 20, answer="y" * 5000, persona="a"),
        pair(2, TEXT, "c", question=None, domain=None, answer_type=None, persona="a"),
    ]
    tally.add(to_table(Pair, pairs))
    told = tally.as_json()
    assert told["pairs"] == 3
    assert told["personas"] == [["a", 2], ["b", 1]] and told["distinct_personas"] == 2
    assert sum(n for _, n in told["domains"]) == sum(n for _, n in told["answer_types"]) == 2
    assert told["lengths"]["question"]["bars"][:3] == [1, 1, 0]
    assert told["lengths"]["answer"]["bars"] == [0] * (BARS - 1) + [1] or sum(told["lengths"]["answer"]["bars"]) == 2
    assert told["difficulty"] == [[0.25, 1], [0.5, 1]]


def test_no_more_shards_are_read_than_a_report_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.reports.ROWS_PER_SHARD", 10)
    monkeypatch.setattr("tests.reports.shard_count", lambda rows: -(-rows // 10))
    small_run(tmp_path)
    monkeypatch.setattr(rows_module, "SHARDS", 2)
    tally, sample = read_pairs(f"{tmp_path}/run/qa", 15, 0)
    assert (tally.rows, len(sample.rows())) == (20, 15)
    assert read_rejected(f"{tmp_path}/run/rejected", 100, 0).seen == 20


def test_rejected_rows_of_one_document_are_told_apart(tmp_path: Path) -> None:
    rows = [rejected(0, TEXT, "c", pair_id=name, reason="r") for name in ("a", "b", "c")]
    write_run(tmp_path / "run", [], rows)
    assert len(read_rejected(f"{tmp_path}/run/rejected", 10, 10).rows()) == 3


def test_an_excerpt_holds_the_evidence_and_some_of_what_stands_around_it() -> None:
    text = "word " * 200 + "The  answer\nis here." + " word" * 200
    before, found, after = excerpt(text, "The answer is here.")
    assert found == "The  answer\nis here."
    assert before.startswith("… word") and after.endswith("word …")
    assert len(before) <= AROUND + 2 and len(after) <= AROUND + 2
    assert excerpt("All of it.", "All of it.") == ["", "All of it.", ""]


@pytest.mark.parametrize("evidence", [None, "", "  ", "is not there"])
def test_without_evidence_an_excerpt_is_the_beginning(evidence: str | None) -> None:
    assert excerpt("A short text.", evidence) == ["A short text.", "", ""]
    long = excerpt("word " * 500, evidence)[0]
    assert long.endswith("word …") and len(long) <= 2 * AROUND + 2


def rows_of_run(tmp_path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    output, manifest = small_run(tmp_path)
    kept = read_pairs(f"{output}/qa", 100, 0)[1].rows()
    return kept + read_rejected(f"{output}/rejected", 100, 0).rows(), manifest["config"]


def test_documents_are_read_again_for_their_rows(tmp_path: Path) -> None:
    rows, config = rows_of_run(tmp_path)
    done = add_excerpts(rows, config)
    assert (done.found, done.changed, done.skipped, done.unreadable) == (90, 0, 0, 0)
    assert all(row["excerpt"][1] == row["evidence"] for row in rows if "evidence" in row)


def test_what_is_read_again_is_bounded(tmp_path: Path) -> None:
    rows, config = rows_of_run(tmp_path)
    done = add_excerpts(rows, config, budget=1)
    assert done.found + done.skipped == 90 and done.found == 50, "one row group, and no other"
    assert add_excerpts(rows, config, budget=0).skipped == 90


def test_a_corpus_that_is_gone_or_another_is_said(tmp_path: Path) -> None:
    rows, config = rows_of_run(tmp_path)
    rows[0]["source"]["text_sha256"] = "0" * 64
    assert add_excerpts(rows, config).changed == 1
    (tmp_path / "run.parquet").unlink()
    done = add_excerpts(rows, config)
    assert done.unreadable == 90 and "run.parquet" in (done.reason or "")
    assert all(row["excerpt"] is None for row in rows)


@pytest.mark.parametrize(("left", "found"), [(50, 50), (30, 30)])
def test_documents_that_a_shrunken_corpus_has_no_longer_have_changed(tmp_path: Path, left: int, found: int) -> None:
    rows, config = rows_of_run(tmp_path)
    write_corpus(tmp_path / "run.parquet", [prose(number) for number in range(left)], row_group_size=50)
    done = add_excerpts(rows, config)
    assert (done.found, done.changed, done.skipped, done.unreadable) == (found, 90 - found, 0, 0)
    assert sum(row["excerpt"] is not None for row in rows) == found


def test_a_corpus_without_its_texts_is_said(tmp_path: Path) -> None:
    rows, config = rows_of_run(tmp_path)
    done = add_excerpts(rows, config | {"columns": {"text": "body"}})
    assert done.unreadable == 90 and "body" in (done.reason or "")


def test_cleaned_documents_are_shown_as_they_were_read(tmp_path: Path) -> None:
    from schemas.config_filters import C4Limits
    from schemas.records import text_sha256
    from transforms.text.c4 import clean

    limits = C4Limits()
    text = f"{TEXT}\na line without an end\n{TEXT}"
    assert "without an end" not in clean(text, limits)
    path = write_corpus(tmp_path / "c.parquet", [text])
    row = {"evidence": None, "source": {"path": path, "row_group": 0, "row": 0}}
    row["source"]["text_sha256"] = text_sha256(clean(text, limits))  # type: ignore[index]
    filters = {"c4": limits.model_dump(mode="json"), "clean_lines": True}
    done = add_excerpts([row], {"filters": filters, "columns": {"text": "text"}})
    assert Counter(found=done.found, changed=done.changed) == {"found": 1, "changed": 0}
