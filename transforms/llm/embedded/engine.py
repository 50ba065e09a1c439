"""The embedded extractive engine: answers every task by rules, without weights, network or randomness.

It quotes, it does not understand: a pair is a span of one sentence and a question made from that sentence by a pattern
of English, given only where the pattern is sure. Other languages and other facts are passed over. It reads the first
20,000 characters of a document (`READ_CHARS`), so that its time is bounded; the judge compares with the whole document.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.answers import Task
from transforms.llm.embedded.candidates import Candidate
from transforms.llm.embedded.questions import candidates
from transforms.llm.embedded.sentences import READ_CHARS, Text, read
from transforms.llm.embedded.verdicts import Classified, classify, judge, screen
from transforms.llm.requests import Completion, Kind, ModelError, Request, Settings

CACHED_DOCUMENTS: Final = 256
"""Analyses kept: the four stages ask for the same document, with those in flight between them."""


@dataclass(frozen=True, slots=True)
class _Analysis:
    """What the rules found in a document; the stages answer from it."""

    text: Text
    pairs: tuple[Candidate, ...]
    classified: Classified


@functools.lru_cache(maxsize=CACHED_DOCUMENTS)
def _analyse(document: str) -> _Analysis:
    text = read(document)
    pairs = tuple(candidates(text))
    return _Analysis(text, pairs, classify(text, pairs))


def _analysis(variables: Mapping[str, str]) -> _Analysis:
    return _analyse(variables["document"][:READ_CHARS])


def _screen(variables: Mapping[str, str]) -> dict[str, object]:
    found = _analysis(variables)
    verdict = screen(found.text, found.pairs)
    return {"thought": verdict.thought, "qualified": verdict.qualified}


def _classify(variables: Mapping[str, str]) -> dict[str, object]:
    found = _analysis(variables).classified
    return {"thought": found.thought, "domain": found.domain, "personas": list(found.personas)}


def _generate(variables: Mapping[str, str]) -> dict[str, object]:
    found = _analysis(variables)
    if not found.pairs:
        raise ModelError(
            Kind.REFUSED,
            f"no rule of embedded/extractive fits the document with fence {variables.get('fence', '')!r}:"
            " screen with embedded/extractive too, or generate with another model",
        )
    persona = variables["persona"]
    personas = found.classified.personas
    if persona in personas:
        place = personas.index(persona)
    else:  # classified by another model
        place = int.from_bytes(hashlib.sha256(persona.encode("utf-8", "replace")).digest()[:4], "big")
    pair = found.pairs[place % len(found.pairs)]
    return {
        "thought": f"Rule: {pair.rule}. The answer is a span of the evidence, a sentence of the document.",
        "question": pair.question,
        "answer": pair.answer,
        "evidence": pair.evidence,
        "answer_type": pair.answer_type,
        "aliases": list(pair.aliases),
    }


def _judge(variables: Mapping[str, str]) -> dict[str, object]:
    verdict = judge(variables["document"], variables["question"], variables["answer"], variables["evidence"])
    return {
        "thought": verdict.thought,
        "has_context": verdict.has_context,
        "answer_correct": verdict.answer_correct,
        "leaks_answer": verdict.leaks_answer,
    }


def _read(variables: Mapping[str, str]) -> dict[str, object]:
    screened = _screen(variables)
    if not screened["qualified"]:
        return screened | {"domain": None, "personas": []}
    classified = _classify(variables)
    return screened | {"domain": classified["domain"], "personas": classified["personas"]}


def _generate_all(variables: Mapping[str, str]) -> dict[str, object]:
    asked = [json.loads(line) for line in variables["personas"].split("\n")]
    return {"pairs": [{"number": one["number"], **_generate({**variables, **one})} for one in asked]}


def _judge_all(variables: Mapping[str, str]) -> dict[str, object]:
    asked = [json.loads(line) for line in variables["pairs"].split("\n")]
    return {"verdicts": [{"number": one["number"], **_judge({**variables, **one})} for one in asked]}


_TASKS: Final[dict[Task, Callable[[Mapping[str, str]], dict[str, object]]]] = {
    "screen": _screen,
    "classify": _classify,
    "generate": _generate,
    "judge": _judge,
    "read": _read,
    "generate_all": _generate_all,
    "judge_all": _judge_all,
}


def answer(task: Task, variables: Mapping[str, str]) -> dict[str, object]:
    """Return the fields of a task's answer class, by rule; the same variables always give the same answer.

    Args:
      task: what is asked.
      variables: the prompt's variables; `document` always, `persona` for generate, `question`, `answer` and `evidence`
        for judge, `personas` for generate_all, `pairs` for judge_all.

    Raises:
      ModelError: `Kind.REFUSED`, where pairs are asked for of a document without a fact the rules can ask for.
      KeyError: a variable is missing.
    """
    return _TASKS[task](variables)


class EmbeddedEngine:
    """An `Engine` that answers in this process. It reads `request.variables` only, and no setting changes it."""

    async def complete(self, request: Request, settings: Settings) -> Completion:
        """Return the answer as JSON, token counts 0; raise `ModelError` as `answer` does."""
        fields = answer(request.task, request.variables)
        return Completion(text=json.dumps(fields, ensure_ascii=False), finish_reason="stop")
