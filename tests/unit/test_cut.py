"""Where a long document ends for a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.cut import BYTES_PER_TOKEN, cut

SENTENCE = "The bridge at Arden was opened in 1901. "


@pytest.mark.parametrize("text", ["", "short", "é" * 150, "x" * 300, SENTENCE * 7])
def test_what_is_short_enough_stays_as_it_is(text: str) -> None:
    assert len(text.encode()) <= 300 and cut(text, 100) == text


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (SENTENCE * 20, "1901."),
        ('He asked: "Was it opened in 1901?" ' * 20, '1901?"'),
        ("一九〇一年に橋が開通した。" * 20, "開通した。"),
        ("a line that has no mark\n" * 20, "no mark"),
        ("word " * 100, "word"),
        ("version 1.2.3 of " * 20, "version"),
    ],
)
def test_it_ends_with_a_sentence_or_else_with_a_word(text: str, end: str) -> None:
    shorter = cut(text, 100)
    assert text.startswith(shorter) and shorter.endswith(end)
    assert 150 <= len(shorter.encode()) <= 300


def test_a_sentence_that_ends_early_is_not_worth_the_rest() -> None:
    assert len(cut("Short. " + "word " * 100, 100)) > 150


def test_a_text_without_any_end_is_cut_between_characters() -> None:
    assert cut("é" * 400, 100) == "é" * 75
    assert cut(" " * 400, 100) == " " * 300


@given(st.text(alphabet="a .\n。é😀", max_size=900), st.integers(2, 300))
def test_it_is_always_a_beginning_within_the_limit(text: str, tokens: int) -> None:
    shorter = cut(text, tokens)
    assert text.startswith(shorter) and (shorter or not text)
    assert len(shorter.encode()) <= tokens * BYTES_PER_TOKEN or not text.strip()
