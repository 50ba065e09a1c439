"""The filter stage within a run: its reasons, and documents that go on as C4 left them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.records import text_sha256
from tests.support import prose, rows_of, stages_of, webscale_rl, write_corpus
from transforms.quality import QualityRule

NOTICE = "This site uses cookies."
CLEANING = "filters: {c4: {terminal_punctuation: false, min_sentences: 1}, clean_lines: true}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CLEANING, encoding="utf-8")
    return path


def run(config: Path, corpus: str, output: Path, *flags: str) -> Path:
    assert webscale_rl("run", "--input", corpus, "--output", output, "--config", config, *flags) == 0
    return output


def test_documents_go_on_as_c4_left_them(tmp_path: Path, config: Path) -> None:
    texts = [f"{NOTICE}\n  {prose(1)} \nMenu\n", prose(2)]
    output = run(config, write_corpus(tmp_path / "a.parquet", texts), tmp_path / "run", "--until", "filter")
    rows = rows_of(output, "documents")
    assert [row["text"] for row in rows] == [prose(1), prose(2)]
    assert [row["webscale_rl"]["text_sha256"] for row in rows] == [text_sha256(prose(1)), text_sha256(prose(2))]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_cleaned_texts_keep_the_type_of_their_column(tmp_path: Path, config: Path, kind: pa.DataType) -> None:
    texts = pa.array([f"{NOTICE}\n{prose(1)}"]).cast(kind)
    pq.write_table(pa.table({"id": ["a"], "text": texts}), tmp_path / "a.parquet")
    output = run(config, str(tmp_path / "a.parquet"), tmp_path / "run", "--until", "dedup")
    (row,) = rows_of(output, "documents")
    assert row["text"] == prose(1)


def test_duplicates_are_found_among_cleaned_texts_and_models_read_them(tmp_path: Path, config: Path) -> None:
    texts = [prose(1), f"{NOTICE}\n{prose(1)}", f"{prose(3)}\n{NOTICE}"]
    output = run(config, write_corpus(tmp_path / "a.parquet", texts), tmp_path / "run")
    (removed,) = [row for row in rows_of(output, "rejected") if row["stage"] == "dedup"]
    assert removed["reason"] == "exact_duplicate"
    pairs = rows_of(output, "qa")
    assert {pair["source"]["text_sha256"] for pair in pairs} <= {text_sha256(prose(1)), text_sha256(prose(3))}
    assert stages_of(output)["screen"]["in"] == 2


def test_without_clean_lines_documents_stay_as_they_are(tmp_path: Path, config: Path) -> None:
    config.write_text(CLEANING.replace("true}", "false}"), encoding="utf-8")
    text = f"{NOTICE}\n{prose(1)}"
    output = run(config, write_corpus(tmp_path / "a.parquet", [text]), tmp_path / "run", "--until", "filter")
    assert [row["text"] for row in rows_of(output, "documents")] == [text]


def test_a_reason_is_the_key_of_the_configuration(tmp_path: Path, config: Path) -> None:
    rules = "{min_tokens: 2, gopher_repetition: null, gopher_quality: {min_words: 3}}"
    config.write_text(f"filters: {rules}\n", encoding="utf-8")
    texts = ["one", "of the # # # #", prose(1)]
    output = run(config, write_corpus(tmp_path / "a.parquet", texts), tmp_path / "run", "--until", "filter")
    assert stages_of(output)["filter"]["reasons"] == {"gopher_quality.min_words": 1, "min_tokens": 1}
    assert [(row["reason"], row["value"]) for row in rows_of(output, "rejected")] == [
        ("min_tokens", "1"),
        ("gopher_quality.min_words", "2"),
    ]


def test_quality_sees_what_c4_left(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def reasons(rule: QualityRule, texts: Sequence[str]) -> list[None]:
        seen.extend(texts)
        return [None] * len(texts)

    monkeypatch.setattr(QualityRule, "reasons", reasons)
    monkeypatch.setattr(QualityRule, "pinned", lambda rule: rule)
    monkeypatch.setattr(QualityRule, "setup", lambda rule: None)
    monkeypatch.setattr(QualityRule, "check", lambda rule: None)
    quality = "quality: {model: any.bin, threshold: 0.5}, clean_lines: true}"
    config.write_text(CLEANING.replace("clean_lines: true}", quality), encoding="utf-8")
    corpus = write_corpus(tmp_path / "a.parquet", [f"{NOTICE}\n{prose(1)}"])
    run(config, corpus, tmp_path / "run", "--until", "filter")
    assert seen == [prose(1)]
