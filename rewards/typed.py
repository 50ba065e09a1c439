"""What each type of answer demands: the rules that know numbers, dates, names, booleans, choices and lists."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rewards.bounds import bounds, differ_in_case, has_both_signs, is_another, is_difference, is_multiple
from rewards.dates import only_dates
from rewards.guards import DENYING, RETRACTING, affirmed, denies, may_deny, may_take_back, not_taken_back
from rewards.kin import WATCHED, without_kin
from rewards.mending import glued, mended
from rewards.options import before_comparing, has, options, turned
from rewards.parts import with_parts
from rewards.phrases import References, Text, find, may_hide, prepare_all, text_of
from rewards.quantities import (
    MOST,
    Found,
    Quantity,
    counted_whole,
    quantities,
    readable,
    summed,
    without_fractions,
)
from rewards.scores import scores, unordered
from rewards.several import contradicts
from rewards.stems import stem
from rewards.text import fold, words, words_of


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


def phrase(case: Case, tier: str = "phrase") -> Ruling | None:
    """Decide by words, dates, names and content (`phrases.find`), and against what is denied or one of several.

    Of a name that is the full name, one without its middle names or titles, or with initials; of a date all that the
    reference says, where more of it may be said and less not.

    Args:
      case: what to decide on.
      tier: what the ruling names where it is the words that decide.
    """
    references = prepare_all(case.references)
    if not references:
        return _symbols(case, tier)
    said, found = _find(case, references)
    if found is None:
        return _symbols(case, tier)

    def says(text: str) -> bool:
        return find(references, Text(text), case.question) is not None

    text, told = said.text, said.words
    if not _WATCHED.isdisjoint(told) or "/" in text:
        text, ruling = _held(case, said, references, says, tier)
        if ruling is not None:
            return ruling
        told = told if text is said.text else words(text)
    if _changed(case):
        return Ruling(False, "number")
    if (
        contradicts(text, told, says, case.references, case.question)
        or (" or " in case.question and _weighs(case, text))
        or _dates_besides(references, said, case.question)
    ):
        return Ruling(False, "several_answers")
    return Ruling(True, tier if found == "words" else found)


_WATCHED: Final = DENYING | RETRACTING | WATCHED
"""The words without one of which nothing is denied, taken back or named after something else."""


def _held(
    case: Case,
    said: Text,
    references: References,
    says: Callable[[str], bool],
    tier: str,
) -> tuple[str, Ruling | None]:
    """Return what a response holds to, without what it denies or takes back, and the ruling where nothing is left."""
    text = said.text
    if may_deny(said.words):
        affirms = affirmed(text, case.question, commas=not any("," in reference for reference in case.references))
        if affirms == text or says(affirms) or glued(case.references, affirms, case.question):
            text = affirms
        elif not find(prepare_all(tuple(filter(denies, case.references))), said, case.question):
            return text, Ruling(False, "negated")
    if may_take_back(said.words):
        last = not_taken_back(text)
        if last != text and not says(last):
            return text, Ruling(False, "several_answers")
        text = last
    rest = without_kin(text, said.words, references, case.question)
    return text, None if rest == text or says(rest) else Ruling(False, tier)


# What is rare comes first, so that the engine may skip to it.
_NEGATIVE: Final = re.compile(
    r"[-mMnN](?<![\w).].)(?<!\d .)(?:(?<=-)|(?<=[mM])(?i:inus) |(?<=[nN])(?i:egative) )"
    r"[$\u20ac\u00a3]?(\d[\d,]*(?:\.\d+)?)"
)
_RAISED: Final = re.compile(
    r"(\d(?<![\d,].)[\d,]*(?:\.\d+)?)(?:\^| ?(?:(?:[kcm]?m|ft|mi)\^?[23]|square|sq|cubic|cu)\b)"
)


def _changed(case: Case) -> bool:
    """Return whether a number has a minus, or a power, on one side alone: words lose both."""
    known = _known_signs(case.references)
    return bool(known) and any(_differs(_signed(sign, case.answer), *one) for sign, one in known.items())


Signs = tuple[tuple[frozenset[str], ...], tuple[tuple[str, ...], ...]]


@functools.lru_cache(maxsize=16384)
def _known_signs(references: tuple[str, ...]) -> dict[re.Pattern[str], Signs]:
    """Return for each sign the numbers that references have it on, and the words of those with numbers without it."""
    numbered = [reference for reference in references if any(map(str.isdigit, reference))]
    found: dict[re.Pattern[str], Signs] = {}
    for sign in (_NEGATIVE, _RAISED) if numbered else ():
        signed = tuple(_signed(sign, reference) for reference in numbered)
        rest = (words_of(reference) for reference, one in zip(numbered, signed, strict=True) if not one)
        found[sign] = signed, tuple(rest)
    return found


def _differs(said: frozenset[str], wanted: Sequence[frozenset[str]], rest: Sequence[tuple[str, ...]]) -> bool:
    if any(not said.isdisjoint(one) for one in wanted):
        return False
    return any(not said.isdisjoint(known) for known in rest) if said else any(wanted) and not rest


def _signed(sign: re.Pattern[str], text: str) -> frozenset[str]:
    """Return the numbers of a text that have a sign, as words are compared."""
    return frozenset(word for number in sign.findall(fold(text)) for word in words(number))


def _dates_besides(references: References, text: Text, question: str) -> bool:
    """Return whether a response is a list of dates with one that no reference agrees with: "1933 1936 1937".

    In prose too many other years are one: an answer is told with one or two beside it.
    """
    known = references.dates
    if not known:
        return False
    if len(text.dates) > _YEARS_BESIDES:
        years = {date.year for date in text.dates} - {date.year for date in known} - {None, *words_of(question)}
        if len(years) > _YEARS_BESIDES:
            return True
    said = only_dates(text.words)
    return len(said) > 1 and not all(
        any(date.includes(wanted) or wanted.includes(date) or date.agrees(wanted) for wanted in known) for date in said
    )


_YEARS_BESIDES: Final = 4


def _find(case: Case, references: References) -> tuple[Text, str | None]:
    """Return the text in which a reference is found, as it is or mended, and the tier of `find`."""
    text = text_of(case.answer)
    found = find(references, text, case.question)
    if found is None and may_hide(references, case.answer):
        if glued(case.references, case.answer, case.question):
            return text, "words"
        for other in map(Text, mended(case.answer)):
            found = find(references, other, case.question)
            if found is None and glued(case.references, other.text, case.question):
                found = "words"
            if found is not None:
                return other, found
    return text, found


def _symbols(case: Case, tier: str) -> Ruling | None:
    """Decide on references without a word ("*"), which stand alone or in quotes or brackets."""
    wanted = _wordless(case.references)
    if not wanted:
        return None
    said = {part.strip("()\"'`.,") for part in fold(affirmed(case.answer, case.question)).split()}
    signs = {part for part in said if part and not any(map(str.isalnum, part))}
    return Ruling(True, tier) if signs and signs <= wanted else None


@functools.lru_cache(maxsize=16384)
def _wordless(references: tuple[str, ...]) -> frozenset[str]:
    return frozenset(fold(reference).strip() for reference in references if not words_of(reference))


def _weighs(case: Case, said: str) -> bool:
    """Return whether a response to "A or B?" names more than one of them, so that words do not tell which it means."""
    offered = options(case.question)
    affirms = affirmed(turned(case.answer, case.question) or before_comparing(said))
    named = [option for option in offered if has(affirms, option)]
    right = [option for option in offered if any(has(option, reference) for reference in case.references)]
    return bool(named and right) and named != right


_DATES: Final = re.compile(
    r"(?:\b\d{1,2}(?:st|nd|rd|th)? (?:of )?)?\b(?:january|february|march|april|may|june|july|august|september|october"
    r"|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?(?: \d{1,2}(?:st|nd|rd"
    r"|th)?\b(?!\.\d))?(?:,? \d{4}\b(?!\.\d))?"
)
_YEAR: Final = re.compile(r"\b(?:in|since|by|until|from|of|during|\() ?(?:1[5-9]|20)\d\d\b(?!\s?%|\.\d)")


def number(case: Case) -> Ruling | None:
    """Decide by quantities: value, unit and range, and against a second one that the question does not have.

    Dates and the question's own numbers are no answers, unless the reference is one; where "how many" names what it
    counts, a number right before that stands against all others.
    """
    if has_both_signs(case.answer) not in set(map(has_both_signs, case.references)):
        return Ruling(False, "number")
    wanted = _counted(case.references)
    if not wanted:
        return _in_order(case) if any(map(unordered, case.references)) else phrase(case)

    def right(said: Quantity) -> bool:
        return any(quantity.is_(said, case.question) for quantity in wanted)

    affirms = not_taken_back(affirmed(case.answer, case.question))
    if not any(quantity.low == 1 for quantity in wanted):
        affirms = _ONE.sub("a", affirms)
    text = with_parts(readable(without_fractions(affirms)))
    text = _SUM.sub(" ", text) if "=" in text else text
    found = quantities(_without_dates(text)) or quantities(text)
    if len(found) == MOST:
        return Ruling(False, "several_answers")
    found = summed(text, found)
    if not any(right(one.quantity) for one in found):
        found = summed(text, quantities(text))
    asked = {one.quantity for one in quantities(readable(case.question))}
    hits = [one for one in found if right(one.quantity)]
    if hits and not bounds(case.references):
        hits = [one for one in hits if not is_another(text, one)]
    hits = [one for one in hits if not is_multiple(text, one) and not is_difference(text, one, case.question)]
    if not found:
        return Ruling(False, "negated") if quantities(readable(case.answer)) else None
    if not hits or differ_in_case(case.references, case.answer):
        return Ruling(False, "number")
    others = [one for one in found if not right(one.quantity) and one.quantity not in asked and _rivals(one, hits)]
    if others and not _counts(case.question, text, hits, others):
        return Ruling(False, "several_answers")
    return Ruling(True, "number")


@functools.lru_cache(maxsize=16384)
def _counted(references: tuple[str, ...]) -> tuple[Quantity, ...]:
    """Return the references that are one quantity; of "2x" or "2 pi", which is none, words decide."""
    found = []
    for text in references:
        quantity, lower = counted_whole(text), with_parts(readable(text))
        if quantity is not None and not any(is_multiple(lower, one) for one in quantities(lower, 1)):
            found.append(quantity)
    return tuple(found)


def _in_order(case: Case) -> Ruling | None:
    """Decide on the score of a match or a ratio: words, and the numbers in the reference's order ("3-2", not "2-3")."""
    wanted = {one for reference in case.references for one in scores(reference)}
    affirms = not_taken_back(affirmed(case.answer, case.question))
    said = set(scores(affirms))
    ruling = phrase(case)
    if ruling is None and said and said <= wanted and not words(_SCORE_TOLD.sub("", readable(affirms))):
        return Ruling(True, "number")
    if ruling is not None and ruling.right and not (said and said <= wanted):
        return Ruling(False, "number")
    return ruling


_SCORE_TOLD: Final = re.compile(r"\d[\d.,:]*|[\s-]to[\s-]|^(?:it|the (?:score|ratio|result)) (?:is|was)\b")

_SUM: Final = re.compile(r"(?<![\d\s.,()$])[\d\s.,()$]+(?:[-+*/x\u00f7]\s{0,4}\d[\d\s.,()$]*)+=(?=\s{0,4}[-$]?\d)")
"""What a number is the result of: "5 + 7 = 12"."""

_ONE: Final = re.compile(
    r"\bone\b(?=\s[a-z])(?!\s(?:hundred|thousand|million|billion|trillion|and|or|to|half|third|quarter)\b)",
    re.IGNORECASE,
)
"""A determiner, not a number: "one edition has 127 pages"."""

_YEARS: Final = re.compile(r"(?:\b(?:1[5-9]|20)[0-9]{2}(?:,? and |, )){2,}(?:1[5-9]|20)[0-9]{2}\b")
"""A list of years, as tells when each of what is counted was: "six: 1959, 1963, ..."."""


def _without_dates(text: str) -> str:
    text = _YEARS.sub(lambda match: " " * len(match[0]), text)
    return _YEAR.sub(lambda match: " " * len(match[0]), _DATES.sub(lambda match: " " * len(match[0]), text))


def _rivals(one: Found, hits: Sequence[Found]) -> bool:
    if any(one.quantity.size != hit.quantity.size and one.quantity.is_(hit.quantity) for hit in hits):
        return False  # the same in another unit, rounded: "5 feet 6 inches (167.6 cm)"
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
