"""Measures how many copies of benchmarks' questions the rule finds, what it marks of clean ones, and how fast it is.

    python -m bench.decontamination --benchmarks gsm8k=gsm8k_test.jsonl.gz bbh=bbh.jsonl.gz --clean OUTPUT/pairs

Benchmarks are files as `webscale-rl benchmarks build` takes them, clean pairs Parquet files with question and answer.
Each item is changed in each of some ways and looked for, with its answer and without; beside ours stands what is usual,
a run of 13 words in common (Brown et al. 2020, appendix C). Then questions are looked for that have much in common with
an item and are another: parts of templates' questions, and half of each benchmark in an index of the other half.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.benchmark_files import read_benchmark, source_of
from transforms.benchmarks.build import Benchmark, build_index
from transforms.benchmarks.index import Index, open_index
from transforms.benchmarks.rules import contaminations

_PREAMBLE: Final = "Read the following carefully and think step by step before you reply.\n\n"
_SUFFIX: Final = "\nAnswer with a number or a single word."
_MARKS: Final = re.compile(r"[^\w\s]|_")
_RUN: Final = 13
_BATCH: Final = 10_000
_ASKED: Final = 100_000


def last_sentence(text: str) -> str:
    """Return what stands behind the last full stop, exclamation or question mark that ends a sentence."""
    return re.split(r"(?<=[.!?])\s+", text.strip())[-1]


def changed(text: str) -> str:
    """Return a text in another case, with other punctuation and spacing, each of them in one of three ways."""
    chance = random.Random(text)
    text = chance.choice((str.upper, str.lower, str.swapcase))(text)
    pattern, instead = chance.choice(((_MARKS, ""), (_MARKS, " "), (re.compile(r"(\s)"), r",\1")))
    return chance.choice(("  ", " ", "\n")).join(pattern.sub(instead, text).split())


def last_line(text: str) -> str:
    """Return what stands behind the last line break, colon, semicolon or end of a sentence."""
    return re.split(r"(?<=[.!?:;])\s+|\n\s*", text.strip())[-1]


VARIANTS: Final[dict[str, Callable[[str], str]]] = {
    "verbatim": lambda text: text,
    "preamble": lambda text: _PREAMBLE + text,
    "preamble and suffix": lambda text: _PREAMBLE + text + _SUFFIX,
    "changed": changed,
    "last sentence": last_sentence,
    "last line or clause": last_line,
    "last sentence, preamble": lambda text: _PREAMBLE + last_sentence(text),
    "last sentence, suffix": lambda text: last_sentence(text) + _SUFFIX,
}


_WORKS: Final = ("War and Peace", "Emma", "The Trial", "Middlemarch", "Faust", "Dracula", "Ulysses", "The Tempest")
_PLACES: Final = ("France", "Austria", "Niger", "New York", "Guinea", "Georgia", "York", "Mexico", "Sudan", "Peru")
_NUMBERS: Final = ("14", "2", "36", "7", "100", "1.5")
# The question of an item, and questions that have it in them or are in it, and ask for something else.
_TEMPLATES: Final = (
    (_WORKS, "What is the birthplace of the person who wrote {}?", ("Who wrote {}?", "When was {} first printed?")),
    (_WORKS, "Who wrote {}?", ("Where was the person who wrote {} born?", "Who wrote {}'s first translation?")),
    (_WORKS, "In which year was {} written, and where?", ("In which year was {} written?", "Where was {} set?")),
    (_PLACES, "What is the capital of {}?", ("What is the capital of {}'s largest region?", "Is {} a capital?")),
    (_PLACES, "Who was the first president of {}?", ("Who was the first president of {}ria?",)),
    (_PLACES, "The capital of {} is", ("The capital of {} is the birthplace of which mathematician?",)),
    (_PLACES, "Which is the oldest {}-based firm?", ("Which is the oldest {}?", "Which is the oldest firm in {}?")),
    (_PLACES, "Who first climbed the highest peak of {}'s north?", ("Who first climbed the highest peak of {}?",)),
    (_PLACES, "Why is the flag of {} blue?", ("Is the flag of {} blue?", "What is on the flag of {}?")),
    (
        _NUMBERS,
        "What is the square root of {}?",
        ("What is the square root of {}4?", "What is the square root of {}.5?"),
    ),
    (_NUMBERS, "Evaluate 1 + 2 + {}", ("Evaluate 1 + 2 + {} + 4 + 5", "Evaluate 1 + 2 + {}8")),
    (
        _NUMBERS,
        "How much is 3x + 1 when x = {}?",
        ("How much is 3x + 1 when x = {}5?", "How much is x when 3x + 1 = {}?"),
    ),
)


def near_misses() -> tuple[Benchmark, list[str]]:
    """Return a benchmark, and questions none of which is one of its own."""
    items = [item.format(each) for names, item, _ in _TEMPLATES for each in names]
    others = [other.format(each) for names, _, forms in _TEMPLATES for each in names for other in forms]
    distinct = set(items)
    return Benchmark("templates", items, [f"answer {n}" for n in range(len(items))]), [
        other for other in dict.fromkeys(others) if other not in distinct
    ]


def runs(text: str) -> set[tuple[str, ...]]:
    """Return the runs of 13 words of a text; a shorter one has none."""
    words = _MARKS.sub(" ", text.lower()).split()
    return {tuple(words[place : place + _RUN]) for place in range(len(words) - _RUN + 1)}


def marked(index: Index, questions: Sequence[str], answers: Sequence[str | None]) -> list[int]:
    """Return the numbers of the questions that the rule marks."""
    found = contaminations([index], pa.array(questions, pa.string()), pa.array(answers, pa.string()))
    return sorted(found)


def _index(benchmarks: Iterable[Benchmark], directory: str) -> Index:
    build_index(list(benchmarks), directory)
    return open_index(directory)


def _show(name: str, ours: float, peer: float, unanswered: float | None = None) -> None:
    without = "" if unanswered is None else f"   without answers {unanswered:8.2%}"
    print(f"  {name:24} {ours:8.2%}{without}   any 13 words {peer:8.2%}")


def _variants(index: Index, benchmark: Benchmark, known: set[tuple[str, ...]]) -> None:
    answers = list(benchmark.answers)
    print(f"{benchmark.name}: {len(benchmark.questions):,} items, found")
    for name, change in VARIANTS.items():
        questions = [change(question) for question in benchmark.questions]
        peer = sum(not known.isdisjoint(runs(question)) for question in questions)
        shares = (len(marked(index, questions, said)) / len(questions) for said in (answers, [None] * len(questions)))
        _show(name, next(shares), peer / len(questions), next(shares))


def _clean(index: Index, questions: list[str], answers: list[str | None], known: set[tuple[str, ...]]) -> None:
    found = contaminations([index], pa.array(questions, pa.string()), pa.array(answers, pa.string()))
    peer = sum(not known.isdisjoint(runs(question)) for question in questions)
    print(f"clean: {len(questions):,} questions, marked")
    _show("", len(found) / len(questions), peer / len(questions))
    for number, items in sorted(found.items()):
        print(f"    {questions[number]!r} ({answers[number]!r}): {items}")


def _near(scratch: str) -> None:
    benchmark, questions = near_misses()
    index = _index([benchmark], f"{scratch}/near")
    wrong = marked(index, questions, [None] * len(questions))
    print(f"near misses: {len(questions)} questions, marked {len(wrong) / len(questions):.2%}")
    for number in wrong:
        print(f"    {questions[number]!r}")


def _halves(benchmark: Benchmark, scratch: str) -> None:
    """Print what of every second item is marked by an index of the others, without the items that are in both."""
    even, odd = (Benchmark(benchmark.name, benchmark.questions[k::2], benchmark.answers[k::2]) for k in (0, 1))
    index = _index([even], f"{scratch}/{benchmark.name}-half")
    known = set().union(*map(runs, even.questions))
    there = {" ".join(question.split()) for question in even.questions}
    rest = [(q, a) for q, a in zip(odd.questions, odd.answers, strict=True) if " ".join(q.split()) not in there]
    peer = sum(not known.isdisjoint(runs(question)) for question, _ in rest)
    questions, answers = map(list, zip(*rest, strict=True))
    _show(f"half of {benchmark.name}", len(marked(index, questions, answers)) / len(rest), peer / len(rest))


def _speed(index: Index, questions: list[str], answers: list[str | None]) -> None:
    asked = (questions * (_ASKED // len(questions) + 1))[:_ASKED]
    said = (answers * (_ASKED // len(answers) + 1))[:_ASKED]
    columns = pa.array(asked, pa.string()), pa.array(said, pa.string())
    contaminations([index], *(column[:_BATCH] for column in columns))
    start = time.process_time()
    for first in range(0, len(asked), _BATCH):
        contaminations([index], *(column[first : first + _BATCH] for column in columns))
    rate, characters = len(asked) / (time.process_time() - start), sum(map(len, asked)) / len(asked)
    print(f"speed: {rate:,.0f} questions/s on one core, {characters:.0f} characters each")


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("--clean", nargs="+", type=Path, required=True, metavar="PARQUET")
    flags = parser.parse_args()
    benchmarks = [read_benchmark(source_of(each)) for each in flags.benchmarks]
    table = pa.concat_tables([pq.read_table(path, columns=["question", "answer"]) for path in flags.clean])
    questions, answers = table["question"].to_pylist(), table["answer"].to_pylist()
    with tempfile.TemporaryDirectory() as scratch:
        start = time.process_time()
        index = _index(benchmarks, f"{scratch}/all")
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*.*"))
        spent = time.process_time() - start
        print(f"index: {len(index):,} distinct items, {size / 1e6:.1f} MB, built and opened in {spent:.1f} s")
        known = set().union(*(runs(question) for benchmark in benchmarks for question in benchmark.questions))
        for benchmark in benchmarks:
            _variants(index, benchmark, known)
        _clean(index, questions, answers, known)
        _near(scratch)
        _speed(index, questions, answers)
        print("questions of the same kind, marked")
        for benchmark in benchmarks:
            _halves(benchmark, scratch)


if __name__ == "__main__":
    main()
