"""What a question offers to choose from, and what a comparison chooses."""

from __future__ import annotations

import functools
import re
from typing import Final

from rewards.text import stems_of

_OPTION: Final = re.compile(
    r"(?<!\w)\(?([A-H])[).:]\s{1,4}(\S.{0,200}?)(?=\s{0,4}[,;]?\s{0,4}(?<!\w)\(?[A-H][).:]\s|[?\n]|$)"
)
_CLAUSE: Final = re.compile(r"[;:?\n]")
_BETWEEN: Final = re.compile(r",? or |, ", re.IGNORECASE)


def has(text: str, part: str) -> bool:
    """Return whether a text has the words of another, one after the other."""
    stems = " ".join(stems_of(part))
    return bool(stems) and f" {stems} " in f" {' '.join(stems_of(text))} "


@functools.lru_cache(maxsize=16384)
def options(question: str) -> tuple[str, ...]:
    """Return the alternatives that a question offers, "A) ... B) ..." without their letters, or "X, Y or Z"."""
    labelled = labelled_options(question)
    if len(labelled) > 1:
        return tuple(labelled.values())
    offering = [clause for clause in map(str.strip, _CLAUSE.split(question)) if " or " in clause.lower()]
    if not offering:
        return ()
    first, *rest = (part.strip() for part in _BETWEEN.split(offering[-1]))
    while len(rest) > 2 and _WH.search(rest[0]):
        first, *rest = rest
    if len(rest) > 1 and _WH.search(first):
        return tuple(rest)  # "Which is larger, Jupiter or Saturn?"
    # The first runs on from the question's own words: as many words as the shortest of the others has are the option.
    return _last(first, min(len(part.split()) for part in rest)), *rest


_WH: Final = re.compile(r"\b(?:which|what|who|whom|whose|where|when|how)\b", re.IGNORECASE)


def _last(text: str, size: int) -> str:
    return " ".join(text.split()[-size:])


def labelled_options(question: str) -> dict[str, str]:
    """Return the options of a question by their letters: "A) ... B) ..."."""
    return {letter: text.strip(" .,;") for letter, text in _OPTION.findall(question)}


def before_comparing(answer: str) -> str:
    """Return a response up to what it compares its answer with: "Jupiter is larger", "than Saturn"."""
    return _COMPARED.split(answer, maxsplit=1)[0]


def turned(answer: str, question: str) -> str:
    """Return what a comparison puts behind "than" where that answers the question: who is asked for the larger says
    "Saturn" by "Uranus is smaller than Saturn"; nothing of any other response."""
    before, than, behind = answer.partition(" than ")
    asked, said = _DEGREES.findall(question.lower()), _DEGREES.findall(before.lower())[-1:]
    return behind if than and asked and said and (asked[0] in _LESS) != (said[0] in _LESS) else ""


_LESS: Final = frozenset(
    "smaller younger shorter lower less fewer slower lighter earlier colder cooler closer nearer shallower narrower "
    "weaker poorer worse newer".split()
)
_MORE: Final = frozenset(
    "larger bigger greater older taller higher more faster heavier longer later hotter warmer farther further deeper "
    "wider stronger richer better".split()
)
_DEGREES: Final = re.compile(rf"\b(?:{'|'.join(sorted(_LESS | _MORE))})\b")
_COMPARED: Final = re.compile(r"\b(?:before|than|while|whereas|followed by|compared (?:to|with))\b")
