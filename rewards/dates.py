"""Dates in words, at the precision that they are given with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        "january february march april may june july august september october november december".split(), 1
    )
}
_MONTHS: Final = frozenset(MONTHS)
_YEAR: Final = re.compile(r"1[0-9]{3}|20[0-9]{2}|[0-9]{3,4}s")
_ANY_YEAR: Final = re.compile(r"[0-9]{3,4}")
_PERIOD: Final = re.compile(r"[0-9]{1,4}")
_ISO_MONTH: Final = re.compile("0[1-9]|1[0-2]")
_DOTTED: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.((?:1[0-9]|20)[0-9]{2})")
_ISO_PART: Final = re.compile(r"[0-9]{1,2}")
_FILLERS: Final = frozenset(
    "on in of at around about circa ca by from to and until till through between since year date day "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thurs fri sat sun".split()
)


_OF_DATES: Final = _FILLERS.union(MONTHS, ("century", "bc", "ad"))


class Date(NamedTuple):
    """What a text says of a date; what it does not say is None.

    Attributes:
      year: "1947", "44bc", a decade ("1980s") or a century ("19c").
      month: 1 to 12.
      day: 1 to 31.
    """

    year: str | None = None
    month: int | None = None
    day: int | None = None

    def agrees(self, other: Date) -> bool:
        """Return whether nothing that both dates say differs."""
        return all(one is None or another is None or one == another for one, another in zip(self, other, strict=True))

    def includes(self, other: Date) -> bool:
        """Return whether this date says all that another says, and the same; a year lies in its decade and century."""
        if other.year is not None and not _lies_in(self.year, other.year):
            return False
        return all(wanted is None or mine == wanted for mine, wanted in zip(self[1:], other[1:], strict=True))


def _lies_in(year: str | None, period: str) -> bool:
    if year is None or year == period:
        return year == period
    number, kind = year.removesuffix("s"), period[-1]
    if not (number.isdecimal() and period[:-1].isdecimal()):
        return False  # before Christ, or no whole century
    if kind == "s" and number == year:
        return int(number) // 10 == int(period[:-1]) // 10
    return kind == "c" and int(number) // 100 + 1 == int(period[:-1])


def dates(words: Sequence[str], both: bool = True) -> tuple[list[Date], list[int]]:
    """Return the dates among the words of a text, in order, and for each word whether it belongs to one (0 or 1).

    Of "6/5/1907", which some read as the sixth of May, `both` dates are found, June 5 first.
    """
    found: list[Date] = []
    used = [0] * len(words)
    if not _MONTHS.isdisjoint(words):
        for place, word in enumerate(words):
            if word in _MONTHS:
                _around_month(words, place, found, used)
    for place, word in enumerate(words):
        if word < ":" and not used[place]:  # a digit is less, a letter more
            _numeric(words, place, found, used, both)
    return found, used


def _day(words: Sequence[str], place: int, used: Sequence[int]) -> int | None:
    if not 0 <= place < len(words) or used[place]:
        return None
    word = words[place]
    return int(word) if _ISO_PART.fullmatch(word) and 1 <= int(word) <= 31 else None


def _year(words: Sequence[str], place: int) -> str | None:
    return words[place] if place < len(words) and _ANY_YEAR.fullmatch(words[place]) else None


def _around_month(words: Sequence[str], place: int, found: list[Date], used: list[int]) -> None:
    """Read "July 22 1947", "22 (of) July (,) (of) 1947", "July 1947", "July 22"."""
    taken, after = [place], place + 1
    before = place - 2 if place >= 2 and words[place - 1] == "of" else place - 1
    day = _day(words, before, used)
    if day is not None:
        taken.append(before)
    elif (day := _day(words, after, used)) is not None:
        taken.append(after)
        after += 1
    after += after < len(words) and words[after] in ("of", "in")
    year = _year(words, after)
    if year is not None:
        taken.append(after)
    if words[place] in ("may", "march") and day is None and year is None and len(words) > 2:
        return
    for index in taken:
        used[index] = 1
    found.append(Date(year, MONTHS[words[place]], day))


def _numeric(words: Sequence[str], place: int, found: list[Date], used: list[int], both: bool) -> None:
    """Read "1947-07-22", "7/22/1947", "22.7.1947", "07/1947", "44 BC", "6th century", "1947", "1980s"."""
    word, following = words[place], list(words[place + 1 : place + 3])
    period = _PERIOD.fullmatch(word) is not None
    if period and following == ["century", "bc"]:
        year, size = f"{word}cbc", 3
    elif period and following[:1] == ["century"]:
        year, size = f"{word}c", 2
    elif period and following[:1] == ["bc"]:
        year, size = f"{word}bc", 2
    elif period and following[:1] == ["ad"]:
        year, size = word, 2
    elif period and place and words[place - 1] == "ad":
        year, size = word, 1
        used[place - 1] = 1
    elif _YEAR.fullmatch(word):
        year, size = word, 1
        if len(following) == 1 and _ISO_MONTH.fullmatch(following[0]):
            used[place : place + 2] = [1, 1]
            found.append(Date(year, int(following[0])))  # "2020-03"
            return
        if len(following) == 2 and all(map(_ISO_PART.fullmatch, following)):
            month, day = int(following[0]), int(following[1])
            if 1 <= month <= 12 and 1 <= day <= 31:
                used[place : place + 3] = [1, 1, 1]
                found.append(Date(year, month, day))
                return
    elif dotted := _DOTTED.fullmatch(word):
        if 1 <= int(dotted[1]) <= 31 and 1 <= int(dotted[2]) <= 12:
            used[place] = 1
            found.append(Date(dotted[3], int(dotted[2]), int(dotted[1])))
        return
    elif len(following) == 1 and _YEAR.fullmatch(following[0]) and _ISO_MONTH.fullmatch(word) and not place:
        used[place : place + 2] = [1, 1]
        found.append(Date(following[0], int(word)))  # "03/2020"
        return
    elif len(following) == 2 and _YEAR.fullmatch(following[1]) and _ISO_PART.fullmatch(following[0]):
        parts = [int(part) for part in (word, following[0]) if _ISO_PART.fullmatch(part)]
        if len(parts) != 2 or not (1 <= min(parts) <= 12 and max(parts) <= 31):
            return
        month, day = parts if parts[0] <= 12 else parts[::-1]
        used[place : place + 3] = [1, 1, 1]
        found.append(Date(following[1], month, day))
        if both and day <= 12 and day != month:
            found.append(Date(following[1], day, month))
        return
    else:
        return
    used[place : place + size] = [1] * len(used[place : place + size])
    found.append(Date(year))


def only_dates(words: Sequence[str]) -> list[Date]:
    """Return the dates of a text that says nothing else, otherwise none."""
    for word in words:
        if word not in _OF_DATES and not word[0].isdigit():
            return []
    found, used = dates(words, both=False)
    rest = [word for word, taken in zip(words, used, strict=True) if not taken and word not in _FILLERS]
    return [] if rest else found
