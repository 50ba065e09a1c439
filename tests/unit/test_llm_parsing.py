"""From completions to answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.answers import ANSWERS, ClassifyAnswer, GenerateAnswer, ScreenAnswer, Task, json_schema
from schemas.domains import MAX_ALIASES
from transforms.llm.parsing import escape_latex, parse_answer
from transforms.llm.requests import Completion, Kind, ModelError

SCREEN = '{"thought": "fine", "qualified": true}'


def screen(text: str, finish_reason: str = "stop", refusal: str | None = None) -> ScreenAnswer:
    answer = parse_answer("screen", Completion(text, finish_reason, refusal=refusal))
    assert isinstance(answer, ScreenAnswer)
    return answer


def generate(answer: str) -> GenerateAnswer:
    """Parse an answer whose JSON source holds `answer` as it stands, between quotes."""
    text = '{"thought": "t", "question": "What is it?", "answer": "%s", "evidence": "e", "answer_type": "expression"}'
    parsed = parse_answer("generate", Completion(text % answer, "stop"))
    assert isinstance(parsed, GenerateAnswer)
    return parsed


@pytest.mark.parametrize(
    "text",
    [
        SCREEN,
        f"```json\n{SCREEN}\n```",
        f"Here it is:\n{SCREEN}\nI hope that helps.",
        f'<think>Should it be {{"qualified": false}}?</think>\n{SCREEN}',
        "{'thought': 'fine', 'qualified': True}",
        '{"thought": "fine", "qualified": true,}',
        '{"thought": "fine", "qualified": true, "score": 3}',
        '{thought: "fine", qualified: true}',
    ],
)
def test_forgives_what_surrounds_the_object_and_slips_of_json(text: str) -> None:
    assert screen(text) == ScreenAnswer(thought="fine", qualified=True)


@pytest.mark.parametrize(
    "text",
    [
        "The document is informative.",
        "",
        " \n",
        "null",
        "[]",
        "true",
        "{}",
        '{"thought": "fine", "qualified": "true"}',
        '{"thought": "fine", "qualified": 1}',
        '{"thought": "fine", "qualified": null}',
        '{"thought": ["fine"], "qualified": true}',
        '{"thought": "fine", "qualified": tr',
        '{"thought": "fine"}',
        '{"thought": "half a pair \\ud800", "qualified": true}',
        '{"thought": "zero \\u0000", "qualified": true}',
        '{"thought": "x", "qualified": true} or {"thought": "y", "qualified": false} [',
        "}{",
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_what_is_not_the_answer_is_invalid(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        screen(text)
    assert caught.value.kind is Kind.INVALID
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300


def test_how_it_ended_comes_before_what_it_says() -> None:
    for finish_reason, refusal, kind in (
        ("length", None, Kind.TRUNCATED),
        ("content_filter", None, Kind.REFUSED),
        ("stop", "I would rather\nnot.", Kind.REFUSED),
    ):
        with pytest.raises(ModelError) as caught:
            screen(SCREEN, finish_reason, refusal)
        assert caught.value.kind is kind
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist.",
        "Sorry, no.",
        "As an AI I must decline.",
        "I\u2019m unable.",
    ],
)
def test_a_plain_apology_is_a_refusal(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        screen(text)
    assert caught.value.kind is Kind.REFUSED


def test_an_apology_beside_an_answer_is_an_answer() -> None:
    assert screen(f"Sorry for the delay. {SCREEN}").qualified


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        (r"\\frac{1}{2}", r"\frac{1}{2}"),
        (r"\beta", r"\beta"),
        (r"a \times b", r"a \times b"),
        (r"\theta + \tau", r"\theta + \tau"),
        (r"\text{cm}", r"\text{cm}"),
        (r"\rho \neq \nabla f", r"\rho \neq \nabla f"),
        (r"\sqrt{2} \cdot \pi", r"\sqrt{2} \cdot \pi"),
        (r"\upsilon", r"\upsilon"),
        (r"$\nu$", r"$\nu$"),
        (r"\nu = \frac{E}{h}", r"\nu = \frac{E}{h}"),
        (r"x \\\\ \frac12", r"x \\ \frac12"),
        (r"\left\{1\right\}", r"\left\{1\right\}"),
        (r"caf\u00e9 \u03b1", "café \u03b1"),
        (r"say \"yes\" and\/or", 'say "yes" and/or'),
        (r"C:\\new\\table", r"C:\new\table"),
        (r"one\ntwo\tthree", "one\ntwo\tthree"),
        (r"casa\ne poi\ni gatti\nu", "casa\ne poi\ni gatti\nu"),
    ],
)
def test_latex_keeps_its_backslashes(source: str, answer: str) -> None:
    assert generate(source).answer == answer


@pytest.mark.parametrize("source", [r"\f 1", r"\b", r"\u000c", r"\u0008", r"\u001b[0m"])
def test_a_control_character_is_never_accepted(source: str) -> None:
    with pytest.raises(ModelError, match=r"U\+00") as caught:
        generate(f"x {source}")
    assert caught.value.kind is Kind.INVALID


def test_correct_json_is_left_alone() -> None:
    value = {"a": 'tab\t, line\n, quote", slash/, back\\slash, \\frac, é, \u2028, 😀', "b": ["\\nu", "\\\\beta"]}
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert escape_latex(text) == text


def test_every_stage_has_an_answer() -> None:
    answers = {
        "screen": SCREEN,
        "classify": '{"thought": "t", "domain": "Math", "personas": [" a ", "b", "a", "c", "d"]}',
        "judge": '{"thought": "t", "has_context": true, "answer_correct": true, "leaks_answer": false}',
        "generate": '{"thought":"t","question":"q","answer":"a","evidence":"e","answer_type":"name","aliases":null}',
        "round_trip": '{"thought": "t", "answer": " 1931 "}',
        "closed_book": '{"thought": "t", "answer": "1931"}',
        "decontaminate": '{"thought": "t", "number": 0}',
        "read": '{"thought": "t", "qualified": true, "domain": "Math", "personas": ["a"]}',
        "judge_all": '{"verdicts": [{"number": 1, "thought": "t", "has_context": true, "answer_correct": true,'
        ' "leaks_answer": false}]}',
        "generate_all": '{"pairs": [{"number": 1, "thought": "t", "question": "q", "answer": "a", "evidence": "e",'
        ' "answer_type": "name", "aliases": null}]}',
    }
    parsed = {stage: parse_answer(stage, Completion(answers[stage], "stop")) for stage in ANSWERS}
    assert {stage: type(answer) for stage, answer in parsed.items()} == ANSWERS
    assert parsed["classify"] == ClassifyAnswer(thought="t", domain="Math", personas=["a", "b", "c"])


def test_a_list_without_end_is_cut_where_the_schema_ends_it() -> None:
    fields = {"thought": "t", "question": "q", "answer": "a", "evidence": "e", "answer_type": "date"}
    aliases = [" 1995 ", "", "1995", *(f"{year}-05" for year in range(1900, 2000))]
    answer = parse_answer("generate", Completion(json.dumps(fields | {"aliases": aliases}), "stop"))
    assert isinstance(answer, GenerateAnswer)
    assert answer.aliases == ["1995", *(f"{year}-05" for year in range(1900, 1899 + MAX_ALIASES))]


@pytest.mark.parametrize("task", ANSWERS)
def test_no_list_of_an_answer_can_be_without_end(task: Task) -> None:
    def lists(schema: Any) -> Iterator[Any]:
        for field in schema["properties"].values():
            if field.get("type") == "array":
                yield field
                yield from lists({"properties": {}} | field["items"])

    assert all("maxItems" in field for field in lists(json_schema(task)))


@pytest.mark.parametrize("junk", ["{1" * 20_000, ",}```{1" * 3000, "{'" * 20_000, "\\}" * 20_000, '{"a" ' * 20_000])
def test_degenerate_text_is_given_up_soon(junk: str) -> None:
    before = time.process_time()
    with pytest.raises(ModelError):
        screen("{" + junk + "}")
    assert time.process_time() - before < 0.5
