"""The three GSM8K rewards, and the slips that they do not share with the published ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rewards.gsm8k import custom_flexible, flexible, strict

SOLUTION = "Natalia sold 48/2 = 24 clips in May.\nAltogether she sold 48+24 = 72.\n#### 72"


@pytest.mark.parametrize("reward", [strict, flexible, custom_flexible])
@pytest.mark.parametrize(
    ("response", "truth", "score"),
    [
        (SOLUTION, "72", 1.0),
        (SOLUTION, SOLUTION, 1.0),
        (SOLUTION, "71", 0.0),
        ("#### 123456", "123456", 1.0),
        ("#### 12345", "123456", 0.0),
        ("#### 123456", "12345", 0.0),
        ("#### 1,234", "1234", 1.0),
        ("#### 1234", "1,234", 1.0),
        ("#### 72.", "72", 1.0),
        ("#### 72.0", "72", 1.0),
        ("#### $72", "72", 1.0),
        ("#### -5", "-5", 1.0),
        ("#### -5", "5", 0.0),
        ("####72", "72", 1.0),
        ("#### seventy-two", "72", 0.0),
        ("####", "72", 0.0),
        ("", "72", 0.0),
        ("#### " + "9" * 5000, "9", 0.0),
        (None, "72", 0.0),
    ],
)
def test_all_three(reward: Callable[[str | None, str], float], response: str | None, truth: str, score: float) -> None:
    assert reward(response, truth) == score


@pytest.mark.parametrize("reward", [strict, flexible, custom_flexible])
@pytest.mark.parametrize("truth", ["", "seventy", "9" * 5000, 72, None])
def test_a_ground_truth_that_is_no_number_is_told(reward: Callable[[str, str], float], truth: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="ground_truth is"):
        reward("#### 72", truth)


@pytest.mark.parametrize(
    ("response", "truth", "by_strict", "by_flexible", "by_custom"),
    [
        ("It is 72", "72", 0, 1, 0),
        ("She sold 72.", "72", 0, 1, 0),
        ("It costs $1,234.", "1234", 0, 1, 0),
        ("It costs $1,234.", "234", 0, 0, 0),
        ("72 of the 100", "72", 0, 0, 0),
        ("#### 72 clips in 2 months", "72", 1, 0, 1),
        ("#### 72\nThat is 6 dozen.", "72", 1, 0, 1),
        ("#### 71\n#### 72", "72", 1, 1, 0),
        ("#### The answer is 72", "72", 0, 1, 1),
        ("####\n72", "72", 0, 1, 0),
        ("3+4=7", "7", 0, 1, 0),
        ("7-3", "-3", 0, 0, 0),
    ],
)
def test_each(response: str, truth: str, by_strict: int, by_flexible: int, by_custom: int) -> None:
    assert [reward(response, truth) for reward in (strict, flexible, custom_flexible)] == [
        by_strict,
        by_flexible,
        by_custom,
    ]
