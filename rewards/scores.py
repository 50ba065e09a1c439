"""Scores of matches and ratios: numbers that stand against each other, so that their order counts."""

from __future__ import annotations

import functools
import itertools
import re
from fractions import Fraction
from typing import Final

from rewards.quantities import readable

_PLAIN_NUMBER: Final = r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?"
_SCORE: Final = re.compile(
    rf"(?<![\w.,:-]){_PLAIN_NUMBER}(?:(?: [a-z]+)?\s?(?:-to-|[-:]|\bto\b)\s?{_PLAIN_NUMBER})+(?![\w:])(?![.,]\d)"
)
"""Numbers that stand against each other: "3-2", "2:1", "21 to 14", "three goals to two"."""


@functools.lru_cache(maxsize=16384)
def scores(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the scores and ratios of a text, each as its numbers in their order; a range looks alike."""
    found = _SCORE.findall(readable(text))
    return tuple(tuple(number.replace(",", "") for number in re.findall(_PLAIN_NUMBER, one)) for one in found)


def unordered(text: str) -> bool:
    """Return whether a text has a score or a ratio that is no range, as its numbers do not ascend: "3-2", not "2-3"."""
    return any(Fraction(low) >= Fraction(high) for one in scores(text) for low, high in itertools.pairwise(one)) or (
        ":" in text and bool(scores(text))
    )
