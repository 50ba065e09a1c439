"""Near misses that a policy finds by trial: each scores 0, and what an honest policy writes beside it scores 1."""

from __future__ import annotations

import pytest

from rewards import score

CAPITAL = ("What is the capital of France?", "Paris", "name")
SCIENTIST = ("Who discovered polonium and radium?", "Marie Curie", "name")
ASTRONOMER = ("Who discovered the four largest moons of Jupiter?", "Galileo", "name")
PROCESS = ("How do plants make sugar?", "photosynthesis", "phrase")
YEAR = ("In which year was the bridge opened?", "1907", "date")
DOZEN = ("How many eggs are in the box?", "12", "number")

JOINERS = (
    "!", " \u2026 ", "\u2026", "\u00b7", " \u00b7 ", "_", " _ ", " = ", "=", " * ", "*", "`", " ` ", ")(", ") (", "][",
    "] [", '" "', "^", " ^ ", " \u00a7 ", " \u00b6 ", " \u2020 ", "\u2020", " # ", "#", " @ ", "@", " $ ", "$", " % ",
    "%", " > ", ">", " => ", "=>", " :: ", "::", "<br>", " <br> ", "\u060c ", "\ufe50", "\u30fb", "\u0964", " \u0964 ",
    "\u2044", " \u2044 ", "\uff0b", " \uff0b ", "\u2295", " \u2295 ", "\u200b", "\u00ad", "\u2060", "\x00",
)  # fmt: skip


@pytest.mark.parametrize("joiner", JOINERS, ids=ascii)
@pytest.mark.parametrize(
    ("pair", "items"),
    [
        (CAPITAL, ("London", "Rome", "Paris", "Madrid")),
        (CAPITAL, ("Paris", "Rome", "London", "Madrid")),
        (SCIENTIST, ("Lise Meitner", "Otto Hahn", "Marie Curie", "Niels Bohr")),
        (PROCESS, ("respiration", "digestion", "photosynthesis", "fermentation")),
        (YEAR, ("1905", "1906", "1907", "1908")),
        (CAPITAL, ("Paris", "Rome")),
        (SCIENTIST, ("Niels Bohr", "Marie Curie")),
        (PROCESS, ("photosynthesis", "fermentation")),
    ],
    ids=["name-last", "name-first", "names", "phrase", "date", "two", "two-names", "two-phrases"],
)
def test_a_list_scores_0_whatever_stands_between_its_items(
    pair: tuple[str, str, str], items: tuple[str, ...], joiner: str
) -> None:
    question, truth, kind = pair
    assert score(question, truth, joiner.join(items), kind).score == 0


@pytest.mark.parametrize("size", [1, 30])
def test_a_row_of_names_scores_0_in_small_letters_too(size: int) -> None:
    row = "einstein newton bohr curie darwin kepler tesla faraday " * size + "galileo"
    assert score(*ASTRONOMER[:2], row, "name").score == 0


def test_a_long_row_with_a_word_of_grammar_is_a_row_still() -> None:
    row = "einstein newton bohr curie darwin kepler tesla faraday " * 30
    assert score(*ASTRONOMER[:2], f"{row} and galileo", "name").score == 0


@pytest.mark.parametrize(
    ("truth", "response"),
    [
        ("Romulus and Remus", "Romulus or Remus"),
        ("red, green and blue", "red, green, or blue"),
        ("red, green and blue", "red green blue yellow"),
        ("red, green and blue", "red, green, blue, yellow"),
        ("north", "south north east west"),
        ("north", "south north"),
        ("hot water", "hot cold water"),
        ("increased demand", "demand increased supply decreased price increased"),
    ],
)
@pytest.mark.parametrize("kind", ["name", "phrase"])
def test_more_than_the_answer_or_one_of_its_parts_scores_0(truth: str, response: str, kind: str) -> None:
    assert score("What is it?", truth, response, kind).score == 0


@pytest.mark.parametrize(
    ("question", "truth", "kind", "response"),
    [
        (*CAPITAL, "Paris, France"),
        (*CAPITAL, "_Paris_"),
        (*CAPITAL, "It is *Paris*!"),
        (*CAPITAL, "Paris[1]"),
        (*CAPITAL, "PARIS, the capital of France"),
        (*SCIENTIST, "President Marie Curie"),
        (*SCIENTIST, "Marie Curie (1867\u20131934)"),
        ("Who looked through it?", "Galileo Galilei", "name", "the physicist Galileo Galilei"),
        ("Who are they?", "Romulus and Remus", "name", "Romulus, Remus"),
        ("Which colours?", "red, green and blue", "phrase", "red green blue"),
        ("Which water?", "hot water", "phrase", "hot water, not cold"),
        ("What was raised?", "increased demand", "phrase", "demand increased"),
        ("Which formula?", "E=mc^2", "phrase", "E=mc^2"),
        ("Which series?", "M*A*S*H", "phrase", "M*A*S*H"),
    ],
)  # fmt: skip
def test_an_answer_that_is_described_is_no_list(question: str, truth: str, kind: str, response: str) -> None:
    assert score(question, truth, response, kind).score == 1
