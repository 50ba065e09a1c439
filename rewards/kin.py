"""What has the answer in it and is another thing: a person's husband, an institute of that name, the year before."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from rewards.phrases import Reference
from rewards.text import asked_in

_RELATIONS: Final = (
    "husband wife widow widower son daughter father mother brother sister mentor parents uncle aunt nephew niece "
    "cousin grandfather grandmother grandson granddaughter teacher student assistant colleague rival friend namesake "
    "successor predecessor biographer disciple pupil opponent enemy"
).split()
_BODIES: Final = "institute university foundation museum prize award hospital airport college society stadium".split()
_SHIFTS: Final = "before after until till prior preceding".split()
_ERAS: Final = ("bc", "s")

_RELATED: Final = "|".join(_RELATIONS)
_NAME: Final = r"[A-Z][\w.'-]*(?: (?:(?:de|van|von|of|the) )?[A-Z][\w.-]*){0,4}"
_RELATION: Final = re.compile(
    rf"\b(?i:{_RELATED}) of (?:the )?{_NAME}"
    rf"|(?<![\w.])[A-Z][\w.-]*(?: [A-Z][\w.-]*){{0,4}}(?:['\u2019]s|(?<=s)['\u2019]) (?:\w+ ){{0,2}}(?i:{_RELATED})\b"
)
_BODY: Final = re.compile(rf"(?<![\w.])[A-Z][\w.-]*(?: [A-Z][\w.-]*){{0,4}} (?i:{'|'.join(_BODIES)})\b")
_SHIFT: Final = re.compile(
    r"\b(?:before|after|until|till|prior to|preceding)(?: (?:the|year|of|in|about|around|early|late|mid))*"
    r"(?: (?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|\d{1,4}(?:st|nd|rd|th)?,?))+\b",
    re.IGNORECASE,
)
_OTHER_YEAR: Final = re.compile(r"\b\d{2,4}(?:(?<!0)s\b|\s?b\.?c\b|/\d\d?\b(?!/))", re.IGNORECASE)
_ENDS: Final = frozenset("end last until till stop finish close final before after prior long expir serv".split())
"""The stems of a question that asks for the end of something, or for what lies on one side of it."""

_ABOUT_NAMES: Final = frozenset((*_RELATIONS, *_BODIES))
_ABOUT_DATES: Final = frozenset((*_SHIFTS, *_ERAS))
WATCHED: Final = _ABOUT_NAMES | _ABOUT_DATES
"""The words without one of which `without_kin` finds nothing, but for a year with a slash."""


def without_kin(text: str, said: Collection[str], references: Sequence[Reference], question: str) -> str:
    """Return a text without what is named after a reference, related to it or placed in time by it.

    Nothing is left out of a text whose question or reference has such a word itself.
    """
    if WATCHED.isdisjoint(said) and "/" not in text:
        return text
    words = frozenset(said)
    known = asked_in(question).union(*(reference.words for reference in references))
    if any(reference.dates for reference in references):
        if known.isdisjoint(_ENDS) and not words.isdisjoint(_SHIFTS):
            text = _SHIFT.sub(" ", text)
        return _OTHER_YEAR.sub(" ", text) if known.isdisjoint(_ERAS) else text
    if words.isdisjoint(_ABOUT_NAMES) or not known.isdisjoint(words & _ABOUT_NAMES):
        return text
    if any(reference.proper or reference.name for reference in references):
        text = _RELATION.sub(" ", text)
    return _BODY.sub(" ", text) if any(reference.name for reference in references) else text
