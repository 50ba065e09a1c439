"""Numbers as policies write them: with units, as bounds, scores and ratios, in words, and what makes another of one."""

from __future__ import annotations

import pytest

from rewards import score


@pytest.mark.parametrize(
    "response",
    [
        "minus 12", "negative twelve", "\u221a12", "\\sqrt{12}", "12\u00b2", "12 squared", "12 cubed",
        "the square of 12", "half of 12", "twice 12", "log 12", "12!", "It is 12!", "12 dozen", "12k", "1/12",
        "12%", "at least 12", "more than 12", "less than 12", "over 12", "up to 12", "12 or more", "\u226512", "> 12",
        "<12", "12 thousandths", "!= 12", "\u226012", "12+", "everything but 12",
    ],
)  # fmt: skip
def test_a_number_that_is_bounded_or_reckoned_with_is_another(response: str) -> None:
    assert score("How many eggs are in the box?", "12", response, "number").score == 0


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("at least 12", "at least 12", 1),
        ("at least 12", "12", 1),
        ("12", "12 eggs!", 1),
        ("12", "about 12", 1),
        ("12", "=> 12", 1),
        ("-12", "minus 12", 1),
        ("-12", "It was negative twelve.", 1),
        ("-12", "20 minus 12", 0),
        ("-12", "x minus 12", 0),
        ("-12 kg", "minus 12 kg", 1),
        ("minus 12", "-12", 1),
        ("12", "<b>12</b>", 1),
        ("12", "The total is 5+7=12", 1),
        ("12", "5+7=12, 6+7=13", 0),
        ("12", "Let me see. 3+9 = 12. #### 12", 1),
        ("12", "12 is what I had. #### 13", 0),
        ("12", "#### 13 but it is 12", 0),
        ("12 km", "\\boxed{12\\text{ km}}", 1),
        ("12 km", "$12\\,\\text{km}$", 1),
        ("12 km", "12\\ \\mathrm{km}", 1),
        ("12 km", "\\boxed{12\\text{ m}}", 0),
        ("0.5", "\\boxed{\\frac{1}{2}}", 1),
        ("0.5", "\\boxed{\\dfrac12}", 1),
        ("0.5", "\\boxed{\\frac{1}{3}}", 0),
        ("1000", "\\boxed{1\\,000}", 1),
        ("1000", "1 000", 1),
        ("1000", "1 000 2", 0),
        ("$5", "A$5", 0),
        ("5 MB", "5 Mb", 0),
        ("5 MB", "5 mb", 1),
        ("5 mg", "5 Mg", 0),
        ("5 m", "5 M", 0),
        ("5 km", "5 KM", 1),
    ],
)
def test_a_number_as_policies_write_it(truth: str, response: str, expected: float) -> None:
    assert score("What is it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("question", "truth", "response", "expected"),
    [
        ("How many meters tall is the tower?", "300", "300 km", 0),
        ("How many meters tall is the tower?", "300", "300 feet", 0),
        ("How many meters tall is the tower?", "300", "300 m2", 0),
        ("How many meters tall is the tower?", "300", "300 metres", 1),
        ("How many meters tall is the tower?", "300", "0.3 km", 1),
        ("How many meters tall is the tower?", "300 km", "300", 0),
        ("How many meters tall is the tower?", "300 m", "300", 1),
        ("How many square metres has the flat?", "60", "60 m", 0),
        ("How many square metres has the flat?", "60", "60 m2", 1),
        ("How many grams are in it?", "5", "5 kg", 0),
        ("What did it cost in dollars?", "20", "20 cents", 0),
        ("What did it cost in dollars, if a part is 50 cents?", "20", "$20", 1),
        ("How many years did it take?", "10", "10 months", 0),
        ("How many km is it?", "5", "5 miles", 0),
        ("How many miles is it if the map says 5 km?", "3", "3 miles", 1),
        ("How many apples does one get for $5?", "10", "$10", 0),
        ("It took an hour and 30 minutes more than a day. How long was it?", "25.5", "25.5 minutes", 0),
        ("What per cent of them stayed?", "20", "20%", 1),
        ("How old was she?", "42", "42 years", 1),
        ("How old was she?", "42", "42 years old", 1),
        ("How old was she?", "42", "42 months", 0),
    ],
)
def test_a_unit_that_is_left_out_is_the_one_that_the_question_asks_for(
    question: str, truth: str, response: str, expected: float
) -> None:
    assert score(question, truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("3-2", "2-3", 0),
        ("3-2", "2\u20133", 0),
        ("3-2", "They won 3\u20132.", 1),
        ("3-2", "3:2", 1),
        ("3-2", "The score was three to two.", 1),
        ("3-2", "3-2-1", 0),
        ("3-2", "2-3, not 3-2", 0),
        ("3-2", "2-3 or 3-2", 0),
        ("3-2", "3, 2", 0),
        ("3-2 victory", "2-3 victory", 0),
        ("21 to 14", "14 to 21", 0),
        ("21 to 14", "21-14", 1),
        ("14 to 21", "21 to 14", 0),
        ("10-6", "6-10", 0),
        ("2 to 1", "1 to 2", 0),
        ("a ratio of 2 to 1", "a ratio of 1 to 2", 0),
        ("2:1", "1:2", 0),
        ("1:2", "2:1", 0),
        ("2:1", "2 to 1", 1),
        ("3-2-1", "1-2-3", 0),
        ("5-10", "between 5 and 10", 1),
    ],
)
def test_a_score_or_a_ratio_has_its_order(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        *(
            ("2", response, 0)
            for response in (
                "\u00b12", "+/-2", "+/- 2", "plus or minus 2", "\\pm 2", "2i", "2x", "2\u03c0", "2 pi", "2\\pi", "2e",
                "two thirds", "two and a half",
            )
        ),
        ("\u00b12", "2", 0),
        ("\u00b12", "It is \u00b12.", 1),
        ("2x", "2", 0),
        ("2 pi", "2", 0),
        ("2", "2 x 1 = 2", 1),
        ("3 x 10^8", "3 \u00d7 10^8", 1),
        ("2 m", "2m", 1),
        ("2 L", "2 l", 1),
        ("2 L", "2 litres of water", 1),
        ("45\u00b0N", "45\u00b0S", 0),
        ("45\u00b0 N", "45\u00b0 S", 0),
        ("45\u00b0N", "45 degrees south", 0),
        ("45\u00b0N", "45\u00b0 North", 1),
        ("45\u00b0N", "45 degrees north", 1),
        ("100", "100 fewer than before", 0),
        ("100", "100 people more than in 1990", 0),
        ("100", "100 less", 0),
        ("100", "100 rather than 90", 1),
    ],
)  # fmt: skip
def test_a_factor_a_direction_and_a_difference_make_another_number(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("12", "a dozen", 1),
        ("12", "one dozen", 1),
        ("12", "about a dozen eggs", 1),
        ("24", "two dozen", 1),
        ("6", "half a dozen", 1),
        ("12", "12 dozen", 0),
        ("12", "half a dozen", 0),
        ("12", "half of a dozen", 0),
        ("12", "a dozen and a half", 0),
        ("12", "more than a dozen", 0),
        ("12", "a few dozen", 0),
        ("12", "dozens", 0),
        ("12", "a baker's dozen", 0),
        ("$5", "5 dollars a dozen", 1),
        ("30 minutes", "half an hour", 1),
        ("30 minutes", "an hour and a half", 0),
        ("30 minutes", "more than half an hour", 0),
        ("30 minutes", "1 hour 30 minutes", 0),
        ("30 minutes", "an hour and 30 minutes", 0),
        ("30 minutes", "one hour and 30 minutes", 0),
        ("90 minutes", "an hour and a half", 1),
        ("90 minutes", "1 hour 30 minutes", 1),
        ("90 minutes", "1 hour and 30 minutes", 1),
        ("90 minutes", "one hour, thirty minutes", 1),
        ("90 minutes", "1 h 30 min", 1),
        ("90 minutes", "1h30m", 1),
        ("90 minutes", "1 hour or 30 minutes", 0),
        ("90 minutes", "1 hour, 30 minutes and 20 seconds", 0),
        ("1 hour 30 minutes", "90 minutes", 1),
        ("1 hour 30 minutes", "1 hour", 0),
        ("1 hour 30 minutes", "30 minutes", 0),
        ("8 ft 11 in", "8 feet and 11 inches", 1),
        ("8 ft 11 in", "8 feet", 0),
        ("5 ft 6 in", "5 feet 6 inches (167.6 cm)", 1),
        ("5 ft 6 in", "5 feet 6 inches (170.6 cm)", 0),
        ("1/3", "one third", 1),
        ("1/3", "A third.", 1),
        ("1/3", "It is one-third", 1),
        ("1/3", "two thirds", 0),
        ("1/3", "the third", 0),
        ("3", "a third", 0),
        ("2/3", "two-thirds", 1),
        ("1/2", "half", 1),
        ("0.5", "one half", 1),
        ("0.5", "half of 12", 0),
        ("6", "half of 12", 0),
        ("0.5", "half a million", 0),
        ("0.5", "the second half", 0),
        ("0.5", "one and a half", 0),
        ("1.5", "one and a half", 1),
    ],
)
def test_a_number_in_parts_is_what_they_make(truth: str, response: str, expected: float) -> None:
    assert score("What was it?", truth, response, "number").score == expected


def test_a_difference_that_is_asked_for_is_the_answer() -> None:
    question = "How many more people than in 1990 came?"
    assert score(question, "100", "100 more than in 1990", "number").score == 1
