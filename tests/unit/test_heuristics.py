"""The free rules on documents: each at both sides of its bound, and a decision in bounded time on hostile text."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.config_filters import (
    C4Limits,
    FilterSettings,
    FineWebLimits,
    GopherQualityLimits,
    GopherRepetitionLimits,
)
from transforms.heuristics import reject_reasons

NOTHING: dict[str, Any] = {"min_tokens": None, "gopher_repetition": None, "gopher_quality": None}
EVERYTHING = FilterSettings.model_validate({"c4": {}, "gopher_quality": {}, "fineweb": {}})
PLAIN = ["".join(letters) for letters in product("bcdfg", "aeiou", "klmnp")]  # 125 distinct words of three letters


def only(group: str, **limits: object) -> FilterSettings:
    """Settings with no rule but those given."""
    classes = {
        "gopher_repetition": GopherRepetitionLimits,
        "c4": C4Limits,
        "gopher_quality": GopherQualityLimits,
        "fineweb": FineWebLimits,
    }
    off = {
        name: False if field.annotation is bool else None
        for name, field in classes[group].model_fields.items()
        if name != "short_line_characters"
    }
    return FilterSettings.model_validate(NOTHING | {group: off | limits})


def reason(text: str, settings: FilterSettings) -> tuple[str, str] | None:
    """The reason of a text that is read between two others, which must not matter."""
    reasons = reject_reasons(["bak of the bek.\n", text, "bik"], settings)
    assert reject_reasons([text], settings) == [reasons[1]]
    return reasons[1]


def plain(count: int) -> str:
    """A text of distinct plain words, two of them stop words."""
    return " ".join(["the", "and", *PLAIN][:count])


def test_plain_prose_breaks_no_rule_of_the_default() -> None:
    assert reason(plain(50), FilterSettings()) is None


@pytest.mark.parametrize("text", ["", " ", "\n\t \u2003\u3000"])
def test_a_text_without_a_word_is_empty_whatever_the_settings(text: str) -> None:
    nothing = FilterSettings.model_validate(NOTHING)
    assert reason(text, FilterSettings()) == reason(text, nothing) == ("empty_text", "0")
    assert reject_reasons([], nothing) == []


def test_min_tokens_counts_words_between_whitespace() -> None:
    assert reason(plain(49), FilterSettings()) == ("min_tokens", "49")
    assert reason(plain(50).replace(" ", "\n\t"), FilterSettings()) is None
    two = FilterSettings.model_validate(NOTHING | {"min_tokens": 2})
    assert reason("one-token.but;long", two) == ("min_tokens", "1")
    assert reason(" one\r\n two ", two) is None


def test_the_first_group_answers_first() -> None:
    text = "lorem ipsum # bak " * 20 + ".\n" + "short and not ended\n" * 9
    everything = EVERYTHING.model_dump()
    expected = {
        "min_tokens": "min_tokens",
        "gopher_repetition": "gopher_repetition.max_duplicate_lines",
        "c4": "c4.lorem_ipsum",
        "gopher_quality": "gopher_quality.max_hash_ratio",
        "fineweb": "fineweb.min_terminal_punctuation_lines",
    }
    everything["min_tokens"] = 200
    everything["c4"]["terminal_punctuation"] = False
    for group, name in expected.items():
        found = reason(text, FilterSettings.model_validate(everything))
        assert found is not None and found[0] == name
        everything[group] = None


# Gopher quality


def test_gopher_words_are_tokens_with_more_than_punctuation() -> None:
    low, high = only("gopher_quality", min_words=5), only("gopher_quality", max_words=5)
    assert reason("bak bek, bik. - bok", low) == ("gopher_quality.min_words", "4")
    assert reason("bak bek, bik. - bok buk", low) is None
    assert reason("bak bek, bik. - bok buk", high) is None
    assert reason("don't bak bek bik bok", high) == ("gopher_quality.max_words", "6")


@pytest.mark.parametrize(
    ("words", "broken"),
    [
        (["aaa"] * 10, None),
        (["aaa"] * 9 + ["aa"], ("gopher_quality.min_mean_word_length", "2.9")),
        (["a" * 10] * 10, None),
        (["a" * 10] * 9 + ["a" * 11], ("gopher_quality.max_mean_word_length", "10.1")),
        (["aaa"] * 10 + [",", "!"], None),
    ],
)
def test_gopher_mean_word_length(words: list[str], broken: tuple[str, str] | None) -> None:
    limits = only("gopher_quality", min_mean_word_length=3, max_mean_word_length=10)
    assert reason(" ".join(words), limits) == broken


def test_gopher_symbols_to_words_count_punctuation_as_words() -> None:
    hashes, ellipses = only("gopher_quality", max_hash_ratio=0.1), only("gopher_quality", max_ellipsis_ratio=0.1)
    words = " ".join(["word"] * 18)
    assert reason(f"{words} # #", hashes) is None
    assert reason(f"{words} # # #", hashes) == ("gopher_quality.max_hash_ratio", f"{3 / 21:.6g}")
    assert reason(f"{words} ... …", ellipses) is None
    assert reason(f"{words} ... … ...", ellipses) == ("gopher_quality.max_ellipsis_ratio", f"{3 / 21:.6g}")


@pytest.mark.parametrize("bullet", ["- ", "\t- ", "•", "• "])
def test_gopher_bullet_lines(bullet: str) -> None:
    limits = only("gopher_quality", max_bullet_lines=0.9)
    nine = f"{bullet}item\n" * 9
    assert reason(f"{nine}line", limits) is None
    assert reason(f"{nine}{bullet}item", limits) == ("gopher_quality.max_bullet_lines", "1")


@pytest.mark.parametrize("ellipsis", ["...", "…", "... \t"])
def test_gopher_ellipsis_lines(ellipsis: str) -> None:
    limits = only("gopher_quality", max_ellipsis_lines=0.3)
    three, rest = f"more{ellipsis}\n" * 3, "line\n" * 7
    assert reason(three + rest, limits) is None
    assert reason(three + "last…\n" + rest[5:], limits) == ("gopher_quality.max_ellipsis_lines", "0.4")


def test_gopher_alphabetic_words_count_punctuation_as_words() -> None:
    limits = only("gopher_quality", min_alphabetic_words=0.8)
    assert reason("bak b1 日本 école 1914", limits) is None
    assert reason("bak bek bik bok 1914", limits) is None
    assert reason("bak bek bik bok 1914.", limits) == ("gopher_quality.min_alphabetic_words", f"{4 / 6:.6g}")


def test_gopher_stop_words_are_distinct_and_in_lower_case() -> None:
    limits = only("gopher_quality", min_stop_words=2)
    assert reason("the cat, (that) sat", limits) is None
    assert reason("the the THE other bee", limits) == ("gopher_quality.min_stop_words", "1")
    assert reason("other bee", limits) == ("gopher_quality.min_stop_words", "0")
    assert reason("the be to of and that have with", only("gopher_quality", min_stop_words=8)) is None


# Gopher repetition


def test_gopher_duplicate_lines_count_repeats_of_an_earlier_line() -> None:
    limits = only("gopher_repetition", max_duplicate_lines=0.3)
    distinct = [f"line {i}" for i in range(7)]
    at = "\n".join([*distinct, "line 0", "line 0", "line 6"])
    assert reason(at, limits) is None
    assert reason(at + "\n\nline 6", limits) == ("gopher_repetition.max_duplicate_lines", "0.363636")
    assert reason(at + "\n\n line 6", limits) is None


def test_gopher_duplicate_line_characters_are_of_the_whole_text() -> None:
    limits = only("gopher_repetition", max_duplicate_line_characters=0.2)
    assert reason("\n".join(["a" * 10, "b" * 28, "a" * 10]), limits) is None
    assert reason("\n".join(["a" * 10, "b" * 27, "a" * 10]), limits) == (
        "gopher_repetition.max_duplicate_line_characters",
        f"{10 / 49:.6g}",
    )


def test_gopher_duplicate_paragraphs_stand_between_blank_lines() -> None:
    limits = only("gopher_repetition", max_duplicate_paragraphs=0.3)
    distinct = [f"one {i}\ntwo" for i in range(7)]
    at = "\n\n".join(distinct) + "\n\n\none 0\ntwo\n\n\n\none 0\ntwo\n\none 0\ntwo\n"
    assert reason(at, limits) is None
    assert reason(at + "\none 0\ntwo", limits) == ("gopher_repetition.max_duplicate_paragraphs", "0.363636")
    assert reason("\n".join(["same"] * 9), limits) is None


def test_gopher_duplicate_paragraph_characters() -> None:
    limits = only("gopher_repetition", max_duplicate_paragraph_characters=0.2)
    assert reason("\n\n".join(["a" * 10, "b" * 26, "a" * 10]), limits) is None
    assert reason("\n\n".join(["a" * 10, "b" * 25, "a" * 10]), limits) == (
        "gopher_repetition.max_duplicate_paragraph_characters",
        f"{10 / 49:.6g}",
    )


@pytest.mark.parametrize("size", [2, 3, 4])
def test_gopher_top_n_gram_characters_have_the_spaces_in_them(size: int) -> None:
    words = list(PLAIN[:100])
    for copy in range(4):
        words[copy * (size + 1) : copy * (size + 1) + size] = [f"xx{chr(97 + i)}" for i in range(size)]
    text = " ".join(words)
    share = 4 * (4 * size - 1) / len(text)
    name = f"max_top_{size}_gram"
    assert reason(text, only("gopher_repetition", **{name: share})) is None
    assert reason(text, only("gopher_repetition", **{name: share - 0.001})) == (
        f"gopher_repetition.{name}",
        f"{share:.6g}",
    )


@pytest.mark.parametrize("size", [5, 6, 7, 8, 9, 10])
def test_gopher_duplicate_n_gram_characters_do_not_overlap(size: int) -> None:
    words = PLAIN[:80] + PLAIN[: 2 * size] + PLAIN[80:100]  # two n-grams again, one behind the other
    text = " ".join(words)
    share = 2 * size * 3 / len(text)
    name = f"max_duplicate_{size}_grams"
    assert reason(text, only("gopher_repetition", **{name: share})) is None
    assert reason(text, only("gopher_repetition", **{name: share - 0.001})) == (
        f"gopher_repetition.{name}",
        f"{share:.6g}",
    )
    once = " ".join(PLAIN[:80] + PLAIN[: size - 1])
    assert reason(once, only("gopher_repetition", **{name: 0.0})) is None


# C4

SENTENCES = "One bak bek. Two bik bok. Three bak buk. Four bek bik. Five bok buk."


def test_c4_counts_the_sentences_of_the_lines_it_keeps() -> None:
    limits = only("c4", min_sentences=5, min_line_words=3)
    assert reason(SENTENCES, limits) is None
    assert reason(SENTENCES.replace("Four", "four").replace(". T", ", t"), limits) == ("c4.min_sentences", "3")
    assert reason("\n".join(SENTENCES.split(". ")), limits) is None
    assert reason("Two words.\n" * 5, limits) == ("c4.min_sentences", "0")


def test_c4_terminal_punctuation() -> None:
    limits = only("c4", min_sentences=1, terminal_punctuation=True)
    for ending in (".", "!", "?", '"', "'"):
        assert reason(f"One bak bek{ending}", limits) is None
    for ending in ("", ":", "...", "”"):
        assert reason(f"One bak bek{ending}", limits) == ("c4.min_sentences", "0")


def test_c4_drops_documents_for_what_a_kept_line_holds() -> None:
    bracket, lorem = only("c4", curly_bracket=True, min_line_words=3), only("c4", lorem_ipsum=True, min_line_words=3)
    assert reason("f(x) = \\frac{1}{2} bak", bracket) == ("c4.curly_bracket", "{")
    assert reason("two {words\nthree plain words", bracket) is None
    assert reason("some Lorem IPSUM dolor", lorem) == ("c4.lorem_ipsum", "lorem ipsum")
    assert reason("lorem ipsum\nthree plain words", lorem) is None
    assert reason("a { in javascript code", only("c4", curly_bracket=True, javascript_lines=True)) == (
        "empty_text",
        "0",
    )


@pytest.mark.parametrize("line", ["Enable JavaScript in here.", "We use cookies, see.", "See our Privacy Policy now."])
def test_c4_notices_go_and_the_rules_behind_see_what_is_left(line: str) -> None:
    limits = FilterSettings.model_validate(
        NOTHING | {"c4": {"terminal_punctuation": False, "min_sentences": 1}, "gopher_quality": {"min_words": 4}}
    )
    kept = "the words and that are left here to be counted."
    assert reason(f"{line}\n{kept}", limits) is None
    assert reason(f"{line}\nthe of and.", limits) == ("gopher_quality.min_words", "3")
    assert reason(line, limits) == ("c4.min_sentences", "0")


def test_c4_citations_are_no_words() -> None:
    settings = NOTHING | {"c4": {"terminal_punctuation": False, "min_sentences": None}}
    quality = only("gopher_quality", max_words=4).gopher_quality
    assert quality is not None
    limits = FilterSettings.model_validate(settings | {"gopher_quality": quality.model_dump()})
    assert reason("bak bek[12] bik[citation needed] bok", limits) is None  # not even in the middle of a line
    without = FilterSettings.model_validate(
        settings | {"c4": settings["c4"] | {"citations": False}, "gopher_quality": quality.model_dump()}
    )
    assert reason("bak bek[12] bik[citation needed] bok", without) == ("gopher_quality.max_words", "5")


def test_c4_long_words_take_their_line_along() -> None:
    limits = only("c4", min_sentences=1, max_word_characters=10)
    assert reason("bak bek abcdefghij.", limits) == ("c4.min_sentences", "0")
    assert reason("bak bek abcdefghi.", limits) is None


def test_c4_sentences_end_where_spacy_ends_them() -> None:
    limits = only("c4", min_sentences=5)
    assert reason("bak bek\u17d4 " * 10, limits) == ("c4.min_sentences", "1")  # Khmer
    assert reason("bak bek\u0964 " * 10, limits) is None  # Devanagari


# FineWeb


def test_fineweb_terminal_punctuation() -> None:
    limits = only("fineweb", min_terminal_punctuation_lines=0.25)
    assert reason("One.\ntwo\n\n \nthree\nfour", limits) is None
    assert reason("One.\ntwo\nthree\nfour\nfive", limits) == ("fineweb.min_terminal_punctuation_lines", "0.2")
    assert reason("一。\ntwo", only("fineweb", min_terminal_punctuation_lines=0.5)) is None
    assert reason("One. \ntwo", limits) == ("fineweb.min_terminal_punctuation_lines", "0")


def test_fineweb_short_lines() -> None:
    limits = only("fineweb", max_short_lines=0.5)
    short, long = "a" * 30, "b" * 31
    assert reason(f"{short}\n{long}", limits) is None
    assert reason(f"{short}\n{long}\n{short}", limits) == ("fineweb.max_short_lines", "0.666667")
    assert reason(short, only("fineweb", max_short_lines=0.5, short_line_characters=29)) is None


def test_fineweb_duplicate_lines_and_lists() -> None:
    copies = only("fineweb", max_duplicate_line_characters=0.2)
    assert reason("\n".join(["a" * 10, "b" * 30, "a" * 10]), copies) is None
    assert reason("\n".join(["a" * 10, "b" * 29, "a" * 10]), copies) == (
        "fineweb.max_duplicate_line_characters",
        f"{10 / 49:.6g}",
    )
    lists = only("fineweb", max_newlines_per_word=0.3)
    assert reason("bak bek bik\nbok bak bek bik\nbok bek\nbuk", lists) is None
    assert reason("bak bek bik\nbok bak bek\nbok bek\nbuk", lists) == ("fineweb.max_newlines_per_word", f"{3 / 9:.6g}")


# Hostile text

HOSTILE = {
    "words": "word salad of the and " * 1_000_000,
    "one word": "word " * 1_000_000,
    "blank lines": "\n" * 20_000_000,
    "short lines": "a\n" * 3_000_000,
    "spaces": "the of " * 40 + " " * 20_000_000 + "\nend",
    "one line": "x" * 5_000_000,
    "one long line of words": plain(100) + " the of and to be " * 300_000,
    "one long word": plain(100) + " " + "1" * 5_000_000,
    "a word of marks": plain(100) + " " + "(" * 100_000,
    "a word of dots": plain(100) + " " + "." * 1_000_000,
    "a word of hyphens": plain(100) + " a" + "-a" * 500_000,
    "a word like an address": plain(100) + " a." * 3 + "a." * 500_000,
    "an endless host": plain(100) + " http://" + "a.b@" * 100_000,
    "null bytes": "\0" * 1_000_000,
    "null words": "\0 " * 300_000,
    "control characters": "\x1b \x07 " * 100_000,
    "Chinese": "漢字" * 1_000_000,
    "Chinese sentences": "漢字。" * 300_000,
    "right to left": "שלום עולם " * 200_000,
    "emoji": "😀😀😀 " * 200_000,
    "one line of emoji": "😀" * 300_000,
    "notices": "javascript cookie the and of to " * 50_000,
    "citations": "[1]" * 500_000,
    "addresses": " ".join("a" + ":" * 430 + f"{i:06}" + "@" * 430 + "." for i in range(2_000)),
    "brackets": "[" * 2_000_000,
    "half a repeat": " ".join(str(i) for i in range(200_000)) * 2,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_decision_in_time(name: str) -> None:
    text = HOSTILE[name]
    start = time.process_time()
    (found,) = reject_reasons([text], EVERYTHING)
    assert time.process_time() - start < 10
    assert found is not None


# Configuration


def test_the_published_values_are_the_defaults_of_their_groups() -> None:
    assert GopherRepetitionLimits().model_dump() == {
        "max_duplicate_lines": 0.30,
        "max_duplicate_paragraphs": 0.30,
        "max_duplicate_line_characters": 0.20,
        "max_duplicate_paragraph_characters": 0.20,
        "max_top_2_gram": 0.20,
        "max_top_3_gram": 0.18,
        "max_top_4_gram": 0.16,
        "max_duplicate_5_grams": 0.15,
        "max_duplicate_6_grams": 0.14,
        "max_duplicate_7_grams": 0.13,
        "max_duplicate_8_grams": 0.12,
        "max_duplicate_9_grams": 0.11,
        "max_duplicate_10_grams": 0.10,
    }
    assert GopherQualityLimits().model_dump() == {
        "min_words": 50,
        "max_words": 100_000,
        "min_mean_word_length": 3,
        "max_mean_word_length": 10,
        "max_hash_ratio": 0.1,
        "max_ellipsis_ratio": 0.1,
        "max_bullet_lines": 0.9,
        "max_ellipsis_lines": 0.3,
        "min_alphabetic_words": 0.8,
        "min_stop_words": 2,
    }
    assert C4Limits().model_dump() == {
        "terminal_punctuation": True,
        "min_line_words": 3,
        "max_word_characters": 1000,
        "javascript_lines": True,
        "policy_lines": True,
        "citations": True,
        "min_sentences": 5,
        "curly_bracket": True,
        "lorem_ipsum": True,
    }
    assert FineWebLimits().model_dump() == {
        "min_terminal_punctuation_lines": 0.12,
        "max_short_lines": 0.67,
        "short_line_characters": 30,
        "max_duplicate_line_characters": 0.01,
        "max_newlines_per_word": 0.3,
    }


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"min_words": 3}, "min_words"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"gopher_quality": {"max_bullet_lines": 1.5}}, "max_bullet_lines"),
        ({"gopher_repetition": {"max_top_2_gram": float("nan")}}, "max_top_2_gram"),
        ({"gopher_quality": {"max_hash_ratio": float("inf")}}, "max_hash_ratio"),
        ({"gopher_quality": {"min_stop_words": 9}}, "min_stop_words"),
        ({"gopher_quality": {"min_words": 11, "max_words": 10}}, "min_words = 11 is above max_words = 10"),
        ({"gopher_quality": {"max_mean_word_length": 2}}, "min_mean_word_length = 3 is above"),
        ({"language": {"languages": []}}, "languages"),
        ({"quality": {"model": "m.bin"}}, "threshold"),
        ({"clean_lines": True}, "clean_lines needs the group c4"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FilterSettings.model_validate(wrong)


def test_bounds_that_are_equal_are_not_refused() -> None:
    GopherQualityLimits(min_words=10, max_words=10)
    GopherQualityLimits(min_words=10, max_words=None)
