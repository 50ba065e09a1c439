"""What a model must answer, one pydantic model a stage.

Each class is both the JSON Schema sent as `response_format` and the validator of what comes back. Field names follow
Webscale-RL (arXiv 2510.06499); `evidence`, `answer_type` and `aliases` are ours.
"""

from __future__ import annotations

import functools
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from schemas.domains import MAX_PERSONAS, AnswerType, Domain

Stage = Literal["screen", "classify", "generate", "judge"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _distinct(values: object) -> object:
    """Strip, drop blanks and repeats, keep the first `MAX_PERSONAS`; what is no list of strings is left to pydantic."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values
    return list(dict.fromkeys(value.strip() for value in values if value.strip()))[:MAX_PERSONAS]


def _without_blanks(values: object) -> object:
    """Strip and drop blank or repeated aliases; a missing list (null) is an empty one."""
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values
    return list(dict.fromkeys(value.strip() for value in values if value.strip()))


class _Answer(BaseModel):
    # Strict, so that "false" or 1 in place of a boolean is an invalid answer and not a guess.
    model_config = ConfigDict(strict=True, extra="ignore")

    thought: str


class ScreenAnswer(_Answer):
    """Is the document worth a question: informative, and understandable by itself?"""

    qualified: bool


class ClassifyAnswer(_Answer):
    """One domain of the closed list and one to three readers who would care."""

    domain: Domain
    personas: Annotated[list[Text], BeforeValidator(_distinct), Field(min_length=1, max_length=MAX_PERSONAS)]


class GenerateAnswer(_Answer):
    """One question with a short, checkable answer, and the sentence of the document that proves it."""

    question: Text
    answer: Text
    evidence: Text
    answer_type: AnswerType
    aliases: Annotated[list[str], BeforeValidator(_without_blanks)] = []


class JudgeAnswer(_Answer):
    """The verdict of a judge who sees the document."""

    has_context: bool
    answer_correct: bool
    leaks_answer: bool


ANSWERS: Final[dict[Stage, type[_Answer]]] = {
    "screen": ScreenAnswer,
    "classify": ClassifyAnswer,
    "generate": GenerateAnswer,
    "judge": JudgeAnswer,
}
"""The answer class of each stage that calls a model."""


@functools.cache
def json_schema(stage: Stage) -> dict[str, object]:
    """Return the JSON Schema of a stage's answer, closed and with every field required, as strict decoders ask.

    It is made once, because every request carries it: do not change it.
    """
    schema = ANSWERS[stage].model_json_schema()
    schema["additionalProperties"] = False
    schema["required"] = list(schema["properties"])
    for field in schema["properties"].values():
        field.pop("default", None)  # some strict decoders refuse it
    schema.pop("description", None)
    return schema
