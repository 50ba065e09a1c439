"""Words as spaCy splits them, by heart; against spaCy itself they are tested in tests/parity."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.config_filters import GopherRepetitionLimits
from transforms.text.ngrams import could_break
from transforms.text.vocabulary import Vocabulary, sums
from transforms.text.words import tokens


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("word", "word"),
        ("word,", "word ,"),
        ('("word").', '( " word " ) .'),
        ("U.S.", "U.S."),
        ("NATO.", "NATO ."),
        ("I.", "I."),
        ("a.", "a."),
        ("Mr.", "Mr."),
        ("(Mr.", "( Mr."),
        ("mister.", "mister ."),
        ("don't", "do n't"),
        ("don’t", "do n’t"),  # noqa: RUF001
        ("it's", "it 's"),
        ("its", "its"),
        ("cannot", "can not"),
        ("Anna's,", "Anna 's ,"),
        ("well-known", "well - known"),
        ("1914-18", "1914 - 18"),
        ("either/or", "either / or"),
        ("and/or", "and/or"),
        ("so,too", "so , too"),
        ("1,000.", "1,000 ."),
        ("3.14", "3.14"),
        ("10km", "10 km"),
        ("5pm", "5 pm"),
        ("$5.", "$ 5 ."),
        ("100%", "100 %"),
        ("+5", "+5"),
        ("wait...", "wait ..."),
        ("...", "..."),
        ("end.Start", "end . Start"),
        ("www.example.org/a-b,c", "www.example.org/a-b,c"),
        ("me@example.org.", "me@example.org ."),
        ("f(x):", "f(x ):"),
        (":-)", ":-)"),
        ("km/h.", "km / h."),
        ("漢字。", "漢字 。"),
        ("-", "-"),
        ("#tag", "# tag"),
    ],
)
def test_tokens(piece: str, expected: str) -> None:
    assert list(tokens(piece)) == expected.split()


def test_a_piece_without_end_is_cut_at_its_marks() -> None:
    assert tokens("ab(" * 400) == ("ab", "(") * 400


def test_a_vocabulary_forgets_and_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.text.vocabulary._MOST_PIECES", 2)
    vocabulary = Vocabulary()
    for number in range(5):
        words = vocabulary.read([f"a{number}-b c{number}-d", "", "the end."])
        assert words.counts(np.array([0, 2, 3]), np.ones(3, bool)).tolist() == [
            [6, 4, 6, 4, 1, 0],
            [3, 2, 6, 2, 1, 1],
        ]


def test_sums_of_runs_may_be_empty() -> None:
    assert sums(np.array([1, 2, 3]), np.array([0, 0, 2, 3, 3])).tolist() == [0, 3, 3, 0]


def test_n_grams_that_share_a_hash_do_not_hide_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.text.ngrams._FACTOR", np.uint64(0))
    tokens, lengths = np.array([0, 1, 2, 3, 2, 3, 2, 3, 4, 0]), np.array([1, 1, 20, 20, 20, 20, 20, 20, 1, 1])
    limits = GopherRepetitionLimits(max_top_3_gram=None, max_top_4_gram=None, max_duplicate_5_grams=None)
    assert could_break(tokens, lengths, np.array([0, 10]), np.array([134]), limits).tolist() == [True]


def test_pieces_end_at_the_same_whitespace_in_columns_and_in_strings() -> None:
    """A cleaned text's hash rests on it: the filter reads columns, and whoever cleans the text again does not."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    split = pc.utf8_split_whitespace(pa.array([f"a{character}b" for character in characters]))
    assert pc.list_value_length(split).to_pylist() == [1 + character.isspace() for character in characters]
