"""What each type of answer demands: the rules that know numbers, dates, names, booleans, choices and lists."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from rewards.guards import affirmed, contradicts, denies, may_deny, may_take_back, not_taken_back
from rewards.mending import glued, mended
from rewards.phrases import Reference, Text, find, may_hide, prepare_all
from rewards.quantities import MOST, Found, Quantity, counted, quantities, readable
from rewards.text import fold, stem, stems_of, words


class Ruling(NamedTuple):
    """A decision: whether the response is right, and the tier that says so."""

    right: bool
    tier: str


class Case(NamedTuple):
    """What a rule decides on.

    Attributes:
      question: the question.
      references: the ground truth and its aliases.
      answer: what was extracted of the response.
    """

    question: str
    references: tuple[str, ...]
    answer: str


Rule = Callable[[Case], Ruling | None]
"""None leaves a case open."""


def phrase(case: Case) -> Ruling | None:
    """Decide by words, dates, names and content (`phrases.find`), and against what is denied or one of several."""
    return _guarded(case, "phrase")


def name(case: Case) -> Ruling | None:
    """Decide as for a phrase: a full name, one without its middle names or titles, or with initials."""
    return _guarded(case, "name")


def date(case: Case) -> Ruling | None:
    """Decide by dates at the reference's precision: more of a date may be said, less not."""
    return _guarded(case, "date")


_OPTION: Final = re.compile(
    r"(?<!\w)\(?([A-H])[).:]\s{1,4}(\S.{0,200}?)(?=\s{0,4}[,;]?\s{0,4}(?<!\w)\(?[A-H][).:]\s|[?\n]|$)"
)
_CLAUSE: Final = re.compile(r"[;:?\n]")
_BETWEEN: Final = re.compile(r",? or |, ", re.IGNORECASE)


@functools.lru_cache(maxsize=16384)
def _asked(question: str) -> frozenset[str]:
    return frozenset(stems_of(question))


def _guarded(case: Case, tier: str) -> Ruling | None:
    references = prepare_all(case.references)
    if not references:
        return _symbols(case, tier)
    asked = _asked(case.question)
    said, found = _find(case, references, asked)
    if found is None:
        return None

    def says(text: str) -> bool:
        return find(references, Text(text), asked) is not None

    text = said.text
    if may_deny(said.words) and not any(map(denies, case.references)):
        affirms = affirmed(text, case.question, commas=not any("," in reference for reference in case.references))
        if affirms != text and not says(affirms) and not glued(case.references, affirms):
            return Ruling(False, "negated")
        text = affirms
    if may_take_back(said.words):
        last = not_taken_back(text)
        if last != text and not says(last):
            return Ruling(False, "several_answers")
        text = last
    if contradicts(text, says, case.references, asked) or _weighs(case, text):
        return Ruling(False, "several_answers")
    return Ruling(True, tier if found == "words" else found)


def _find(case: Case, references: Sequence[Reference], asked: Collection[str]) -> tuple[Text, str | None]:
    """Return the text in which a reference is found, as it is or mended, and the tier of `find`."""
    text = Text(case.answer)
    found = find(references, text, asked)
    if found is None and may_hide(references, case.answer):
        for other in map(Text, mended(case.answer)):
            found = find(references, other, asked) or ("words" if glued(case.references, other.text) else None)
            if found is not None:
                return other, found
    return text, found


def _symbols(case: Case, tier: str) -> Ruling | None:
    """Decide on references without a word ("*"), which stand alone or in quotes or brackets."""
    for reference in case.references:
        symbol = fold(reference).strip()
        if symbol and re.search(rf"(?<![^\s(\"'`]){re.escape(symbol)}(?![^\s)\"'`.,])", fold(case.answer)):
            return Ruling(True, tier)
    return None


def _weighs(case: Case, said: str) -> bool:
    """Return whether a response to "A or B?" names more than one of them, so that words do not tell which it means."""
    if " or " not in case.question:
        return False
    affirms = affirmed(said)
    named = [option for option in options(case.question) if _has(affirms, option)]
    return len(named) > 1 and any(_has(option, reference) for option in named for reference in case.references)


def _has(text: str, part: str) -> bool:
    stems = " ".join(stems_of(part))
    return bool(stems) and f" {stems} " in f" {' '.join(stems_of(text))} "


@functools.lru_cache(maxsize=16384)
def options(question: str) -> tuple[str, ...]:
    """Return the alternatives that a question offers, "A) ... B) ..." without their letters, or "X, Y or Z"."""
    labelled = _OPTION.findall(question)
    if len(labelled) > 1:
        return tuple(text.strip(" .,;") for _, text in labelled)
    offering = [clause for clause in _CLAUSE.split(question) if " or " in clause.lower()]
    if not offering:
        return ()
    first, *rest = (part.strip() for part in _BETWEEN.split(offering[-1].strip()))
    while len(rest) > 2 and _WH.search(rest[0]):
        first, *rest = rest
    if len(rest) > 1 and _WH.search(first):
        return tuple(rest)  # "Which is larger, Jupiter or Saturn?"
    # The first runs on from the question's own words: as many words as the shortest of the others has are the option.
    return _last(first, min(len(part.split()) for part in rest)), *rest


_WH: Final = re.compile(r"\b(?:which|what|who|whom|whose|where|when|how)\b", re.IGNORECASE)


def _last(text: str, size: int) -> str:
    return " ".join(text.split()[-size:])


_YES: Final = frozenset("yes true yeah yep correct affirmative right".split())
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
    r"|\b(?:cannot|can't|don't think it is) (?:be )?(?:yes|no|true|false)\b",
    re.IGNORECASE,
)
"""A yes or no that is spoken about: "No is wrong"."""

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
    labelled = {letter: text.strip(" .,;") for letter, text in _OPTION.findall(case.question)}
    wanted = {letter for text in case.references if (letter := _letter(text, labelled)) is not None}
    if labelled and wanted:
        said = _letter(case.answer, labelled)
        return Ruling(said in wanted, "choice") if said is not None else _several(case, list(labelled.values()))
    affirms = affirmed(case.answer)
    if _joins(affirms) and not any(map(_joins, case.references)):
        return Ruling(False, "several_answers")
    named = [option for option in options(case.question) if _has(affirms, option)]
    right = [option for option in named if any(_has(option, text) or _has(text, option) for text in case.references)]
    if named and not right:
        return Ruling(False, "choice")
    if len(named) > len(right):
        return Ruling(False, "several_answers")
    return _guarded(case, "choice")


def _joins(answer: str) -> bool:
    """Return whether a short answer joins several: "elected or appointed"."""
    return len(answer.split()) <= _BRIEF and re.search(r"\b(?:or|and)\b|[/\n,;]", answer) is not None


_BRIEF: Final = 8  # words


def _several(case: Case, texts: Sequence[str]) -> Ruling | None:
    return Ruling(False, "several_answers") if sum(_has(case.answer, text) for text in texts) > 1 else None


_LETTER: Final = re.compile(
    r"^[\s(\[\"'*]*(?:option |choice |answer )?([A-H])(?:[).:,]\s*(.*)|[\s.!)\]\"'*]*)\Z", re.IGNORECASE | re.DOTALL
)


def _letter(text: str, labelled: dict[str, str]) -> str | None:
    """Return the letter of the one option that a text names; None when it names none or several."""
    match = _LETTER.match(text.strip())
    affirms = affirmed(text)
    named = {letter for letter, option in labelled.items() if _has(affirms, option)}
    if match and match[1].upper() in labelled:
        letters = set(re.findall(r"(?<![\w'])[A-H](?![\w'])", text[match.end(1) :]))
        return match[1].upper() if not letters - {match[1].upper()} and named <= {match[1].upper()} else None
    return next(iter(named)) if len(named) == 1 else None


_DATES: Final = re.compile(
    r"(?:\b\d{1,2}(?:st|nd|rd|th)? (?:of )?)?\b(?:january|february|march|april|may|june|july|august|september|october"
    r"|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?(?: \d{1,2}(?:st|nd|rd"
    r"|th)?\b)?(?:,? \d{4}\b)?"
)
_YEAR: Final = re.compile(r"\b(?:in|since|by|until|from|of|during|\() ?(?:1[5-9]|20)\d\d\b(?!\s?%)")


def number(case: Case) -> Ruling | None:
    """Decide by quantities: value, unit and range, and against a second one that the question does not have.

    Dates and the question's own numbers are no answers, unless the reference is one; where "how many" names what it
    counts, a number right before that stands against all others.
    """
    wanted = [quantity for text in case.references if (quantity := counted(text)) is not None]
    if not wanted:
        return phrase(case)
    text = readable(not_taken_back(affirmed(case.answer, case.question)))

    def right(said: Quantity) -> bool:
        return any(quantity.is_(said, case.question) for quantity in wanted)

    found = quantities(_without_dates(text)) or quantities(text)
    if len(found) == MOST:
        return Ruling(False, "several_answers")
    if not any(right(one.quantity) for one in found):
        found = quantities(text)
    asked = {one.quantity for one in quantities(readable(case.question))}
    hits = [one for one in found if right(one.quantity)]
    if not found:
        return Ruling(False, "negated") if quantities(readable(case.answer)) else None
    if not hits:
        return Ruling(False, "number")
    others = [one for one in found if not right(one.quantity) and one.quantity not in asked and _rivals(one, hits)]
    if others and not _counts(case.question, text, hits, others):
        return Ruling(False, "several_answers")
    return Ruling(True, "number")


def _without_dates(text: str) -> str:
    return _YEAR.sub(lambda match: " " * len(match[0]), _DATES.sub(lambda match: " " * len(match[0]), text))


def _rivals(one: Found, hits: Sequence[Found]) -> bool:
    return any(one.quantity.kind in (hit.quantity.kind, "plain") or hit.quantity.kind == "plain" for hit in hits)


def _counts(question: str, text: str, hits: Sequence[Found], others: Sequence[Found]) -> bool:
    match = re.search(r"\bhow (?:many|much) (\w+)", question, re.IGNORECASE)
    noun = stem(words(match[1])[0]) if match and words(match[1]) else None
    return (
        noun is not None
        and any(_followed(text, hit, noun) for hit in hits)
        and not any(_followed(text, other, noun) for other in others)
    )


def _followed(text: str, one: Found, noun: str) -> bool:
    return noun in map(stem, words(text[one.end : one.end + 40])[:2])
