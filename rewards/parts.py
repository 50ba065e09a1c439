"""Figures for what words make of numbers: dozens, halves, and fractions that are all a text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final


def with_parts(text: str) -> str:
    """Return a `readable` text with figures for dozens, halves, and fractions that are all it says."""
    for pattern, plain in _PARTS:
        text = pattern.sub(plain, text)
    whole = _PART_ALONE.fullmatch(text)
    return f"{whole[1] or 1}/{_PART_NAMES[whole[2]]}" if whole else text


_PART_NAMES: Final = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
_PART_ALONE: Final = re.compile(
    rf"\W*(?:it (?:is|was) )?(?:about |exactly |nearly )?(?:(?:an?|([0-9]{{1,2}}))[\s-]|(?=half))"
    rf"({'|'.join(_PART_NAMES)})s?\W*"
)
"""A fraction in words ("2 thirds"): within a sentence it may be one of something ("half of 12") or an ordinal."""

_TIMES: Final = "(?:hour|minute|day|week|month|year|decade|century|mile)"
_PARTS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (
        re.compile(r"(?<!and )\b(?:half a|a half) dozen\b(?! and)"),
        lambda match: "6",
    ),
    (
        re.compile(r"(?<![\d.,/] )(?<!dollars )(?<!cents )(?<![\w.,/-])(?:an?|([0-9]{1,3})) dozen\b(?! (?:and|dozen))"),
        lambda match: str(12 * int(match[1] or 1)),
    ),
    (
        re.compile(rf"(?<!and )(?<!\d )\bhalf an? (?={_TIMES}\b(?! and))"),
        lambda match: "0.5 ",
    ),
    (
        re.compile(rf"(?<![\w.,/-])(?:an?|([0-9]{{1,3}}))( {_TIMES}s?)? and a half\b"),
        lambda match: f"{match[1] or 1}.5{match[2] or ''}" if match[1] or match[2] else match[0],
    ),
    (
        re.compile(rf"\ban? (?={_TIMES},?(?: and)? [0-9])"),  # "an hour and 30 minutes"
        lambda match: "1 ",
    ),
    (
        re.compile(r"(?<![\w.,])([0-9]{1,3}) ?h ?([0-9]{1,2}) ?(?:m|mins?)\b"),
        lambda match: f"{match[1]} hours {match[2]} minutes",
    ),
    (
        re.compile(r"\b((?:foot|feet|ft),?(?: and)? [0-9.]+ ?)in\b"),
        lambda match: f"{match[1]}inches",
    ),
)
