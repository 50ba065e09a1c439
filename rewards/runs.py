"""Lists that no comma tells: answers joined by any sign, or by none."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from rewards.dates import MONTHS
from rewards.names import TITLES
from rewards.stems import stem
from rewards.text import FUNCTION_WORDS, asked_in, stems_of

# A set of characters comes first, so that the engine skips to it.
_MAY_PART: Final = r'(?:(?<=[^!)":])|(?<=!)\w|(?<=\)) ?\(|(?<=") "|(?<=:):)'
_ODD: Final = re.compile(rf'[\x00-\x09\x0b-\x1f#$%*+<=>@\[\\\]^_`~!)":]{_MAY_PART}')
_ODD_OR_ALIEN: Final = re.compile(rf"[^\w\n .,;?'(/&|{{}}\u2018\u2019\u201c\u201d\u20ac\u00a3\u00b0-]{_MAY_PART}")
_SIGNS: Final = r"[=*`^#@$%<>\[\]_:!\x00-\x08~\\]"
_BETWEEN: Final = re.compile(
    r"</?[A-Za-z]{1,6} ?/?>|\) ?\(|\] ?\[|\" \"|` `"
    rf"|(?<= ){_SIGNS}{{1,3}}(?= )|(?<=[^\W_]{{2}})(?:\[(?!\d)|[=*`#@%<>\]_!\x00-\x08\\+]|=>|::|\^(?=[^\W\d_])"
    r"|\$(?:(?<=\d.)|(?=[^\W\d_])))(?=[^\W_])"
)
"""Signs that have a word on both sides, but no power, no sum of money and no time of day."""

_KEPT: Final = frozenset(
    "\u2018\u2019\u02bc\u201c\u201d\u201e\u00ab\u00bb\u2032\u2033\u00b0\u00d7\u2212\u00b1\u2122\u00ae\u00a9"
)


class _Separators(dict[int, str]):
    """What a character is as a separator: a sign beyond ASCII is a comma, a letter, a mark or a currency itself."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        parts = code < 128 or character in _KEPT or kind[0] in "LMN" or kind == "Sc"
        self[code] = character if parts else ", "
        return self[code]


_SEPARATORS: Final = _Separators(
    {
        **dict.fromkeys(map(ord, "\t\r\x0b\x0c\x85\u2022\u2028\u2029"), "\n"),
        **dict.fromkeys(map(ord, "~\\\u2192\uff0f"), "/"),
        **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013"), "-"),
        **dict.fromkeys(map(ord, "\xa0\u2009\u202f"), " "),
        0x2014: " - ", 0x3001: ",", 0xFF0C: ",", 0x3002: ". ", 0xFF1B: ";",
    }
)  # fmt: skip


def with_commas(text: str, references: tuple[str, ...]) -> str:
    """Return a text with commas for the signs between the items of a list, unless a reference has such signs itself."""
    if not _has_signs(text):
        return text
    if not text.isascii():
        text = text.translate(_SEPARATORS)
        if not _has_signs(text):
            return text
    return text if _have_signs(references) else _BETWEEN.sub(", ", text)


def _has_signs(text: str) -> bool:
    return (_ODD if text.isascii() else _ODD_OR_ALIEN).search(text) is not None


@functools.lru_cache(maxsize=16384)
def _have_signs(references: tuple[str, ...]) -> bool:
    return any(_BETWEEN.search(reference) for reference in references)


_STRANGERS: Final = 3  # words of neither the question nor the reference that no answer has beside it
_STRANGERS_OF_A_SENTENCE: Final = 8  # of a sentence, whose verb shows
_NO_STRANGERS: Final = TITLES.union(MONTHS, ("percent", "yes", "no"))
_MANY: Final = 100  # words among which one of grammar makes no sentence yet
_RARELY: Final = 20  # words for each word of grammar in these, at least


def is_run(text: str, said: Sequence[str], references: tuple[str, ...], question: str) -> bool:
    """Return whether a text is a row of words and no sentence: it has hardly a word of grammar, and too many others.

    A row of the reference's own opposites, or of what it lists and more, needs one: "hot cold water". Where several
    references are said, a list is what is asked for.

    Args:
      text: the response.
      said: its words.
      references: all of them.
      question: the question.
    """
    if not FUNCTION_WORDS.isdisjoint(said) and (
        len(said) < _MANY or "\n" in text or _RARELY * sum(map(FUNCTION_WORDS.__contains__, said)) > len(said)
    ):
        return False
    known, kinds, lists = _known(references)
    asked = asked_in(question)
    strangers = [
        one
        for one in map(stem, said)
        if one not in known and one not in asked and one not in _NO_STRANGERS and not one[0].isdigit()
    ]
    if not strangers or len(text) > _LONG:
        return len(strangers) >= _STRANGERS
    if any(_OPPOSITES.get(one, "") in known for one in strangers) and _RIVAL_SIGN.search(text) is None:
        return True
    parts = set(map(stem, said))
    if sum(parts.issuperset(kind) for kind in kinds) > 1:
        return False
    if lists and parts.issuperset(known - {"and"}) and _RIVAL_SIGN.search(text) is None:
        return True
    return len(strangers) >= (_STRANGERS_OF_A_SENTENCE if _has_verb(text) else _STRANGERS)


_LONG: Final = 300  # characters of a row that may be what the question asks for
_RIVAL_SIGN: Final = re.compile(r"\b(?:not|than|instead|versus)\b", re.IGNORECASE)


def _has_verb(text: str) -> bool:
    """Return whether among names a word in small letters has the ending of a verb: "owns", "used"."""
    return text != text.lower() and any(part.islower() and part.endswith(("s", "ed")) for part in text.split())


@functools.lru_cache(maxsize=16384)
def _known(references: tuple[str, ...]) -> tuple[frozenset[str], tuple[frozenset[str], ...], bool]:
    """Return the stems of all references, those of each that shares none with another, and whether one is a list."""
    stems = [frozenset(stems_of(reference)) for reference in references]
    apart: list[frozenset[str]] = []
    for one in stems:
        if one and all(one.isdisjoint(other) for other in apart):
            apart.append(one)
    lists = len(references) == 1 and "," in references[0] and "and" in stems[0]
    return frozenset().union(*stems), tuple(apart), lists


_PAIRS: Final = (
    "hot cold; north south; east west; left right; upper lower; inner outer; top bottom; front back; high low; "
    "northern southern; eastern western; early late; old new; male female; positive negative; increase decrease; "
    "rise fall; up down; more less; most least; internal external; maximum minimum; long short; large small; "
    "major minor; active passive; public private; direct indirect; true false; anterior posterior; black white"
)
_OPPOSITES: Final = {
    stem(one): stem(other) for pair in _PAIRS.split(";") for one, other in (pair.split(), pair.split()[::-1])
}


def leaves_open(text: str, references: tuple[str, ...]) -> bool:
    """Return whether a text has an "or" between two parts of a reference that is all of them: "Romulus or Remus"."""
    joined = [set(stems_of(f"{match[1]} {match[2]}")) for match in _OR.finditer(text)]
    return bool(joined) and any(
        "and" in stems and "or" not in stems and any(one and one.issubset(stems) for one in joined)
        for stems in map(stems_of, references)
    )


_OR: Final = re.compile(r"(\w+),? or (\w+)", re.IGNORECASE)
