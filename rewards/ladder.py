"""The score of a response: tier after tier, from what is certain to what is judged."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from rewards import typed
from rewards.choices import boolean, choice
from rewards.expressions import expression
from rewards.extract import MAX_CHARACTERS, READ_CHARACTERS, bare, extract, without_thinking
from rewards.guards import is_crossed_out, to_the_grader
from rewards.judging import Judge, judged
from rewards.phrases import text_of
from rewards.text import fold, stems_of, words, words_of


class Verdict(NamedTuple):
    """Whether a response is right.

    Attributes:
      score: 1.0 or 0.0.
      tier: what decided. For it: "alias", "phrase", "name", "date", "number", "content", "part", "most", "boolean",
        "choice", "expression", "symbolic", "judge". Against it also: "empty", "too_long", "echo", "to_the_grader",
        "negated", "several_answers", and "none" where no rule found the ground truth.
      extracted: the text that was scored.
    """

    score: float
    tier: str
    extracted: str


_RULES: Final[dict[str, typed.Rule]] = {
    "number": typed.number,
    "date": functools.partial(typed.phrase, tier="date"),
    "name": functools.partial(typed.phrase, tier="name"),
    "phrase": typed.phrase,
    "boolean": boolean,
    "choice": choice,
    "expression": expression,
}


def score(
    question: str,
    ground_truth: str,
    response: str | None,
    answer_type: str,
    aliases: Iterable[str] | None = (),
    judge: Judge | None = None,
) -> Verdict:
    """Score a response to a question.

    Args:
      question: the question.
      ground_truth: the answer.
      response: all that the policy wrote; None, as trainers give for a rollout that failed, is an empty one.
      answer_type: number, date, name, phrase, boolean, choice or expression; which rule decides.
      aliases: other ways to say the answer; None, as tables give for no list, is none.
      judge: a model, asked only where the rules say neither yes nor no (`rewards.judging`).

    Returns:
      The score, the tier that decided, and the text that it decided on.

    Raises:
      ValueError: the answer type is none of these, or the ground truth is empty.
      TypeError: what should be text is not, the aliases are one text and no list of them, or the judge is no function
        or says something else than True or False.
    """
    references = references_of(question, ground_truth, answer_type, aliases)
    if judge is not None and not callable(judge):
        raise TypeError(f"judge is {judge!r}, of type {type(judge).__name__}; use a function (`rewards.judging.Judge`)")
    if response is not None and not isinstance(response, str):
        raise TypeError(f"response is of type {type(response).__name__}; use a str, of a chat message its content")
    answer = response or ""
    if len(answer) > MAX_CHARACTERS and len(without_thinking(answer).strip()) > MAX_CHARACTERS:
        return Verdict(0.0, "too_long", "")
    text, others = extract(answer)
    if len(text) > READ_CHARACTERS:
        return Verdict(0.0, "too_long", "")
    if others and {_same(other, answer_type) for other in others} != {_same(text, answer_type)}:
        return Verdict(0.0, "several_answers", text)
    longest, known = _known(references, answer_type)
    if len(text) <= longest + _SPREAD and _same(text, answer_type) in known:
        return Verdict(1.0, "alias", text)
    text, said = _without_question(text, question)
    if said:
        return Verdict(0.0, said, text)
    if answer_type != "expression" and is_crossed_out(text):
        return Verdict(0.0, "negated", text)
    ruling = _RULES[answer_type](typed.Case(question, references, text))
    if (ruling is None or ruling.right) and to_the_grader(text, text_of(text).words):
        return Verdict(0.0, "to_the_grader", text)
    if ruling is not None:
        return Verdict(float(ruling.right), ruling.tier, text)
    if judge is not None and judged(judge, question, references, text):
        return Verdict(1.0, "judge", text)
    return Verdict(0.0, "judge" if judge is not None else "none", text)


def references_of(
    question: str, ground_truth: str, answer_type: str, aliases: Iterable[str] | None = ()
) -> tuple[str, ...]:
    """Return the ground truth of a pair and its aliases.

    Raises:
      ValueError, TypeError: what is wrong with the pair, as `score` says it.
    """
    if not (isinstance(question, str) and isinstance(ground_truth, str) and isinstance(answer_type, str)):
        raise _no_text(question=question, ground_truth=ground_truth, answer_type=answer_type)
    if answer_type not in _RULES:
        raise ValueError(f"answer_type is {answer_type!r}; use one of {', '.join(_RULES)}")
    if not ground_truth.strip():
        raise ValueError("ground_truth is empty: such a pair has no right answer, drop it")
    return ground_truth, *_checked(aliases)


def _no_text(**values: object) -> TypeError:
    name, value = next((name, value) for name, value in values.items() if not isinstance(value, str))
    return TypeError(f"{name} is {value!r}, of type {type(value).__name__}; use a str")


def _checked(aliases: Iterable[str] | None) -> Iterable[str]:
    if isinstance(aliases, str):
        raise TypeError(f"aliases is the text {aliases!r}; use a list: [{aliases!r}]")
    try:
        found = () if aliases is None else tuple(aliases)
    except TypeError:
        raise TypeError(f"aliases is {aliases!r}, of type {type(aliases).__name__}; use a list of str") from None
    for alias in found:
        if not isinstance(alias, str):
            raise TypeError(f"aliases has {alias!r}, of type {type(alias).__name__}; use str only")
    return filter(str.strip, found)


_SPREAD: Final = 20  # characters that an answer may have beyond those of a reference, and still be the same


@functools.lru_cache(maxsize=16384)
def _known(references: tuple[str, ...], answer_type: str) -> tuple[int, frozenset[str]]:
    """Return the length of the longest reference, and all of them as answers are compared."""
    return max(map(len, references)), frozenset(_same(bare(reference), answer_type) for reference in references)


@functools.lru_cache(maxsize=16384)
def _same(text: str, answer_type: str) -> str:
    """Return what two texts share that are the same answer: their words, or their signs where these count."""
    plain = " ".join(fold(text).split())
    if answer_type == "expression":
        return plain
    if answer_type == "number":
        return plain.strip(" .")
    if answer_type in ("boolean", "choice") or not plain.isascii() or _SIGN.search(plain):
        return plain.casefold().strip(" .")
    return " ".join(words_of(plain)) or plain


_SIGN: Final = re.compile(r"[%$+#=<>^*/\\~&@]|(?<!\w)(?:-\d|!\w)")
"""What tells answers apart though it is no letter."""


def _without_question(text: str, question: str) -> tuple[str, str]:
    """Return a text without the question before it, and why it is no answer, if so: "empty" or "echo"."""
    if not (text[:1].isalnum() or any(map(str.isalnum, text))):
        return (text, "empty") if len(text) > 3 or not text.strip(" .,;:!?-_'\"()[]") else (text, "")
    begins = question[:1].lower() == text[:1].lower()
    if begins and text[: len(question)].lower().startswith(question.lower().rstrip(" ?")):
        rest = text[len(question.rstrip(" ?")) :].lstrip(" ?:-\n\"'")
        return rest, "" if words(rest) else "echo"
    if abs(len(text) - len(question)) < 10 and len(text_of(text).words) > 2:
        return text, "echo" if tuple(text_of(text).stems) == stems_of(question) else ""
    return text, ""
