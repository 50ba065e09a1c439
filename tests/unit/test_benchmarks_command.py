"""`webscale-rl benchmarks`: what it reads, what it writes, what it says of all that is wrong, each in one line."""

from __future__ import annotations

import gzip
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.benchmark_files import Source, read_benchmark, source_of
from pipelines.cli import main
from pipelines.options import UsageError
from tests.benchmark_sets import SUMS, index_of
from tests.support import webscale_rl
from transforms.benchmarks.build import Benchmark
from transforms.benchmarks.index import open_index

ROWS = [{"question": question, "answer": answer} for question, answer in zip(SUMS.questions, SUMS.answers, strict=True)]
CLEAN = "In which year did the council of Arden sell the market beside the bridge?"


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def parquet(path: Path, **columns: list[Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("name", ["sums.jsonl", "sums.jsonl.gz", "sums.parquet", "a:b.jsonl"])
def test_a_benchmark_from_a_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("parquet"):
        parquet(path, question=list(SUMS.questions), answer=list(SUMS.answers))
    else:
        lines(path, ROWS)
    assert read_benchmark(source_of(f"sums={path}")) == SUMS


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"problem": "P", "solution": "long", "answer": "S"}, "P", "S"),
        ({"task_id": "1", "prompt": "P", "canonical_solution": "S"}, "P", "S"),
        ({"input": "P", "target": "S"}, "P", "S"),
        ({"task": "t", "text": "P", "code": "S"}, "P", "S"),
        ({"Question": "P", "answer": "(A)", "Correct Answer": "S"}, "P", "S"),
        ({"question": "P", "choices": ["Q", "S"], "answer": 1}, "P", "S"),
        ({"question": "P", "options": ["Q", "S"], "answer": "B"}, "P", "S"),
        ({"question": "P", "options": ["Q", "S"], "answer": "C"}, "P", "C"),
        ({"question": "P", "answer": ["S", "T"]}, "P", "S"),
        ({"question": "P", "answer": []}, "P", None),
        ({"question": "P", "answer": 7}, "P", "7"),
        ({"question": "P", "answer": None}, "P", None),
        ({"question": "P", "answer": {"x": 1}}, "P", None),
        ({"question": "P", "answer": {"value": "S", "aliases": ["T"]}}, "P", "S"),
        ({"question": "P", "answer": {"value": "", "aliases": ["S"]}}, "P", "S"),
        ({"question": "P", "answers": {"text": ["S", "T"], "answer_start": [1, 2]}}, "P", "S"),
        ({"question": "P", "answers": {"text": []}}, "P", None),
        ({"question": "P", "answers": [{"text": "S"}, {"text": "T"}]}, "P", "S"),
        ({"question": "P", "choices": {"text": ["Q", "S"], "label": ["A", "B"]}, "answerKey": "B"}, "P", "S"),
        ({"question": "P", "choices": {"text": ["Q", "S"], "label": ["1", "2"]}, "answerKey": "2"}, "P", "S"),
        ({"problem": "P", "solution": "so $\\boxed{1}$, and $x = \\boxed{\\frac{1}{2}}$."}, "P", "\\frac{1}{2}"),
        ({"question": "P", "answer": " ", "label": True}, "P", "True"),
        ({"question": "P"}, "P", None),
    ],
)
def test_columns_are_known_by_their_usual_names(
    tmp_path: Path, row: dict[str, Any], question: str, answer: str
) -> None:
    path = lines(tmp_path / "set.jsonl", [row])
    assert read_benchmark(source_of(f"set={path}")) == Benchmark("set", [question], [answer])


def test_columns_that_are_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "set.jsonl", [{"question": "no", "asked": "P", "said": "S"}])
    assert read_benchmark(source_of(f"set={path}:asked")) == Benchmark("set", ["P"], [None])
    assert read_benchmark(source_of(f"set={path}:asked:said")) == Benchmark("set", ["P"], ["S"])
    assert source_of("set=gs://bucket/set.jsonl:asked") == Source("set", "gs://bucket/set.jsonl", "asked")
    assert source_of("set=lm-eval:task") == Source("set", "lm-eval:task")
    assert source_of("set=lm-eval:task:asked:said") == Source("set", "lm-eval:task", "asked", "said")


def test_rows_without_an_answer_lose_none_of_the_others(tmp_path: Path) -> None:
    rows = [{"question": "P"}, {"question": "Q", "answer": "S"}, {"question": "R", "answer": None}]
    path = lines(tmp_path / "set.jsonl", rows)
    for columns in ("", ":question:answer"):
        assert read_benchmark(source_of(f"set={path}{columns}")).answers == [None, "S", None]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "P", "answer": "S"}, "has no column 'said', it has question, answer; name the columns"),
        ({"question": "P", "said": {"x": 1}}, "has no answer in 'said', which is empty or no text; name the columns"),
    ],
)
def test_a_named_column_without_any_answer_is_refused(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = lines(tmp_path / "set.jsonl", [row, row])
    with pytest.raises(UsageError, match=re.escape(f"{path} {said}")):
        read_benchmark(source_of(f"set={path}:question:said"))


@pytest.mark.parametrize("argument", ["sums", "sums=", "=file", "a b=file", "../x=file", "a=f:q:a:x", "a=f:", "a=:q"])
def test_an_argument_of_another_form(argument: str) -> None:
    with pytest.raises(UsageError, match=r"NAME=FILE|cannot be called"):
        source_of(argument)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("set.jsonl", b"", "has no rows"),
        ("set.jsonl", b"\n \n", "has no rows"),
        ("set.jsonl", b'{"question": "P"}\nno', "line 2 is no JSON object"),
        ("set.jsonl", b"[1]", "line 1 is no JSON object"),
        ("set.jsonl", b'{"question": "P"}\n{"question": null}', "row 2 has no text in 'question'"),
        ("set.jsonl", b'{"question": " "}', "row 1 has no text in 'question'"),
        ("set.jsonl", b'{"question": 7}', "'question' holds int and no text; name the columns"),
        ("set.jsonl", b'{"id": 1}', "none of its columns (id) is known as a question's"),
        ("set.jsonl", b"\xff\xfe", "cannot be read"),
        ("set.jsonl.gz", b"no gzip", "cannot be read"),
        ("set.jsonl.gz", gzip.compress(b'{"question": "P"}')[:-3], "cannot be read"),
        ("set.parquet", b"no parquet", "cannot be read"),
        ("set.csv", b"question\nP", "neither .jsonl, .jsonl.gz nor .parquet"),
    ],
)
def test_a_file_that_is_no_benchmark(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_benchmark(source_of(f"set={path}"))
    assert said in str(raised.value) and "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_an_index_says_whether_it_took_the_place_of_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["benchmarks", "build", f"set={lines(tmp_path / 'set.jsonl', ROWS)}", "--output", str(tmp_path / "index")]
    assert main(command) == 0 and "in place of" not in capsys.readouterr().out
    assert main(command) == 0 and "hashes alone, in place of the one before." in capsys.readouterr().out
    assert main([*command[:-1], "/proc/index"]) == 2
    assert "cannot write to --output /proc/index" in capsys.readouterr().err


class Task:
    def __init__(self, *rows: dict[str, Any]) -> None:
        self.eval_docs = rows


class TaskManager:
    all_tasks = ("two", "broken")

    def load(self, task: str) -> dict[str, dict[str, Task]]:
        if task == "broken":
            raise ConnectionError("no\nroute")
        return {"tasks": {"a": Task({"input": "P", "target": "S"}), "b": Task({"input": "Q", "target": "T"})}}


@pytest.fixture
def lm_eval(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    tasks = types.ModuleType("lm_eval.tasks")
    tasks.TaskManager = TaskManager  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lm_eval", types.ModuleType("lm_eval"))
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", tasks)
    yield tasks


def test_the_tasks_of_a_group_are_one_benchmark(lm_eval: types.ModuleType) -> None:
    assert read_benchmark(source_of("set=lm-eval:two")) == Benchmark("set", ["P", "Q"], ["S", "T"])
    assert read_benchmark(source_of("set=lm-eval:two:target:input")) == Benchmark("set", ["S", "T"], ["P", "Q"])


def test_what_is_wrong_with_a_task_is_one_line(lm_eval: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="has no column 'asked', it has input, target"):
        read_benchmark(source_of("set=lm-eval:two:asked"))
    with pytest.raises(UsageError, match="lm-eval has no task tow; did you mean two"):
        read_benchmark(source_of("set=lm-eval:tow"))
    with pytest.raises(UsageError, match=r"cannot be loaded \(ConnectionError: no route\)"):
        read_benchmark(source_of("set=lm-eval:broken"))
    monkeypatch.delattr(TaskManager, "load")
    with pytest.raises(UsageError, match="too old; pip install 'lm-eval>="):
        read_benchmark(source_of("set=lm-eval:two"))
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)
    with pytest.raises(UsageError, match=r"needs lm-eval, which cannot be imported .*; pip install 'lm-eval>="):
        read_benchmark(source_of("set=lm-eval:two"))


def test_build_and_build_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = lines(tmp_path / "set.jsonl", [*ROWS, ROWS[0]]), tmp_path / "index"
    assert webscale_rl("benchmarks", "build", f"sums={path}", "--output", f"{output}/") == 0
    assert capsys.readouterr().out == (
        "benchmark  items  distinct  answers\nsums           6         5        6\n\n"
        f"The index is in {output}, hashes alone.\n"
    )
    assert open_index(str(output)).names == ("sums",)
    assert webscale_rl("benchmarks", "build", f"one={path}", f"two={path}", "--output", output, "--with-questions") == 0
    assert "with the questions in plain text" in capsys.readouterr().out
    assert pq.read_table(output / "questions.parquet").num_rows == 12


def pairs(path: Path) -> Path:
    questions = [CLEAN, f"Please: {SUMS.questions[1]}", "How old is Tom?"]
    return parquet(path, id=[10, 11, 12], question=questions, answer=["1900", "1875", None])


def test_check_writes_a_row_a_pair_and_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = index_of(tmp_path / "index")
    for name in ("a", "b"):
        pairs(tmp_path / f"{name}.parquet")
    output = tmp_path / "audit"
    asked = ("benchmarks", "check", index, "--input", tmp_path / "*.parquet", "--output", output)
    assert webscale_rl(*asked) == 0
    printed = capsys.readouterr().out.splitlines()
    assert (
        printed[0].split()
        == "benchmark items exact contained contained_and_answer overlap overlap_and_answer pairs".split()
    )
    assert printed[1].split() == ["sums", "5", "0", "4", "0", "0", "0", "4"]
    assert printed[-1] == f"4 of 6 pairs (66.67%) are contaminated; by what: {output}/contamination.parquet"
    table = pq.read_table(output / "contamination.parquet")
    assert table["id"].to_pylist() == ["10", "11", "12"] * 2
    mark = [{"benchmark": "sums", "rule": "contained", "score": 1.0}]
    assert table["contamination"].to_pylist() == [[], mark, mark] * 2
    assert webscale_rl(*asked) == 2
    assert capsys.readouterr().err == (
        f"webscale-rl: --output {output} holds contamination.parquet already; name a new directory\n"
    )


def test_check_of_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns: dict[str, list[Any]] = {name: pa.array([], pa.string()) for name in ("id", "question", "answer")}
    path = parquet(tmp_path / "none.parquet", **columns)
    index = index_of(tmp_path / "index", SUMS)
    assert webscale_rl("benchmarks", "check", index, "--input", path, "--output", tmp_path / "audit") == 0
    assert "0 of 0 pairs are contaminated" in capsys.readouterr().out
    assert pq.read_table(tmp_path / "audit" / "contamination.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["1"], "question": ["P"]}, "has no single column 'answer' (it has id, question)"),
        ({"id": ["1"], "question": [["P"]], "answer": ["S"]}, "column 'question' is list<"),
        ({"id": ["1", "2"], "question": ["P", None], "answer": ["S", "S"]}, "row 2 has no question"),
    ],
)
def test_pairs_that_cannot_be_checked(
    tmp_path: Path, columns: dict[str, list[Any]], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, index = parquet(tmp_path / "pairs.parquet", **columns), index_of(tmp_path / "index", SUMS)
    assert webscale_rl("benchmarks", "check", index, "--input", path, "--output", tmp_path / "audit") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"webscale-rl: {path}") and said in error and error.count("\n") == 1
    assert not list((tmp_path / "audit").glob("*"))


def test_what_else_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, index = lines(tmp_path / "set.jsonl", ROWS), index_of(tmp_path / "index", SUMS)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    occupied = tmp_path / "occupied"
    occupied.mkdir()
    (occupied / "notes.txt").touch()
    build, check = ("benchmarks", "build"), ("benchmarks", "check")
    out = ("--output", tmp_path / "out")
    cases: list[tuple[tuple[Any, ...], str]] = [
        (("benchmarks",), "build|check"),
        ((*build, f"a={path}"), "--output"),
        ((*build, f"a={path}", f"a={path}", *out), "two benchmarks are called a"),
        ((*build, f"a={tmp_path}/none.jsonl", *out), "none.jsonl cannot be read"),
        ((*build, f"a={path}:asked", *out), "has no column 'asked', it has question, answer"),
        ((*build, f"a={path}", "--output", occupied), "holds notes.txt already; it is no index"),
        ((*build, f"a={path}", "--output", path), "cannot be used"),
        ((*check, tmp_path, "--input", path, *out), "is no index of benchmarks"),
        ((*check, index, "--input", tmp_path / "none*", *out), "matches no file"),
        ((*check, index, "--input", tmp_path / "broken.parquet", *out), "broken.parquet cannot be read"),
        ((*check, index, "--input", pairs(tmp_path / "p.parquet"), "--output", occupied), "name a new directory"),
        ((*check, index, "--input", path, "--output", path), "cannot be used"),
    ]
    for arguments, said in cases:
        assert webscale_rl(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert said in error and error.startswith("webscale-rl: ") and error.count("\n") == 1, error
