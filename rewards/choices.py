"""The rules for answers that a question names itself: yes or no, and one of several options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rewards.guards import affirmed
from rewards.options import before_comparing, has, labelled_options, options, turned
from rewards.text import words
from rewards.typed import Case, Ruling, phrase

_YES: Final = frozenset("yes true yeah yep correct affirmative right".split())
_AGREEING: Final = _YES - {"yes", "yeah", "yep"}
_NO: Final = frozenset("no false nope incorrect negative wrong untrue".split())


def boolean(case: Case) -> Ruling | None:
    """Decide by yes, no, true or false, where a response says one of the two things and not the other."""
    wanted, said = _polarity(case.references[0]), _polarity(case.answer)
    if wanted is None:
        return phrase(case)
    if said is None:
        return Ruling(False, "several_answers") if _both(case.answer) else None
    return Ruling(wanted == said, "boolean")


_UNSAID: Final = re.compile(
    r"\b(?:yes|no|true|false)\b\W{0,3}\s(?:is|was|would be|seems)(?:n't)?\s(?:\w+ly\s)?"
    r"(?:not|wrong|incorrect|false|untrue|the)\b|\b(?:anything|everything) (?:but|other than|except)\b"
    r"|\b(?:cannot|can't|don't think it is) (?:be )?(?:yes|no|true|false)\b"
    r"|\b(?:hardly|far from|doubt (?:it is|that it is)?|non-)\s*(?:yes|no|true|false)\b"
    r"|\b(?:yes|no|true|false)\b[,\s]*(?:\(|- |which (?:is|was) |was )(?:wrong|incorrect|not|ruled out)\b",
    re.IGNORECASE,
)
"""A yes or no that is spoken about: "No is wrong"."""

_IDIOMS: Final = frozenset("doubt question worry worries problem problems matter wonder".split())
"""Behind "no" they make no answer of it: "No doubt it is safe." """

_FLIPPED: Final = frozenset(("not", "never", "t"))  # "t" as in "isn't"


def _polarity(text: str) -> bool | None:
    """Return what a text says; None when it says neither, both, or denies a yes or no ("not yes")."""
    if _UNSAID.search(text):
        return None
    parts, ends = words(text), _CLAUSE_OF_NO.search(text) is not None
    signs: list[bool] = []
    for place, word in enumerate(parts):
        if word not in _YES and word not in _NO:
            continue
        plain = word in ("yes", "no", "true", "false")
        if word == "no" and place + 1 < len(parts) and parts[place + 1] in _IDIOMS:
            continue
        if word in _AGREEING and not _FLIPPED.isdisjoint(parts[place + 1 :]):
            return None  # "Correct, it is not safe": to what it agrees is not clear
        denied = not _FLIPPED.isdisjoint(parts[max(place - 2, 0) : place])
        if denied and word in ("yes", "no"):
            return None
        # Behind the first, "right" is a direction and "no" a determiner more often than an answer.
        if (signs and not plain) or (word == "no" and place and not (ends or _ends(parts, place))):
            continue
        signs.append((word in _YES) != denied)
    return signs[0] if len(set(signs)) == 1 else None


_CLAUSE_OF_NO: Final = re.compile(r"\bno\b\s{0,4}[.,;!?\n]", re.IGNORECASE)


def _ends(parts: Sequence[str], place: int) -> bool:
    return place + 1 == len(parts) or parts[place + 1] in ("or", "and")


def _both(text: str) -> bool:
    parts = set(words(text))
    return bool(parts & _YES) and bool(parts & _NO)


def choice(case: Case) -> Ruling | None:
    """Decide by the one option of the question that the response names, by its letter or its words."""
    labelled = labelled_options(case.question)
    wanted = {letter for text in case.references if (letter := _letter(text, labelled)) is not None}
    if labelled and wanted:
        said = _letter(case.answer, labelled)
        return Ruling(said in wanted, "choice") if said is not None else _several(case, list(labelled.values()))
    if said := turned(case.answer, case.question):
        case = case._replace(answer=said)
    affirms = affirmed(before_comparing(case.answer))
    if _joins(affirms) and not any(map(_joins, case.references)):
        return Ruling(False, "several_answers")
    named = [option for option in options(case.question) if has(affirms, option)]
    right = [option for option in named if any(has(option, text) or has(text, option) for text in case.references)]
    if named and not right:
        return Ruling(False, "choice")
    if len(named) > len(right):
        return Ruling(False, "several_answers")
    return phrase(case, "choice")


def _joins(answer: str) -> bool:
    """Return whether a short answer joins several: "elected or appointed"."""
    return len(answer.split()) <= _BRIEF and re.search(r"\b(?:or|and)\b|[/\n,;]", answer) is not None


_BRIEF: Final = 8  # words


def _several(case: Case, texts: Sequence[str]) -> Ruling | None:
    return Ruling(False, "several_answers") if sum(has(case.answer, text) for text in texts) > 1 else None


_LETTER: Final = re.compile(
    r"^[\s(\[\"'*]*(?:(?:the )?(?:(?:correct|right|best) )?(?:option|choice|answer) (?:is )?)?([A-H])"
    r"(?:[).:,]\s*(.*)|[\s.!)\]\"'*]*)\Z",
    re.IGNORECASE | re.DOTALL,
)


_SO: Final = re.compile(r"(?:so|thus|hence|therefore|then)\b[\s,:]*(?:(?:it is|it's|the answer is)\s)?", re.IGNORECASE)


def _letter(text: str, labelled: dict[str, str]) -> str | None:
    """Return the letter of the one option that a text names; None when it names none or several."""
    affirms = affirmed(text)
    concluded = _SO.match(affirms)
    if concluded and affirms != text:
        text = affirms = affirms[concluded.end() :]  # "A is wrong, so C"
    match = _LETTER.match(text.strip()) if _LETTER.match(affirms.strip()) else None
    named = {letter for letter, option in labelled.items() if has(affirms, option)}
    if match and match[1].upper() in labelled:
        letters = set(re.findall(r"(?<![\w'])[A-H](?![\w'])", text[match.end(1) :]))
        return match[1].upper() if not letters - {match[1].upper()} and named <= {match[1].upper()} else None
    return next(iter(named)) if len(named) == 1 else None
