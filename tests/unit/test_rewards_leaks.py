"""What once scored 1 and was wrong, or 0 and was right: numbers, signs, units, denials and names of one kind each."""

from __future__ import annotations

import pytest

from rewards import score

# Without math-verify, expressions are compared as they are written, and it says so.
pytestmark = pytest.mark.filterwarnings("ignore:expressions are compared:RuntimeWarning")


@pytest.mark.parametrize(
    ("kind", "truth", "response", "expected"),
    [
        # No digit is taken for a note where it may be meant.
        ("number", "1000", "10000", 0),
        ("number", "1600", "in 16000.", 0),
        ("phrase", "1600", "16000", 0),
        ("phrase", "1600", "in 16000.", 0),
        ("date", "1600", "in 16001.", 0),
        ("number", "$75,000", "It is $75,0001.", 0),
        ("phrase", "10", "10\u00b2", 0),
        ("phrase", "5 km", "5 km\u00b2", 0),
        ("number", "0", "in 1500.00.", 0),
        ("number", "0.5", "on May 15.5", 0),
        ("phrase", "Boston", "It was Boston12.", 1),
        ("phrase", "Boston", "It was Boston\u00b9\u00b2.", 1),
        ("date", "October 9, 1986", "It opened on October 9, 19861.", 1),
        ("date", "1986", "The show1 opened in 19862.", 1),
        # Signs.
        ("phrase", "122 km2", "-122 km2", 0),
        ("phrase", "5", "-5", 0),
        ("phrase", "-5 degrees", "5 degrees", 0),
        ("phrase", "-5 degrees", "minus 5 degrees", 1),
        ("phrase", "1914-1918", "1914 -1918", 1),
        ("phrase", "122 km2", "122 square kilometres", 1),
        ("phrase", "122 km2", "122 km", 0),
        # Units.
        ("number", "122 km2", "-122 km2", 0),
        ("number", "122 km2", "122 km\u00b2", 1),
        ("number", "122 km2", "122 square kilometres", 1),
        ("number", "122 km2", "12,200 hectares", 1),
        ("number", "122 km2", "122 km", 0),
        ("number", "5 m3", "5 cubic metres", 1),
        ("number", "9.81 m/s2", "9.81 m/s^2", 1),
        ("number", "60 km/h", "60 km", 0),
        ("number", "122 cubits of it", "-122 cubits of it", 0),
        ("number", "240 metres", "It is 240 m long.", 1),
        ("number", "5 feet", "5 ft tall", 1),
        ("number", "3 km", "3 km away", 1),
        ("number", "20 m", "20 m wide", 1),
        ("number", "20 m", "20 a day", 0),
        # Denials before an abbreviation, or beside an alias that denies.
        ("name", "George W. Bush", "not George W. Bush", 0),
        ("name", "St. Ignatius", "not St. Ignatius", 0),
        ("name", "Dr. Seuss", "It is not Dr. Seuss.", 0),
        ("name", "Seuss", "It is not so. It is Seuss.", 1),
        # Names.
        ("name", "Murray Gell-Mann", "Zainab Gell-Mann", 0),
        ("name", "Murray Gell-Mann", "Gell-Mann", 1),
        ("name", "Chernobyl Nuclear Power Plant", "lantern Nuclear Power Plant", 0),
        ("name", "Matthew Gregory Wise", "actor Greg Wise", 1),
        ("name", "Panic! at the Disco", "The answer is Panic! at the Disco", 1),
        ("name", "Paris", "The answer is Paris! It is in France.", 1),
        # Expressions.
        ("expression", "I^2 R", "I^5 R", 0),
        ("expression", "1000000!", "The answer is 1000000!", 1),
        ("expression", "1000000!", "The answer is 1000000", 0),
    ],
)
def test_numbers_signs_units_names(kind: str, truth: str, response: str, expected: int) -> None:
    assert score("What is asked here?", truth, response, kind).score == expected


@pytest.mark.parametrize(
    ("question", "truth", "response", "expected"),
    [
        ("Who sang You'll Never Walk Alone?", "Gerry", "not Gerry", 0),
        ("Who sang You'll Never Walk Alone?", "Gerry", "You'll Never Walk Alone was sung by Gerry.", 1),
        ("Which planet does not have moons?", "Venus", "not Venus", 0),
        ("Which planet does not have moons?", "Venus", "It isn't Venus.", 0),
        ("Which planet does not have moons?", "Venus", "Venus does not have moons.", 1),
        ("Which planet does not have moons?", "Venus", "The planet that does not have moons is Venus.", 1),
        ("When did the Not in This Lifetime tour start?", "2016", "The Not in This Lifetime tour began in 2016.", 1),
        ("Which claim is not true?", "the second", "The second is not true.", 1),
    ],
)
def test_a_question_that_denies_excuses_its_own_denial_alone(
    question: str, truth: str, response: str, expected: int
) -> None:
    assert score(question, truth, response, "phrase").score == expected


@pytest.mark.parametrize(
    ("truth", "alias", "response", "expected"),
    [
        ("Indiana", "IN", "it is in the house", 0),
        ("Indiana", "IN", "It is IN.", 1),
        ("Indiana", "IN", "in", 1),
        ("information technology", "IT", "it is so", 0),
        ("America", "US", "tell us more", 0),
        ("America", "US", "the US", 1),
        ("Corn", "Hay (non-Alfalfa)", "not Corn", 0),
        ("Corn", "Hay (non-Alfalfa)", "It is hay (non-alfalfa).", 1),
    ],
)
def test_an_alias_is_matched_as_what_it_is(truth: str, alias: str, response: str, expected: int) -> None:
    assert score("What is asked here?", truth, response, "name", (alias,)).score == expected
