"""Hashed words against their definition: Python's `\\W`, Python's lower case, and arithmetic on Python's integers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import hashed_words, words
from transforms.text.hashes import Words, words_of

MASK = 2**64 - 1
# Lower case that depends on what is around, or is longer, shorter, or two characters; marks; blanks; beyond the BMP.
ODD = (
    "\u03a3\u03c3\u03c2\u0130\u0131\u00df\u1e9e\u212a\u212b\u023a\u2c6f\u0345\u0301\u0307\u00ad\u200d\u00b7'.:_"
    " \t\n\x0b\x0c\r\x1c\x1f\x85\xa0\u1680\u2003\u2028\u3000\u200b\0\x7f\x80-\u2014\u201d\u00b2\u2160\u24b6\u0663"
    "\u00c9\u0416\u0391\u6f22\u0e01\u0e31\U00010400\U0001d400\U0001f600\U00020000\U000e0041aAzZ09"
)
TEXT = st.one_of(
    st.text(st.sampled_from(ODD), max_size=80),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text(st.sampled_from("abcdefghij \u00e9\u03a3"), max_size=300),
)


def mixed(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def word_hash(word: str) -> int:
    data = word.encode()
    blocks = [int.from_bytes(data[begin : begin + 8], "little") for begin in range(0, len(data), 8)]
    return sum(mixed((block + i * 0x9E3779B97F4A7C15) & MASK) for i, block in enumerate(blocks)) & MASK


def listed(found: Words) -> list[list[int]]:
    return [found.hashes[begin:end].tolist() for begin, end in zip(found.starts, found.starts[1:], strict=False)]


@given(st.lists(TEXT, max_size=6))
@example(["", "", "a", ""])
@example(["\u0391\u03a3", "\u03a3\u0391", "\u0391\u03a3'\u0391", "\u0391\u03a3. \u0391"])
@example(["\u023a" * 9 + " \u0130\u0130 " + "\u00df" * 4, "\u00e9" * 8])
@example(["x" * 7, "x" * 8, "x" * 9, "x" * 16, "x" * 17, "x" * 1000])
def test_words_and_their_hashes_are_those_of_the_definition(texts: list[str]) -> None:
    found = hashed_words(texts)
    assert len(found) == len(texts)
    assert (found.hashes.dtype, found.starts.dtype) == (np.uint64, np.int64)
    assert listed(found) == [[word_hash(word) for word in words(text)] for text in texts]


@given(st.lists(TEXT, min_size=1, max_size=6), st.data())
def test_texts_are_read_from_a_slice_and_from_chunks(texts: list[str], data: st.DataObject) -> None:
    found, each = hashed_words(texts), listed(hashed_words(texts))
    begin = data.draw(st.integers(0, len(texts) - 1))
    end = data.draw(st.integers(begin, len(texts)))
    assert listed(found.between(begin, end)) == each[begin:end]
    array = pa.array(texts, pa.string())
    assert listed(words_of(array[begin:end])) == each[begin:end]
    assert listed(words_of(pa.chunked_array([array[:begin], array[begin:]]))) == each


@pytest.mark.parametrize("around", ["{}", "a{}", "{}b", "a{}b"])
def test_every_character_is_part_of_a_word_or_not_as_python_has_it(around: str) -> None:
    """All that are assigned, but for private use; what Python makes of them is compared as words without capitals."""
    codes = [code for code in (*range(0x32000), *range(0xE0000, 0xE0200)) if not 0xD800 <= code < 0xE000]
    texts = [
        " ".join(around.format(chr(code)) for code in codes[begin : begin + 97]) for begin in range(0, len(codes), 97)
    ]
    assert listed(hashed_words(texts)) == listed(hashed_words([" ".join(words(text)) for text in texts]))


def test_texts_longer_than_a_chunk_are_read_whole() -> None:
    texts = ["", "x" * 300_000, "a b " * 100_000, "", "\u00e9t\u00e9 " * 50_000, "end"]
    assert hashed_words(texts).counts.tolist() == [0, 1, 200_000, 0, 50_000, 1]
    assert listed(hashed_words(texts))[1] == [word_hash("x" * 300_000)]


def test_no_two_words_of_a_long_list_share_a_hash() -> None:
    found = hashed_words([" ".join(f"{'prefix' * (number % 4)}{number:x}" for number in range(300_000))])
    assert len(np.unique(found.hashes)) == 300_000
