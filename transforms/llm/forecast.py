"""What the model stages of a run will ask and cost: arithmetic alone, on what an earlier run showed or what we assume.

Assumptions are bounds and not means. Webscale-RL (arXiv 2510.06499) publishes neither its retention per stage nor its
cost: it calls its screen mild, gives each document up to three personas, and made about 1.2 million pairs of about a
million documents, which the bounds on shares have in their middle. The bounds on tokens and retries are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.answers import MERGED, Calls, Stage
from schemas.config import DOCUMENT_STAGES
from schemas.domains import MAX_PERSONAS
from transforms.llm.prices import Price


@dataclass(frozen=True, slots=True)
class Span:
    """A number that is at least `low` and at most `high`, and not negative; known where they are equal."""

    low: float
    high: float

    @classmethod
    def of(cls, number: float) -> Span:
        """Return a number that is known."""
        return cls(number, number)

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Span) -> Span:
        return Span(self.low * other.low, self.high * other.high)


ZERO: Final = Span.of(0.0)
ONE: Final = Span.of(1.0)

SHARES: Final[Mapping[str, Span]] = {
    "screen": Span(0.1, 1.0),
    "classify": Span(1.0, MAX_PERSONAS),
    "generate": Span(0.9, 1.0),
    "check": Span(0.3, 1.0),
    "judge": Span(0.3, 1.0),
    "round_trip": Span(0.5, 1.0),
    "questions": Span(0.5, 1.0),
    "decontaminate": Span(0.9, 1.0),
    "closed_book": Span(0.5, 1.0),
}
"""What a stage lets go on of each document or pair that arrives; of classify, the pairs a document."""
_OPTIONS: Final[Mapping[Stage, Span]] = {
    "round_trip": Span(10, 600),
    "closed_book": Span(10, 2000),
    "decontaminate": Span(10, 300),
}
ANSWER_TOKENS: Final[Mapping[Calls, Mapping[Stage, Span]]] = {
    "reference": {
        "screen": Span(10, 300),
        "classify": Span(15, 400),
        "generate": Span(30, 600),
        "judge": Span(15, 400),
        **_OPTIONS,
    },
    "merged": {
        "screen": Span(15, 500),
        "generate": Span(30, 600 * MAX_PERSONAS),
        "judge": Span(15, 400 * MAX_PERSONAS),
        **_OPTIONS,
    },
}
"""Tokens of an answer, its thought included; a model that reasons before it answers takes more."""
ATTEMPTS: Final = Span(1.0, 1.1)
"""Answers paid for a request: up to one in ten is asked for again."""
TOKENIZERS: Final = Span(0.9, 1.4)
"""Tokens that a model may count for one of ours where its tokenizer is another."""
SCHEMAS: Final = Span(1.0, 1.1)
"""The same where the tokenizer is the model's own: some count the schema of the answer."""
HIDDEN_DUPLICATES: Final = Span(0.3, 1.0)
"""Of the documents that a sample's deduplication keeps, those that the whole corpus's will: a sample has few twins."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a stage asks.

    Attributes:
      calls: calls for a document or pair.
      answers: paid answers for one.
      prompt_tokens, completion_tokens: of an answer.
      cached: share of the prompt's tokens that the provider reads from its own cache.
      by_document: whether all pairs of a document take one call.
    """

    calls: Span
    answers: Span
    prompt_tokens: Span
    completion_tokens: Span
    cached: float = 0.0
    by_document: bool = False


NOTHING: Final = Asking(ZERO, ZERO, ZERO, ZERO)
"""A stage that makes no paid call."""


def assumed(stage: Stage, calls: Calls, prompt_tokens: Span, most_tokens: int | None, requests: int = 1) -> Asking:
    """Return what a stage asks where no run has shown it.

    Args:
      prompt_tokens: of a prompt, as the provider may count them.
      most_tokens: `max_tokens` of the stage, null for no limit.
      requests: for a document or pair.
    """
    answer = ANSWER_TOKENS[calls][stage]
    if most_tokens is not None:
        answer = Span(min(answer.low, most_tokens), min(answer.high, most_tokens))
    merged = calls == "merged" and stage in MERGED and stage not in DOCUMENT_STAGES
    attempts = ATTEMPTS * Span.of(requests)
    if stage == "decontaminate":  # asked only about a question that is like an item of an evaluation set
        attempts = Span(0.0, attempts.high)
    return Asking(attempts, attempts, prompt_tokens, answer, by_document=merged)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run showed of a stage; the averages are 0 where no answer's tokens were counted.

    Attributes:
      arrived: documents or pairs that it decided.
      share: what it let go on of each; of classify, the pairs a document.
      calls: calls for each, those of answers that were replayed included.
      answers: paid answers for each.
      prompt_chars, prompt_tokens, completion_tokens: of an answer.
      cached: share of the prompts' tokens that the provider read from its own cache.
    """

    arrived: int
    share: float
    calls: float
    answers: float
    prompt_chars: float
    prompt_tokens: float
    completion_tokens: float
    cached: float = 0.0

    def asking(self, prompt_chars: float) -> Asking:
        """Return what the stage asks with prompts of that length; only where there are `answers` to go by."""
        tokens = self.prompt_tokens * prompt_chars / self.prompt_chars
        answer = Span.of(self.completion_tokens)
        return Asking(Span.of(self.calls), Span.of(self.answers), Span.of(tokens), answer, self.cached)


_UNANSWERED: Final = ("transient", "throttled", "timeout", "too_long", "bad_request", "auth", "unknown_model")
"""Failures of attempts for which nothing came that could be counted."""


def seen(manifest: Mapping[str, Any]) -> dict[str, Seen]:
    """Return what a run showed of each stage that has decided anything.

    Raises:
      KeyError, TypeError, AttributeError: it is no manifest.
    """
    found = {}
    for line in manifest["stages"]:
        decided = line["in"] - line["pending"]
        if decided > 0:
            usage = [row for row in manifest["usage"] if row["stage"] == line["stage"]]
            found[line["stage"]] = _seen(decided, line.get("fan_out", line["kept"]), usage)
    return found


def _seen(decided: int, leaves: int, usage: Sequence[Mapping[str, Any]]) -> Seen:
    def total(*fields: str) -> int:
        return sum(int(row[field]) for row in usage for field in fields)

    answers, paid = total("answers"), total("prompt_tokens")
    each = max(1, answers)
    failed = sum(row["failed_calls"].get(kind, 0) for row in usage for kind in _UNANSWERED)
    return Seen(
        arrived=decided,
        share=leaves / decided,
        calls=(answers + failed) / decided,
        answers=answers / decided,
        prompt_chars=total("prompt_chars") / each,
        prompt_tokens=total("prompt_tokens", "replayed_prompt_tokens") / each,
        completion_tokens=total("completion_tokens", "replayed_completion_tokens") / each,
        cached=total("cached_tokens") / paid if paid else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a stage will ask; for the last line, the pairs or documents that remain, it asks nothing."""

    stage: str
    unit: str
    units: Span
    calls: Span = ZERO
    prompt_tokens: Span = ZERO
    completion_tokens: Span = ZERO
    cached: float = 0.0

    def online_usd(self, price: Price) -> Span:
        """Return what it costs."""
        a_prompt_token = (1 - self.cached) * price.input + self.cached * price.cached_input
        return self.prompt_tokens * Span.of(a_prompt_token) + self.completion_tokens * Span.of(price.output)

    def batch_usd(self, price: Price) -> Span:
        """Return what it costs through the provider's batch API, without a discount for cached prompts."""
        return self.prompt_tokens * Span.of(price.batch_input) + self.completion_tokens * Span.of(price.batch_output)


def forecast(
    documents: Span, stages: Sequence[str], shares: Mapping[str, Span], asking: Mapping[str, Asking]
) -> list[Forecast]:
    """Return a line for each model stage that a run reaches, and one of stage "kept" for what its last stage keeps.

    Args:
      documents: that reach the screen.
      stages: those that the run goes through.
      shares: of each stage from the screen on, as `SHARES`.
      asking: of each model stage.
    """
    lines = []
    units, unit = documents, "document"
    for stage in stages:
        if stage not in SHARES:
            continue
        if stage in asking:
            lines.append(_line(stage, unit, units, documents, asking[stage]))
        units = units * shares[stage]
        if stage in DOCUMENT_STAGES:
            documents = units if stage == "screen" else documents
            unit = "pair" if stage == "classify" else "document"
        else:  # a document has up to all of its pairs left
            documents = Span(documents.low * shares[stage].low, documents.high)
    return [*lines, Forecast("kept", unit, units)]


def _line(stage: str, unit: str, units: Span, documents: Span, asking: Asking) -> Forecast:
    requests = documents if asking.by_document else units
    answers = requests * asking.answers
    return Forecast(
        stage,
        unit,
        units,
        calls=requests * asking.calls,
        prompt_tokens=answers * asking.prompt_tokens,
        completion_tokens=answers * asking.completion_tokens,
        cached=asking.cached,
    )


def relative_error(sizes: Sequence[float], rows: int) -> float:
    """Return two standard errors of the mean of a sample drawn without replacement, as a share of that mean.

    Args:
      sizes: what each sampled row takes, 0 for one that does not get so far.
      rows: that the sample is drawn from.
    """
    drawn, mean = len(sizes), sum(sizes) / len(sizes)
    if drawn >= rows or not mean:
        return 0.0
    variance = sum((size - mean) ** 2 for size in sizes) / max(1, drawn - 1)
    return 2 * math.sqrt(variance / drawn * (1 - drawn / rows)) / mean


def share_error(stages: Mapping[str, Seen]) -> float:
    """Return two standard errors of the pairs a document as an earlier run showed them, as a share of them.

    Of classify, which counts pairs and not those that it lets go on, it is the most that their mean allows.
    """
    total = 0.0
    for stage in SHARES:
        if (figures := stages.get(stage)) is not None and (mean := figures.share):
            variance = (mean - 1) * (MAX_PERSONAS - mean) if stage == "classify" else mean * (1 - mean)
            total += max(0.0, variance) / figures.arrived / mean**2
    return 2 * math.sqrt(total)
