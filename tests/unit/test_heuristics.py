"""The free rules on documents: each at both sides of its bound, and a decision in bounded time on hostile text."""

from __future__ import annotations

import time
from itertools import product

import pytest
from pydantic import ValidationError

from schemas.config_filters import HeuristicLimits
from transforms.heuristics import reject_reason

DEFAULT = HeuristicLimits()
OFF = {name: False if field.annotation is bool else None for name, field in HeuristicLimits.model_fields.items()}
NOTHING = HeuristicLimits(**OFF)
STOPPED = ["the", "and"]
PLAIN = ["".join(letters) for letters in product("bcdfg", "aeiou", "klmnp")]  # 125 distinct words of three letters


def only(**limits: object) -> HeuristicLimits:
    """Limits with no rule but those given."""
    return HeuristicLimits(**(OFF | limits))


def plain(count: int) -> str:
    """A text of distinct plain words, two of them stop words."""
    return " ".join((STOPPED + PLAIN)[:count])


def test_plain_prose_breaks_no_rule() -> None:
    assert reject_reason(plain(50), DEFAULT) is None


@pytest.mark.parametrize("text", ["", " ", "\n\t \u2003\u3000"])
def test_a_text_without_a_word_is_empty_whatever_the_limits(text: str) -> None:
    assert reject_reason(text, DEFAULT) == reject_reason(text, NOTHING) == ("empty_text", "0")


def test_min_tokens_counts_words_between_whitespace() -> None:
    assert reject_reason(plain(49), DEFAULT) == ("min_tokens", "49")
    assert reject_reason(plain(50).replace(" ", "\n\t"), DEFAULT) is None
    assert reject_reason("one-token.but;long", only(min_tokens=2)) == ("min_tokens", "1")


def test_gopher_word_count_has_two_sides() -> None:
    low, high = only(gopher_min_words=50), only(gopher_max_words=60)
    assert reject_reason(plain(49), low) == ("gopher_word_count", "49")
    assert reject_reason(plain(50), low) is None
    assert reject_reason(plain(60), high) is None
    assert reject_reason(f" {plain(60)} \n", high) is None
    assert reject_reason(plain(61), high) == ("gopher_word_count", "more than 60")
    assert reject_reason("word " * 100_001, DEFAULT) == ("gopher_word_count", "more than 100000")
    assert reject_reason("word " * 100_000, only(gopher_max_words=100_000)) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["aaa"] * 10, None),
        (["aaa"] * 9 + ["aa"], ("gopher_mean_word_length", "2.9")),
        (["a" * 10] * 10, None),
        (["a" * 10] * 9 + ["a" * 11], ("gopher_mean_word_length", "10.1")),
    ],
)
def test_gopher_mean_word_length(words: list[str], reason: tuple[str, str] | None) -> None:
    limits = only(gopher_min_mean_word_length=3, gopher_max_mean_word_length=10)
    assert reject_reason(" ".join(words), limits) == reason


def test_gopher_symbols_to_words() -> None:
    hashes, ellipses = only(gopher_max_hash_ratio=0.1), only(gopher_max_ellipsis_ratio=0.1)
    words = ["word"] * 20
    assert reject_reason(" ".join(words) + "##", hashes) is None
    assert reject_reason(" ".join(words) + "###", hashes) == ("gopher_hash_ratio", "0.15")
    assert reject_reason(" ".join(words) + "...x…", ellipses) is None
    assert reject_reason(" ".join(words) + "...x…y...", ellipses) == ("gopher_ellipsis_ratio", "0.15")


@pytest.mark.parametrize("bullet", ["- ", "* ", "• ", "\t‣ ", "◦", "● ", "\u2013 "])
def test_gopher_bullet_lines(bullet: str) -> None:
    limits = only(gopher_max_bullet_lines=0.9)
    nine = f"{bullet}item\n" * 9
    assert reject_reason(f"{nine}\n \nline", limits) is None
    assert reject_reason(f"{nine}{bullet}item", limits) == ("gopher_bullet_lines", "1")


def test_gopher_ellipsis_lines() -> None:
    limits = only(gopher_max_ellipsis_lines=0.3)
    three, rest = "and so on... \nmore…\r\nagain...\n", "line\n" * 7
    assert reject_reason(three + rest, limits) is None
    assert reject_reason(three + "last…\n" + rest[5:], limits) == ("gopher_ellipsis_lines", "0.4")


@pytest.mark.parametrize("word", ["word", "word,", '("w1")', "日本", "école…"])
def test_gopher_alphabetic_words(word: str) -> None:
    limits = only(gopher_min_alphabetic_words=0.8)
    assert reject_reason(" ".join([word] * 8 + ["12", "--"]), limits) is None
    assert reject_reason(" ".join([word] * 7 + ["12", "--", "3.14"]), limits) == ("gopher_alphabetic_words", "0.7")


def test_gopher_stop_words_are_distinct_whole_words() -> None:
    limits = only(gopher_min_stop_words=2)
    assert reject_reason("The cat, (that) sat", limits) is None
    assert reject_reason("the the THE other bee", limits) == ("gopher_stop_words", "1")
    assert reject_reason("other bee", limits) == ("gopher_stop_words", "0")
    assert reject_reason("the be to of and that have with", only(gopher_min_stop_words=8)) is None
    assert reject_reason("other bee", only(gopher_min_stop_words=0)) is None


def test_gopher_duplicate_lines_count_repeats_of_an_earlier_line() -> None:
    limits = only(gopher_max_duplicate_lines=0.3)
    distinct = [f"line {i}" for i in range(7)]
    at = "\n".join([*distinct, "  line 0", "line 0\r", "line 6"])
    assert reject_reason(at, limits) is None
    assert reject_reason(at + "\n\nline 6", limits) == ("gopher_duplicate_lines", "0.363636")


def test_gopher_duplicate_line_characters() -> None:
    limits = only(gopher_max_duplicate_line_characters=0.2)
    assert reject_reason("\n".join(["a" * 10, "b" * 30, "a" * 10]), limits) is None
    assert reject_reason("\n".join(["a" * 10, "b" * 29, "a" * 10]), limits) == (
        "gopher_duplicate_line_characters",
        "0.204082",
    )


def test_gopher_duplicate_paragraphs_stand_between_blank_lines() -> None:
    limits = only(gopher_max_duplicate_paragraphs=0.3)
    distinct = [f"one {i}\ntwo" for i in range(7)]
    at = "\n\n".join(distinct) + "\n \t\n one 0\ntwo\n\n\n\none 0\ntwo\n\none 0\ntwo\n"
    assert reject_reason(at, limits) is None
    assert reject_reason(at + "\n\none 0\ntwo", limits) == ("gopher_duplicate_paragraphs", "0.363636")
    assert reject_reason("\n".join(["same"] * 9), limits) is None


def test_gopher_duplicate_paragraph_characters() -> None:
    limits = only(gopher_max_duplicate_paragraph_characters=0.2)
    assert reject_reason("\n\n".join(["a" * 10, "b" * 30, "a" * 10]), limits) is None
    assert reject_reason("\n\n".join(["a" * 10, "b" * 29, "a" * 10]), limits) == (
        "gopher_duplicate_paragraph_characters",
        "0.204082",
    )


@pytest.mark.parametrize(("size", "bound"), [(2, 0.20), (3, 0.18), (4, 0.16)])
def test_gopher_top_n_gram_characters(size: int, bound: float) -> None:
    """100 words of three letters; copies of one n-gram, apart from each other, cover `size` words each."""
    name = f"gopher_max_top_{size}_gram"
    assert getattr(DEFAULT, name) == bound
    for copies in (1, 2, round(bound * 100) // size, round(bound * 100) // size + 1):
        words = list(PLAIN[:100])
        for copy in range(copies):
            words[copy * (size + 1) : copy * (size + 1) + size] = [f"xx{i}" for i in range(size)]
        share = copies * size / 100
        reason = (f"gopher_top_{size}_gram", f"{share:.6g}") if share > bound else None
        assert reject_reason(" ".join(words), only(**{name: bound})) == reason
    assert reject_reason(" ".join(PLAIN[: size + 1]), only(**{name: 0.0})) is None  # once is no repetition


def test_of_equally_frequent_n_grams_the_longest_counts() -> None:
    text = "a b x a b y long words z long words w"
    assert reject_reason(text, only(gopher_max_top_2_gram=0.5)) == ("gopher_top_2_gram", f"{18 / 26:.6g}")


def test_characters_under_overlapping_n_grams_count_once() -> None:
    assert reject_reason("ab " * 10, only(gopher_max_top_2_gram=0.99)) == ("gopher_top_2_gram", "1")
    # Of ten equal words, the first 5-gram is no repeat: nine words are within later ones.
    assert reject_reason("ab " * 10, only(gopher_max_duplicate_5_grams=0.89)) == ("gopher_duplicate_5_grams", "0.9")
    assert reject_reason("ab " * 10, only(gopher_max_duplicate_5_grams=0.9)) is None


@pytest.mark.parametrize(("size", "bound"), [(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)])
def test_gopher_duplicate_n_gram_characters(size: int, bound: float) -> None:
    """100 words of three letters, the last `repeat` of which repeat the first ones: they are the duplicates."""
    name = f"gopher_max_duplicate_{size}_grams"
    assert getattr(DEFAULT, name) == bound
    limit = round(bound * 100)
    for repeat in (size - 1, size, limit, limit + 1):
        words = PLAIN[: 100 - repeat] + PLAIN[:repeat]
        share = repeat / 100 if repeat >= size else 0.0
        reason = (f"gopher_duplicate_{size}_grams", f"{share:.6g}") if share > bound else None
        assert reject_reason(" ".join(words), only(**{name: bound})) == reason


def test_lorem_ipsum_and_curly_brackets() -> None:
    assert reject_reason(plain(50) + " Lorem IPSUM dolor", DEFAULT) == ("c4_lorem_ipsum", "lorem ipsum")
    assert reject_reason(plain(50) + " lorem dolor", DEFAULT) is None
    assert reject_reason(plain(50) + r" \frac{1}{2}", DEFAULT) is None
    assert reject_reason(plain(50) + r" \frac{1}{2}", only(c4_curly_bracket=True)) == ("c4_curly_bracket", "{")
    assert reject_reason(plain(50) + " lorem ipsum", only(c4_lorem_ipsum=False)) is None


@pytest.mark.parametrize(
    "notice",
    [
        "Please enable JavaScript to view this page.",
        "JavaScript is disabled in your browser",
        "We use cookies on this site.",
        "This site uses its own cookies",
        "Cookie policy",
        "Accept all cookies",
        "Privacy Policy | Contact",
        "Terms of Use",
    ],
)
def test_notices_on_more_than_half_of_the_lines_are_boilerplate(notice: str) -> None:
    limits = only(c4_max_boilerplate_lines=0.5)
    assert reject_reason(f"{notice}\nplain\n{notice}\nplain", limits) is None
    assert reject_reason(f"{notice}\nplain\n{notice}", limits) == ("c4_boilerplate_lines", "0.666667")


@pytest.mark.parametrize(
    "line",
    [
        "JavaScript was designed by Brendan Eich in ten days.",
        "Bake the cookies for ten minutes.",
        "The article compares a privacy policy with another. " * 6,
    ],
)
def test_writing_about_cookies_is_not_a_notice(line: str) -> None:
    assert reject_reason(line, only(c4_max_boilerplate_lines=0)) is None


def test_cheap_rules_answer_first() -> None:
    repeated = "lorem ipsum # " * 10
    assert reject_reason(repeated, DEFAULT) == ("min_tokens", "30")
    assert reject_reason(repeated, only(c4_lorem_ipsum=True, gopher_max_top_2_gram=0.1)) == (
        "c4_lorem_ipsum",
        "lorem ipsum",
    )


HOSTILE = {
    "words": ("word salad of the and " * 1_000_000, ("gopher_word_count", "more than 100000")),
    "blank lines": ("\n" * 20_000_000, ("empty_text", "0")),
    "short lines": ("a\n" * 10_000_000, ("gopher_word_count", "more than 100000")),
    "spaces": ("the of " * 40 + " " * 20_000_000 + "\nend", ("gopher_mean_word_length", "2.50617")),
    "one line": ("x" * 5_000_000, ("min_tokens", "1")),
    "one long word": (plain(100) + " " + "1" * 5_000_000, ("gopher_mean_word_length", "49507.9")),
    "one word": ("word " * 1_000_000, ("gopher_word_count", "more than 100000")),
    "one word at the bound": ("the " * 100_000, ("gopher_stop_words", "1")),
    "null bytes": ("\0" * 1_000_000, ("min_tokens", "1")),
    "control characters": ("\x1b \x07 " * 100, ("gopher_mean_word_length", "1")),
    "lone surrogates": ("\ud800abc " * 100, ("gopher_stop_words", "0")),
    "Chinese": ("漢字" * 1_000_000, ("min_tokens", "1")),
    "right to left": ("שלום עולם " * 100, ("gopher_stop_words", "0")),
    "emoji": ("😀😀😀 " * 100, ("gopher_alphabetic_words", "0")),
    "notices": ("javascript cookie the and of to " * 5_000, ("gopher_top_2_gram", "0.615385")),
    "repeats at the bound": ("with " * 50_000 + "that " * 50_000, ("gopher_top_2_gram", "0.5")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_decision_in_time(name: str) -> None:
    text, reason = HOSTILE[name]
    start = time.process_time()
    assert reject_reason(text, DEFAULT) == reason
    assert time.process_time() - start < 2


def test_the_published_thresholds_are_the_defaults() -> None:
    assert DEFAULT.model_dump() == {
        "min_tokens": 50,
        "gopher_min_words": 50,
        "gopher_max_words": 100_000,
        "gopher_min_mean_word_length": 3,
        "gopher_max_mean_word_length": 10,
        "gopher_max_hash_ratio": 0.1,
        "gopher_max_ellipsis_ratio": 0.1,
        "gopher_max_bullet_lines": 0.9,
        "gopher_max_ellipsis_lines": 0.3,
        "gopher_min_alphabetic_words": 0.8,
        "gopher_min_stop_words": 2,
        "gopher_max_duplicate_lines": 0.30,
        "gopher_max_duplicate_paragraphs": 0.30,
        "gopher_max_duplicate_line_characters": 0.20,
        "gopher_max_duplicate_paragraph_characters": 0.20,
        "gopher_max_top_2_gram": 0.20,
        "gopher_max_top_3_gram": 0.18,
        "gopher_max_top_4_gram": 0.16,
        "gopher_max_duplicate_5_grams": 0.15,
        "gopher_max_duplicate_6_grams": 0.14,
        "gopher_max_duplicate_7_grams": 0.13,
        "gopher_max_duplicate_8_grams": 0.12,
        "gopher_max_duplicate_9_grams": 0.11,
        "gopher_max_duplicate_10_grams": 0.10,
        "c4_lorem_ipsum": True,
        "c4_curly_bracket": False,
        "c4_max_boilerplate_lines": 0.5,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_words": 3},
        {"min_tokens": -1},
        {"gopher_max_bullet_lines": 1.5},
        {"gopher_max_top_2_gram": float("nan")},
        {"gopher_max_hash_ratio": float("inf")},
        {"gopher_min_stop_words": 9},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        HeuristicLimits(**wrong)


def test_bounds_in_the_wrong_order_are_refused_and_equal_ones_are_not() -> None:
    with pytest.raises(ValidationError, match="gopher_min_words = 11 is above gopher_max_words = 10"):
        HeuristicLimits(gopher_min_words=11, gopher_max_words=10)
    with pytest.raises(ValidationError, match="gopher_min_mean_word_length"):
        HeuristicLimits(gopher_max_mean_word_length=2)
    HeuristicLimits(gopher_min_words=10, gopher_max_words=10)
    HeuristicLimits(gopher_min_words=None, gopher_max_words=10)
