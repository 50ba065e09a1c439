"""What a model must answer, one pydantic model a task: what each stage asks, and what `calls: merged` asks in one.

Each class is both the JSON Schema sent as `response_format` and the validator of what comes back. Field names follow
Webscale-RL (arXiv 2510.06499); `evidence`, `answer_type` and `aliases` are ours, and so are the merged tasks and those
of the stages behind the judge.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator
from pydantic.config import JsonDict

from schemas.domains import MAX_ALIASES, MAX_PERSONAS, AnswerType, Domain

Stage = Literal["screen", "classify", "generate", "judge", "round_trip", "decontaminate", "closed_book"]
MergedTask = Literal["read", "generate_all", "judge_all"]
Task = Stage | MergedTask
Calls = Literal["reference", "merged"]

MERGED: Final[dict[Stage, MergedTask]] = {
    "screen": "read",
    "classify": "read",
    "generate": "generate_all",
    "judge": "judge_all",
}
"""The task in which a stage finds its answer where calls are merged; the others ask by themselves even then."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _distinct(values: object) -> object:
    """Strip, drop blanks and repeats, keep the first `MAX_PERSONAS`; what is no list of strings is left to pydantic."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values
    return list(dict.fromkeys(value.strip() for value in values if value.strip()))[:MAX_PERSONAS]


def _without_blanks(values: object) -> object:
    """Strip, drop blank or repeated aliases, keep the first `MAX_ALIASES`; a missing list (null) is an empty one."""
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return values
    return list(dict.fromkeys(value.strip() for value in values if value.strip()))[:MAX_ALIASES]


class _Strict(BaseModel):
    # Strict, so that "false" or 1 in place of a boolean is an invalid answer and not a guess.
    model_config = ConfigDict(strict=True, extra="ignore")


class _Answer(_Strict):
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
    aliases: Annotated[list[str], BeforeValidator(_without_blanks), Field(max_length=MAX_ALIASES)] = []


class JudgeAnswer(_Answer):
    """The verdict of a judge who sees the document."""

    has_context: bool
    answer_correct: bool
    leaks_answer: bool


class SolveAnswer(_Answer):
    """What a model answers that is asked the question of a pair, with the document or without."""

    answer: Text


class SameAnswer(_Answer):
    """Which of the listed questions asks the same as one: its number, 0 for none."""

    number: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _check_number(self, info: ValidationInfo) -> SameAnswer:
        count = (info.context or {}).get("count", math.inf)
        if self.number > count:
            raise ValueError(f"nothing has the number {self.number}; the numbers are 1 to {count}, and 0 for none")
        return self


class ReadAnswer(ScreenAnswer):
    """Screen and classify in one: a domain and readers, where the document qualifies. Otherwise they are not read."""

    domain: Domain | None
    personas: Annotated[list[Text], BeforeValidator(_distinct), Field(max_length=MAX_PERSONAS)]

    @model_validator(mode="before")
    @classmethod
    def _leave_unread(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("qualified") is False:
            return values | {"domain": None, "personas": []}
        return values

    @model_validator(mode="after")
    def _check_readers(self) -> ReadAnswer:
        if self.qualified and (self.domain is None or not self.personas):
            raise ValueError("a document that qualifies needs a domain and one to three personas")
        return self

    def classified(self) -> ClassifyAnswer | None:
        """Return what classify would have answered; null where the document does not qualify."""
        if self.domain is None:
            return None
        return ClassifyAnswer(thought=self.thought, domain=self.domain, personas=self.personas)


class _Numbered(_Strict):
    number: int


class NumberedPair(GenerateAnswer, _Numbered):
    """The pair of the persona with its number."""


class NumberedVerdict(JudgeAnswer, _Numbered):
    """The verdict on the pair with its number."""


class NumberedAnswers(_Strict):
    """A part for each numbered thing that a request lists, in any order, and none twice.

    Validation that is told how many things were listed (context `count`) demands all of these numbers and no other.
    """

    @property
    @abstractmethod
    def parts(self) -> Sequence[NumberedPair | NumberedVerdict]:
        """The parts, in the order of the answer."""

    @model_validator(mode="after")
    def _check_numbers(self, info: ValidationInfo) -> NumberedAnswers:
        count = (info.context or {}).get("count", math.inf)
        seen: set[int] = set()
        for part in self.parts:
            if part.number in seen:
                raise ValueError(f"the number {part.number} is there twice")
            if not 1 <= part.number <= count:
                raise ValueError(f"nothing has the number {part.number}; the numbers are 1 to {count}")
            seen.add(part.number)
        if count < math.inf and (missing := [str(number) for number in range(1, count + 1) if number not in seen]):
            raise ValueError(f"no part has number {', '.join(missing)}; each of 1 to {count} needs one")
        return self

    def part(self, number: int) -> NumberedPair | NumberedVerdict:
        """Return the part with a number; `KeyError` where there is none."""
        return {part.number: part for part in self.parts}[number]


_NO_MORE: Final[JsonDict] = {"maxItems": MAX_PERSONAS}
"""Where a list must end for a decoder that keeps to the schema; what others list beyond it is told by its number."""


class GenerateAnswers(NumberedAnswers):
    """The pairs of all personas of a document."""

    pairs: Annotated[list[NumberedPair], Field(min_length=1, json_schema_extra=_NO_MORE)]

    @property
    def parts(self) -> Sequence[NumberedPair]:
        return self.pairs


class JudgeAnswers(NumberedAnswers):
    """The verdicts on all pairs of a document."""

    verdicts: Annotated[list[NumberedVerdict], Field(min_length=1, json_schema_extra=_NO_MORE)]

    @property
    def parts(self) -> Sequence[NumberedVerdict]:
        return self.verdicts


ANSWERS: Final[dict[Task, type[BaseModel]]] = {
    "screen": ScreenAnswer,
    "classify": ClassifyAnswer,
    "generate": GenerateAnswer,
    "judge": JudgeAnswer,
    "round_trip": SolveAnswer,
    "closed_book": SolveAnswer,
    "decontaminate": SameAnswer,
    "read": ReadAnswer,
    "generate_all": GenerateAnswers,
    "judge_all": JudgeAnswers,
}
"""The answer class of each task."""


def task_of(stage: Stage, calls: Calls) -> Task:
    """Return the task in whose answer a stage finds its own."""
    return MERGED.get(stage, stage) if calls == "merged" else stage


@functools.cache
def json_schema(task: Task) -> dict[str, object]:
    """Return the JSON Schema of a task's answer, closed and with every field required, as strict decoders ask.

    It is made once, because every request carries it: do not change it.
    """
    schema = ANSWERS[task].model_json_schema()
    return _closed(schema, schema.pop("$defs", {}))


def _closed(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    schema["additionalProperties"] = False
    schema["required"] = list(schema["properties"])
    for field in schema["properties"].values():
        field.pop("default", None)  # some strict decoders refuse it
        reference = field.get("items", {}).get("$ref")
        if reference is not None:  # in place, since references are another thing that not all can read
            field["items"] = _closed(definitions[reference.rpartition("/")[2]], definitions)
    schema.pop("description", None)
    return schema


def field_names(task: Task) -> list[str]:
    """Return the names of an answer's fields in the order of its schema, those of a list's parts behind the list's."""
    return _names(json_schema(task))


def _names(schema: Any) -> list[str]:
    names = []
    for name, field in schema["properties"].items():
        parts = field.get("items", {})
        names += [name, *(_names(parts) if "properties" in parts else [])]
    return names
