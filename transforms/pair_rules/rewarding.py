"""Whether a trainer could reward a pair: its own answer scores 1, and what is wrong or says nothing scores 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from rewards import score
from rewards.dates import Date, only_dates
from rewards.quantities import PLAIN, only_quantity
from rewards.text import words
from transforms.pair_rules.mutations import mutations

_WRITTEN: Final = ("{}", "\\boxed{{{}}}", "The answer is {}")
"""How a policy gives an answer: bare, boxed, in a sentence."""

_IDLE: Final = "it is what it was and as it is so by and for a to the in or of at on"


def unrewardable(
    question: str, answer: str, answer_type: str, aliases: Sequence[str], evidence: str
) -> Iterator[tuple[str, str]]:
    """Yield the rules that a pair breaks as something to be rewarded, each with the answer that shows it.

    alias_contradicts_answer: an alias is another number, another date, or the opposite; one that says
      less of a date ("the 1300s" of "14th century") is not.
    ground_truth_not_rewarded: `rewards.score` of the answer itself is 1: bare, boxed, and behind "The answer is".
    idle_words_rewarded: it is 0 for words that say nothing ("it", "in", "the"), which any reply has, and the answer is
      none of them.
    mutation_rewarded: `rewards.score` of three wrong answers (`mutations`) is 0, which fails where an alias says too
      much.

    The rules alone decide. Expressions that differ in writing are compared by math-verify, where it is installed, for
    five seconds each at most.

    Args:
      question: the question.
      answer: the answer, not empty.
      answer_type: one of `schemas.domains.ANSWER_TYPES`.
      aliases: other ways to say it.
      evidence: the sentence that proves it.
    """
    # Of two values that its maker gave for one answer, one is wrong, and nothing here tells which: with the alias left
    # out, a trainer might still pay for the wrong one.
    for alias in aliases:
        if _contradicts(alias, answer, answer_type):
            yield "alias_contradicts_answer", alias
    for response in (form.format(" ".join(answer.split())) for form in _WRITTEN):
        if score(question, answer, response, answer_type, aliases).score != 1:
            yield "ground_truth_not_rewarded", response
    idle = answer_type in ("name", "phrase") and answer.casefold().strip(" .\"'") in _IDLE.split()
    if idle or score(question, answer, _IDLE, answer_type, aliases).score != 0:
        yield "idle_words_rewarded", answer
    for wrong in mutations(question, answer, answer_type, aliases, evidence):
        if score(question, answer, wrong, answer_type, aliases).score != 0:
            yield "mutation_rewarded", wrong


_YES: Final = frozenset(("yes", "true"))
_NO: Final = frozenset(("no", "false"))


def _contradicts(alias: str, answer: str, answer_type: str) -> bool:
    """Return whether an alias denies the answer, or is a value of its type, and surely another one."""
    if words(alias) == ["not", *words(answer)]:
        return True
    if answer_type == "boolean":
        one, other = alias.casefold().strip(" ."), answer.casefold().strip(" .")
        return (one in _YES and other in _NO) or (one in _NO and other in _YES)
    if answer_type == "date":
        return _other_date(alias, answer)
    return answer_type == "number" and _other_number(alias, answer)


def _other_date(alias: str, answer: str) -> bool:
    ours, theirs = only_dates(words(answer)), only_dates(words(alias))
    if len(ours) != 1 or len(theirs) != 1:
        return False
    one, other = ours[0], theirs[0]
    if one.year and other.year:
        if not _overlap(_years(one.year), _years(other.year)):
            return True
        other = other._replace(year=one.year)
    # 4/7 is July in one country and April in another.
    return not one.agrees(other) and (
        (other.day or 13) > 12 or not one.agrees(Date(other.year, other.day, other.month))
    )


def _years(said: str) -> tuple[int, int]:
    """Return the first and the last year of a `Date.year`, before Christ or after: who leaves the era out means it."""
    number = int(re.sub(r"\D", "", said))
    if "c" in said.removesuffix("bc"):
        return (number - 1) * 100, number * 100
    if said.endswith("s"):
        # "The 1300s" are ten years or the 14th century.
        return number, number + (99 if number % 100 == 0 else 9)
    return number, number


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    # 1400 ends a century and begins the 1400s: two periods that share no more are apart.
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 0 or (shared == 0 and (one[0] == one[1] or other[0] == other[1]))


_ROUNDED: Final = 0.05  # by which a conversion between units may be rounded


def _other_number(alias: str, answer: str) -> bool:
    ours, theirs = only_quantity(answer), only_quantity(alias)
    if ours is None or theirs is None or ours.kind != theirs.kind or not (ours.low and theirs.low):
        return False
    ratio = abs(float(theirs.low / ours.low))
    if ours.kind == PLAIN[0]:
        while ratio < 0.5:
            ratio *= 10  # "1.5" of millions, "1.5 million"; "0.5", "50"
        while ratio > 5:
            ratio /= 10
    return abs(ratio - 1) > _ROUNDED
