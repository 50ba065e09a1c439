"""The ladder: which tier decides, what is extracted, and the ways to be wrongly right that math-verify is known for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from rewards import Verdict, score
from rewards.extract import MAX_CHARACTERS, extract

# Without math-verify, expressions are compared as they are written, and it says so.
pytestmark = pytest.mark.filterwarnings("ignore:expressions are compared:RuntimeWarning")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kind", "truth", "response", "expected", "tier"),
    [
        # What differs in writing alone.
        ("name", "Paris", "paris.", 1, "alias"),
        ("phrase", "the Caf\u00e9 de Flore", "Cafe de Flore", 1, "alias"),
        ("phrase", "World War II", "World War 2", 1, "alias"),
        ("phrase", "twenty-one guns", "21 guns", 1, "alias"),
        ("phrase", "C++", "C", 0, "none"),
        ("phrase", "hepatitis A", "hepatitis", 0, "none"),
        ("phrase", "*", "It is typed with an asterisk (*).", 1, "phrase"),
        ("phrase", "*", "It is typed with * or + or /.", 0, "none"),
        ("phrase", "*", "It is not an asterisk (*).", 0, "none"),
        # Names.
        ("name", "Sir Hans Adolf Krebs", "Hans Krebs", 1, "name"),
        ("name", "John Ronald Reuel Tolkien", "J. R. R. Tolkien", 1, "name"),
        ("name", "Kit Harington", "Harington", 1, "part"),
        ("name", "Kit Harington", "Kit", 0, "none"),
        ("name", "John Smith", "Jane Smith", 0, "none"),
        ("name", "New York", "York", 0, "none"),
        ("name", "World Health Organization", "World Trade Organization", 0, "none"),
        ("name", "the United Kingdom", "Great Britain", 1, "name"),
        ("name", "the British band Argent", "Argent", 1, "name"),
        ("name", "Welch, West Virginia", "It was filmed in Welch, West Virginia.", 1, "name"),
        ("name", "Paris", "Paris, France", 1, "name"),
        ("name", "Dr. Martin Luther King, Jr.", "Martin Luther King", 1, "name"),
        ("name", "Barack Obama", "President Obama", 1, "name"),
        ("name", "Barack Obama", "Michelle Obama", 0, "none"),
        ("name", "William Henry Gates", "Bill Gates", 1, "name"),
        ("name", "Robert Hooke", "Rob Hooke", 1, "name"),
        ("name", "Joanne Wheatley", "Jo Wheatley", 1, "name"),
        ("name", "William Gates", "Bob Gates", 0, "none"),
        ("name", "John Smith", "Smith, John", 1, "content"),
        ("name", "John Smith", "It was John Adams who met Will Smith.", 0, "none"),
        ("name", "Tony Hightower as Frank", "Tony Hightower", 1, "name"),
        ("name", "Charles Carroll of Carrollton", "Charles Carroll", 1, "name"),
        ("name", "Bank of America", "Bank", 0, "none"),
        ("name", "the city of Lyon", "Lyon", 1, "name"),
        ("name", "the Himalayas", "It is one of the Himalayan peaks.", 1, "content"),
        ("name", "Indiana", "It is an Indian name.", 0, "none"),
        ("name", "Austria", "It lies in Australia.", 0, "none"),
        ("name", "George W. Bush", "George H. W. Bush", 0, "none"),
        ("name", "Elizabeth II", "Elizabeth I", 0, "none"),
        ("name", "Henry VIII", "Henry the Eighth", 1, "alias"),
        # Numbers.
        ("number", "100", "a hundred", 1, "number"),
        ("number", "$3.5 million", "$3,500,000", 1, "number"),
        ("number", "7", "seven", 1, "number"),
        ("number", "7 seasons", "7", 1, "number"),
        ("number", "42.195 km", "42,195 m", 1, "number"),
        ("number", "250", "two hundred and fifty people", 1, "number"),
        ("number", "5 to 10 g", "between 5 and 10 grams", 1, "number"),
        ("number", "3.14", "3.14159", 1, "number"),
        ("number", "3.14", "3.2", 0, "number"),
        ("number", "7", "about 7 or 8", 0, "several_answers"),
        ("number", "36", "12 and 36", 0, "several_answers"),
        ("number", "7", "none at all", 0, "none"),
        ("number", "1,234", "#### 1234", 1, "number"),
        ("number", "6", "They won six titles: 1959, 1963, 1965 and 1981.", 1, "number"),
        ("number", "6", "6, 1959", 0, "several_answers"),
        ("number", "127", "One edition has 127 pages.", 1, "number"),
        ("number", "127", "One or 127", 0, "several_answers"),
        ("number", "$75,000", "The least amount is$75,0001.", 0, "number"),
        ("number", "3-2", "The final score was 3-2 after extra time.", 1, "phrase"),
        ("number", "3-2", "2-3", 0, "number"),
        ("number", "2:1", "2 to 1", 1, "number"),
        ("number", "228 minutes", "It runs for 3 hours and 48 minutes.", 1, "number"),
        ("number", "1,000 to 1", "1:1000", 0, "none"),
        # Dates.
        ("date", "July 20, 1969", "20th of July 1969", 1, "date"),
        ("date", "July 20, 1969", "1969-07-20", 1, "date"),
        ("date", "July 20, 1969", "07/20/1969", 1, "date"),
        ("date", "March 2020", "2020-03", 1, "date"),
        ("date", "July 20, 1969", "1969", 0, "none"),
        ("date", "July 1969", "July 20, 1969", 1, "date"),
        ("date", "the 1960s", "in 1965", 1, "date"),
        ("date", "the 1960s", "1959", 0, "none"),
        ("date", "the 19th century", "1850", 1, "date"),
        ("date", "1965", "the 1960s", 0, "none"),
        ("date", "1914-1918", "from 1914 to 1918", 1, "date"),
        ("date", "1914-1918", "1914", 0, "none"),
        ("date", "44 BC", "in 1944", 0, "none"),
        ("date", "the 6th century BC", "in 1944", 0, "none"),
        ("date", "44 BC", "44 AD", 0, "none"),
        ("date", "AD 44", "in 44 CE", 1, "date"),
        ("date", "July 20, 1969", "July \u0662\u0660, 1969", 0, "none"),
        ("number", "6.022x10^23", "6.02214 \u00d7 10\u00b2\u00b3", 1, "number"),
        ("number", "6.626x10^-34", "6.626 \u00d7 10\u207b\u00b3\u2074", 1, "number"),
        ("number", "6.626x10^-34", "6.626 \u00d7 10\u207b\u00b3\u00b3", 0, "number"),
        # Phrases.
        ("phrase", "red, white and green", "green, white, red", 1, "content"),
        ("phrase", "red, white and green", "red and white", 0, "none"),
        ("phrase", "an edible tuber", "tubers", 1, "part"),
        ("phrase", "left coronary artery", "the right coronary artery", 0, "none"),
        ("phrase", "beneath the liver", "under the liver", 1, "alias"),
        ("phrase", "high blood pressure", "blood pressure", 0, "none"),
        ("phrase", "heat loss", "the loss of heat", 1, "content"),
        ("phrase", "heat loss", "heat gain", 0, "none"),
        ("phrase", "beneath the liver", "above the liver", 0, "none"),
        ("phrase", "a mini-game", "a minigame", 1, "phrase"),
        ("phrase", "lubricates the heart", "It is a lubricant around the heart.", 1, "content"),
        ("phrase", "community", "communists", 0, "none"),
        ("phrase", "the theatre district", "in the theater district of it", 1, "phrase"),
        ("phrase", "the 90s", "in the late 1990s", 1, "phrase"),
        ("phrase", "the nineties", "in the 1890s", 0, "none"),
        ("phrase", "more than 200", "around 200 of them", 1, "phrase"),
        ("phrase", "16 or older", "You must be 16.", 1, "phrase"),
        ("phrase", "16 or older", "You must be 18 or older.", 0, "none"),
        ("phrase", "soccer or football", "football", 1, "phrase"),
        ("phrase", "breast or lower chest", "It is from the breast or lower chest.", 1, "phrase"),
        ("phrase", "7 a.m.", "I don't know all. However, it opens at 7:00 a.m. every day.", 1, "phrase"),
        ("phrase", "Frozen carbon dioxide", "It consists mostly of carbon dioxide in winter.", 1, "most"),
        # Booleans.
        ("boolean", "Yes", "true", 1, "boolean"),
        ("boolean", "No", "No, it was not.", 1, "boolean"),
        ("boolean", "No", "That is not true.", 1, "boolean"),
        ("boolean", "Yes", "Yes and no", 0, "several_answers"),
        ("boolean", "Yes", "There is no doubt: yes", 1, "boolean"),
        ("boolean", "Yes", "Perhaps", 0, "none"),
    ],
)
def test_the_tier_that_decides(kind: str, truth: str, response: str, expected: int, tier: str) -> None:
    verdict = score("What is asked here?", truth, response, kind)
    assert (verdict.score, verdict.tier) == (expected, tier)


CHOICE = "Which gas is the heaviest? A) helium B) xenon C) neon D) argon"


@pytest.mark.parametrize(
    ("question", "truth", "response", "expected"),
    [
        (CHOICE, "B", "b", 1),
        (CHOICE, "B", "(B)", 1),
        (CHOICE, "B", "Option B", 1),
        (CHOICE, "B", "B) xenon", 1),
        (CHOICE, "B", "xenon", 1),
        (CHOICE, "B", "It is xenon, a noble gas.", 1),
        (CHOICE, "xenon", "B", 1),
        (CHOICE, "xenon", "B) neon", 0),
        (CHOICE, "B", "not A but B", 0),
        (CHOICE, "B", "A", 0),
        (CHOICE, "B", "A or B", 0),
        (CHOICE, "B", "B, C", 0),
        (CHOICE, "B", "helium and xenon", 0),
        ("Was he elected, appointed or born to the office?", "appointed", "He was appointed to the office.", 1),
        ("Was he elected, appointed or born to the office?", "appointed", "He was elected.", 0),
        ("Which planet is larger, Jupiter or Saturn?", "Jupiter", "Jupiter is larger than Saturn.", 1),
        ("Which planet is larger, Jupiter or Saturn?", "Saturn", "Jupiter is larger than Saturn.", 0),
        ("Which came first, the book or the film?", "the book", "The book came first before the film.", 1),
        ("Which came first, the book or the film?", "the film", "The book came first before the film.", 0),
        ("Which planet is larger, Jupiter or Saturn?", "Jupiter", "Jupiter, not Saturn", 1),
        ("In space, which planet is larger, Mars or Saturn or Venus?", "Saturn", "Saturn", 1),
        ("In space, which planet is larger, Mars or Saturn or Venus?", "Saturn", "Mars", 0),
    ],
)
def test_choices(question: str, truth: str, response: str, expected: int) -> None:
    assert score(question, truth, response, "choice").score == expected


@pytest.mark.parametrize(
    ("question", "response", "expected"),
    [
        ("How many seasons did it have?", "It had 7 seasons between October 3, 2008, and May 4, 2020.", 1),
        ("How many seasons did it have?", "Its 7 seasons have 133 episodes.", 1),
        ("How many seasons did it have?", "It had 7 seasons, or 8 seasons.", 0),
        ("How many seasons did it have by 2020?", "By 2020 it had 7.", 1),
        ("How many seasons did it have?", "The first 3 were good. 7", 0),
        ("How many seasons did it have?", "5 + 2 = 7", 1),
        ("How many seasons did it have?", "5 + 2, 7", 0),
        ("How many seasons did it have?", "5 + 2 = 7\nAnswer: 7", 1),
    ],
)
def test_a_number_among_others(question: str, response: str, expected: int) -> None:
    assert score(question, "7", response, "number").score == expected


@pytest.mark.parametrize(
    ("response", "expected"), [("18 years", 1), ("at 18 years of age", 1), ("18 months", 0), ("18 km", 0)]
)
def test_an_age_is_in_years(response: str, expected: int) -> None:
    assert score("What is the legal age?", "18", response, "number").score == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("The novel was written by George Eliot in 1871.", 1),
        ("It was not written by Jane Austen but by George Eliot.", 1),
        ("It was George Eliot, not Jane Austen.", 1),
        ("George Eliot rather than Jane Austen wrote it.", 1),
        ("It was written by Jane Austen rather than George Eliot.", 0),
        ("Nobody knows whether it was written by somebody other than George Eliot.", 0),
        ("Not only George Eliot wrote such novels.", 1),
        ("Jane Austen. No, wait: George Eliot.", 1),
        ("I'm not sure, but I think it's George Eliot.", 1),
        ("It is hard to say. George Eliot", 1),
        ("Sure! The author was George Eliot.", 1),
        ('{"answer": "George Eliot"}', 1),
        ("Jane Austen is the author. George Eliot is not.", 0),
        ("The answer is George Eliot or the answer is Jane Austen", 0),
        ("George Eliot Jane Austen Charles Dickens Mary Shelley", 0),
        ('George Eliot, who wrote "Scenes of Clerical Life, or Amos".', 1),
        ("It was written byGeorge Eliotprobably in 1871.", 1),
        ("TheGeorge Eliotnovel of 1871", 1),
        ("Some say George Eliot; others say Jane Austen.", 0),
        ("It was written by George Eliot (Mary Ann Evans).", 1),
        ("George Eliot[1]", 1),
        ("It was written by**George Eliot**in 1871.", 1),
        ("It was written byGeorge Eliotin 18711.", 1),
        ("The author was George Eliot and Jane Austen.", 0),
    ],
)
def test_sentences(response: str, expected: int) -> None:
    question = "Who was the author of the novel Middlemarch?"
    assert score(question, "George Eliot", response, "name").score == expected


@pytest.mark.parametrize(
    ("truth", "response"),
    [
        ("listen", "silent"),
        ("Paris", "pairs"),
        ("10 km", "10 m"),
        ("10%", "10"),
        ("1914-1918", "-4"),
        ("6.626x10^-34", "9.11x10^-31"),
    ],
)
@pytest.mark.parametrize("kind", ["expression", "number", "phrase", "name", "date"])
def test_what_math_verify_takes_for_equal(
    kind: str, truth: str, response: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bool:
        raise AssertionError("text reached math-verify")

    monkeypatch.setattr("rewards.expressions.equal", never)
    assert score("What is asked here?", truth, response, kind).score == 0
    assert score("What is asked here?", response, truth, kind).score == 0
    assert score("What is asked here?", truth, truth, kind).score == 1


@pytest.mark.parametrize("kind", ["number", "date", "name", "phrase", "boolean", "choice"])
def test_no_other_type_reaches_math_verify(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> bool:
        raise AssertionError("reached math-verify")

    monkeypatch.setattr("rewards.expressions.equal", never)
    score("What is asked here?", "x^2+1", "(x+1)^2 - 2x", kind)


@pytest.mark.parametrize(
    ("truth", "response", "expected"),
    [
        ("\\frac{1}{6}", "\\dfrac{1}{6}", 1),
        ("x^{2}", "$x^2$", 1),
        ("2 \\cdot 3", "2 \\times 3", 1),
        ("5", "x = 5", 1),
        ("x = 5", "5", 0),
        ("3x^2 + 2", "So we get $3x^2+2$ in the end.", 1),
        ("3x^2 + 2", "It is $3x^2 + 2$ or $3x^2$", 0),
        ("3x^2 + 2", "It is not $3x^2 + 2$.", 0),
        ("n!", "n", 0),
        ("\\text{Paris}", "\\text{pairs}", 0),
    ],
)
def test_expressions_as_they_are_written(
    truth: str, response: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rewards.expressions.equal", lambda *_: None)
    assert score("Solve it.", truth, response, "expression").score == expected


def test_any_alias_will_do() -> None:
    assert score("Who?", "Samuel Clemens", "Mark Twain", "name", ["S. L. Clemens", " ", "Mark Twain"]).score == 1
    assert score("Who?", "Samuel Clemens", "Mark Twain", "name").score == 0
    assert score("How many?", "12", "a dozen", "number", ["a dozen"]).score == 1


def test_a_finer_alias_contradicts_a_wrong_day() -> None:
    for response, expected in (("5 September 2016", 0), ("16 April 2016", 1), ("in 2016", 1), ("April 2016", 1)):
        assert score("When?", "2016", f"It joined on {response}.", "date", ["April 2016"]).score == expected


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("I think so.\nAnswer: Paris\n", "Paris"),
        ("**Answer:** Paris", "Paris"),
        ("The final answer is Paris. It lies on the Seine.", "Paris"),
        ("The answer is Dr. Smith.", "Dr. Smith"),
        ("The answer is 3.14.", "3.14"),
        ("It is \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("<answer>\nParis\n</answer> and more", "Paris"),
        ("2+2\n#### 4", "4"),
        ("<think>Rome? <answer>Rome</answer></think>Paris", "Paris"),
        ("Rome?</think>\n\n**Paris**", "Paris"),
        ("\\boxed{unclosed", "\\boxed{unclosed"),
        ("<answer>Rome <answer>Paris</answer>", "Paris"),
        ("Rome</thinks>", "Rome</thinks>"),
        ("<think>Paris, or not? Let me see", ""),
        ("\n<Thinking>\n\\boxed{Paris}", ""),
        ("5 <think> 4", "5 <think> 4"),
        ('"Paris"', "Paris"),
        ("  Paris  ", "Paris"),
        ("A long line of words that goes on. " * 100 + "\nParis", "Paris"),
        ("A long line of words that goes on. " * 100 + "\nRome\nParis", "Rome\nParis"),
        ("A long line of words that goes on. " * 100, ""),
    ],
)
def test_the_answer_of_a_response(response: str, text: str) -> None:
    assert extract(response)[0] == text


def test_answers_marked_alike_must_agree() -> None:
    assert score("Who?", "Paris", "\\boxed{Paris} and so \\boxed{paris}", "name").score == 1
    assert score("Who?", "Paris", "\\boxed{Rome} and so \\boxed{Paris}", "name") == Verdict(
        0.0, "several_answers", "Paris"
    )


def test_a_response_has_a_length_that_reasoning_does_not_count_for() -> None:
    reasoning = "<think>" + "Hm. " * MAX_CHARACTERS + "</think>"
    assert score("Who?", "Paris", reasoning + "Paris", "name").score == 1
    assert score("Who?", "Paris", "Hm. " * MAX_CHARACTERS + "\nAnswer: Paris", "name") == Verdict(0.0, "too_long", "")
    assert score("Who?", "Paris", "<answer>" + "Paris " * 500 + "</answer>", "name").tier == "too_long"


def test_the_question_may_stand_before_the_answer() -> None:
    question = "Which river flows through Budapest?"
    assert score(question, "the Danube", f"{question} The Danube", "name").score == 1
    assert score(question, "the Danube", question, "name").tier == "echo"


def test_a_response_and_aliases_may_be_missing() -> None:
    assert score("Who?", "Paris", None, "name") == Verdict(0.0, "empty", "")
    assert score("Who?", "Paris", "Paris", "name", aliases=None).score == 1


def test_what_is_no_text_is_refused_by_name() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="ground_truth is 5, of type int; use a str"):
        score("Who?", wrong, "Paris", "name")
    with pytest.raises(TypeError, match="response is of type list; use a str, of a chat message its content"):
        score("Who?", "Paris", [{"role": "assistant", "content": "Paris"}], "name")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"aliases is the text 'Rome'; use a list: \['Rome'\]"):
        score("Who?", "Paris", "R", "name", aliases="Rome")
    with pytest.raises(TypeError, match="aliases has 5, of type int; use str only"):
        score("Who?", "Paris", "Rome", "name", aliases=["Rome", wrong])
    with pytest.raises(TypeError, match="aliases is 5, of type int; use a list of str"):
        score("Who?", "Paris", "Rome", "name", aliases=wrong)
    with pytest.raises(TypeError, match="aliases has 82, of type int; use str only"):
        score("Who?", "Paris", "Rome", "name", aliases=cast("Any", b"Rome"))


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="answer_type is 'word'; use one of number, date, "):
        score("Who?", "Paris", "Paris", "word")
    with pytest.raises(ValueError, match="ground_truth is empty"):
        score("Who?", " ", "Paris", "name")


@pytest.mark.parametrize("question", ["Was it a victory; or a defeat?", "Which: or who?", "Was it red?\n or blue?"])
@pytest.mark.parametrize("kind", ["choice", "phrase", "name"])
def test_a_clause_may_begin_with_or(question: str, kind: str) -> None:
    assert score(question, "victory", "It was a victory.", kind).score == 1


def test_a_trainer_imports_it_without_any_package() -> None:
    code = (
        "import sys; import rewards, rewards.gsm8k; "
        "print({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'rewards', '__main__'})"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
