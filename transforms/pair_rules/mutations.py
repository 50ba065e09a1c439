"""Answers that are surely wrong, made from a right one: what no reward may pay for.

They come from the pair alone, so that a pair is decided alike wherever and whenever it is.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from rewards.names import TITLES
from rewards.options import options
from rewards.stems import stem
from rewards.text import ARTICLES, CARDINALS, FUNCTION_WORDS, stems_of, words

COUNT: Final = 3


class Answer(NamedTuple):
    """What mutations are made from: a question, its answer with aliases, and the sentence that proves it."""

    question: str
    text: str
    aliases: tuple[str, ...]
    evidence: str


def mutations(question: str, answer: str, answer_type: str, aliases: Sequence[str], evidence: str) -> list[str]:
    """Return three wrong answers, of the answer's type where that has so many; fewer where none could be made.

    number: another digit, magnitude, sign; number words exchanged.
    date: another day, month, year, decade, century, weekday.
    name: another name of the evidence, or one with another family name or given name.
    boolean: the opposite, in three wordings.
    choice: the other options.
    expression: another sign, another exponent, something added.
    phrase, and all that cannot be changed so: denied, with the words exchanged that the question has not, something
    else.

    A text that says the answer or an alias, however it is written, is no mutation, unless it denies it.

    Args:
      question: the question, which may offer options.
      answer: the right answer, not empty.
      answer_type: one of `schemas.domains.ANSWER_TYPES`.
      aliases: other ways to say it.
      evidence: the sentence that proves it, whose other names are the likeliest mistakes.
    """
    right = Answer(question, answer.strip(), tuple(filter(str.strip, aliases)), evidence)
    known = [said for text in (right.text, *right.aliases) if (said := tuple(words(text)))]
    made: dict[str, str] = {}
    for text in itertools.chain(_MAKERS[answer_type](right), _phrases(right)):
        if text in (f"{_DENIAL}{right.text}", f"-{right.text}") or not _says(tuple(words(text)), known, answer_type):
            made.setdefault(" ".join(text.split()).casefold(), text)
        if len(made) == COUNT:
            break
    return list(made.values())


def _says(said: tuple[str, ...], known: Sequence[tuple[str, ...]], answer_type: str) -> bool:
    if answer_type == "expression":
        return False  # its signs count, and they are no words
    text = f" {' '.join(said)} "
    return any(f" {' '.join(one)} " in text for one in known)


def _pick(right: Answer) -> int:
    """Return a number that belongs to a pair, to vary what is taken of a list."""
    return zlib.crc32(f"{right.question}\0{right.text}".encode("utf-8", "surrogatepass"))


_DENIAL: Final = "not "
_FIGURE: Final = re.compile(r"(?<![\d.,])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?!\d)", re.ASCII)
_CARDINAL: Final = re.compile(rf"\b(?:{'|'.join(sorted(CARDINALS, key=len, reverse=True))})\b", re.IGNORECASE)
# Behind it "8 ft 11 in" and "2:1" go on: the sign would be a mark before the first of several figures.
_ONE_UNIT: Final = re.compile(r"[\s-]?[^\W\d]*[%\u00b0]?[^\W\d]*[\u00b2\u00b3]?")
_LONGEST_FIGURE: Final = 40  # digits that are computed with


def _numbers(right: Answer) -> Iterator[str]:
    figure = _FIGURE.search(right.text)
    if figure is not None and len(figure[0]) <= _LONGEST_FIGURE:
        before, after = right.text[: figure.start()], right.text[figure.end() :]
        yield f"{before}{_other_digit(figure[0])}{after}"
        value = Decimal(figure[0].replace(",", ""))
        yield f"{before}{value * 10 if value else 10:f}{after}"
        if value and not before and _ONE_UNIT.fullmatch(after):
            yield f"-{right.text}"
        yield f"{before}{value + 7:f}{after}"
        yield f"{before}{value + 20:f}{after}"
    if word := _CARDINAL.search(right.text):
        for step in (1, 3, 4, 5):
            yield _replaced(right.text, word, _other_cardinal(word[0], step))


def _other_digit(figure: str) -> str:
    place = next((place for place, digit in enumerate(figure) if digit in "123456789"), 0)
    return f"{figure[:place]}{int(figure[place]) % 9 + 1}{figure[place + 1 :]}"


def _other_cardinal(word: str, step: int) -> str:
    """Return another number word of the same rank, so that "twenty-one" stays a number."""
    names = list(CARDINALS)
    value = CARDINALS[word.lower()]
    ranks = (names[1:10], names[10:20], names[20:])
    rank = next((rank for rank in ranks if word.lower() in rank), names[1:10])
    other = rank[(rank.index(word.lower()) + step) % len(rank)] if value else rank[step]
    return other.capitalize() if word[0].isupper() else other


_YEAR: Final = re.compile(r"(?<!\d)\d{3,4}(?!\d)", re.ASCII)
_DECADE: Final = re.compile(r"(?<!\d)(\d{3})0('?s)\b", re.ASCII)
_DAY: Final = re.compile(r"(?<![\d/-])\d{1,2}(?=(?:st|nd|rd|th)?\b)(?![/:-]\d)", re.ASCII)
_LAST_PART: Final = re.compile(r"(?<=\d[/-])\d{1,2}(?!\d)", re.ASCII)
_MONTH_NAMES: Final = "January February March April May June July August September October November December".split()
_MONTH: Final = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?",
    re.IGNORECASE,
)
_WEEKDAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_WEEKDAY: Final = re.compile(rf"\b(?:{'|'.join(_WEEKDAYS)})\b", re.IGNORECASE)


def _dates(right: Answer) -> Iterator[str]:
    if decade := _DECADE.search(right.text):
        for years in (1, 2, 10):
            other = f"{int(decade[1]) + years}0{decade[2]}"
            yield right.text[: decade.start()] + other + right.text[decade.end() :]
    elif year := _YEAR.search(right.text):
        month = _MONTH.search(right.text)
        yield _replaced(right.text, year, str(int(year[0]) + 1))
        if month:
            yield _replaced(right.text, month, _other_month(month[0], 4))
        for years in (-10, 3, 7):
            yield _replaced(right.text, year, str(max(int(year[0]) + years, 1)).zfill(len(year[0])))
    elif month := _MONTH.search(right.text):
        for months in (1, 4, 6):
            yield _replaced(right.text, month, _other_month(month[0], months))
    elif weekday := _WEEKDAY.search(right.text):
        for days in (1, 3, 4):
            place = [name.lower() for name in _WEEKDAYS].index(weekday[0].lower())
            yield _replaced(right.text, weekday, _WEEKDAYS[(place + days) % 7])
    if (day := _DAY.search(right.text) or _LAST_PART.search(right.text)) and not _DECADE.search(right.text):
        for days in (1, 5, 7):
            yield _replaced(right.text, day, str((int(day[0]) + days) % 28 + 1).zfill(len(day[0])))
    yield from _numbers(right)


def _other_month(name: str, later: int) -> str:
    place = [month[:3].lower() for month in _MONTH_NAMES].index(name[:3].lower())
    return _MONTH_NAMES[(place + later) % 12]


def _replaced(text: str, match: re.Match[str], other: str) -> str:
    return text[: match.start()] + other + text[match.end() :]


_NAME: Final = re.compile(r"[A-Z][\w'-]+(?: (?:(?:of|de|van|von|the) )?[A-Z][\w'-]+)*")
_SUFFIXES: Final = ("jr", "sr", "junior", "senior", "2", "3", "4")
_FAMILIES: Final = ("Halvorsen", "Okonkwo", "Lindqvist", "Tavares", "Brzezinski", "Yamashiro", "Castellano")
_GIVEN: Final = ("Oskar", "Imogen", "Thaddeus", "Ludmila", "Bertrand", "Zainab", "Cornelius")


def _names(right: Answer) -> Iterator[str]:
    ours = {word for text in (right.text, *right.aliases, right.question) for word in words(text)}
    # "Cuban" is of Cuba, and may be taken for it.
    roots = tuple(word for word in ours if len(word) > 3)
    others = [
        name
        for name in _NAME.findall(right.evidence)
        if (said := words(name)) and ours.isdisjoint(said) and not any(word.startswith(roots) for word in said)
    ]
    yield from [name for name in others if len(name) > 3][-1:]
    shift = _pick(right)
    family, given = _FAMILIES[shift % len(_FAMILIES)], _GIVEN[shift % len(_GIVEN)]
    parts = right.text.split()
    # A word that the question has, an answer need not repeat, nor a title or "Jr": to exchange these changes nothing.
    free = {*stems_of(right.question), *TITLES, *_SUFFIXES}
    if len(parts) > 1 and free.isdisjoint(stems_of(parts[-1])):
        yield " ".join((*parts[:-1], family))
    if len(parts) == 2 and parts[0][0].isupper() and free.isdisjoint((*words(parts[0]), *stems_of(parts[0]))):
        yield f"{given} {parts[-1]}"
    yield f"{given} {family}"
    yield _FAMILIES[(shift + 3) % len(_FAMILIES)]
    yield f"{_GIVEN[(shift + 2) % len(_GIVEN)]} {_FAMILIES[(shift + 5) % len(_FAMILIES)]}"


def _booleans(right: Answer) -> Iterator[str]:
    if right.text.casefold().strip(" .!") in ("yes", "true"):
        yield from ("No", "False", "No, that is not so.")
    else:
        yield from ("Yes", "True", "Yes, that is so.")


_LABELLED: Final = re.compile(r"(?<!\w)\(?([A-H])[).:]\s")


def _choices(right: Answer) -> Iterator[str]:
    offered = [option.strip(" ?.") for option in options(right.question)]
    letters = _LABELLED.findall(right.question)
    own = right.text.strip("().: ").upper()
    if len(letters) != len(offered):
        letters = [""] * len(offered)
    elif label := _LABELLED.match(right.text):
        own = label[1]
    for letter, option in zip(letters, offered, strict=True):
        if option and not (letter and letter == own):
            yield option
    if len(own) == 1:
        yield from (letter for letter in dict.fromkeys(letters) if letter and letter != own)


_CONTENT: Final = re.compile(r"[^\W\d_]{3,}")
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_NEGATIVE: Final = frozenset(
    "no not never none neither nor without cannot nobody nothing false wrong except only t than other rather instead "
    "but non".split()
)
_FOREIGN: Final = ("lantern", "gravel", "parsley", "harbour", "trombone", "velvet", "kennel")
_SMALL: Final = FUNCTION_WORDS | ARTICLES


def _phrases(right: Answer) -> Iterator[str]:
    # Where the answer denies something, to deny it says nothing for sure.
    if _NEGATIVE.isdisjoint(words(right.text)):
        yield f"{_DENIAL}{right.text}"
    shift = _pick(right) % len(_FOREIGN)
    foreign = itertools.cycle(_FOREIGN[shift:] + _FOREIGN[:shift])
    asked = {*stems_of(right.question), *_SMALL}
    content = [match for match in _CONTENT.finditer(right.text) if stem(match[0].lower()) not in asked]
    text = right.text
    for match in reversed(content):
        text = _replaced(text, match, next(foreign))
    if text != right.text:
        yield _DIGITS.sub(lambda match: str(int(match[0][:_LONGEST_FIGURE]) + 3), text)
    yield f"{next(foreign)} {next(foreign)}"
    yield next(foreign)
    yield next(foreign)


_SIGN: Final = re.compile(r"(?<=[\w)}\s])[+-](?=[\s\w({\\])")
_POWER: Final = re.compile(r"([a-zA-Z)]\s?(?:\^|\*\*)\{?)(\d{1,2})(?!\d)", re.ASCII)
"""The exponent of a variable or of a bracket. That of a number may be changed without effect: 1^2."""


def _expressions(right: Answer) -> Iterator[str]:
    text = right.text.strip()
    mark = "$" if len(text) > 2 and text[0] == text[-1] == "$" else ""
    inner = text.strip("$").strip() if mark else text
    if sign := _SIGN.search(inner):
        yield f"{mark}{_replaced(inner, sign, '-' if sign[0] == '+' else '+')}{mark}"
    if power := _POWER.search(inner):
        yield f"{mark}{_replaced(inner, power, f'{power[1]}{int(power[2]) + 3}')}{mark}"
    yield from (f"{mark}{inner} {added}{mark}" for added in ("+ 7", "- 11", "+ 23"))


_MAKERS: Final[dict[str, Callable[[Answer], Iterator[str]]]] = {
    "number": _numbers,
    "date": _dates,
    "name": _names,
    "boolean": _booleans,
    "choice": _choices,
    "phrase": _phrases,
    "expression": _expressions,
}
