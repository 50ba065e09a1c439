"""Mutated answers, and the pairs that no trainer could reward safely."""

from __future__ import annotations

import pytest

from rewards import Verdict, expressions, score
from schemas.domains import ANSWER_TYPES
from transforms.pair_rules import rewarding
from transforms.pair_rules.mutations import COUNT, mutations
from transforms.pair_rules.rewarding import unrewardable

EVIDENCE = "In 1903 Henri Becquerel shared the prize with Pierre and Marie Curie in Stockholm."


def broken(
    answer: str, answer_type: str, aliases: tuple[str, ...] = (), question: str = "Which answer is asked for here?"
) -> tuple[str, str] | None:
    return next(unrewardable(question, answer, answer_type, aliases, EVIDENCE), None)


SOUND = [
    ("number", "5", (), "How many moons has the planet?"),
    ("number", "0", (), "How many moons has Venus?"),
    ("number", "-40", (), "At which temperature do both scales agree?"),
    ("number", "1,500,000", ("1.5 million", "1500000"), "How many kronor was it worth?"),
    ("number", "6.022e23", (), "How many particles has a mole?"),
    ("number", "3.14", (), "What is pi to two decimals?"),
    ("number", "12.5%", ("12.5 percent",), "Which share of the vote did the party win?"),
    ("number", "twenty-one", ("21",), "How many letters has the alphabet?"),
    ("number", "\u4e09\u767e", (), "\u6709\u591a\u5c11\u4e2a\uff1f"),
    ("number", "5-10", (), "How many eggs does the hen lay in a month?"),
    ("number", "100 km", ("62 miles",), "How far is it to space?"),
    ("number", "8 ft 11 in", (), "How tall was the tallest man?"),
    ("number", "8 feet 11 inches", (), "How tall was the tallest man?"),
    ("number", "26 miles 385 yards", (), "How long is a marathon?"),
    ("number", "63 years, 7 months and 2 days", (), "How long did the queen reign?"),
    ("number", "55 days and 3 hours", (), "How long did the siege last?"),
    ("number", "2:1", (), "At which ratio are they mixed?"),
    ("number", "906.28 km2", (), "What is the area of West Muna?"),
    ("date", "14th century", ("1300s",), "In which century did the plague come?"),
    ("date", "1867", (), "In what year was Marie Curie born?"),
    ("date", "14 March 1986", ("March 14, 1986", "1986-03-14", "March 1986"), "On what date did Giotto pass?"),
    ("date", "4 July 1776", ("04/07/1776", "07/04/1776"), "On what date was it signed?"),
    ("date", "1980s", ("the 1980s",), "In which decade did the war begin?"),
    ("date", "44 BC", ("44 BCE",), "In what year was Caesar killed?"),
    ("date", "6th century", ("sixth century",), "In which century was the church built?"),
    ("date", "Tuesday", (), "On which day of the week does the council meet?"),
    ("date", "May", (), "In which month does it bloom?"),
    ("name", "Marie Curie", ("Curie", "M. Curie"), "Who found polonium?"),
    ("name", "van Gogh", (), "Who painted The Starry Night?"),
    ("name", "Queen Anula", ("Anula",), "Who was the first queen of Lanka?"),
    ("name", "John Gramlick Sr", (), "Who invented the Challenge Cup?"),
    ("name", "Possession Island", (), "Which is the largest of the Penguin Islands?"),
    ("name", "New York City", ("NYC",), "Where is the Chrysler Building?"),
    ("name", "Indiana", ("IN",), "Which state lies south of Michigan?"),
    ("phrase", "information technology", ("IT",), "Which field deals with computers?"),
    ("phrase", "122 km2", (), "How large is the lake?"),
    ("number", "122 km\u00b2", ("122 square kilometres",), "How large is the lake?"),
    ("number", "240 metres", ("240 m",), "How long is the bridge of Arden?"),
    ("name", "Murray Gell-Mann", (), "Who named the quark?"),
    ("phrase", "Chernobyl Nuclear Power Plant", (), "What burned in 1986?"),
    ("phrase", "St. Ignatius", (), "Whom did the order follow?"),
    ("phrase", "Gerry Marsden", (), "Who sang You'll Never Walk Alone?"),
    ("name", "Panic! at the Disco", (), "Which band played High Hopes?"),
    ("expression", "1000000!", (), "What is the product of the first million integers?"),
    ("name", "Richard Montgomery", (), "After whom was Montgomery County named?"),
    ("name", "\u5c45\u91cc\u592b\u4eba", (), "\u8c01\u53d1\u73b0\u4e86\u9551\uff1f"),
    ("phrase", "damage suppressor", (), "What does Dsup stand for?"),
    ("phrase", "constitutional right", (), "The right to property is what kind of right in India?"),
    ("phrase", "photosynthesis", ("the process of photosynthesis",), "How do plants make sugar?"),
    ("phrase", "non-partisan", (), "Where does the union stand?"),
    ("phrase", "not guilty", (), "What did the defendant plead?"),
    ("phrase", "transcendental number", (), "What is a real number called that is not a root of a polynomial?"),
    ("boolean", "Yes", (), "Is radium a metal?"),
    ("boolean", "false", (), "Is it true that radium is a gas?"),
    ("choice", "a metal", (), "Is radium a metal, a gas or a noble salt?"),
    ("choice", "A", (), "Which is heavier: (A) radium (B) lead?"),
    ("choice", "B) lead", (), "Which is softer: (A) radium (B) lead?"),
    ("expression", "x+1", (), "What is the derivative of x^2/2 + x?"),
    ("expression", "$E = mc^2$", ("E=mc^2",), "Which equation holds?"),
    ("expression", "I^2 R", ("R I^2",), "Which power does a cable of resistance R turn into heat?"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "answer", "aliases", "question"), SOUND)
def test_sound_pairs_are_rewarded_and_their_mutations_not(
    kind: str, answer: str, aliases: tuple[str, ...], question: str
) -> None:
    assert broken(answer, kind, aliases, question) is None
    wrong = mutations(question, answer, kind, aliases, EVIDENCE)
    assert len(set(wrong)) == COUNT
    assert all(score(question, answer, text, kind, aliases).score == 0 for text in wrong)


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        ("number", "5", ["6", "50", "-5"]),
        ("number", "-5", ["-6", "-50", "-12"]),
        ("number", "1,500 km", ["2,500 km", "15000 km", "-1,500 km"]),
        ("number", "5-10", ["6-10", "50-10", "12-10"]),
        ("number", "12.5%", ["22.5%", "125.0%", "-12.5%"]),
        ("number", "8 ft 11 in", ["9 ft 11 in", "80 ft 11 in", "15 ft 11 in"]),
        ("number", "2:1", ["3:1", "20:1", "9:1"]),
        ("number", "twenty", ["thirty", "fifty", "sixty"]),
        ("date", "14 March 1986", ["14 March 1987", "14 July 1986", "14 March 1976"]),
        ("date", "1999", ["2000", "1989", "2002"]),
        ("date", "1980s", ["1990s", "2000s", "2080s"]),
        ("date", "9999", ["10000", "9989", "10002"]),
        ("date", "Sept.", ["October", "January", "March"]),
        ("date", "Sunday", ["Monday", "Wednesday", "Thursday"]),
        ("boolean", "yes", ["No", "False", "No, that is not so."]),
        ("boolean", "False", ["Yes", "True", "Yes, that is so."]),
        ("expression", "x+1", ["x-1", "x+1 + 7", "x+1 - 11"]),
        ("expression", "x^2 y", ["x^5 y", "x^2 y + 7", "x^2 y - 11"]),
        ("expression", "$x$", ["$x + 7$", "$x - 11$", "$x + 23$"]),
    ],
)
def test_mutations_are_of_the_type(kind: str, answer: str, expected: list[str]) -> None:
    assert mutations("Which?", answer, kind, (), EVIDENCE) == expected


def test_a_wrong_name_is_one_of_the_evidence_first() -> None:
    wrong = mutations("Who shared the prize?", "Henri Becquerel", "name", (), EVIDENCE)
    assert wrong[0] == "Stockholm"
    assert wrong[1].startswith("Henri ") and wrong[2].endswith(" Becquerel")


def test_what_is_called_after_the_answer_is_no_wrong_name() -> None:
    evidence = "It stands in Cuba, above the seat of the Cuban Communist Party."
    wrong = mutations("In which country does it stand?", "Cuba", "name", (), evidence)
    assert len(wrong) == COUNT
    assert not any("Cuba" in name for name in wrong)


def test_the_other_options_are_the_mutations_of_a_choice() -> None:
    question = "Is radium a metal, a gas or a noble salt?"
    assert mutations(question, "a gas", "choice", (), EVIDENCE)[:2] == ["a metal", "a noble salt"]
    labelled = "Which is heaviest: (A) radium (B) lead (C) tin?"
    assert mutations(labelled, "B", "choice", (), EVIDENCE) == ["radium", "tin", "A"]


def test_mutations_depend_on_the_pair_alone() -> None:
    for kind in ANSWER_TYPES:
        first = mutations("Which one, 3 or 4?", "4", kind, ("four",), EVIDENCE)
        assert first == mutations("Which one, 3 or 4?", "4", kind, ("four",), EVIDENCE)


@pytest.mark.parametrize(
    ("answer", "aliases", "kind"),
    [("5", ("6",), "number"), ("1999", ("2000",), "date"), ("damage control", ("lantern",), "phrase")],
)
def test_what_says_an_alias_is_no_mutation(answer: str, aliases: tuple[str, ...], kind: str) -> None:
    wrong = mutations("Which?", answer, kind, aliases, EVIDENCE)
    assert len(wrong) == COUNT
    assert not any(alias in text.split() for alias in aliases for text in wrong)


@pytest.mark.parametrize(
    ("kind", "answer", "alias"),
    [
        ("number", "5", "6"),
        ("number", "five", "7"),
        ("number", "1,500", "1,400"),
        ("number", "100 km", "80 km"),
        ("number", "25%", "30%"),
        ("date", "1867", "1868"),
        ("date", "14 March 1986", "15 March 1986"),
        ("date", "14 March 1986", "1986-04-14"),
        ("date", "4 July 1776", "05/07/1776"),
        ("boolean", "Yes", "No"),
        ("boolean", "true", "False."),
        ("date", "14th century", "1400s"),
        ("date", "14th century", "1401"),
        ("date", "1980s", "1979"),
        ("date", "44 BC", "43 BC"),
        ("phrase", "Marie Curie", "Not Marie Curie"),
    ],
)
def test_an_alias_of_another_value_contradicts(kind: str, answer: str, alias: str) -> None:
    assert broken(answer, kind, ("", alias)) == ("alias_contradicts_answer", alias)


@pytest.mark.parametrize(
    ("kind", "answer", "alias"),
    [
        ("number", "1.5", "1.5 million"),
        ("number", "0.25", "25%"),
        ("number", "62 miles", "100 km"),
        ("number", "5", "a handful"),
        ("number", "0", "none"),
        ("date", "14 March 1986", "March 1986"),
        ("date", "14 March 1986", "the day of the fly-by"),
        ("date", "1305", "1300s"),
        ("date", "1357", "14th century"),
        ("date", "14th century", "the 1300s"),
        ("date", "14th century", "1390s"),
        ("date", "14th century", "1400"),
        ("date", "1980s", "March 1986"),
        ("date", "44 BC", "44"),
        ("date", "5th century BC", "the fifth century"),
        ("boolean", "Yes", "true"),
        ("phrase", "Paris", "Lyon"),
    ],
)
def test_an_alias_in_other_words_or_units_does_not(kind: str, answer: str, alias: str) -> None:
    reason = broken(answer, kind, (alias,))
    assert reason is None or reason[0] != "alias_contradicts_answer"


@pytest.mark.parametrize(
    ("kind", "answer", "aliases"),
    [
        ("phrase", "in", ()),
        ("phrase", "the", ()),
        ("name", "Indiana", ("in",)),
        ("phrase", "arsenic", ("As",)),
    ],
)
def test_an_answer_that_any_reply_has_is_found(kind: str, answer: str, aliases: tuple[str, ...]) -> None:
    assert broken(answer, kind, aliases) == ("idle_words_rewarded", answer)


def test_an_alias_that_says_too_much_is_found() -> None:
    question = "Who found polonium in the year 1898?"
    assert broken("Marie Curie", "phrase", ("Madame Curie",), question) is None
    # A decade pays for every year in it.
    assert broken("1957", "date", ("1950s",)) == ("mutation_rewarded", "1958")


def test_a_ground_truth_that_is_not_rewarded_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_bare(question: str, truth: str, response: str, *_: object) -> Verdict:
        return Verdict(float(response == truth), "none", response)

    monkeypatch.setattr(rewarding, "score", only_bare)
    assert broken("polonium", "phrase") == ("ground_truth_not_rewarded", "\\boxed{polonium}")


def test_expressions_are_checked_as_written_without_math_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "equal", lambda *_: None)
    assert broken("x+1", "expression", ("1+x",)) is None


def test_a_wrong_expression_that_compares_as_equal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "equal", lambda *_: True)
    assert broken("x+1", "expression") == ("mutation_rewarded", "x-1")
