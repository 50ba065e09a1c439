"""The answers of the test server: valid, from the request alone, whatever the document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import ANSWERS, Stage
from schemas.domains import DOMAINS
from tests.model_server import ModelServer
from tests.model_server.answers import REJECT_MARKER, body_sha256, document_of, valid_answer
from tests.model_server.client import BRIDGE, FENCE, ask, chat, message


@pytest.mark.parametrize("stage", ANSWERS)
def test_an_answer_is_valid_and_the_same_every_time(stage: Stage) -> None:
    with ModelServer() as server:
        first, second = ask(server, chat(stage), chat(stage))
    assert first[2] == second[2]
    ANSWERS[stage].model_validate_json(message(first)["content"])
    assert first[2]["choices"][0]["finish_reason"] == "stop"
    assert message(first)["refusal"] is None


def test_a_schema_of_another_name_gets_plain_text() -> None:
    with ModelServer() as server:
        answers = ask(server, chat("summarise"), chat(None))
        assert set(server.stats()["by_stage"]) == {"plain"}
    assert [message(answer)["content"] for answer in answers] == ["ok", "ok"]


def test_the_screen_sees_the_marker_inside_the_fence_only() -> None:
    inside = valid_answer(chat("screen", document=f"First line.\n{REJECT_MARKER} here.")) or {}
    outside = valid_answer(chat("screen", task=f"Say {REJECT_MARKER}.")) or {}
    assert (inside["qualified"], outside["qualified"]) == (False, True)


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (f"<{FENCE}>\none\n\ntwo\n</{FENCE}>\ntask", "one\n\ntwo"),
        (f"Between lines with {FENCE}.\n{FENCE}\nthe document itself\n{FENCE}\nEnd.", "the document itself"),
        (f"{FENCE}\nthe document\n{FENCE}\nx\n{FENCE}", "the document"),
        (f"{FENCE}\n{FENCE}", ""),
        (f"commit {'f' * 16} alone\n{FENCE}\nsee {'a' * 16}\n{FENCE}", f"see {'a' * 16}"),
        (f"{FENCE} once only\ntext", f"{FENCE} once only\ntext"),
        (f"{FENCE}0\ntext\n{FENCE}0", f"{FENCE}0\ntext\n{FENCE}0"),
        ("no fence", "no fence"),
        ("", ""),
    ],
)
def test_the_document_is_what_the_fence_encloses(content: str, document: str) -> None:
    assert document_of(content) == document


def test_classify_depends_on_the_document_alone_and_covers_its_choices() -> None:
    answers = [valid_answer(chat("classify", document=f"Document {number}.")) or {} for number in range(200)]
    again = [valid_answer(chat("classify", f"Document {number}.", "Other.", "big")) for number in range(200)]
    assert answers == again
    assert {answer["domain"] for answer in answers} == set(DOMAINS)
    assert {len(set(answer["personas"])) for answer in answers} == {1, 2, 3}
    assert {len(answer["personas"]) for answer in answers} == {1, 2, 3}


def check_pair(pair: Mapping[str, Any], document: str) -> None:
    question, answer, evidence = pair["question"], pair["answer"], pair["evidence"]
    assert evidence in document
    assert answer in evidence
    assert len(answer.split()) <= 12
    assert question.endswith("?")
    assert len(question.split()) >= 5
    assert answer.casefold() not in question.casefold()
    assert not re.search(r"\b(passage|text|document|article)\b", question, re.IGNORECASE)


def test_a_generated_pair_is_grounded_typed_and_differs_between_requests() -> None:
    pairs = [valid_answer(chat("generate", task=f"Write for reader {number}.")) or {} for number in range(60)]
    for pair in pairs:
        check_pair(pair, BRIDGE)
    assert {(pair["answer_type"], pair["answer"]) for pair in pairs} == {
        ("number", "412"),
        ("date", "1931"),
        ("name", "Clara Holt"),
        ("number", "9,300"),
    }


@pytest.mark.parametrize(
    ("document", "answer", "evidence"),
    [
        # A time, a decade, a range and a percentage are parts of something longer.
        ("Late trains leave the station at 12:30.", "station", "Late trains leave the station at 12:30."),
        ("Half of the 1990s was dry here.", "Half", "Half of the 1990s was dry here."),
        ("From 1914-1918 nobody lived up there.", "nobody", "From 1914-1918 nobody lived up there."),
        ("About 40% of them came back home.", "About", "About 40% of them came back home."),
        # The figure occurs twice, so that its blank would give it away.
        ("Out of 15 ships there returned only 15.", "returned", "Out of 15 ships there returned only 15."),
        # Four words are too few to ask for a figure in.
        ("It weighs 7 tonnes.", "weighs", "It weighs 7 tonnes."),
        # A sentence that speaks of its document is asked for only where there is no other.
        ("This article names 88 tall towers. Rain fell.", "Rain", "Rain fell."),
        ("This article names 88 tall towers.", "article", "This article names 88 tall towers."),
        # The question says "statement" itself.
        ("statement alpha", "alpha", "statement alpha"),
        ("** --- **\n... The word\nAn owl", "owl", "An owl"),
        ("12 + 30", "12 + 30", "12 + 30"),
        ("你好世界。再见", "你好世界", "你好世界。"),
    ],
)
def test_without_a_figure_or_name_the_longest_word_is_asked_for(document: str, answer: str, evidence: str) -> None:
    pair = valid_answer(chat("generate", document=document)) or {}
    check_pair(pair, document)
    assert (pair["answer_type"], pair["answer"], pair["evidence"]) == ("phrase", answer, evidence)


@given(st.text(max_size=300))
def test_no_text_breaks_the_answers(document: str) -> None:
    pair = valid_answer({**chat("generate"), "messages": [{"role": "user", "content": document}]}) or {}
    assert pair["answer"] in pair["evidence"]
    if document.strip() and document_of(document) == document:
        assert pair["evidence"] in document
    ANSWERS["generate"].model_validate(pair)


def test_a_body_has_one_name_whatever_the_order_of_its_keys() -> None:
    body = chat("screen")
    assert body_sha256(dict(reversed(body.items()))) == body_sha256(body)
    assert body_sha256({**body, "temperature": 1.0}) != body_sha256(body)
