"""The shipped exemplars against the prompt's own rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.domains import DOMAINS
from tests.exemplars import SHIPPED, SLUGS, exemplar_lines

EXEMPLARS = [(slug, line) for slug in SLUGS.values() for line in exemplar_lines(slug)]
each_exemplar = pytest.mark.parametrize(
    "line", [line for _, line in EXEMPLARS], ids=[f"{slug}-{line['answer']}" for slug, line in EXEMPLARS]
)


def words(text: str) -> str:
    """Return a text's words for comparison as a string with a space on either side of each."""
    found = re.findall(r"[^\s.,;:?!()]+(?:[.,]\d+)*", text.casefold())
    return f" {' '.join(found)} "


def test_every_file_belongs_to_a_domain_and_every_domain_has_one() -> None:
    assert tuple(SLUGS) == DOMAINS
    assert {path.name for path in (SHIPPED / "exemplars").iterdir()} == {f"{slug}.jsonl" for slug in SLUGS.values()}


def test_no_passage_or_question_is_used_twice_and_boolean_answers_are_balanced() -> None:
    assert len({line["passage"] for _, line in EXEMPLARS}) == len(EXEMPLARS)
    assert len({line["question"] for _, line in EXEMPLARS}) == len(EXEMPLARS)
    booleans = [line["answer"] for _, line in EXEMPLARS if line["answer_type"] == "boolean"]
    assert set(booleans) == {"Yes", "No"}
    assert booleans.count("Yes") == booleans.count("No")


@each_exemplar
def test_the_passage_is_of_moderate_length_and_the_evidence_is_one_of_its_sentences(line: Mapping[str, str]) -> None:
    assert 60 <= len(line["passage"].split()) <= 130
    assert line["evidence"] in re.split(r"(?<=[.?!]) (?=[A-Z])", line["passage"])


@each_exemplar
def test_the_question_stands_alone(line: Mapping[str, str]) -> None:
    question = line["question"]
    assert question.endswith("?")
    assert question.count("?") == 1
    assert len(question.split()) >= 6
    assert not re.search(r"\b(passage|text|author|document|article|above|below|according to the)\b", question, re.I)
    assert line["persona"].casefold() not in question.casefold()


@each_exemplar
def test_the_answer_is_short_proved_and_not_given_away(line: Mapping[str, Any]) -> None:
    answer, kind, question = line["answer"], line["answer_type"], line["question"]
    assert len(answer.split()) <= 6
    assert not answer.endswith(".")
    if kind == "boolean":
        assert answer in ("Yes", "No")
        return
    assert answer.casefold() in line["evidence"].casefold()
    if kind == "choice":
        options = re.search(r": (.+)\?$", question)
        assert options is not None
        assert answer in re.split(r", | or ", options[1])
        return
    for spelling in (answer, *line["aliases"]):
        assert words(spelling) not in words(question)


@each_exemplar
def test_aliases_are_other_spellings(line: Mapping[str, Any]) -> None:
    spellings = [line["answer"], *line["aliases"]]
    assert len(set(spellings)) == len(spellings)
    assert all(spelling == spelling.strip() for spelling in spellings)


@each_exemplar
def test_the_pipelines_own_checks_would_keep_the_pair(line: Mapping[str, str]) -> None:
    # Imported here, because transforms import Beam, which nothing else in this file needs.
    from transforms.checks import reject_reason

    pair = (line["question"], line["answer"], line["answer_type"], line["evidence"], line["passage"])
    assert reject_reason(*pair) is None
