"""What the rewards keep for any text at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards import score
from rewards.dates import MONTHS
from rewards.extract import extract
from rewards.gsm8k import custom_flexible, flexible, strict
from rewards.guards import affirmed, not_taken_back
from rewards.quantities import only_quantity
from rewards.stems import stem
from rewards.text import fold, words

# Without math-verify, expressions are compared as they are written, and it says so.
pytestmark = pytest.mark.filterwarnings("ignore:expressions are compared:RuntimeWarning")

TYPES = ["number", "date", "name", "phrase", "boolean", "choice", "expression"]
TEXT = st.text(st.characters(), max_size=60)
WORD = st.from_regex(r"[A-Z][a-z]{2,9}", fullmatch=True)
NUMBER = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.integers(0, 10**9).map("{:,}".format),
    st.decimals(-1000, 1000, places=3).map(str),
    st.tuples(st.integers(1, 500), st.sampled_from(["km", "%", "kg", "years", "\u00b0C"])).map("{0[0]} {0[1]}".format),
)
DATE = st.one_of(
    st.integers(1000, 2099).map(str),
    st.tuples(st.sampled_from([*MONTHS]), st.integers(1, 28), st.integers(1000, 2099)).map(
        lambda date: f"{date[0].title()} {date[1]}, {date[2]}"
    ),
)
NAME = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
TRUTHS = {
    "number": NUMBER,
    "date": DATE,
    "name": NAME,
    "phrase": st.lists(st.one_of(WORD.map(str.lower), NUMBER), min_size=1, max_size=6).map(" ".join),
    "boolean": st.sampled_from(["yes", "no", "True", "false", "Yes", "NO"]),
    "choice": st.one_of(st.sampled_from("ABCD"), NAME),
    "expression": st.sampled_from(
        ["x^2+1", "\\frac{1}{2}", "\\sqrt{2}", "n!", "(0, 1]", "a+b", "10%", "3 \\cdot 2^{n}"]
    ),
}


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_ground_truth_scores_1_marked_or_not(kind: str, data: st.DataObject) -> None:
    truth = data.draw(TRUTHS[kind])
    for response in (
        truth,
        f" {truth}\n",
        f"**{truth}**",
        f"Answer: {truth}",
        f"<answer>{truth}</answer>",
        f"\\boxed{{{truth}}}",
    ):
        assert score("What is asked here?", truth, response, kind).score == 1, response


@given(
    truth=TEXT.filter(str.strip),
    response=TEXT,
    question=TEXT,
    kind=st.sampled_from([kind for kind in TYPES if kind != "expression"]),
)
@settings(max_examples=400, deadline=None)
def test_any_text_gets_a_verdict_and_always_the_same(truth: str, response: str, question: str, kind: str) -> None:
    verdict = score(question, truth, response, kind)
    assert verdict.score in (0.0, 1.0)
    assert verdict.tier
    assert score(question, truth, response, kind) == verdict


@given(
    offers=st.lists(st.sampled_from(["Was it", "Rome", " or ", "or", ", ", ";", ":", "?", "\n", " ", "A) ", "B) "])),
    kind=st.sampled_from(["choice", "phrase", "name", "boolean"]),
)
def test_whatever_a_question_offers_gets_a_verdict(offers: list[str], kind: str) -> None:
    assert score("".join(offers), "Rome", "It was Rome or Paris.", kind).score in (0.0, 1.0)


@given(truth=NAME, other=NAME)
def test_normalisation_is_symmetric(truth: str, other: str) -> None:
    one, two = (score("Who?", a, b, "name") for a, b in ((truth, other), (other, truth)))
    assert (one.tier == "alias") == (two.tier == "alias")


@given(one=NUMBER, other=NUMBER)
def test_equal_whole_quantities_are_equal_both_ways(one: str, other: str) -> None:
    first, second = only_quantity(one), only_quantity(other)
    if first is not None and second is not None and not first.slack and not second.slack:
        assert first.is_(second) == second.is_(first)


@given(TEXT)
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.lists(WORD, min_size=1, max_size=5), st.sampled_from([", ", "; ", " - ", "/", "! ", "\u2014", "\n", '" "']))
def test_case_punctuation_and_articles_are_no_words(parts: list[str], between: str) -> None:
    assert words(between.join(parts)) == words(" ".join(parts)) == words(f"The {' '.join(parts).upper()}.")


@given(st.from_regex(r"[a-z]{1,12}", fullmatch=True))
def test_a_stem_is_a_beginning_of_its_word_but_for_its_last_letter(word: str) -> None:
    assert word.startswith(stem(word)[:-1])
    assert stem(word)


@given(TEXT, TEXT)
def test_a_longer_text_has_no_more_than_it_says(text: str, other: str) -> None:
    response = f"{text} {other}"
    assert len(not_taken_back(response)) <= len(response)
    assert set(words(affirmed(response))) <= set(words(response)) | {""} or not words(response)
    assert len(extract(response)[0]) <= len(response)


@given(st.integers(-(10**9), 10**9), TEXT)
def test_gsm8k_rewards_read_any_whole_number(number: int, text: str) -> None:
    for shown in (str(number), f"{number:,}"):
        response = f"{text}\n#### {shown}"
        assert strict(response, str(number)) == 1
        assert flexible(response, str(number)) == 1
        assert "#" in text or custom_flexible(response, str(number)) == 1


SENTENCES = (
    "{}",
    "{}.",
    "in {}.",
    "It is {}.",
    "It opened in {}.",
    "The answer is {}, as far as is known.",
    "\\boxed{{{}}}",
)


@pytest.mark.parametrize("kind", ["number", "date", "phrase"])
@given(
    st.one_of(st.integers(0, 10**7).map(str), st.decimals(0, 3000, places=2).map("{:f}".format)),
    st.text("0123456789", min_size=1, max_size=3),
    st.integers(0, 9),
)
@settings(max_examples=100, deadline=None)
def test_a_number_is_never_right_by_more_or_fewer_digits(kind: str, number: str, more: str, place: int) -> None:
    place = min(place, len(number))
    longer = f"{number[:place]}{more}{number[place:]}"
    apart = abs(Decimal(longer) - Decimal(number))
    # "1000.15" and "1000.153" are one number, rounded.
    if apart <= Decimal("0.005"):
        return
    for sentence in SENTENCES:
        assert score("What is asked here?", number, sentence.format(longer), kind).score == 0, sentence
        assert score("What is asked here?", longer, sentence.format(number), kind).score == 0, sentence
