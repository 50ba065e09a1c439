"""Evaluation sets of our own writing, small and of several kinds, and what tests ask of their index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from schemas.records import Contamination
from transforms.benchmarks.build import Benchmark, build_index
from transforms.benchmarks.index import open_index
from transforms.benchmarks.rules import contaminations

SUMS = Benchmark(
    "sums",
    [
        "Mara bakes 3 trays of 12 rolls each morning. She gives 5 rolls to a neighbour and sells the rest at the fair"
        " for $2 each. How many dollars does Mara earn at the fair?",
        "A lorry carries 1,250 bricks on its first trip and half as many on its second. How many bricks in all?",
        "Tom's ladder has 14 rungs, and 6 of them are broken. Then he mends 2. How old is Tom?",
        "What is the total cost of 8 lamps at \u20ac15 each and a well-known painter's easel at \u20ac40.50?",
        "Lena walks 4 km to school on each of five days. How far does she walk?",
    ],
    ["3*12=36, 36-5=31\n#### 62", "1250+625\n#### 1875", "no way to tell\n#### none", "#### 160.50", "#### 20"],
)
FACTS = Benchmark(
    "facts",
    [
        "who painted the ceiling of the town hall in Varle",
        "Which of the following is true?",
        "\u00bfEn qu\u00e9 a\u00f1o se inaugur\u00f3 el puente de Marbiel?",
        "\u6e56\u5317\u7701\u7684\u7701\u4f1a\u662f\u54ea\u4e2a\u57ce\u5e02\uff1f",
        "Complete the row of brackets, each closed by its like. Input: { [ ( < > [",
        "not ( True ) and not False is",
        "Evaluate $\\int_0^{7} (3x^2 + 2x)\\,dx$ and give the value.",
        "Choose the odd one out.\nOptions:\n(A) granite\n(B) basalt\n(C) linen\n(D) marble",
    ],
    ["Ilse Marden", "B", "1931", "\u6b66\u6c49", "] ) ] }", "False", "392", "(C)"],
)
CODE = Benchmark(
    "code",
    [
        'def widest_gap(numbers: list[int]) -> int:\n    """Return the widest gap between two neighbours of a list.\n'
        '    >>> widest_gap([1, 4, 6])\n    3\n    """\n',
    ],
    ["    return max(b - a for a, b in zip(numbers, numbers[1:]))"],
)
SETS = (SUMS, FACTS, CODE)


def index_of(directory: Path, *benchmarks: Benchmark, with_questions: bool = False) -> str:
    """Build an index and return its directory."""
    build_index(benchmarks or SETS, str(directory), with_questions=with_questions)
    return str(directory)


def found(
    index: str, questions: Sequence[str | None], answers: Sequence[str | None] | None = None
) -> list[tuple[Contamination, ...]]:
    """Return what contaminates each question."""
    said = answers or [None] * len(questions)
    rows = contaminations([open_index(index)], pa.array(questions, pa.string()), pa.array(said, pa.string()))
    return [rows.get(row, ()) for row in range(len(questions))]
