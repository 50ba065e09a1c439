"""A model's opinion on what the rules left open, asked twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rewards.guards import to_the_grader
from rewards.text import words

Judge = Callable[[str, str, str], bool]
"""(question, one answer, another answer) -> True or False, whether they say the same. It is not told which is the
ground truth, so it cannot favour a place; a client, its prompt and its retries are the caller's. What it raises is
passed on."""

LONGEST: Final = 1_000
"""Characters of an answer that is judged: a longer one talks a judge into something."""


def judged(judge: Judge, question: str, references: Sequence[str], answer: str) -> bool:
    """Return whether a judge finds an answer the same as one of the references, in both orders.

    Not asked about an answer without a letter or digit, one of more than `LONGEST` characters, one that speaks to it.
    """
    if not any(map(str.isalnum, answer)) or len(answer) > LONGEST or to_the_grader(answer, words(answer)):
        return False
    return any(
        _same(judge, question, reference, answer) and _same(judge, question, answer, reference)
        for reference in references
    )


def _same(judge: Judge, question: str, one: str, other: str) -> bool:
    said = judge(question, one, other)
    if not isinstance(said, bool):  # what a model wrote would always be true
        raise TypeError(f"the judge said {said!r}, of type {type(said).__name__}; return True or False")
    return said
