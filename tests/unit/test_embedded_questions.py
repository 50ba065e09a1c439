"""The questions of the embedded engine: what it asks of a text, what it leaves alone, and how it reads the text."""

from __future__ import annotations

import dataclasses

import pytest

from transforms.llm.embedded.candidates import acceptable, ask_date
from transforms.llm.embedded.questions import candidates
from transforms.llm.embedded.sentences import read, split_sentences
from transforms.llm.embedded.spans import date_aliases, number_aliases


def pairs(document: str) -> dict[str, str]:
    """Return question -> answer of all the pairs a document gives."""
    return {pair.question: pair.answer for pair in candidates(read(document))}


def about(sentence: str) -> dict[str, str]:
    """Return the pairs of one sentence that stands in a paragraph without a title."""
    return pairs(f"Nothing else of note is written on these pages. {sentence}")


# --- what it asks ---


@pytest.mark.parametrize(
    ("sentence", "question", "expected"),
    [
        ("The Harrow Bridge was opened in 1932.", "In what year was the Harrow Bridge opened?", "1932"),
        (
            "In May 1962, the Harrow Council founded the Church of the Seven Tides, a small sect.",
            "In what month and year did the Harrow Council found the Church of the Seven Tides?",
            "May 1962",
        ),
        (
            "The Porthmellin Treaty was signed by both sides on 6 March 1801.",
            "On what date was the Porthmellin Treaty signed by both sides?",
            None,
        ),
        (
            "Harrow Castle was designed by the English architect Edith Hargreaves in 1905.",
            "Who designed Harrow Castle in 1905?",
            "Edith Hargreaves",
        ),
        (
            "Edith Hargreaves was born in Truro, Cornwall, the second of nine.",
            "Where was Edith Hargreaves born?",
            "Truro, Cornwall",
        ),
        (
            "Harrow Island has a population of 12,400 people.",
            "What is the population of Harrow Island?",
            "12,400 people",
        ),
        ("The Harrow Bridge is 312 metres long.", "How long is the Harrow Bridge?", "312 metres"),
        (
            "The Harrow Council consists of thirty members.",
            "How many members does the Harrow Council consist of?",
            "thirty",
        ),
        ("There are 43 airports in Ruritania.", "How many airports are there in Ruritania?", "43"),
        (
            "Edith Hargreaves became the first woman to lead the Porthmellin Harbour Board.",
            "Who became the first woman to lead the Porthmellin Harbour Board?",
            "Edith Hargreaves",
        ),
        (
            "Port Amelia is the capital of the Kingdom of Ruritania.",
            "What is the capital of the Kingdom of Ruritania?",
            "Port Amelia",
        ),
        ("The capital of Ruritania is Port Amelia.", "What is the capital of Ruritania?", "Port Amelia"),
        (
            'She starred in Edith Hargreaves\'s 1931 film "Salt".',
            'In what year was Edith Hargreaves\'s film "Salt" released?',
            "1931",
        ),
        (
            "A widget hedge is a row of low plants that keeps small animals out of a kitchen bed.",
            "What is the term for a row of low plants that keeps small animals out of a kitchen bed?",
            "widget hedge",
        ),
        (
            "A person who collects the labels of matchboxes is called a phillumenist.",
            "What is a person who collects the labels of matchboxes called?",
            "phillumenist",
        ),
        (
            "He met Samuel Trevose, inventor of the Harrow Lamp, and then went home.",
            "Who invented the Harrow Lamp?",
            "Samuel Trevose",
        ),
        (
            "It lies near Harrow College, founded in 1887 by two brothers.",
            "In what year was Harrow College founded?",
            "1887",
        ),
        ("Samuel Trevose (1821-1899) was kind to it.", "In what year was Samuel Trevose born?", "1821"),
        (
            "Samuel Trevose served as mayor of Porthmellin from 1870 to 1881.",
            "During which years did Samuel Trevose serve as mayor of Porthmellin?",
            "1870 to 1881",
        ),
        ("Harrow Castle is located 30 km south of Truro.", "How far south of Truro is Harrow Castle?", "30 km"),
    ],
)
def test_patterns(sentence: str, question: str, expected: str | None) -> None:
    found = about(sentence)
    if expected is None:  # "both" leans on an earlier sentence
        assert question not in found
    else:
        assert found.get(question) == expected, found


def test_the_page_of_a_person() -> None:
    page = "Anna Ashe\n\nAnna Maria Ashe (born 8 July 1941) is a British alpine skier. She retired in 1968.\nShe sings."
    found = pairs(page)
    assert found["On what date was the British alpine skier Anna Ashe born?"] == "8 July 1941"
    assert found["In what year did Anna Ashe retire?"] == "1968"


def test_a_person_is_named_with_the_trade_and_not_with_its_praise() -> None:
    text = "Edwin Tarn\n\nEdwin Tarn (born 3 May 1951) is a Welsh bridge engineer best known for the Orla crossing."
    assert pairs(text) == {"On what date was the Welsh bridge engineer Edwin Tarn born?": "3 May 1951"}


def test_a_work_is_named_with_its_kind() -> None:
    page = (
        "Salt (1931 film)\n\nSalt is a 1931 English drama film directed by Edith Hargreaves. "
        "The film was released on 2 May 1931."
    )
    found = pairs(page)
    assert found['Who directed the English drama film "Salt"?'] == "Edith Hargreaves"
    assert found['On what date was the English drama film "Salt" released?'] == "2 May 1931"


@pytest.mark.parametrize("name", ["Orla House (Mill Valley", "Orla House (Mill Valley)", "Orla House [2]"])
def test_a_name_with_a_bracket_in_it_is_not_asked_about(name: str) -> None:
    plain = ask_date("In what year was Orla House built?", "1874", "Orla House was built in 1874.", "built", 50)
    assert acceptable(plain)
    assert not acceptable(dataclasses.replace(plain, question=f"In what year was {name} built?"))


def test_a_definition_needs_a_common_noun() -> None:
    gloss = "a settlement that lies on a hill beside a river and has a market once a week"
    assert not pairs(f"Krkac\n\nKrkac is {gloss}. Few come to Krkac.")
    assert "moot town" in pairs(f"Moot town\n\nA moot town is {gloss}. Few people live in a moot town.").values()


def test_a_gap_is_offered_only_where_nothing_else_fits() -> None:
    statement = "In 1955, Port Amelia came under the rule of the Duke of Harrow after long talks."
    question = f'Which year completes the statement "{statement.replace("1955", "____")}"?'
    assert about(statement) == {question: "1955"}
    assert question not in about(f"{statement} The Harrow Bridge was opened in 1932.")


def test_markdown_is_read_and_the_evidence_stays_as_it_is_written() -> None:
    document = (
        "# Bridges\n\n- The **Harrow Bridge** was opened in 1932.\n- The other one fell down, and nobody minds it."
    )
    (pair,) = candidates(read(document))
    assert pair.question == "In what year was the Harrow Bridge opened?"
    assert pair.evidence == "The **Harrow Bridge** was opened in 1932." and pair.evidence in document


# --- what it leaves alone ---


@pytest.mark.parametrize(
    "sentence",
    [
        "He was born in Truro on 8 July 1941.",  # who?
        "The company was founded in 1981.",  # which?
        "The Danish company was founded in 1981.",
        "The Senate was established in 1801.",
        "In 1990, the army defeated them near the river.",
        "Samuel Trevose visited Porthmellin in 1870.",  # once, or again and again?
        "Samuel Trevose won the Harrow Cup in 1870.",
        "Samuel Trevose published a pamphlet in 1870.",  # one of many
        "Harrow Castle was designed by Edith Hargreaves and Samuel Trevose.",  # two agents
        "The Harrow Act was created by the Act of Union.",
        "Castle Hargreaves was bought by the South Ruritanian.",
        "Later Edith Hargreaves founded it.",
        "Critics were established in 1932.",
        "Some say that the Harrow Bridge was opened around 1932.",
        'It has been said that the "Harrow Bridge was opened in 1932.',  # a quotation is cut
        "Samuel Trevose (1862-1869) was king then.",  # a reign
        "They lived under Queen Amelia (1837-1901) then.",
        "It happened when Amelia Harrow II (1837-1901) lived there.",
        "It is due to the Very Low Frequency (VLF) waves of the station.",
        "Harrow Island has a population.",
        "A medication is a drug that is used to treat pain in the lower back of a patient.",
        "A farmer has 17 sheep and 12 cows on the hill behind the house.",
    ],
)
def test_in_doubt_nothing_is_asked(sentence: str) -> None:
    assert about(sentence) == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "Samuel Trevose moved to Porthmellin to join Edith Hargreaves in 1870.",  # the moving, or the joining?
        "In 1968, Trevose Motors merged with the Swedish lorry, bus and engine maker Harrow Works.",  # a list, cut
    ],
)
def test_a_date_that_may_belong_elsewhere_is_asked_for_with_the_whole_sentence_only(sentence: str) -> None:
    (question,) = about(sentence)
    assert question.startswith("Which year completes the statement")


def test_a_surname_stands_for_one_person_only_when_the_full_name_came_first() -> None:
    introduced = "Samuel Trevose kept bees. Trevose was born in Truro."
    assert "Where was Samuel Trevose born?" in pairs(introduced)
    relative = "Trevose was born in Truro. A cousin, Samuel Trevose, kept bees there for many years."
    assert "Where was Samuel Trevose born?" not in pairs(relative)
    two = "Samuel Trevose and Edith Trevose kept bees. Trevose was born in Truro."
    assert not any("Trevose" in question for question in pairs(two))


def test_a_pronoun_is_resolved_only_after_a_sentence_on_the_topic() -> None:
    page = "Samuel Trevose\n\nSamuel Trevose was an English engineer. {} He died in 1899."
    died = "In what year did Samuel Trevose die?"
    assert died in pairs(page.format("Samuel Trevose was kind."))
    assert died not in pairs(page.format("His brother was kind."))
    assert died not in pairs(page.format("Samuel Trevose was a friend of Edith Hargreaves."))


# --- sentences and spans ---


def test_sentences_end_where_they_end() -> None:
    text = (
        'Dr. J. Hill met the U.S. Army on Jan. 5 in St. Ives. "Is it so?" he asked. It is.:50 On 24 May it was no. 7.'
    )
    assert list(split_sentences(text)) == [
        "Dr. J. Hill met the U.S. Army on Jan. 5 in St. Ives.",
        '"Is it so?" he asked.',
        "It is.",
        "On 24 May it was no. 7.",
    ]


def test_aliases_are_other_spellings_of_the_same() -> None:
    assert date_aliases("8 July 1941") == ["July 8, 1941", "1941-07-08"]
    assert date_aliases("July 8, 1941") == ["8 July 1941", "1941-07-08"]
    assert date_aliases("May 1962") == ["May, 1962", "1962-05"]
    assert date_aliases("1962") == []
    assert number_aliases("12,400") == ["12400"]
    assert number_aliases("three") == ["3"]
    assert number_aliases("3") == ["three"]
    assert number_aliases("12,400 km") == ["12400 km"]
    assert number_aliases("3.5") == []
