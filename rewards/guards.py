"""What no answer may be: denied, taken back, or addressed to whoever grades it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rewards.text import words

_TO_THE_GRADER: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:instruction|prompt|rubric|rule|reference|ground truth|guideline)"
    r"|\b(?:mark|grade|score|rate|judge|count|accept|treat)\b.{0,30}\b(?:this|it|me|my|response|answer)\b.{0,30}"
    r"\b(?:correct|right|true|1|one|full|pass|maximum)\b"
    r"|\b(?:give|assign|award|output|return|print)\b.{0,30}\b(?:score|reward|grade|verdict|full marks|full credit)\b"
    r"|\b(?:score|reward|verdict|grade|is_correct|correct)\W{1,4}(?:1(?:\.0)?|true|correct|pass|yes)\b(?=\W*$|\W*[}\n])"
    r"|\b(?:system|assistant|grader|judge|user)\s*:\s|<\|?(?:im_start|system|endoftext)|\[/?INST\]"
    r"|\bas the (?:grader|judge)\b|\bthis (?:answer|response) is (?:correct|right|true)\b",
    re.IGNORECASE | re.DOTALL,
)


_TRIGGERS: Final = frozenset(
    "ignore disregard forget override mark rate count accept treat system: assistant: grader: judge: user:".split()
)
_TRIGGERING: Final = (
    "correct", "verdict", "score", "reward", "grade", "judge", "full marks", "full credit", "<|", "[inst", "[/inst",
    "answer is ", "response is ",
)  # fmt: skip
"""Words, and parts of a text, without one of which nothing below is found."""


def to_the_grader(text: str) -> bool:
    """Return whether a response speaks to whoever grades it instead of answering."""
    lower = text.lower()
    for trigger in _TRIGGERING:
        if trigger in lower:
            return _TO_THE_GRADER.search(text) is not None
    return not _TRIGGERS.isdisjoint(lower.split()) and _TO_THE_GRADER.search(text) is not None


_NEGATIONS: Final = frozenset(
    "not never neither nor cannot without incorrect wrong false untrue except unlike no non hardly far doubt doubtful "
    "unlikely ruled".split()
)
_MAY_NEGATE: Final = re.compile(
    r"n['\u2019]t\b|\b(?:not|never|neither|nor|cannot|without|incorrect|wrong|false|untrue|except|unlike|no|non"
    r"|hardly|far from|doubt(?:ful)?|unlikely|ruled out)\b"
    r"|\b(?:instead of|rather than|other than|anything but|as opposed to|than|excluding)\b|\?\s*no\b",
    re.IGNORECASE,
)
_STOPS: Final = r"[;!?\n]|(?<!\b\w)\.(?=\s|$)|(?<!anything )\bbut\b|\b(?:however|although|though|until)\b"
_CLAUSE: Final = re.compile(rf"(?<!\d),(?!\d)|,(?=\s)|{_STOPS}", re.IGNORECASE)
_LONG_CLAUSE: Final = re.compile(_STOPS, re.IGNORECASE)
_NOT: Final = re.compile(
    r"\b(?:(?:is|was|are|were|do|does|did|has|have|had|can|could|would|should|will|wo)n['\u2019]t|(?<!\bif )not|never"
    r"|neither|nor|cannot|without|except|unlike|hardly|far from|unlikely|(?<!no )(?<!without )(?<!without a )doubt"
    r"|instead of|rather than|other than|anything but|as opposed to|excluding"
    r"|(?<!more )(?<!less )(?<!fewer )than|no(?=\s+[\w$\u20ac\u00a3-])|non(?=-))\b"
    r"(?!\s+(?:only|just|sure|certain|to mention)\b)",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"\b(?:is|was|are|were|'s|would be|'re)(?:n['\u2019]t| not| never)\s+"
    r"(?:it\b|right|true|correct|the (?:right|correct|answer)|an? answer)"
    r"|\b(?:is|was|are|were)(?:n['\u2019]t| not)\s*(?:[.!]|$)"
    r"|\b(?:is|was|are|were|be|seems?)\s+(?:\w+ly\s+)?(?:incorrect|wrong|false|untrue)\b"
    r"|^\s*(?:incorrect|wrong|false|not)\b(?! (?:only|just))|[(-]\s*(?:incorrect|wrong|false|not)\s*\)?\s*$"
    r"|\bruled out\b",
    re.IGNORECASE,
)


_BEFORE_IS_DENIED: Final = re.compile(
    r"\s*(?:no|nope|wrong|not really|false"
    r"|(?:which|that|this|it)(?:'s| is| was)(?:n['\u2019]t| not)(?: (?:the|an?))?(?: (?:right|correct|true|answer))+"
    r"|(?:which|that|this|it)(?:'s| is| was) (?:wrong|incorrect|false|untrue))\W*",
    re.IGNORECASE,
)
"""What denies the clause before it: "Paris? No.", "Paris, which is wrong"."""


def affirmed(text: str, question: str = "", commas: bool = True) -> str:
    """Return a text without what it denies: from a negation to the end of its clause, or a clause that is denied whole.

    "It is not Paris" leaves "It is", "Paris is wrong" nothing, "not only Paris" all. Where the question itself denies
    something, so does an answer that repeats it, and all stays. A comma ends a clause, but not where answers have
    commas themselves (`commas`).
    """
    if not _MAY_NEGATE.search(text) or _MAY_NEGATE.search(question):
        return text
    kept: list[str] = []
    for clause in (_CLAUSE if commas else _LONG_CLAUSE).split(text):
        if _BEFORE_IS_DENIED.fullmatch(clause):
            kept = kept[:-1]
        elif not _DENIED.search(clause):
            match = _NOT.search(clause)
            kept.append(clause[: match.start()] if match else clause)
    return "; ".join(clause.strip() for clause in kept if clause and not clause.isspace())


def may_deny(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `affirmed` looks for."""
    return not _DENYING.isdisjoint(known)


_DENYING: Final = _NEGATIONS | frozenset("t than instead rather other but opposed excluding".split())


def may_take_back(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `not_taken_back` looks for."""
    return not _RETRACTING.isdisjoint(known)


_RETRACTING: Final = frozenset("no wait actually sorry correction thought scratch hmm rather mean".split())


def denies(text: str) -> bool:
    """Return whether a text has a word that denies, as a reference may."""
    return not _NEGATIONS.isdisjoint(words(text))


_RETRACTION: Final = re.compile(
    r"(?:^|[.!?;,\n]|\.\.\.|\u2026|\u2014|-)\s{0,4}(?:no|wait|actually|sorry|correction|on second thought|scratch that"
    r"|hmm|rather|i mean|or rather)\s{0,4}[,.:!\u2014-]{1,4}\s{0,4}(?:no[,.]\s{0,4})?(?=\S)",
    re.IGNORECASE,
)


def not_taken_back(text: str) -> str:
    """Return what follows the last correction of a response ("Paris. No, wait: London"), or all of it."""
    ends = [match.end() for match in _RETRACTION.finditer(text) if match.start() > 0]
    return text[ends[-1] :] if ends else text
