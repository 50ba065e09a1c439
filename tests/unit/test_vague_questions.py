"""Questions that name nothing, and short ones that do."""

from __future__ import annotations

import pytest

from transforms.pair_rules.vagueness import names_nothing


@pytest.mark.parametrize(
    "question",
    [
        "What is the main idea?",
        "What is it used for?",
        "What happened next?",
        "What was the result of the study?",
        "Why is this important?",
        "How many people took part in the event?",
        "In which year did the project begin?",
        "What's the author's key point?".replace("author's ", ""),
        "Which of the methods was better?",
        "Who was responsible for the decision?",
        "On what date did it happen?",
        "WHY was it important?".capitalize(),
    ],
)
def test_questions_that_any_text_could_be_asked(question: str) -> None:
    assert names_nothing(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is the main idea of Kant?",
        "What happened in 1905?",
        "How many days are in a week?",
        "How many people live in a colony of ants?",
        "What is a group in algebra?",
        "Who was responsible for the Holocaust?",
        "What causes rain?",
        "When did the war end?",
        'What is the meaning of "to be"?',
        "What is the value of x + 1?",
        "What is the highest point in the US?",
        "\u8fd9\u4e2a\u7814\u7a76\u7684\u7ed3\u679c\u662f\u4ec0\u4e48?",
        "Was war das Ergebnis der Studie?",
        "What is \u03c0 used for?",
        "...?",
        "",
    ],
)
def test_questions_that_name_something(question: str) -> None:
    assert not names_nothing(question)
