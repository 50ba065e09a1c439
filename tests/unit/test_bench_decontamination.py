"""What the comparison of decontamination changes, counts and prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import decontamination
from tests.benchmark_sets import SUMS


def test_how_items_are_changed() -> None:
    assert decontamination.last_sentence("He has 3.5 of them. How many? ") == "How many?"
    assert decontamination.last_sentence("One") == "One"
    assert decontamination.last_line("He has 3.5 of them: so\nhow many? ") == "how many?"
    assert decontamination.last_line("He has 3.5 of them; how many?") == "how many?"
    text = "What's new, Ann?"
    assert decontamination.changed(text) == decontamination.changed(text) != text


def test_the_usual_rule_sees_thirteen_words() -> None:
    words = [str(number) for number in range(14)]
    assert len(decontamination.runs(" ".join(words))) == 2
    assert decontamination.runs(" ".join(words[:12])) == set()
    assert decontamination.runs("A, b! " * 7) == {("a", "b") * 6 + ("a",), ("b", "a") * 6 + ("b",)}


def test_a_comparison_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"question": question, "answer": answer} for question, answer in zip(SUMS.questions, SUMS.answers, strict=True)
    ]
    path, clean = tmp_path / "sums.jsonl", tmp_path / "clean.parquet"
    path.write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.table({"question": ["Is it clean?", SUMS.questions[0]], "answer": ["yes", "62"]}), clean)
    monkeypatch.setattr("sys.argv", ["decontamination", "--benchmarks", f"sums={path}", "--clean", str(clean)])
    monkeypatch.setattr(decontamination, "_ASKED", 100)
    decontamination.main()
    printed = " ".join(capsys.readouterr().out.split())
    assert "index: 5 distinct items" in printed
    assert "verbatim 100.00% without answers 100.00% any 13 words 100.00%" in printed
    assert "last sentence 100.00%" in printed
    assert "clean: 2 questions, marked 50.00% any 13 words 50.00%" in printed
    assert "exact" in printed and "questions/s on one core" in printed
    assert "half of sums 0.00%" in printed
    assert re.search(r"near misses: \d{3} questions, marked 0.00%", printed)


def test_near_misses_are_no_items() -> None:
    benchmark, others = decontamination.near_misses()
    assert len(set(benchmark.questions)) == len(benchmark.questions) == len(set(benchmark.answers))
    assert len(others) > 100 and not set(others) & set(benchmark.questions)
