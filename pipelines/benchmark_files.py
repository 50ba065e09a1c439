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
from transforms.benchmarks.build import Benchmark
from transforms.files import read_bytes

_QUESTIONS: Final = ("question", "Question", "problem", "prompt", "input", "text", "query", "instruction", "goal")
_ANSWERS: Final = (
    "Correct Answer", "final_answer", "answer", "Answer", "target", "solution", "canonical_solution", "code", "label",
    "answers", "output",
)  # fmt: skip
"""Names of columns, as benchmarks have them; the first that there is counts."""
_CHOICES: Final = ("choices", "options")
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
    if rest.startswith(_TASK) or Path(rest).exists():
        return Source(name, rest)
    scheme, separator, path = rest.rpartition("://")
    file, *columns = path.split(":")
    if not file or len(columns) > 2 or not all(columns):
        raise UsageError(f"{argument!r} is not NAME=FILE:QUESTION_COLUMN[:ANSWER_COLUMN]; name both by their names")
    return Source(name, scheme + separator + file, *columns)


def read_benchmark(source: Source) -> Benchmark:
    """Return the items of an evaluation set.

    Raises:
      UsageError: the file cannot be read, has no row or not the columns, or a row has no question.
    """
    if source.file.startswith(_TASK):
        rows: Iterable[Mapping[str, Any]] = task_items(source.file.removeprefix(_TASK))
    else:
        rows = _rows(source.file)
    questions: list[str] = []
    answers: list[str | None] = []
    names: tuple[str, str | None] | None = None
    for number, row in enumerate(rows, 1):
        names = names or _columns(source, row)
        question = row.get(names[0])
        if not isinstance(question, str) or not question.strip():
            raise UsageError(f"{source.file}: row {number} has no text in {names[0]!r}; correct the file, or {_REMEDY}")
        questions.append(question)
        answers.append(None if names[1] is None else _said(row.get(names[1]), row))
    if not questions:
        raise UsageError(f"{source.file} has no rows; name a file that has")
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


def _columns(source: Source, row: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the columns of the question and of the answer, which is null where there is none."""
    for wanted in (source.question, source.answer):
        if wanted is not None and wanted not in row:
            raise UsageError(f"{source.file} has no column {wanted!r}, it has {', '.join(row) or 'none'}; {_REMEDY}")
    question = source.question or next((name for name in _QUESTIONS if isinstance(row.get(name), str)), None)
    if question is None:
        raise UsageError(f"{source.file}: none of its columns ({', '.join(row)}) is known as a question's; {_REMEDY}")
    return question, source.answer or next((name for name in _ANSWERS if name in row and name != question), None)


def _said(answer: Any, row: Mapping[str, Any]) -> str | None:
    """Return an answer as text: of several the first, of a choice's number or letter the choice."""
    options: list[Any] = next((row[name] for name in _CHOICES if isinstance(row.get(name), list)), [])
    if isinstance(answer, str) and len(answer) == 1 and "A" <= answer <= "Z":
        chosen = ord(answer) - ord("A")
    else:
        chosen = answer if isinstance(answer, int) and not isinstance(answer, bool) else -1
    if 0 <= chosen < len(options):
        answer = options[chosen]
    if isinstance(answer, list):
        answer = answer[0] if answer else None
    return str(answer) if isinstance(answer, str | int | float) else None
