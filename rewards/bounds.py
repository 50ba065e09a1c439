"""What makes a number another one: a bound, a function or a factor around it, and the case of its unit."""

from __future__ import annotations

import functools
import re
from typing import Final

from rewards.quantities import Found, quantities, readable

_BEFORE: Final = re.compile(
    r"(?:\b(?:minus|negative|half|twice|thrice|double|triple|log|ln|exp|sqrt|(?:third|quarter|square|cube|root|logarithm"
    r"|factorial|reciprocal|inverse|multiple|power)s? of|square root|at least|at most|(?:more|less|fewer|greater|larger"
    r"|smaller|higher|lower|other) than|over|under|above|below|up to|but)(?: of)?"
    r"|\u221a|\\sqrt|(?<![\w=/-])(?:[<>]=?|!=)|\\(?:geq?|leq?|neq?)\b|[\u2264\u2265\u2260\u00ac])\s*(?:the )?[({]?\s*$"
)
_BEHIND: Final = re.compile(
    r"[\s-]*(?:third|fourth|fifth|sixth|seventh|eighth|ninth)s\b|\s+and a (?:half|third|quarter)\b"
    r"|\s*(?:!(?![=!])|\+(?!\s?\d)|(?:squared|cubed|dozens?|k|bn|hundredths?|thousandths?|millionths?|tenths?|times|fold"
    r"|(?:or|and) (?:more|less|fewer|over|above|under|below))\b)"
)
_MULTIPLE: Final = re.compile(r"\s*(?:\u03c0|\\pi\b|pi\b)|(?<=\d)[bdeiknopqrtuxyz]\b")
"""What makes a factor of a number; the other letters are units."""

_BOTH_SIGNS: Final = re.compile(r"\u00b1|\+\s?/\s?-|\+-|\bplus or minus\b|\\pm\b")
_DIFFERENCE: Final = re.compile(
    r"(?:\s[a-z]+)?\s(?:(?:more|fewer|less|greater|larger|smaller|higher|lower|longer|shorter|older|younger|taller|bigger)"
    r" than\b|(?:more|fewer|less)\W*$)"
)
_ASKS_DIFFERENCE: Final = re.compile(r"\b(?:more|fewer|less|than|differ\w*|by how)\b", re.IGNORECASE)
_READ: Final = 24  # characters before a number that say what is done to it


def is_another(text: str, one: Found) -> bool:
    """Return whether a number of a `readable` text is said as a bound ("at least 12") or as a part of a sum ("12!")."""
    if _BEHIND.match(text, one.end):
        return True
    return _BEFORE.search(text[max(one.start - _READ, 0) : one.start]) is not None


def is_multiple(text: str, one: Found) -> bool:
    """Return whether a number of a `readable` text is a factor of a letter that is no unit, or of pi: "2x", "2i"."""
    return _MULTIPLE.match(text, one.end) is not None


def has_both_signs(text: str) -> bool:
    """Return whether a text says a number with both signs, which is two of them: "\u00b12"."""
    return _BOTH_SIGNS.search(text) is not None


def is_difference(text: str, one: Found, question: str) -> bool:
    """Return whether a number is how much more or less something is ("100 fewer than before"), unasked for."""
    return _DIFFERENCE.match(text, one.end) is not None and not _ASKS_DIFFERENCE.search(question)


@functools.lru_cache(maxsize=16384)
def bounds(references: tuple[str, ...]) -> bool:
    """Return whether a reference is a bound or a sum itself, so that a response may be one."""
    texts = map(readable, references)
    return any(is_another(text, one) for text in texts for one in quantities(text, 3))


_CASED: Final = frozenset(
    "mg Mg m M mW MW mV MV mA MA mJ MJ mHz MHz ms Ms mb Mb MB kb kB Gb GB Tb TB Mbps MBps".split()
)
_UNIT: Final = re.compile(r"\d\s?([A-Za-z]{1,4})\b")


def differ_in_case(references: tuple[str, ...], answer: str) -> bool:
    """Return whether a unit of a response has the letters of all references' and another case that counts: Mb for MB.

    Units in small letters alone are taken for a habit: "5 mb" says 5 MB, but "5 mg" is not 5 Mg.
    """
    wanted = _units(references)
    if not wanted:
        return False
    said = _CASED.intersection(_UNIT.findall(answer))
    lower = {unit.lower() for unit in wanted}
    return any(unit not in wanted and unit.lower() in lower and unit != "mb" for unit in said)


@functools.lru_cache(maxsize=16384)
def _units(references: tuple[str, ...]) -> frozenset[str]:
    return _CASED.intersection(unit for reference in references for unit in _UNIT.findall(reference))
