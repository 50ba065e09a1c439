"""The embedded extractive engine: how it answers each stage, and in what time."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from schemas.answers import ANSWERS, Stage, json_schema
from schemas.domains import DOMAINS, Domain
from transforms.llm.embedded import EmbeddedEngine, answer
from transforms.llm.embedded.lexicon import PERSONAS
from transforms.llm.embedded.questions import candidates
from transforms.llm.embedded.references import missing_context, pointing_word
from transforms.llm.embedded.sentences import read
from transforms.llm.requests import Kind, ModelError, Request, Settings

FENCE = "0123456789abcdef"

LIGHTHOUSE = """Marlin Point Lighthouse

Marlin Point Lighthouse is a lighthouse in Cornwall, England. It was designed by Edith Hargreaves and it was first lit \
in 1871. The lighthouse was automated in 1988. The tower is 41 metres high.

Keepers.
Marlin Point Lighthouse was built by the engineer Samuel Trevose. In 1903, the Cornish Harbour Board opened a small \
museum in Porthmellin. Samuel Trevose died on 4 March 1899 in Truro.
"""

REVIEW = """I watched this on a rainy Sunday and I wish I had not. The acting is wooden, the plot makes no sense, and \
the ending made me want to throw my shoe at the screen. My sister laughed once. You have been warned: stay away.
"""


def ask(stage: Stage, document: str, **more: str) -> dict[str, Any]:
    fields: dict[str, Any] = answer(stage, {"document": document, "fence": FENCE, **more})
    ANSWERS[stage].model_validate(fields)
    assert list(fields) == json_schema(stage)["required"]
    return fields


# --- the four stages together ---


def test_a_document_gives_each_of_its_readers_another_question_on_another_sentence() -> None:
    assert ask("screen", LIGHTHOUSE)["qualified"] is True
    personas = ask("classify", LIGHTHOUSE)["personas"]
    assert len(personas) == 3
    made = [ask("generate", LIGHTHOUSE, domain="Other", persona=name, exemplars="") for name in personas]
    assert len({pair["question"] for pair in made}) == len({pair["evidence"] for pair in made}) == 3
    for pair in made:
        assert pair["evidence"] in LIGHTHOUSE and pair["answer"] in pair["evidence"]
        verdict = ask("judge", LIGHTHOUSE, persona="x", **{k: str(pair[k]) for k in ("question", "answer", "evidence")})
        assert verdict["has_context"] and verdict["answer_correct"] and not verdict["leaks_answer"]


def test_the_same_variables_give_the_same_answer() -> None:
    first = [ask("classify", LIGHTHOUSE), ask("generate", LIGHTHOUSE, persona="someone else")]
    again = "".join(LIGHTHOUSE)  # an equal text that is another object
    assert first == [ask("classify", again), ask("generate", again, persona="someone else")]


def test_a_document_promises_no_more_readers_than_it_has_facts() -> None:
    one_fact = "The Harrow Bridge was opened in 1932. Many people cross it daily, and most of them like the view of it."
    assert len(candidates(read(one_fact))) == 1
    assert len(ask("classify", one_fact)["personas"]) == 1
    assert len(ask("classify", REVIEW)["personas"]) == 1


def test_facts_are_read_from_the_first_20_000_characters_and_judged_in_all() -> None:
    late = "Some words about nothing in particular follow here. " * 400 + "The Harrow Bridge was opened in 1932."
    assert len(late) > 20_000
    assert not candidates(read(late))
    fields = {
        "question": "In what year was the Harrow Bridge opened?",
        "answer": "1932",
        "evidence": "The Harrow Bridge was opened in 1932.",
    }
    assert ask("judge", late, persona="x", **fields)["answer_correct"] is True


def request(stage: Stage, document: str, **more: str) -> Request:
    return Request(stage, {"document": document, "fence": FENCE, **more}, (), json_schema(stage), "prompt")


def test_the_engine_answers_in_json_without_token_counts() -> None:
    made = asyncio.run(EmbeddedEngine().complete(request("screen", LIGHTHOUSE), Settings("embedded/extractive")))
    assert json.loads(made.text) == ask("screen", LIGHTHOUSE)
    assert (made.finish_reason, made.prompt_tokens, made.completion_tokens, made.cost_usd) == ("stop", 0, 0, 0.0)


def test_the_engine_refuses_to_make_a_pair_where_there_is_none() -> None:
    asked = request("generate", REVIEW, persona="film enthusiast", domain="Other", exemplars="")
    with pytest.raises(ModelError, match=FENCE) as caught:
        asyncio.run(EmbeddedEngine().complete(asked, Settings("embedded/extractive")))
    assert caught.value.kind is Kind.REFUSED


# --- screen ---


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ("", "fragment"),
        ("Veterans High School (disambiguation)", "fragment"),
        (
            "Home\n\nNews\n\nSport\n\nSign in\n\nAll our offers\n\nHelp and contact\n\nTerms of use\n\nAbout us",
            "boilerplate",
        ),
        (
            "Accept all cookies, read our privacy policy, subscribe to the newsletter, log in to your account, "
            "download the menu, share on Facebook, Twitter and Instagram. All rights reserved.",
            "boilerplate",
        ),
        (
            "of the undocumented member that the others had been promised. The rest is lost to us all, I fear.",
            "fragment",
        ),
        (REVIEW, "no checkable fact"),
        (
            "Die Brücke wurde im Jahr 1932 eröffnet. Viele Menschen gehen jeden Tag mit Freude über sie.",
            "no checkable fact",
        ),
        ("相武台前站是一個位於神奈川縣座間市的鐵路車站。車站於1927年啟用。", "language"),
    ],
)
def test_screen_names_the_rule_that_says_no(document: str, rule: str) -> None:
    found = ask("screen", document)
    assert found["qualified"] is False
    assert found["thought"].startswith(f"Rule: {rule}.")


def test_screen_reads_hard_wrapped_lines_as_one_paragraph() -> None:
    wrapped = (
        "The Harrow Bridge was opened in 1932 by the\nHarrow Town Council and it carries the coast road over\n"
        "the river. It was widened later on, when the traffic\nhad grown to be too much for it."
    )
    assert ask("screen", wrapped)["qualified"] is True
    assert candidates(read(wrapped))[0].answer == "1932"


# --- classify ---

SAMPLES = {
    "Math": "The theorem follows from a lemma on polynomials: every integer matrix has eigenvalues in the algebra.",
    "Technology & Engineering": "The diesel engine drives a turbine, and the circuit measures voltage in the battery.",
    "Coding": "The function parses the string argument, the compiler emits bytes and the API returns an exception.",
    "Social Science": "The parliament passed a constitution after the election, and the empire's army lost the war.",
    "Natural Science": "This species of beetle lives in wet habitat; its larvae and the genus differ.",
    "Travel & Lifestyle": "The film stars an actor whose comedy show ran on television; the band recorded an album.",
    "Commerce & Economics": "Investors sold shares as inflation rose, and the bank's profits and revenue fell.",
    "Medicine & Health": "Patients with the disease had chronic pain; doctors began treatment with a vaccine.",
    "Education": "Students enrolled at the university pay tuition, and the faculty sets the undergraduate curriculum.",
    "Other": "It was a quiet morning and nobody came, so we waited for an hour and then went away again.",
}


@pytest.mark.parametrize("domain", DOMAINS)
def test_classify_finds_each_domain_by_its_words(domain: Domain) -> None:
    found = ask("classify", SAMPLES[domain])
    assert found["domain"] == domain
    assert set(found["personas"]) <= {name for name, _ in PERSONAS[domain]}


def test_readers_fit_the_words_of_the_document() -> None:
    aircraft = "The aircraft made its first flight in 1911. The pilot flew the aircraft over a helicopter and a rocket."
    assert ask("classify", aircraft)["personas"][0] == "aviation enthusiast"


# --- judge ---

EVIDENCE = "The Harrow Bridge was opened in 1932 by the Harrow Town Council."
SOURCE = f"Bridges are useful.\n{EVIDENCE}\nThe bridge has three arches."


@pytest.mark.parametrize(
    ("question", "reply", "evidence", "context", "correct", "leaks"),
    [
        ("In what year was the Harrow Bridge opened?", "1932", EVIDENCE, True, True, False),
        ("Who opened the Harrow Bridge in 1932?", "the Harrow Town Council", EVIDENCE, True, True, False),
        ("Who opened it in 1932?", "the Harrow Town Council", EVIDENCE, True, True, False),
        ("In what year was the Harrow Bridge opened?", "1932", EVIDENCE.replace(" ", "\n"), True, True, False),
        ("In what year was the Harrow Bridge opened?", "1933", EVIDENCE, True, False, False),
        (
            "In what year was the Harrow Bridge opened?",
            "1932",
            EVIDENCE.replace("1932", "1932, they say,"),
            True,
            False,
            False,
        ),
        ("In what year was the Harrow Bridge opened?", "1932", "", True, False, False),
        ("In what year was the Harrow Bridge opened in 1932?", "1932", EVIDENCE, True, True, True),
        ("Which town council, or which king, opened the Harrow Bridge?", "town council", EVIDENCE, True, True, False),
        ("How many arches does the bridge have?", "3", "The bridge has three arches.", False, True, False),
        ("How many arches does the Harrow Bridge have?", "arches", "The bridge has three arches.", True, False, True),
        ("Which tax did Ruritania abolish?", "1932", EVIDENCE, True, False, False),
        ("Was the Harrow Bridge opened in 1932?", "yes", EVIDENCE, True, True, False),
        ("According to the passage, when was the Harrow Bridge opened?", "1932", EVIDENCE, False, True, False),
        ("When did he open the Harrow Bridge?", "1932", EVIDENCE, False, True, False),
        ("In what year was the Harrow Bridge opened?", "the Harrow Town Council", EVIDENCE, True, False, False),
    ],
)
def test_judge(question: str, reply: str, evidence: str, context: bool, correct: bool, leaks: bool) -> None:
    found = ask("judge", SOURCE, persona="x", question=question, answer=reply, evidence=evidence)
    assert (found["has_context"], found["answer_correct"], found["leaks_answer"]) == (context, correct, leaks), found


def test_the_judges_thought_names_what_is_wrong() -> None:
    found = ask("judge", SOURCE, persona="x", question="When did he open the bridge?", answer="1999", evidence=EVIDENCE)
    assert "'he'" in found["thought"] and "does not occur in the evidence" in found["thought"]


@pytest.mark.parametrize(
    ("question", "understood"),
    [
        ("How many moles are in 18 g of water?", True),
        ("A train leaves at noon. When does it arrive?", True),
        ("Which element has the symbol Fe?", True),
        ("In which ocean did the Source to Sea Expedition end?", True),
        ("What is the smallest prime number above 20?", True),
        ("In what year did Niels Bohr receive his Nobel Prize?", True),
        ("What does the company sell?", False),
        ("What did they invent?", False),
        ("Which of these methods is faster?", False),
        ("What is the author's main argument?", False),
        ("Which drug is described above?", False),
    ],
)
def test_the_mild_rule_on_references(question: str, understood: bool) -> None:
    assert (missing_context(question) is None) is understood


@pytest.mark.parametrize(
    ("phrase", "pointer"),
    [
        ("founded the League of Nations", None),
        ("won the first prize", None),
        ("the use of steel", None),
        ("joined the league", "the league"),
        ("met them in Paris", "them"),
        ("the former king of Spain", "former"),
        ("a book that Newton read", "that"),
    ],
)
def test_the_strict_rule_on_references(phrase: str, pointer: str | None) -> None:
    assert pointing_word(phrase) == pointer


# --- limits ---

HOSTILE = {
    "one word": "a" * 100_000,
    "one capital word": "A" * 100_000,
    "initials": "A. " * 30_000,
    "hyphens": "A-" * 50_000,
    "quotes": '"' * 100_000,
    "open brackets": "(" * 100_000,
    "nested brackets": "(" * 5_000 + "a" + ")" * 5_000,
    "ideographs": "漢字。" * 30_000,
    "emoji": "😀 " * 50_000,
    "dots": ". " * 50_000,
    "digits": "1,000 " * 20_000,
    "years": "In 1990, " * 11_000,
    "names": "The King of Aaa of Bbb of " * 4_000,
    "enumeration": "Aaa, " * 20_000,
    "definition": "A thing is a " + "b " * 50_000 + ".",
    "lines": "a\n" * 50_000,
    "surrogates": "\ud800" * 1_000,
    "control characters": "\t\x00\x1c" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_answered_in_bounded_time(name: str) -> None:
    text = HOSTILE[name]
    started = time.process_time()
    ask("screen", text)
    ask("classify", text)
    ask("judge", text, persona="x", question=text[:20_000] + "?", answer=text[:3_000], evidence=text[:5_000])
    # Milliseconds as a rule; a pattern that backtracks takes many seconds.
    assert time.process_time() - started < 2.0
