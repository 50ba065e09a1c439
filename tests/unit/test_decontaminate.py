"""The stage that drops or marks pairs of evaluation sets: rows, counts and figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from pydantic import ValidationError

from schemas.config_filters import DecontaminateSettings
from schemas.records import Contamination, Pair, Source, StageNames, arrow_schema, to_table
from tests.benchmark_sets import FACTS, SUMS, index_of
from tests.support import run_doors
from transforms.benchmarks.index import BenchmarkIndexError
from transforms.decontaminate import Decontaminate, shown

CLEAN = "In which year did the council of Arden sell the market beside the bridge?"


def pair(number: int, question: str, answer: str = "answer") -> Pair:
    return Pair(
        id=f"{number:032x}",
        question=question,
        answer=answer,
        aliases=("one",),
        answer_type="phrase",
        domain="Other",
        persona="reader",
        evidence="evidence",
        source=Source("doc", "path"),
        models=StageNames(),
        prompts=StageNames(),
        calls=StageNames(generate="call"),
    )


PAIRS = [
    pair(0, CLEAN),
    pair(1, SUMS.questions[1]),
    pair(2, f"Please say: {FACTS.questions[0]}?"),
    pair(3, "Of stones, which of the following is true?", "b"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return index_of(tmp_path_factory.mktemp("index"))


def run(settings: DecontaminateSettings, *tables: list[Pair]) -> dict[str, object]:
    made = [to_table(Pair, rows) for rows in tables]
    return run_doors(lambda pipeline: pipeline | beam.Create(made) | Decontaminate(settings))


FIGURES = {
    ("decontaminate", "figure", "sums/exact"): 1,
    ("decontaminate", "figure", "facts/contained"): 1,
    ("decontaminate", "figure", "facts/contained_and_answer"): 1,
}


def test_what_is_contaminated_is_dropped_with_what_it_is(path: str) -> None:
    out = run(DecontaminateSettings(benchmarks=(path,)), PAIRS)
    (kept,) = out["kept"]  # type: ignore[misc]
    assert kept.schema.equals(arrow_schema(Pair))
    assert kept.to_pylist() == to_table(Pair, PAIRS[:1]).to_pylist()
    rows = {row["pair_id"]: row for row in out["rejected"]}  # type: ignore[attr-defined]
    assert [rows[one.id]["value"] for one in PAIRS[1:]] == [
        "sums: exact 1.0000",
        "facts: contained 1.0000",
        "facts: contained_and_answer 1.0000",
    ]
    row = rows[PAIRS[1].id]
    assert (row["stage"], row["reason"], row["doc_id"]) == ("decontaminate", "contaminated", "doc")
    assert (row["question"], row["answer"], row["calls"]["generate"]) == (SUMS.questions[1], "answer", "call")
    assert out["counts"] == Counter(
        {
            ("decontaminate", "in"): 4,
            ("decontaminate", "kept"): 1,
            ("decontaminate", "rejected"): 3,
            ("decontaminate", "reason", "contaminated"): 3,
            **FIGURES,
        }
    )


def test_what_is_contaminated_is_marked_and_stays(path: str) -> None:
    out = run(DecontaminateSettings(benchmarks=(path,), on_contaminated="mark"), PAIRS)
    (kept,) = out["kept"]  # type: ignore[misc]
    assert kept.schema.equals(arrow_schema(Pair)) and out["rejected"] == []
    marks = [
        [],
        [{"benchmark": "sums", "rule": "exact", "score": 1.0}],
        [{"benchmark": "facts", "rule": "contained", "score": 1.0}],
        [{"benchmark": "facts", "rule": "contained_and_answer", "score": 1.0}],
    ]
    assert kept["contamination"].to_pylist() == marks
    assert kept.drop(["contamination"]).equals(to_table(Pair, PAIRS).drop(["contamination"]))
    assert out["counts"] == Counter({("decontaminate", "in"): 4, ("decontaminate", "kept"): 4, **FIGURES})


def test_a_table_of_which_nothing_is_left_is_none(path: str) -> None:
    out = run(DecontaminateSettings(benchmarks=(path,)), PAIRS[1:], [])
    assert out["kept"] == []
    assert out["counts"]["decontaminate", "in"] == out["counts"]["decontaminate", "rejected"] == 3  # type: ignore[index]


def test_several_indexes_are_compared_with(tmp_path: Path) -> None:
    paths = tuple(index_of(tmp_path / one.name, one) for one in (SUMS, FACTS))
    out = run(DecontaminateSettings(benchmarks=paths), PAIRS)
    assert len(out["rejected"]) == 3  # type: ignore[arg-type]


def test_without_the_index_nothing_is_decided(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=f"{tmp_path}/none is no index of benchmarks") as raised:
        run(DecontaminateSettings(benchmarks=(f"{tmp_path}/none",)), PAIRS)
    assert BenchmarkIndexError.__name__ in str(raised.value) or isinstance(raised.value, BenchmarkIndexError)


def test_what_contaminates_in_words() -> None:
    items = (Contamination("one", "exact", 1.0), Contamination("two", "overlap", 0.87654))
    assert shown(items) == "one: exact 1.0000; two: overlap 0.8765"


@pytest.mark.parametrize(
    "bad", [{}, {"benchmarks": ()}, {"benchmarks": ("a",), "on_contaminated": "keep"}, {"benchmarks": ("a",), "x": 1}]
)
def test_settings_that_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecontaminateSettings(**bad)  # type: ignore[arg-type]
