"""Text as answers are compared: letters, words and the numbers that words spell.

Unicode's look-alikes stay what they are: an accent that belongs to a letter is dropped, but a Cyrillic letter, a
full-width one, a letter struck through or a character of no width is never taken for the Latin letter that it imitates,
since a policy would learn to write what looks right and is not.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from rewards.stems import stem

_PLAIN: Final = {
    "\u00df": "ss", "\u00e6": "ae", "\u00c6": "AE", "\u0153": "oe", "\u0152": "OE", "\u00f8": "o", "\u00d8": "O",
    "\u0142": "l", "\u0141": "L", "\u0111": "d", "\u0110": "D", "\u00f0": "d", "\u00de": "Th", "\u00fe": "th",
    "\u0131": "i", "\u2032": "'", "\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"',
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-",
    "\u3001": ",", "\uff0c": ",", "\uff1b": ";", "\u3002": ".",
    "\u00d7": "x", "\u00bd": " 1/2", "\u00bc": " 1/4", "\u00be": " 3/4", "\u00ba": "\u00b0",
}  # fmt: skip
"""Letters that Unicode does not decompose, and typography that says nothing."""

_RAISED: Final = re.compile("([\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207a\u207b]+)([0-9]?)")
_LOWERED: Final = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b", "0123456789+-"
)


class _Folds(dict[int, str]):
    """What a character is folded to, found once for each."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        plain = _PLAIN.get(character)
        if plain is None:
            decomposed = unicodedata.normalize("NFD", character)
            base, marks = decomposed[0], decomposed[1:]
            accented = base.isascii() and bool(marks) and all(unicodedata.combining(mark) for mark in marks)
            plain = base if accented else " " if character.isspace() else character
        self[code] = plain
        return plain


_FOLDS: Final = _Folds()


def fold(text: str) -> str:
    """Return a text without the accents of its Latin letters, with quotes, dashes and spaces in ASCII; case stays."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFC", text).translate(_FOLDS)
    return plain if plain.isascii() else _RAISED.sub(_power, plain)


def _power(match: re.Match[str]) -> str:
    """Write a power on the line: "10\u00b2\u00b3" as "10^23". A raised digit before a plain one stays apart from it."""
    return f"^{match[1].translate(_LOWERED)}{' ' * bool(match[2])}{match[2]}"


# A number has its separators and the ending that makes it an ordinal or a decade; letters with a full stop each are one
# word ("U.S.", "J. K."); a word has the marks that are written onto it (Devanagari's vowels are marks).
_NUMBER: Final = r"\d+(?:[.,:]\d+)*(?:(?:st|nd|rd|th|(?<=0)s)(?![^\W_]))?"
_WORD: Final = re.compile(
    rf"[^\W\d_]{{2,}}(?:[^\w\s\x00-\x7f]+[^\W\d_]*)*|{_NUMBER}|(?:[^\W\d_]\. ?(?![^\W\d_]{{2}})){{2,}}"
    r"|[^\W\d_](?:[^\w\s\x00-\x7f]+[^\W\d_]*)*"
)
_ASCII_WORD: Final = re.compile(  # the same; a set of characters comes first, so that the engine may skip to it
    r"[a-z\d](?:(?<=[a-z])[a-z]+|(?<=\d)\d*(?:[.,:]\d+)*(?:(?:st|nd|rd|th|(?<=0)s)(?![a-z\d]))?"
    r"|(?<=[a-z])\. ?(?![a-z]{2})(?:[a-z]\. ?(?![a-z]{2}))+|)"
)
_SIGNED: Final = re.compile(r"(?<=[^\W\d_])(\+\+?|#)(?![\w+#])")
_MAY_BE_LETTER_A: Final = re.compile(r" A(?![a-zA-Z])")
_LETTER_A: Final = re.compile(r"(?<=[a-z\d] )A(?![\w.]|\s+[A-Z])|(?<=[a-z\d] )A(?=\.?$)")
"""The letter, not the article: "vitamin A", "hepatitis A virus"."""

_POSSESSIVE: Final = re.compile(r"'s(?![^\W_])(?<=[^\W\d_]'s)")
_GROUPS: Final = re.compile(r"\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?")

UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES: Final = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
CARDINALS: Final = {word: value for value, word in enumerate(UNITS)} | {
    word: 10 * value for value, word in enumerate(TENS, 2)
}
_ORDINAL_WORDS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
).split()
_ORDINALS: Final = {word: value for value, word in enumerate(_ORDINAL_WORDS, 1)} | {
    word[:-1] + "ieth": 10 * value for value, word in enumerate(TENS, 2)
}
# "i", "v" and "x" are left out: they are more often letters.
_ROMAN: Final = {
    "ii": 2, "iii": 3, "iv": 4, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "xi": 11, "xii": 12, "xiii": 13, "xiv": 14,
    "xv": 15, "xvi": 16, "xvii": 17, "xviii": 18, "xix": 19, "xx": 20, "xxi": 21,
}  # fmt: skip
_SAME: Final = {
    "jan": "january", "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july", "aug": "august",
    "sep": "september", "sept": "september", "oct": "october", "nov": "november", "dec": "december",
    "st": "saint", "mt": "mount", "ft": "fort", "dr": "doctor", "bce": "bc", "ce": "ad", "colour": "color",
    **{word[:-1] + "ies": f"19{10 * value}s" for value, word in enumerate(TENS, 2)},
    "beneath": "below", "under": "below", "underneath": "below",

}  # fmt: skip
ARTICLES: Final = frozenset(("a", "an", "the"))
_NUMERALS: Final = {word: str(value) for word, value in {**CARDINALS, **_ORDINALS, **_ROMAN}.items()}
_PLAIN_WORDS: Final = {**_SAME, **_NUMERALS, **dict.fromkeys(ARTICLES, "")}
_NUMBERED: Final = frozenset(CARDINALS) | frozenset(_ORDINALS) | frozenset(SCALES)


def words(text: str) -> list[str]:
    """Return the words and numbers of a text as they are compared, in its order.

    Lower case, no accents, no punctuation, no articles, no possessive s; numbers in digits, without grouping and
    trailing zeros, whether they were cardinals ("twenty-one", "5 million"), ordinals ("sixth", "22nd") or Roman
    ("World War II"); abbreviations that all readers know spelled out.
    """
    plain = text if text.isascii() else fold(text)
    if " A" in plain and _MAY_BE_LETTER_A.search(plain):
        plain = _LETTER_A.sub("Aa", plain)
    plain = plain.lower()
    if "'" in plain:
        plain = plain.replace("0's", "0s").replace("'s ", " ")
        plain = _POSSESSIVE.sub("", plain) if "'s" in plain else plain
    if "%" in plain:
        plain = plain.replace("%", " percent ")
    if "+" in plain or "#" in plain:
        plain = _SIGNED.sub(_spelled_sign, plain)
    found: list[str] = (_ASCII_WORD if plain.isascii() else _WORD).findall(plain)
    if not _NUMBERED.isdisjoint(found):
        found = _spelled([word for word in found if word not in ARTICLES])
    return list(filter(None, map(_CANONICAL.__getitem__, found)))


def _spelled_sign(match: re.Match[str]) -> str:
    """Spell the sign that is a part of a name: C++, C#, A+."""
    return match[1].replace("+", "plus").replace("#", "sharp")


class _Canonical(dict[str, str]):
    """Words as they are compared, an article as nothing, each found once: a look-up is quicker than a call."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _KEPT:
            self.clear()
            self.update(_PLAIN_WORDS)
        canonical = self[word] = word if word.isalpha() else _canonical(word)
        return canonical


_KEPT: Final = 65_536
_CANONICAL: Final = _Canonical(_PLAIN_WORDS)


def _canonical(word: str) -> str:
    if word[0].isdigit():
        return _digits(word)
    if "." in word:
        joined = word.replace(".", "").replace(" ", "")
        return _PLAIN_WORDS.get(joined, joined)
    return word


def _digits(word: str) -> str:
    if word[-1].isalpha():
        if word[-1] == "s":
            return f"19{word}" if len(word) == 3 else word  # "the 90s"
        word = word[:-2]
    if "," in word and _GROUPS.fullmatch(word):
        word = word.replace(",", "")
    if word.endswith(":00"):
        return word[:-3]
    if word.count(".") == 1:
        word = word.rstrip("0").rstrip(".")
    return word


def _spelled(plain: list[str]) -> list[str]:
    """Replace the words that spell a number together by its digits."""
    numbered = [place for place, word in enumerate(plain) if word in _NUMBERED]
    if all(_stands_alone(plain, place) for place in numbered):
        return plain
    done: list[str] = []
    place = 0
    while place < len(plain):
        word = plain[place]
        end, value = _number_at(plain, place) if word in _NUMBERED or word[0].isdigit() else (place, "")
        done.append(value if end > place else word)
        place = max(end, place + 1)
    return done


def _stands_alone(plain: Sequence[str], place: int) -> bool:
    if plain[place] in SCALES:
        return False
    after = plain[place + 1] if place + 1 < len(plain) else ""
    return after not in _NUMBERED and after not in ("and", "of") and not (place and plain[place - 1][0].isdigit())


def _number_at(plain: Sequence[str], start: int) -> tuple[int, str]:
    """Return where the number that begins at `start` ends and its digits; `start` itself where none begins.

    "two hundred and fifty", "twenty first", "1.5 million"; "one of them" is no number.
    """
    total: Fraction | int = 0
    current: Fraction | int = -1
    place = start
    last = 10**13
    while place < len(plain):
        word = plain[place]
        if word in CARDINALS and (current < 0 or _fits(current, CARDINALS[word])):
            current = max(current, 0) + CARDINALS[word]
        elif word in _ORDINALS and (current < 0 or _fits(current, _ORDINALS[word])):
            return place + 1, _shown(total + max(current, 0) + _ORDINALS[word])
        elif word == "hundred" and (0 < current < 100 or place == start):
            current = 100 * max(current, 1)
        elif word != "hundred" and word in SCALES and (current > 0 or place == start) and SCALES[word] < last:
            total, current, last = total + (current if current > 0 else 1) * SCALES[word], -1, SCALES[word]
        elif place == start and word[0].isdigit() and place + 1 < len(plain) and plain[place + 1] in SCALES:
            if not _PLAIN_NUMBER.fullmatch(word):
                break
            current = Fraction(word)
        elif not (word == "and" and place > start and place + 1 < len(plain) and _goes_on(plain, place, current)):
            break
        place += 1
    if place == start:
        return start, ""
    if place == start + 1 and plain[start : place + 1] == ["one", "of"]:
        return place + 1, "one of"
    return place, _shown(total + max(current, 0))


_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")


def _fits(current: Fraction | int, value: int) -> bool:
    """Return whether a cardinal goes on with the number before it: "twenty" with "one", "two hundred" with "fifty"."""
    if current % 100 == 0 and current > 0:
        return value > 0
    return current % 10 == 0 and current % 100 >= 20 and 0 < value < 10


def _goes_on(plain: Sequence[str], place: int, current: Fraction | int) -> bool:
    hundreds = current > 0 and current % 100 == 0
    return plain[place - 1] in SCALES and (hundreds or current < 0) and plain[place + 1] in CARDINALS


def _shown(value: Fraction | int) -> str:
    return str(value) if value.denominator == 1 else repr(float(value))


@functools.lru_cache(maxsize=16384)
def words_of(text: str) -> tuple[str, ...]:
    """Return the `words` of a short text; kept, as a question or a reference is asked for again."""
    return tuple(words(text))


@functools.lru_cache(maxsize=16384)
def stems_of(text: str) -> tuple[str, ...]:
    """Return the words of a short text without endings; kept likewise."""
    return tuple(map(stem, words_of(text)))


@functools.lru_cache(maxsize=16384)
def asked_in(question: str) -> frozenset[str]:
    """Return the stems of a question, which more than one rule may ask for, or none."""
    return frozenset(stems_of(question))


FUNCTION_WORDS: Final = frozenset(
    "of in on at to for by with and from as it its that this these those is was are were be been being has have had "
    "which who whom into during their his her they he she between about near".split()
)
"""Words that tell answers apart only where nothing else does."""


@functools.lru_cache(maxsize=16384)
def stems_of_part(part: str) -> tuple[str, ...]:
    """Return the stems of what stands between two spaces; kept, as most are words of many questions."""
    word = part.strip(".,;:!?\"'()").lower()
    if word.isascii() and word.isalpha() and word not in _PLAIN_WORDS:
        return (stem(word),)
    return stems_of(part)


_SAYING_LITTLE: Final = FUNCTION_WORDS.union(map(stem, FUNCTION_WORDS))


def content(stems: Sequence[str]) -> list[str]:
    """Return the words that carry an answer's content, or all of them where it has none."""
    return [word for word in stems if word not in _SAYING_LITTLE] or list(stems)
