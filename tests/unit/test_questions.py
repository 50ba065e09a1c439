"""One pair a question: what counts as the same question or nearly so, which pair stays, and earlier runs' questions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from schemas.config_filters import DedupSettings
from schemas.elements import Spill
from schemas.records import Pair, Source, StageNames, to_table
from tests.support import run_doors
from transforms.files import write_parquet, write_text
from transforms.near_duplicates import Ordinals
from transforms.questions import DropDuplicateQuestions, Entry, normalised
from transforms.state import DOCUMENTS, FINGERPRINT, QUESTIONS, State, open_state

SETTINGS = DedupSettings()
LONG = "In which year did the council of {} sell the old market beside the river bridge to the families?"


@pytest.mark.parametrize(
    "other",
    [
        "When was the Bridge opened?",
        "When was the bridge opened",
        "When  was a bridge opened ?",
        "«When was bridge opened?»",
    ],
)
def test_the_same_question(other: str) -> None:
    assert normalised("When was the bridge opened?") == normalised(other) == "when was bridge opened"


@pytest.mark.parametrize(
    "other", ["When was the bridge closed?", "When was bridges opened?", "Was the bridge when opened?"]
)
def test_another_question(other: str) -> None:
    assert normalised("When was the bridge opened?") != normalised(other)


@pytest.mark.parametrize("pair_id", ["0" * 32, "f" * 32])
@pytest.mark.parametrize("run", ["r", None])
def test_an_ordinal_is_below_zero_for_an_earlier_run_alone(pair_id: str, run: str | None) -> None:
    ordinal = Entry(pair_id, "q", "a", run=run).ordinal
    assert (ordinal < 0) == (run is not None) and -(2**63) <= ordinal < 2**63


def named(number: int) -> str:
    """Return a pair's id that begins with a number."""
    return f"{number:04x}".ljust(32, "0")


def pair(number: int, question: str, answer: str = "answer") -> Pair:
    return Pair(
        id=named(number),
        question=question,
        answer=answer,
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


def run(
    directory: Path, files: list[list[Pair]], earlier: tuple[State, list[tuple[int, Ordinals]]] | None = None
) -> Any:
    """Run the stage over scratch files; what an id stands for is its number."""
    spills = []
    for number, pairs in enumerate(files):
        path = str(directory / f"{number}.parquet")
        write_parquet(path, to_table(Pair, pairs))
        spills.append(Spill(path, 0, len(pairs)))

    def build(pipeline: beam.Pipeline) -> Any:
        given = None
        if earlier is not None:
            given = earlier[0], pipeline | "Gone" >> beam.Create(earlier[1])
        return pipeline | beam.Create(spills) | DropDuplicateQuestions(SETTINGS, 10, given)

    out = run_doors(build)
    out["kept"] = sorted(int(name[:4], 16) for table in out["kept"] for name in table["id"].to_pylist())
    out["rejected"] = sorted(
        (int(row["pair_id"][:4], 16), int(row["duplicate_of"][:4], 16), row["reason"]) for row in out["rejected"]
    )
    return out


def test_the_stage_over_several_files(tmp_path: Path) -> None:
    files = [
        [pair(2, "Who was it?"), pair(5, "Where was it?")],
        [pair(1, "who was it"), pair(3, "Where was it?", "elsewhere"), pair(4, "Why?")],
        [pair(6, "WHO was it?")],
    ]
    out = run(tmp_path, files)
    assert out["kept"] == [1, 3, 4]
    assert out["rejected"] == [(n, of, "duplicate_question") for n, of in ((2, 1), (5, 3), (6, 1))]
    doors = Counter({key: n for key, n in out["counts"].items() if key[1] != "figure"})
    assert doors == Counter(
        {
            ("questions", "in"): 6,
            ("questions", "kept"): 3,
            ("questions", "rejected"): 3,
            ("questions", "reason", "duplicate_question"): 3,
        }
    )
    assert out["counts"]["questions", "figure", "components"] == 2


def test_nearly_the_same_wording_with_the_same_answer_is_a_duplicate(tmp_path: Path) -> None:
    longer = LONG.format("Arden").replace("?", " there?")
    files = [[pair(1, LONG.format("Arden"), "1901"), pair(2, longer, "1901"), pair(3, longer + " Say.", "1902")]]
    out = run(tmp_path, files)
    assert (out["kept"], out["rejected"]) == ([1, 3], [(2, 1, "near_duplicate_question")])


def test_another_name_makes_another_question(tmp_path: Path) -> None:
    out = run(tmp_path, [[pair(1, LONG.format("Arden"), "1901"), pair(2, LONG.format("Belmora"), "1901")]])
    assert out["kept"] == [1, 2]


def test_a_run_without_pairs(tmp_path: Path) -> None:
    out = run(tmp_path, [[]])
    assert (out["kept"], out["rejected"]) == ([], [])


def left(directory: Path, questions: list[Pair], name: str = "r") -> State:
    """Lay down what a run leaves that kept some pairs, each of a document of its own."""
    rows = {
        "pair_id": [row.id for row in questions],
        "question": [normalised(row.question or "") for row in questions],
        "answer": [normalised(row.answer or "") for row in questions],
    }
    place = directory / "s" / name
    write_parquet(str(place / "questions/part-0.parquet"), pa.table(rows, QUESTIONS))
    documents = [{"doc_id": "x", "source_sha256": "00", "outcome": "kept", "pair_ids": [row.id]} for row in questions]
    write_parquet(str(place / "documents/part-0.parquet"), pa.Table.from_pylist(documents, DOCUMENTS))
    files = '["questions/part-0.parquet", "documents/part-0.parquet"]'
    write_text(
        str(place / "run.json"),
        f'{{"output": "o", "minhash": "{FINGERPRINT}", "permutations": 120, "files": {files}}}',
    )
    write_text(str(place / "_SUCCESS"), "")
    return open_state(str(directory / "s"), str(directory / "out"), 120)


def test_an_earlier_run_s_question_stays_whatever_its_id(tmp_path: Path) -> None:
    state = left(tmp_path, [pair(90, "Who was it?"), pair(91, LONG.format("Arden"), "1901")])
    near = pair(2, LONG.format("Arden").replace("?", " there?"), "1901")
    out = run(tmp_path, [[pair(1, "who was it", "another"), near, pair(3, "Why?")]], (state, []))
    assert out["kept"] == [3]
    assert out["rejected"] == [(1, 90, "duplicate_question"), (2, 91, "near_duplicate_question")]


def test_a_superseded_pair_s_question_may_be_asked_again(tmp_path: Path) -> None:
    state = left(tmp_path, [pair(90, "Who was it?"), pair(91, "Why was it?"), pair(92, "How was it?")])
    again = [pair(1, "Who was it?"), pair(2, "Why was it?"), pair(3, "How was it?")]
    out = run(tmp_path, [again], (state, [(0, np.array([0])), (0, np.array([1]))]))
    assert (out["kept"], out["rejected"]) == ([1, 2], [(3, 92, "duplicate_question")])


def test_a_pair_that_came_back_is_not_gone_with_its_former_self(tmp_path: Path) -> None:
    left(tmp_path, [pair(90, "Who was it?")], "r1")
    state = left(tmp_path, [pair(90, "Who was it?")], "r2")
    out = run(tmp_path, [[pair(1, "Who was it?")]], (state, [(0, np.array([0]))]))
    assert out["rejected"] == [(1, 90, "duplicate_question")]


def test_what_is_removed_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    write_parquet(path, to_table(Pair, [pair(1, "Who?"), replace(pair(2, "Who?"), answer="x")]))
    out = run_doors(lambda p: p | beam.Create([Spill(path, 0, 2)]) | DropDuplicateQuestions(SETTINGS, 2))
    (row,) = out["rejected"]
    assert (row["question"], row["answer"], row["calls"]["generate"], row["value"]) == ("Who?", "x", "call", None)
