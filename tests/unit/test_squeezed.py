"""What two copies of a text have in common however they are written, and what tells two texts apart."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from transforms.text.squeezed import Gap, Squeezed, marks_hash, marks_of, span_hashes, squeeze


def one(*texts: str | None) -> Squeezed:
    (found,) = squeeze(pa.array(texts, pa.string()))
    return found


def whole(text: str) -> int:
    return int(span_hashes(pa.array([text], pa.string()))[0][0])


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Does it cost $1,000?", "does IT cost 1 000"),
        ("Does it cost $1,000?", "Does it cost 1000"),
        ("Don't stop", "don\u2019t  stop!"),
        ("Don't stop", "DONT\nSTOP"),
        ("a well-known co-worker", "a well known coworker"),
        ("caf\u00e9 na\u00efve", "cafe\u0301 nai\u0308ve"),
        ("caf\u00e9 na\u00efve", "Cafe naive"),
        ("Stra\u00dfe", "STRASSE"),
        ("K\u00f8benhavn, \u0141\u00f3d\u017a, \u0110or\u0111e", "Kobenhavn, Lodz, Dorde"),
        ("\u00c6gir \u0153uvre \u00deor Hafn\u0131", "Aegir oeuvre Thor Hafni"),
        ("Hawai\u02bbi don\u02bct", "Hawaii don't"),
        ("\ufb01nd \uff21\uff22 x\u00b2", "find AB x2"),
        ("\u65e5\u672c\u306e\u9996\u90fd\u306f\uff1f", "\u65e5\u672c \u306e \u9996\u90fd \u306f"),
        ("soft\u00adly zero\u200bwidth", "softly zerowidth"),
        (r"What is \(\frac{1}{2}\)?", r"What is $\frac{1}{2}$"),
        ("f(x, y) -> int", "f( x,y )->int"),
        ("\u0399\u0394\u0395\u03a3 \u03bf\u03c2", "\u03b9\u03b4\u03b5\u03c3 \u039f\u03a3"),
    ],
)
def test_the_same_letters_and_digits(text: str, other: str) -> None:
    assert whole(text) == whole(other)


@pytest.mark.parametrize(
    ("text", "other"),
    [("costs 10", "costs 100"), ("ab", "ba"), ("Ann", "An"), ("a", "\u0430"), ("1 2", "2 1"), ("x", "")],
)
def test_other_letters_and_digits(text: str, other: str) -> None:
    assert whole(text) != whole(other)


def test_words_begin_after_what_is_no_letter() -> None:
    texts = one("Is it so? Yes,  it  is", "\u9996\u90fd no")
    assert texts.words.tolist() == [0, 2, 4, 6, 9, 11, 13, 14, 15, 17]
    assert texts.word_counts.tolist() == [6, 3]
    assert texts.lengths.tolist() == [13, 4]
    assert texts.gaps.tolist() == [3, 1, 1, 3, 2, 1, 3, 1, 1, 3]


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        *(
            (text, Gap.WITHIN)
            for text in ("a'b", "a\u2019b", "a-b", "a\u2013b", "a.b", "a,b", "a_b", "a/b", "a\u02bcb")
        ),
        *((text, Gap.WITHIN) for text in ("1,0", "1.0", "1:0", "1 0", "1 + 0", "1 (0", "1\u00a00")),
        *((text, Gap.WORD) for text in ("a b", "a\u00a0b", "a\tb", "1 b", "a 1", "\u9996\u90fd")),
        *((text, Gap.MARK) for text in ("a, b", "a - b", "a (b", "a(b", 'a"b', "a:b", "a\u2014b", "a 'b", "a:1")),
        *((text, Gap.SENTENCE) for text in ("a. b", "a: b", "a; b", "a?b", "a!b", "a\nb", "a\u3002b", 'a." b', "1. 0")),
        *((text, Gap.SENTENCE) for text in ("1\n0", "a\u2026 b", "\u9996\u3002\u90fd", "a .b")),
    ],
)
def test_how_far_apart_two_words_are(text: str, gap: Gap) -> None:
    assert one("before", text, "\u00e9").gaps.tolist() == [Gap.SENTENCE, Gap.SENTENCE, gap, Gap.SENTENCE, Gap.SENTENCE]


def test_texts_without_letters_and_null_have_no_words() -> None:
    texts = one("", None, "?! --", "a", "\x1e")
    assert texts.lengths.tolist() == texts.word_counts.tolist() == [0, 0, 0, 1, 0]
    assert texts.grams(5)[1].tolist() == [3]


def test_a_record_separator_within_a_text_is_a_space() -> None:
    assert len(one("a\x1eb", "c")) == 2
    assert whole("a\x1eb") == whole("a b")


@pytest.mark.parametrize("texts", [[], ["short"], ["x" * 300_000, "y"], ["\u00e9 word " * 40_000, "", "end"]])
def test_the_runs_have_all_texts_in_order_whatever_their_length(texts: list[str]) -> None:
    runs = list(squeeze(pa.chunked_array([pa.array(texts, pa.string()), pa.array(["last"])])))
    assert sum(map(len, runs)) == len(texts) + 1
    lengths = [length for run in runs for length in run.lengths.tolist()]
    assert lengths == [sum(map(str.isalnum, text)) for text in [*texts, "last"]]


def test_a_text_is_hashed_alike_wherever_it_stands() -> None:
    alone = whole("the middle one")
    hashes, lengths = span_hashes(pa.array(["before it", "the middle one", "\u00e9t\u00e9 after"])[1:])
    assert (int(hashes[0]), int(lengths[0])) == (alone, 12)
    assert len(span_hashes(pa.array([], pa.string()))[0]) == 0


def test_windows_stay_within_one_text() -> None:
    texts = one("abcd", "xy", "efgh")
    hashes, places = texts.windows(3)
    assert places.tolist() == [0, 1, 6, 7]
    assert hashes.tolist() == texts.spans(places, places + 3).tolist()
    assert len(texts.windows(11)[0]) == 0


def test_runs_of_words_ignore_where_words_begin() -> None:
    hashes, owner = one("a b c d e f", "ab cde", "abcdef").grams(5)
    assert owner.tolist() == [0, 0, 1, 2]
    assert hashes[0] == whole("abcde") and hashes[1] == whole("bcdef")
    assert np.array_equal(hashes[2:], [whole("abcde"), whole("abcdef")])


def test_marks_begin_with_the_first_letter() -> None:
    assert marks_of(" >> Input:  ( [") == "input:(["
    assert marks_of(" ( [ ") == "(["
    assert marks_of("") == ""
    assert marks_hash("([") != marks_hash("[(")
