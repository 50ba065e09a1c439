"""The free rules on pairs: what each says no to, and what it must let pass."""

from __future__ import annotations

import time

import pytest
from pydantic import ValidationError

from schemas.config_filters import CheckLimits
from transforms.checks import reject_reason
from transforms.pair_rules.grounding import folded

DOCUMENT = """Marie Curie, born in Warsaw in 1867, shared the Nobel Prize in Physics of 1903.
In 1911 she won 1,500,000 kronor \u2014 the \u201cNobel Prize in Chemistry\u201d \u2014 for finding
polonium and   radium. The half-life of radium-226 is 1600 years; at -5 \u00b0C it is no different. E = mc^2 holds."""
QUESTION = "Which chemist found polonium and radium?"
EVIDENCE = "Marie Curie, born in Warsaw in 1867, shared the Nobel Prize in Physics of 1903."
WHETHER = "Did Marie Curie find polonium and radium?"


def check(
    question: str = QUESTION,
    answer: str = "Marie Curie",
    answer_type: str = "name",
    evidence: str = EVIDENCE,
    document: str = DOCUMENT,
    **limits: int | None,
) -> tuple[str, str] | None:
    return reject_reason(question, answer, answer_type, evidence, document, CheckLimits(**limits))


def test_a_sound_pair_breaks_no_rule() -> None:
    assert check() is None
    assert reject_reason(QUESTION, "Marie Curie", "name", EVIDENCE, DOCUMENT) is None


@pytest.mark.parametrize("end", ["?", "? ", '?"', "?\u201d", "?)", "?\u300d", "\uff1f", "\u061f"])
def test_a_question_ends_with_a_question_mark(end: str) -> None:
    assert check(question=QUESTION[:-1] + end) is None


@pytest.mark.parametrize("end", ["", ".", "?.", "? Explain", ": ...?!"])
def test_what_ends_otherwise_is_not_a_question(end: str) -> None:
    question = QUESTION[:-1] + end
    assert check(question=question) == ("question_not_a_question", question[-20:])


def test_a_question_has_five_words_by_default() -> None:
    assert check(question="Who found polonium first?") == ("question_too_short", "4")
    assert check(question="Who found polonium and radium?") is None
    assert check(question="Who found polonium \u2014 - ... ?") == ("question_too_short", "3")
    assert check(question="Who found polonium first?", min_question_words=4) is None
    assert check(question="Radium?", min_question_words=None) is None


def test_characters_of_scripts_without_spaces_count_as_words() -> None:
    assert check(question="\u8c01\u53d1\u73b0\u9551\uff1f") == ("question_too_short", "4")
    assert check(question="\u8c01\u53d1\u73b0\u4e86\u9551\uff1f") is None
    assert check(question="\ub77c\ub4d0\uc740 \ub204\uac00?") is None


def test_an_answer_is_short() -> None:
    twelve, thirteen = "w " * 12, "w " * 13
    assert check(answer=thirteen, answer_type="phrase") == ("answer_too_long", "13 words")
    assert check(answer=twelve, answer_type="phrase", evidence=twelve, document=twelve) is None
    long = "x" * 100
    assert check(answer=f" {long} ", answer_type="phrase", evidence=long, document=long) is None
    assert check(answer=long + "x", answer_type="phrase") == ("answer_too_long", "101 characters")
    assert check(answer="Marie Curie", max_answer_words=1) == ("answer_too_long", "2 words")
    text = "x " * 200
    assert (
        check(
            answer=text,
            answer_type="phrase",
            evidence=text,
            document=text,
            max_answer_words=None,
            max_answer_characters=None,
        )
        is None
    )


OPTIONS = "Is radium a metal, a gas or a noble salt?"


@pytest.mark.parametrize(
    ("answer_type", "answer", "question"),
    [
        ("number", "1600", QUESTION),
        ("number", "about twenty-one", QUESTION),
        ("number", "Two thirds", QUESTION),
        ("number", "\u00bd", QUESTION),
        ("number", "\u4e09\u767e", QUESTION),
        ("date", "1867", QUESTION),
        ("date", "in May", QUESTION),
        ("date", "Tuesday", QUESTION),
        ("date", "Sept.", QUESTION),
        ("name", "van Gogh", QUESTION),
        ("name", "iPhone", QUESTION),
        ("name", "\u5c45\u91cc\u592b\u4eba", QUESTION),
        ("name", "\u05de\u05e8\u05d9", QUESTION),
        ("phrase", "the theory", QUESTION),
        ("expression", "x+1", QUESTION),
    ],
)
def test_answers_of_their_type(answer_type: str, answer: str, question: str) -> None:
    assert check(question, answer, answer_type, evidence=answer, document=answer) is None


@pytest.mark.parametrize("answer", ["yes", "No.", "TRUE", "false"])
def test_a_boolean_needs_no_evidence_for_its_word(answer: str) -> None:
    assert check(WHETHER, answer, "boolean") is None
    assert check("Is radium yes-or-no true to its false name?", answer, "boolean") is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (OPTIONS, "a metal"),
        (OPTIONS, "gas"),
        (OPTIONS, "Noble salt."),
        ("Which is the heavier metal: (A) radium (B) lead?", "A"),
        ("Which is the heavier metal: (A) radium (B) lead?", "(B)"),
        ("Which is the heavier metal: (A) radium (B) lead?", "B) lead"),
        ("Which of these metals glows: radium, lead?", "radium"),
        ("What is the difference between radium and lead in mass?", "lead"),
        ("\u955c\u662f\u91d1\u5c5e\u8fd8\u662f\u6c14\u4f53\uff1f", "\u91d1\u5c5e"),
    ],
)
def test_a_choice_is_an_option_of_the_question(question: str, answer: str) -> None:
    assert check(question, answer, "choice") is None


@pytest.mark.parametrize(
    ("answer_type", "answer", "question"),
    [
        ("number", "many", QUESTION),
        ("number", "stone", QUESTION),
        ("date", "long ago", QUESTION),
        ("date", "the mayor", QUESTION),
        ("name", "the chemist", QUESTION),
        ("name", "1867", QUESTION),
        ("boolean", "maybe", QUESTION),
        ("boolean", "yes, she did", QUESTION),
        ("choice", "liquid", OPTIONS),
        ("choice", "salty", OPTIONS),
        ("choice", "C", "Which is the heavier metal: (A) radium (B) lead?"),
        ("choice", "A", "Is radium or a salt of lead the heavier?"),
        ("choice", "radium", "Is radium a metal in nature?"),
        ("essay", "Marie Curie", QUESTION),
        ("", "Marie Curie", QUESTION),
    ],
)
def test_answers_of_another_type(answer_type: str, answer: str, question: str) -> None:
    expected = ("wrong_answer_type", f"{answer_type}: {answer}")
    assert check(question, answer, answer_type, evidence=answer, document=answer) == expected


@pytest.mark.parametrize(
    ("question", "answer", "answer_type"),
    [
        ("Who was the husband of MARIE  CURIE?", "Marie Curie", "name"),
        ("Who was Marie Curie\u2019s husband at that time?", "Marie Curie", "name"),
        ("How much were the 1,500,000 kronor worth?", "1500000", "number"),
        ("How much were the 1500000 kronor worth?", "1,500,000", "number"),
        ("In which theory does the theory of light stand?", "The theory", "phrase"),
        ("What does E = mc^2 say of light?", "E=mc^2", "expression"),
        ("\u5c45\u91cc\u592b\u4eba\u662f\u4f55\u65f6\u51fa\u751f\u7684\uff1f", "\u5c45\u91cc\u592b\u4eba", "name"),
    ],
)
def test_the_answer_stands_in_the_question(question: str, answer: str, answer_type: str) -> None:
    assert check(question, answer, answer_type, evidence=answer, document=answer) == ("answer_in_question", answer)


@pytest.mark.parametrize(
    ("question", "answer", "answer_type"),
    [
        ("Who was the husband of Marie Curieux?", "Marie Curie", "name"),
        ("How many of the 15 samples in 5.5 litres and 1,5 grams glowed?", "5", "number"),
        ("How many of the 1,500 samples glowed at once?", "500", "number"),
        ("Which value lies above -5 on the scale?", "5", "number"),
        ("What is the value of n in the sum?", "n!", "expression"),
    ],
)
def test_a_part_of_a_word_or_number_is_not_the_answer(question: str, answer: str, answer_type: str) -> None:
    assert check(question, answer, answer_type, evidence=answer, document=answer) is None


@pytest.mark.parametrize(
    "evidence",
    [
        "Marie Curie, born in Warsaw in 1867, shared the Nobel Prize",
        "In 1911 she won 1,500,000 kronor - the 'Nobel Prize in Chemistry' - for finding polonium and radium.".replace(
            "'", '"'
        ),
        "In 1911 she won 1,500,000 kronor \u2013 the \u00abNobel Prize in Chemistry\u00bb \u2013 for\n finding",
        " polonium\u00a0and radium.\u200b ",
        "at \u22125 \u00b0C",
    ],
)
def test_a_quotation_may_differ_in_spaces_quotes_and_dashes(evidence: str) -> None:
    assert check(WHETHER, "yes", "boolean", evidence) is None


@pytest.mark.parametrize(
    "evidence", ["", " \n", "\u200b", "marie curie, born", "Marie Curie was born in Warsaw", "x" * 900]
)
def test_what_does_not_stand_in_the_document_is_no_evidence(evidence: str) -> None:
    expected = ("evidence_not_in_document", evidence[:200])
    assert check(WHETHER, "yes", "boolean", evidence) == expected


@pytest.mark.parametrize(
    ("answer", "answer_type"),
    [
        ("warsaw", "phrase"),
        ("The Nobel Prize", "name"),
        ("\u201cWarsaw.\u201d", "name"),
        ("1903", "date"),
        ("1867.", "number"),
        ("Nobel  Prize\nin Physics", "phrase"),
    ],
)
def test_the_answer_stands_in_the_evidence(answer: str, answer_type: str) -> None:
    assert check("What is known about her early life?", answer, answer_type) is None


@pytest.mark.parametrize(
    ("answer", "answer_type"),
    [
        ("Pierre Curie", "name"),
        ("186", "number"),
        ("War", "phrase"),
        ("67", "number"),
        ("...", "phrase"),
        ("$$", "expression"),
    ],
)
def test_the_answer_does_not_stand_in_the_evidence(answer: str, answer_type: str) -> None:
    assert check("What is known about her early life?", answer, answer_type) == ("answer_not_in_evidence", answer)


@pytest.mark.parametrize(
    ("answer", "evidence", "held"),
    [
        ("1500000", "won 1,500,000 kronor", True),
        ("1,500,000", "won 1500000 kronor", True),
        ("1,500,000", "won 1\u202f500\u202f000 kronor", True),
        ("1,500,000", "won 1'500'000 kronor", True),
        ("1500000", "won 15,00,000 rupees", True),
        ("1500", "in 1,500, he", True),
        ("1500000", "won 1.500.000 kronor", False),
        ("500000", "won 1,500,000 kronor", False),
        ("1,500", "won 1,500,000 kronor", False),
        ("15", "a ratio of 1,5 grams", False),
        ("5", "at -5 degrees", False),
        ("-5", "at \u22125 degrees", True),
        ("5", "pages 3-5 only", True),
        ("3.1", "about 3.14 radians", False),
        ("3", "about 3. Then", True),
    ],
)
def test_numbers_differ_in_the_grouping_of_their_digits_only(answer: str, evidence: str, held: bool) -> None:
    expected = None if held else ("answer_not_in_evidence", answer)
    assert check("What is known about her early life?", answer, "number", evidence, evidence) == expected


@pytest.mark.parametrize(
    ("answer", "evidence", "held"),
    [
        ("E=mc^2", "so E = mc^2 holds", True),
        ("$x + 1$", "take $x+1$ here", True),
        ("$x + 1$", "take x+1 here", True),
        ("f(x)", "let f(x) be", True),
        ("a b", "with b alone", False),
        ("mc^2", "so E=amc^2 holds", False),
        ("x+1", "take x+10 here", False),
    ],
)
def test_expressions_differ_in_their_spaces_only(answer: str, evidence: str, held: bool) -> None:
    expected = None if held else ("answer_not_in_evidence", answer)
    assert check("What is known about her early life?", answer, "expression", evidence, evidence) == expected


def test_a_reason_shows_what_was_found() -> None:
    question = "Who, according to the text, found polonium and radium?"
    assert check(question=question) == ("refers_to_source", "according to the text")
    assert check(question="When was she born in Warsaw?") == ("dangling_reference", "When was she")


def test_a_reason_is_bounded() -> None:
    assert check(answer="Q" * 500, max_answer_characters=None) == ("answer_not_in_evidence", "Q" * 200)


def test_folding_is_idempotent_and_keeps_case_and_powers() -> None:
    text = " \u201cA\u201d\t\u2013 b\u00b2\u2026 e\u0301\u00ad "
    assert folded(text) == '"A" - b\u00b2... \u00e9'
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    "question",
    [
        "this " * 200_000 + "?",
        "which a-" + "a-" * 300_000 + "?",
        "What " + "is the author " * 100_000 + "?",
        "according to the " * 80_000 + "?",
        "1,234," * 100_000 + "?",
        "?" * 500_000,
        "\u6c49" * 200_000 + "\uff1f",
        "\0\ud800 (" * 100_000 + "?",
    ],
)
def test_hostile_questions_get_a_decision_in_time(question: str) -> None:
    start = time.process_time()
    for answer_type in ("number", "expression", "choice"):
        check(question, "1 " * 6, answer_type, evidence=question, document=question)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("wrong", [{"max_answer_words": 0}, {"min_question_words": -1}, {"max_words": 3}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CheckLimits(**wrong)


@pytest.mark.parametrize(
    ("question", "answer", "answer_type", "aliases"),
    [
        ("How many of the five samples glowed?", "5", "number", ()),
        ("Which share, if not 20%, of the samples glowed?", "20 percent", "number", ()),
        ("Did radium or the salt of radium win the prize?", "win the prize", "phrase", ()),
        ("How many of the 5 samples glowed?", "five", "number", ()),
        ("How much were the 1.5 million kronor worth?", "1,500,000", "number", ()),
        ("Which waves are sound waves in the air?", "sound wave", "phrase", ()),
        ("What glows in batteries of radium?", "battery", "phrase", ()),
        ("By what abbreviation is the European Union known?", "EU", "name", ("European Union",)),
    ],
)
def test_an_answer_stands_in_the_question_in_another_form(
    question: str, answer: str, answer_type: str, aliases: tuple[str, ...]
) -> None:
    reason = reject_reason(question, answer, answer_type, answer, answer, aliases=aliases)
    assert reason == ("answer_in_question", [answer, *aliases][-1])


@pytest.mark.parametrize(
    ("question", "answer", "answer_type"),
    [
        ("Which one of the samples glowed, counted from the left?", "1", "number"),
        ("How many samples glowed in the second half?", "2", "number"),
        ("Ann has 25 sweets, keeps 5 and shares the rest among 4 friends: how many has each?", "5", "number"),
        ("Which body sits above the nations at the station?", "state", "phrase"),
        ("Which thing glows in buses of Radium?", "bus", "phrase"),
        ("A pen costs $1 less than half of a book, which is $4: how much is the pen?", "1", "number"),
        ("Lee slept only 2/3 of 9 hours: how many hours did Lee miss?", "3", "number"),
        ("How many pairs glow where 20% of 50 have none?", "20", "number"),
        ("Which glows for longer, radium or lead?", "Radium", "name"),
        ("Is it the radium or the lead that glows, in or on a lamp?", "on a lamp", "phrase"),
        ("Does the lamp glow to the left or right?", "right", "phrase"),
    ],
)
def test_what_only_looks_like_the_answer_gives_nothing_away(question: str, answer: str, answer_type: str) -> None:
    assert check(question, answer, answer_type, evidence=answer, document=answer) is None


def test_a_question_may_end_with_an_instruction_in_brackets() -> None:
    assert check("Which chemist found polonium and radium? (Give the full name.)") is None
    long = "Which chemist found polonium and radium? (" + "x" * 101 + ")"
    assert check(long) == ("question_not_a_question", long[-20:])


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("answer_not_in_evidence", {"answer": "Pierre Curie"}),
        ("answer_in_question", {"question": "Which chemist, Marie Curie or another, found polonium?"}),
        ("refers_to_source", {"question": "In the story, who finds the glowing metal?"}),
        ("vague_question", {"question": "Who was responsible for the discovery?"}),
        ("answer_too_long", {"answer": EVIDENCE, "answer_type": "phrase"}),
        ("wrong_answer_type", {"answer_type": "number"}),
        ("answer_does_not_reply", {"question": "How many prizes did the chemist of Warsaw win?"}),
        ("evidence_not_in_document", {"evidence": "Marie Curie found polonium."}),
        ("alias_contradicts_answer", {"answer": "1867", "answer_type": "date", "aliases": ("1868",)}),
        ("idle_words_rewarded", {"aliases": ("it",)}),
    ],
)
def test_each_kind_of_bad_pair_breaks_its_rule(expected: str, changes: dict[str, object]) -> None:
    question = "In what year was the finder of radium born?" if "1867" in changes.values() else QUESTION
    pair = {"question": question, "answer": "Marie Curie", "answer_type": "name", "evidence": EVIDENCE} | changes
    reason = reject_reason(document=DOCUMENT, **pair)  # type: ignore[arg-type]
    assert reason is not None and reason[0] == expected
