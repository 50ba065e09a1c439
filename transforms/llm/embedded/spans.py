"""Dates and numbers inside a sentence, and the other ways to write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from transforms.llm.embedded.words import MONTHS, NUMBER_WORDS

_MONTH: Final = "|".join(MONTHS)
_DAY: Final = r"(?P<{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_YEAR: Final = r"(?P<{0}>1\d{{3}}|20\d{{2}})"
DATE: Final = re.compile(
    rf"(?<![\w.,$€£])(?:(?P<full>{_DAY.format('day1')} (?:of )?(?P<month1>{_MONTH}),? {_YEAR.format('year1')}"
    rf"|(?P<month2>{_MONTH}) {_DAY.format('day2')},? {_YEAR.format('year2')})"
    rf"|(?P<month>(?P<month3>{_MONTH}),? (?:of )?{_YEAR.format('year3')})"
    rf"|(?P<year>{_YEAR.format('year4')}))"
    r"(?![\w\u2019'/]|[,.]\d|\s?[\u2013-]|\s(?:BCE?|AD|CE|AH)\b)"
)
"""A date with its year: full, month and year, or a year (1000-2099) alone; no part of a range or a larger number."""

NUMBER: Final = re.compile(
    r"(?<![\w.,$€£])(?P<digits>\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?: (?P<scale>million|billion|trillion))?"
    r"(?![\w.\u2013-]*\d)\b"
    rf"|\b(?P<word>{'|'.join(word for word in NUMBER_WORDS if word not in ('zero', 'one'))})\b(?![\u2013-])",
)
"""A number of two or more, in digits (with its million, billion or trillion) or as a word."""


@dataclass(frozen=True, slots=True)
class Date:
    """A date in a sentence: offsets, the text, and the question that asks for it."""

    start: int
    end: int
    text: str
    ask: str


def as_date(match: re.Match[str]) -> Date:
    """Return the span of a `DATE` match."""
    if match["full"]:
        ask = "On what date"
    elif match["month"]:
        ask = "In what month and year"
    else:
        ask = "In what year"
    return Date(match.start(), match.end(), match.group(), ask)


def asking(text: str) -> str:
    """Return the words that ask for a date: "On what date", "In what month and year" or "In what year"."""
    match = DATE.fullmatch(text)
    return as_date(match).ask if match else "When"


def date_aliases(text: str) -> list[str]:
    """Return other spellings of a full date or of a month and year; a bare year has none."""
    match = DATE.fullmatch(text)
    if match is None or match["year"]:
        return []
    if match["month"]:
        month, year = match["month3"], match["year3"]
        ways = [f"{month} {year}", f"{month}, {year}", f"{year}-{MONTHS.index(month) + 1:02d}"]
    else:
        month = match["month1"] or match["month2"]
        day, year = int(match["day1"] or match["day2"]), match["year1"] or match["year2"]
        ways = [f"{day} {month} {year}", f"{month} {day}, {year}", f"{year}-{MONTHS.index(month) + 1:02d}-{day:02d}"]
    return [way for way in ways if way != text]


def number_aliases(text: str) -> list[str]:
    """Return a number without its separators, and a number word as digits (or a small number as its word)."""
    head, _, unit = text.partition(" ") if not re.match(r"\d{1,3}( \d{3})+", text) else (text, "", "")
    lowered = head.lower()
    other = ""
    if lowered in NUMBER_WORDS and NUMBER_WORDS[lowered] <= 90:
        other = str(NUMBER_WORDS[lowered])
    elif re.fullmatch(r"\d{1,3}([, ]\d{3})+(\.\d+)?", head):
        other = re.sub(r"[, ]", "", head)
    elif head.isdigit() and int(head) <= 20:
        other = next(word for word, value in NUMBER_WORDS.items() if value == int(head))
    if not other:
        return []
    return [f"{other} {unit}" if unit else other]
