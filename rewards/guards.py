"""What no answer may be: denied, taken back, or addressed to whoever grades it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from rewards.text import FUNCTION_WORDS, stems_of, words

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
    "ignore disregard forget override mark grade score rate judge count accept treat reward verdict marks credit "
    "correct system assistant grader user im inst endoftext answer response".split()
)
"""The words without one of which nothing of the above is found."""


def to_the_grader(text: str, said: Iterable[str]) -> bool:
    """Return whether a response, `said` in words, speaks to whoever grades it instead of answering."""
    return not _TRIGGERS.isdisjoint(said) and _TO_THE_GRADER.search(text) is not None


_NEGATIONS: Final = frozenset(
    "not never neither nor cannot without incorrect wrong false untrue except unlike no non hardly far doubt doubtful "
    "unlikely ruled aint isnt wasnt lack absence inhibition opposite anti mistake".split()
)
_MAY_NEGATE: Final = re.compile(
    r"n['\u2019]t\b|\b(?:not|never|neither|nor|cannot|without|incorrect|wrong|false|untrue|except|unlike|no|non"
    r"|hardly|far from|doubt(?:ful)?|unlikely|ruled out|aint|isnt|wasnt|(?:lack|absence|inhibition|opposite) of|anti"
    r"|mistake to)\b"
    r"|\b(?:instead of|rather than|other than|(?:any|every)(?:thing|one|body|where) but|as opposed to|than|excluding)\b"
    r"|\?\s*no\b",
    re.IGNORECASE,
)
_ABBREVIATED: Final = "".join(
    rf"(?<!\b{word}\.)" for word in "\\w St Mt Ft Dr Mr Ms Jr Sr Lt vs Mrs Gen Gov Sen Rev Col Sgt Prof Capt".split()
)
# What a clause ends with comes first, so that the engine may skip to it.
_STOPS: Final = (
    rf"(?<=[;!?\n])|(?<=\u2014)(?<=\w.)(?<![Nn]ot.)|(?<=\.)(?=\s|$){_ABBREVIATED}"
    r"|(?<=\b[bB])(?<!thing .)(?<!yone .)(?<!ybody .)ut\b|(?<=\b[hH])owever\b"
    r"|(?<=\b[aA])lthough\b|(?<=\b[tT])hough\b|(?<=\b[uU])ntil\b"
)
_CLAUSE: Final = re.compile(rf"[,;!?\n.\u2014bBhHaAtTuU](?:(?<=,)(?:(?<!\d,)(?!\d)|(?=\s))|{_STOPS})")
_LONG_CLAUSE: Final = re.compile(rf"[;!?\n.\u2014bBhHaAtTuU](?:{_STOPS})")
_NOT: Final = re.compile(
    r"\b(?:(?:is|was|are|were|do|does|did|has|have|had|can|could|would|should|will|wo|ai)n['\u2019]t|(?:ai|is|was)nt"
    r"|(?<!\bif )not|never"
    r"|neither|nor|cannot|without|except|unlike|hardly|far from|unlikely|(?<!no )(?<!without )(?<!without a )doubt"
    r"|instead of|rather than|other than|(?:any|every)(?:thing|one|body|where) but|as opposed to|excluding"
    r"|(?:lack|absence|inhibition|opposite) of|mistake to|anti(?=-)"
    r"|(?<!more )(?<!less )(?<!fewer )than|no(?=\s+[\w$\u20ac\u00a3-])|non(?=-))\b"
    r"(?!\s+(?:only|just|sure|certain|to mention)\b)",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"\b(?:is|was|are|were|'s|would be|'re)(?:n['\u2019]t| not| never)\s+"
    r"(?:it\b|right|true|correct|the (?:right|correct|answer)|an? answer)"
    r"|\b(?:is|was|are|were|did|does|do|has|had)(?:n['\u2019]t| not)\s*(?:[.!]|$)"
    r"|(?<!\bor )\bnot\W*$|\b(?:cannot|can['\u2019]t) be (?:right|true)\b"
    r"|\b(?:is|was|are|were|be)\s(?:the|an?)\s(?:wrong|incorrect|false)\b|^\s*(?:the )?(?:wrong|incorrect) answer\b"
    r"|\b(?:is|was|are|were|be|seems?)\s+(?:\w+ly\s+)?(?:incorrect|wrong|false|untrue)\b"
    r"|^\s*(?:incorrect|wrong|false|not)\b(?! (?:only|just))|[(-]\s*(?:incorrect|wrong|false|not)\s*\)?\s*$"
    r"|\bruled out\b",
    re.IGNORECASE,
)


_BEFORE_IS_DENIED: Final = re.compile(
    r"\W*(?:no|nope|wrong|not|not really|false"
    r"|(?:which|that|this|it)(?:'s| is| was)(?:n['\u2019]t| not)(?: (?:the|an?))?(?: (?:right|correct|true|answer))+"
    r"|(?:which|that|this|it)(?:'s| is| was) (?:wrong|incorrect|false|untrue))\W*",
    re.IGNORECASE,
)
"""What denies the clause before it: "Paris? No.", "Paris, which is wrong"."""


def affirmed(text: str, question: str = "", commas: bool = True) -> str:
    """Return a text without what it denies: from a negation to the end of its clause, or a clause that is denied whole.

    "It is not Paris" leaves "It is", "Paris is wrong" nothing, "not only Paris" all. Where the question itself denies
    something, so may an answer that repeats it: what stands behind its negation then is a word of the question. A comma
    ends a clause, but not where answers have commas themselves (`commas`).
    """
    lower = text.lower()
    if not any(part in lower for part in _DENYING_PARTS) or not _MAY_NEGATE.search(text):
        return text
    if _NO_FIRST.fullmatch(text):
        return ""
    repeated = _stems_of_denial(question)
    kept: list[str] = []
    for clause in (_CLAUSE if commas else _LONG_CLAUSE).split(text):
        lower = clause.lower()
        if not any(part in lower for part in _DENYING_PARTS):
            kept.append(clause)
        elif _BEFORE_IS_DENIED.fullmatch(clause):
            kept = kept[:-1]
        elif not _denied(_DENIED, clause, repeated):
            match = _denied(_NOT, clause, repeated)
            if match is None or not _denies_what_is_asked(match, clause, question):
                kept.append(clause[: match.start()] if match else clause)
    return "; ".join(filter(None, map(str.strip, kept)))


_NO_FIRST: Final = re.compile(r"\W{0,4}no\s?[,:]\s*\S+(?:\s\S+){0,3}", re.IGNORECASE)
"""A short answer that is denied before it is given: "no, Paris"."""

_SUBJECT: Final = 5  # words before a negation that are the subject of what it denies


def _denies_what_is_asked(match: re.Match[str], clause: str, question: str) -> bool:
    """Return whether a clause denies of its subject what the question asks: "Marie Curie did not discover it"."""
    if not _DID_NOT.search(clause[: match.end()]):
        return False
    denied = [word for word in stems_of(clause[match.end() : match.end() + _AFTER]) if word not in FUNCTION_WORDS]
    asked = stems_of(question)
    return len(clause[: match.start()].split()) <= _SUBJECT and bool(denied) and denied[0] in asked


_DID_NOT: Final = re.compile(r"\S\s(?:is|was|are|were|do|does|did|has|had)(?:n['\u2019]t| not| never)$", re.IGNORECASE)
_CROSSES: Final = frozenset("\u00ac\u274c\u274e\u2717\u2718\u2716\U0001f6ab\U0001f44e").union(("\u2716\ufe0f",))
_BEFORE: Final = _CROSSES | {"!"}


def is_crossed_out(text: str) -> bool:
    """Return whether a text begins or ends with a sign that denies it: a cross, a logician's not."""
    if text.isascii():
        return text[:1] == "!"
    return text[:1] in _BEFORE or text[-1:] in _CROSSES or text[-2:] in _CROSSES


@functools.lru_cache(maxsize=16384)
def _stems_of_denial(question: str) -> tuple[str, ...]:
    """Return the stems of a question that denies something, of others none."""
    return stems_of(question) if _MAY_NEGATE.search(question) else ()


_DENYING_PARTS: Final = (
    "n't", "n\u2019t", "no", "never", "nei", "without", "wrong", "correct", "true", "false", "except", "unlike",
    "hardly", "far from", "doubt", "ruled", "instead", "than", "anything", "opposed", "excl", "aint", "isnt", "wasnt",
    "lack", "absen", "inhib", "opposite", "anti", "mistake", "one but", "body but", "thing but", "where but",
)  # fmt: skip
"""What a clause has one of that is denied, or denies the one before it."""

_AFTER: Final = 40  # characters behind a negation, in which it goes on as the question does


def _denied(pattern: re.Pattern[str], clause: str, asked: Sequence[str]) -> re.Match[str] | None:
    """Return the first denial of a clause that does not repeat one of the question (`asked`, its stems)."""
    for match in pattern.finditer(clause):
        if not asked or not _repeats(stems_of(f"{match[0]} {clause[match.end() : match.end() + _AFTER]}"), asked):
            return match
    return None


def _repeats(denial: Sequence[str], asked: Sequence[str]) -> bool:
    """Return whether a denial has a word of the question next, or goes on with the same two: "not in this lifetime"."""
    telling = [word for word in denial if word not in DENYING and word not in FUNCTION_WORDS and word not in _DO]
    return telling[:1] != [] and (telling[0] in asked or f" {' '.join(denial[:3])} " in f" {' '.join(asked)} ")


_DO: Final = frozenset("do doe did t ain".split())


def may_deny(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `affirmed` looks for."""
    return not DENYING.isdisjoint(known)


DENYING: Final = _NEGATIONS | frozenset("t than instead rather other but opposed excluding".split())


def may_take_back(known: Iterable[str]) -> bool:
    """Return whether the words of a text have one that `not_taken_back` looks for."""
    return not RETRACTING.isdisjoint(known)


RETRACTING: Final = frozenset("no wait actually sorry correction thought scratch hmm rather mean".split())


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
