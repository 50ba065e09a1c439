"""The closed lists a model chooses from.

Source of the domains: Webscale-RL (arXiv 2510.06499), section on domain classification.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

Domain = Literal[
    "Math",
    "Technology & Engineering",
    "Coding",
    "Social Science",
    "Natural Science",
    "Travel & Lifestyle",
    "Commerce & Economics",
    "Medicine & Health",
    "Education",
    "Other",
]
DOMAINS: Final[tuple[Domain, ...]] = get_args(Domain)

AnswerType = Literal["number", "date", "name", "phrase", "boolean", "choice", "expression"]
ANSWER_TYPES: Final[tuple[AnswerType, ...]] = get_args(AnswerType)

MAX_PERSONAS: Final = 3
"""Readers per document, at most (same source): one question-answer pair is written for each."""

MAX_ALIASES: Final = 8
"""Other spellings of an answer, at most: a model that has lost its thread lists them to the end of its tokens, and an
answer with many is hit by chance. No exemplar has more than three."""
