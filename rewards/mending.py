"""Responses whose mark-up was stripped with what kept words apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rewards.names import PARTICLES
from rewards.stems import stem
from rewards.text import asked_in, fold, words_of

_NOTES: Final = re.compile(r"(?<=[^\W\d_]{3})(?:\d{1,3}(?=[.,;:\s]|$)|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]+)")
"""The numbers of notes behind a word."""

_NOTED: Final = re.compile(r"[\d\u00b2\u00b3\u00b9\u2070\u2074-\u2079](?<=[^\W\d_]{3}.)")
_LONG_YEAR: Final = re.compile(r"[12]\d{4}")
_NOTED_YEAR: Final = re.compile(
    r"((?:(?P<day>(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"(?: \d{1,2}(?:st|nd|rd|th)?,)?)|\b(?:in|since|until|during|of|to)) (?:1\d|20)\d\d)[1-9]\d?(?=[.,;:\s]|$)"
)
"""A year with a note. Behind a month it cannot be another number, elsewhere only where the text has more notes."""

_GLUE: Final = re.compile(r"[A-Z](?<=[a-z,.;\u201d\u2019].)|[$\u00a3\u20ac](?<=[^\W\d_].)")
_DETACHED: Final = re.compile(r"\. (?:(?<=\d. )\d| )")
_SPACED: Final = re.compile(r"(?<![\d.,])(\d{1,3})\. (?=\d)|(\b[A-Za-z]\.) {2,}")
_HEADS: Final = frozenset(("", *"the by is in was of and called for at on from to as".split()))
_TAILS: Final = frozenset(("", *"in for and were was from of at on is to who with that as by during".split()))
_GLUED: Final = 5  # letters of a reference that is looked for inside of a longer word
_NO_WORD: Final = re.compile(r"[^0-9a-z]+")


def glued(references: Sequence[str], text: str, question: str) -> bool:
    """Return whether a text that lost its emphasis has a reference written onto function words ("byHugo Weavingin").

    Behind it a word of the question may stand too, and where words stand on both sides of a name of
    several, any word may.
    """
    lower = fold(text).lower()
    plain = ""
    for reference in references:
        wanted = " ".join(words_of(reference))
        if len(wanted) < _GLUED or wanted.partition(" ")[0] not in lower or any(map(str.isdigit, wanted)):
            continue
        plain = plain or f" {_NO_WORD.sub(' ', lower)} "
        start = plain.find(wanted)
        while start != -1:
            end = start + len(wanted)
            head, tail = plain[plain.rfind(" ", 0, start) + 1 : start], plain[end : plain.find(" ", end)]
            if head in _HEADS and (
                tail in _TAILS or stem(tail) in asked_in(question) or (head and " " in wanted and tail.isalpha())
            ):
                return True
            start = plain.find(wanted, start + 1)
    return False


def mended(text: str) -> list[str]:
    """Return a text as it may have been before its mark-up was lost, without changes that change nothing.

    Where footnote marks were stripped, "Boston12" was "Boston" with two notes, and "October 9, 19861" a date with
    one; where emphasis was, "isHercules" was two words; and some detokenizers leave "22. 7" for "22.7". But of a number
    that may be meant no digit is taken: a wrong one would be right.
    """
    noteless = _NOTES.sub("", text) if _NOTED.search(text) else text
    years = list(_NOTED_YEAR.finditer(noteless)) if _LONG_YEAR.search(noteless) else []
    if years and (noteless != text or len(years) > 1 or years[0]["day"]):
        noteless = _NOTED_YEAR.sub(r"\1", noteless)
    spaced = _SPACED.sub(_respaced, noteless) if _DETACHED.search(noteless) else noteless
    return [other for other in dict.fromkeys((spaced, _GLUE.sub(_apart, spaced))) if other != text]


def _apart(match: re.Match[str]) -> str:
    """Put a space before a capital within a word; not where the word begins with one too, as "JavaScript" does, unless
    that is a particle of a name ("DiClemente") or what follows a function word ("ParisIs")."""
    text, start = match.string, match.start()
    head, tail = _HEAD.search(text, max(start - _READ, 0), start), _TAIL.match(text, start)
    if head is None or tail is None or not head[0][0].isupper():
        return f" {match[0]}"
    apart = head[0].lower() in PARTICLES or tail[0].lower() in _TAILS
    return f" {match[0]}" if apart else match[0]


_READ: Final = 24  # letters of a word before a capital that are looked at
_HEAD: Final = re.compile(r"[^\W\d_]+\Z")
_TAIL: Final = re.compile(r"[^\W\d_]+")


def _respaced(match: re.Match[str]) -> str:
    return f"{match[1]}." if match[1] else f"{match[2]} "
