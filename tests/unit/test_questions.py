"""One pair a question: what counts as the same question, and which pair stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest

from schemas.elements import Spill
from schemas.records import Pair, Source, StageNames, to_table
from tests.support import run_doors
from transforms.files import write_parquet
from transforms.questions import DropDuplicateQuestions, question_key, repeated


@pytest.mark.parametrize(
    "other",
    [
        "when was the Bridge opened?",
        "When was the bridge opened",
        "When  was a bridge opened ?",
        "«When was bridge opened?»",
    ],
)
def test_the_same_question(other: str) -> None:
    assert question_key("When was the bridge opened?") == question_key(other)


@pytest.mark.parametrize(
    "other", ["When was the bridge closed?", "When was bridges opened?", "Was the bridge when opened?"]
)
def test_another_question(other: str) -> None:
    assert question_key("When was the bridge opened?") != question_key(other)


def test_the_smallest_pair_id_stays_whatever_the_order() -> None:
    entries = [(b"k", "2", "f", 0), (b"k", "1", "g", 0), (b"other", "3", "f", 1), (b"k", "4", "f", 2)]
    expected = [((b"k", "2", "f", 0), "1"), ((b"k", "4", "f", 2), "1")]
    assert repeated(entries) == repeated(reversed(entries)) == expected


def pair(name: str, question: str) -> Pair:
    return Pair(
        id=name,
        question=question,
        answer="answer",
        aliases=(),
        answer_type="phrase",
        domain="Other",
        persona="reader",
        evidence="evidence",
        source=Source("doc", "path"),
        models=StageNames(),
        prompts=StageNames(),
        calls=StageNames(generate="call"),
    )


def test_the_stage_over_several_files(tmp_path: Path) -> None:
    files = [
        [pair("2", "Who was it?"), pair("5", "Where was it?")],
        [pair("1", "who was it"), pair("3", "Where was it?"), pair("4", "Why?")],
        [pair("6", "WHO was it?")],
    ]
    spills = []
    for number, pairs in enumerate(files):
        path = str(tmp_path / f"{number}.parquet")
        write_parquet(path, to_table(Pair, pairs))
        spills.append(Spill(path, 0, len(pairs)))
    out = run_doors(lambda pipeline: pipeline | beam.Create(spills) | DropDuplicateQuestions())
    assert sorted(name for table in out["kept"] for name in table["id"].to_pylist()) == ["1", "3", "4"]
    assert sorted((row["pair_id"], row["duplicate_of"], row["reason"]) for row in out["rejected"]) == [
        ("2", "1", "duplicate_question"),
        ("5", "3", "duplicate_question"),
        ("6", "1", "duplicate_question"),
    ]
    assert {row["calls"]["generate"] for row in out["rejected"]} == {"call"}
    assert out["counts"] == Counter(
        {
            ("questions", "in"): 6,
            ("questions", "kept"): 3,
            ("questions", "rejected"): 3,
            ("questions", "reason", "duplicate_question"): 3,
        }
    )
