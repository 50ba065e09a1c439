"""Evaluation sets as they lie in files: JSON Lines, gzip or not, Parquet, or a task of lm-eval."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError

from pipelines.lm_eval_tasks import task_items
from pipelines.options import UsageError
from rewards.extract import extract
from transforms.benchmarks.build import Benchmark
from transforms.files import read_bytes

_QUESTIONS: Final = ("question", "Question", "problem", "prompt", "input", "text", "query", "instruction", "goal")
_ANSWERS: Final = (
    "Correct Answer", "final_answer", "answer", "Answer", "answerKey", "target", "solution", "canonical_solution",
    "code", "label", "answers", "output",
)  # fmt: skip
"""Names of columns, as benchmarks have them; the first that holds one counts, for answers in each row."""
_CHOICES: Final = ("choices", "options")
_WITHIN: Final = ("value", "text", "answer", "aliases")
"""Where an answer with several parts has its text, as TriviaQA's, SQuAD's."""
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BOX: Final = "\\boxed{"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TASK: Final = "lm-eval:"
_REMEDY: Final = "name the columns: NAME=FILE:QUESTION_COLUMN[:ANSWER_COLUMN]"


@dataclass(frozen=True, slots=True)
class Source:
    """What `NAME=FILE[:QUESTION_COLUMN[:ANSWER_COLUMN]]` names; a file `lm-eval:TASK` is a task of lm-eval."""

    name: str
    file: str
    question: str | None = None
    answer: str | None = None


def source_of(argument: str) -> Source:
    """Return what an argument names.

    Raises:
      UsageError: it has another form.
    """
    name, equals, rest = argument.partition("=")
    if not equals or not rest:
        raise UsageError(f"{argument!r} is not NAME=FILE; name each benchmark, as in gsm8k=gsm8k_test.jsonl")
    if not _NAME.fullmatch(name):
        raise UsageError(f"a benchmark cannot be called {name!r}; use letters, digits, and . _ - within")
    if not rest.startswith(_TASK) and Path(rest).exists():
        return Source(name, rest)
    separator = _TASK if rest.startswith(_TASK) else "://"
    scheme, separator, path = rest.rpartition(separator)
    file, *columns = path.split(":")
    if not file or len(columns) > 2 or not all(columns):
        raise UsageError(f"{argument!r} is not NAME=FILE:QUESTION_COLUMN[:ANSWER_COLUMN]; name both by their names")
    return Source(name, scheme + separator + file, *columns)


def read_benchmark(source: Source) -> Benchmark:
    """Return the items of an evaluation set.

    Raises:
      UsageError: the file cannot be read, has no row or not the columns, a row has no question, or none has an answer
        though their column is named.
    """
    if source.file.startswith(_TASK):
        rows: Iterable[Mapping[str, Any]] = task_items(source.file.removeprefix(_TASK))
    else:
        rows = _rows(source.file)
    questions: list[str] = []
    answers: list[str | None] = []
    column: str | None = None
    held: dict[str, None] = {}
    for number, row in enumerate(rows, 1):
        held.update(dict.fromkeys(row))
        column = column or _question_column(source, row)
        question = row.get(column)
        if not isinstance(question, str) or not question.strip():
            raise UsageError(f"{source.file}: row {number} has no text in {column!r}; correct the file, or {_REMEDY}")
        questions.append(question)
        names = [source.answer] if source.answer else [name for name in _ANSWERS if name != column]
        answers.append(next((said for name in names if (said := _said(row.get(name), row)) is not None), None))
    if not questions:
        raise UsageError(f"{source.file} has no rows; name a file that has")
    if source.answer is not None and not any(answers):
        raise UsageError(_lacks(source.file, source.answer, held, "answer in"))
    return Benchmark(source.name, questions, answers)


def _rows(file: str) -> Iterator[Mapping[str, Any]]:
    read = _parquet if file.endswith(".parquet") else _lines if file.endswith((".jsonl", ".jsonl.gz")) else None
    if read is None:
        raise UsageError(f"{file} is neither .jsonl, .jsonl.gz nor .parquet; convert it to one of them")
    try:
        yield from read(file, read_bytes(file))
    except (OSError, EOFError, zlib.error, BeamIOError, pa.ArrowException, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{file} cannot be read: {said}; name a readable file") from None


def _parquet(_: str, data: bytes) -> Iterator[Mapping[str, Any]]:
    with pq.ParquetFile(io.BytesIO(data)) as opened:
        for batch in opened.iter_batches(batch_size=1024, use_threads=False):
            yield from batch.to_pylist()


def _lines(file: str, data: bytes) -> Iterator[Mapping[str, Any]]:
    text = (gzip.decompress(data) if file.endswith(".gz") else data).decode("utf-8-sig")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"{file}: line {number} is no JSON object; each line holds one item")
        yield row


def _question_column(source: Source, row: Mapping[str, Any]) -> str:
    if source.question is not None and source.question not in row:
        raise UsageError(_lacks(source.file, source.question, row))
    question = source.question or next((name for name in _QUESTIONS if isinstance(row.get(name), str)), None)
    known = next((name for name in _QUESTIONS if row.get(name) is not None), None)
    if question is None and known is not None:
        raise UsageError(f"{source.file}: {known!r} holds {type(row[known]).__name__} and no text; {_REMEDY}")
    if question is None:
        raise UsageError(f"{source.file}: none of its columns ({', '.join(row)}) is known as a question's; {_REMEDY}")
    return question


def _lacks(file: str, column: str, held: Iterable[str], what: str = "column") -> str:
    names = list(held)
    if column in names:
        return f"{file} has no {what} {column!r}, which is empty or no text; {_REMEDY}"
    return f"{file} has no column {column!r}, it has {', '.join(names) or 'none'}; {_REMEDY}"


def _said(answer: Any, row: Mapping[str, Any]) -> str | None:
    """Return an answer as text: of several the first, of a choice's number or letter the choice, of a solution its box.

    It is null where there is none.
    """
    options = _options(row)
    if isinstance(answer, str) and answer in options:
        answer = options[answer]
    elif isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(options):
        answer = list(options.values())[answer]
    if isinstance(answer, Mapping):
        return next((said for name in _WITHIN if (said := _said(answer.get(name), {})) is not None), None)
    if isinstance(answer, list):
        return next((said for each in answer if (said := _said(each, {})) is not None), None)
    if isinstance(answer, str) and _BOX in answer:
        return extract(answer)[0]
    return str(answer) if isinstance(answer, str | int | float) and str(answer).strip() else None


def _options(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices of a row by their letters, or by what ARC calls them."""
    for options in map(row.get, _CHOICES):
        if isinstance(options, list):
            return dict(zip(_LETTERS, options, strict=False))
        if isinstance(options, Mapping):
            texts, labels = options.get("text"), options.get("label")
            if isinstance(texts, list) and isinstance(labels, list):
                return dict(zip(map(str, labels), texts, strict=False))
    return {}
