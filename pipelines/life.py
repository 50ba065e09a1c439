"""What became of a pair, stage by stage: asked again of the cache, so that each prompt is there as it was sent.

A run keeps no prompts. They follow from the document, the prompt files and the answers before, and an answer is kept
under a hash of its prompt: where the cache has that, the prompt is the one that was sent.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from apache_beam.io.filesystem import BeamIOError
from pydantic import BaseModel

from pipelines.inputs import prompts_of
from prompts import PromptSet
from schemas.config import RunConfig
from schemas.elements import Selection
from schemas.records import Call, Document, Pair, Slot, Source, to_table
from transforms.benchmarks.index import BenchmarkIndexError
from transforms.benchmarks.nearest import open_neighbours
from transforms.checks import checked
from transforms.classify import ClassifyDomain
from transforms.closed_book import ClosedBook
from transforms.decontaminate import AskSame, Suspect, likest
from transforms.documents import VERDICTS
from transforms.generate import GenerateQA
from transforms.judge import JudgeQA
from transforms.llm.cache import Entry, ResponseCache, request_key
from transforms.llm.client import Answered
from transforms.llm.parsing import parsed
from transforms.llm.requests import Kind, ModelError, Request, Settings
from transforms.llm.stage import Decision, Rule
from transforms.pairs import to_pair
from transforms.read import plan_corpus
from transforms.round_trip import RoundTrip
from transforms.screen import ScreenDocuments
from transforms.spill import spill_rows
from transforms.text.cut import cut

KEPT: Final = "kept"
_LOST: Final = "the cache has no answer to this prompt"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and what came of it: the valid answer, or all that was no valid one; none where the cache has none."""

    request: Request
    key: str
    model: str
    answers: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A stage: what it asked about the pair or its document, and what it decided ("kept", or why not)."""

    stage: str
    exchanges: tuple[Exchange, ...]
    decision: str


def document_of(config: RunConfig, source: Mapping[str, Any]) -> Document:
    """Return a document as the models were given it.

    Raises:
      OSError, ValueError, LookupError, pyarrow.ArrowException: the corpus is not there, or has another text there now.
    """
    plan = dataclasses.replace(plan_corpus([source["path"]], config.columns), clean=config.filters.cleaning)
    group = plan.index_of()[source["path"], source["row_group"]]
    selection = Selection(group, np.array([source["row"]], np.int32))
    (row,) = spill_rows(plan, selection, config.max_document_tokens)
    if row["text_sha256"] != source["text_sha256"]:
        raise ValueError("it has another text there now")
    names = {item.name for item in dataclasses.fields(Source)}
    return Document(Source(**{name: value for name, value in row.items() if name in names}), row["text"])


def document_in(config: RunConfig, row: Mapping[str, Any]) -> Document:
    """Return a row of `documents/` as the models were given it; where in the corpus it lay the row does not say."""
    columns = config.columns
    text = row[columns.text]
    given = text if config.max_document_tokens is None else cut(text, config.max_document_tokens)
    source = Source(
        str(row[columns.id]),
        "",
        text_sha256=row[VERDICTS]["text_sha256"],
        url=row.get(columns.url),
        license=row.get(columns.license),
        dataset=row.get(columns.dataset),
        read_chars=len(given) if len(given) < len(text) else None,
    )
    return Document(source, given)


class Life:
    """The stages of a run, asked again about one document.

    Args:
      config: of the run.
      cache: where its answers are.
    """

    def __init__(self, config: RunConfig, cache: ResponseCache) -> None:
        self._config = config
        self._cache = cache
        self._models = {stage: Settings(**model.model_dump()) for stage, model in config.asked.items()}
        self._prompts = prompts_of(config)
        self._rules = _rules(config, self._prompts)
        self._solve = ClosedBook(self._prompts, config.closed_book)

    def steps(self, document: Document, pair_id: str | None) -> Iterator[Step]:
        """Yield what each stage from the screen on asked about a document, or about one of its pairs, and decided.

        Ends with the stage that did not keep it, or has no answer in the cache.
        """
        for stage in self._config.stages:
            if stage in ("decontaminate", "closed_book") and pair_id is not None:
                yield from self._of_pair(document, pair_id)
                return
            if stage == "check":
                decision, exchanges = checked(document, self._config.checks), tuple[Exchange, ...]()
            elif stage in self._rules:
                decision, exchanges = self._asked(self._rules[stage], document, pair_id)
            else:
                continue
            kept = decision.kept
            stays = kept is not None and (pair_id is None or not kept.slots or _slot(kept, pair_id) is not None)
            yield Step(stage, exchanges, KEPT if stays else _why(decision, pair_id))
            if kept is None or not stays:
                return
            document = kept

    def _of_pair(self, document: Document, pair_id: str) -> Iterator[Step]:
        """Yield what was asked of a pair by itself, where it was: what the stages before turned away was not."""
        slots = [slot for slot in document.slots if slot.pair_id == pair_id]
        for pair in to_table(Pair, [to_pair(document, slot) for slot in slots]).to_pylist():
            asked: list[tuple[Rule[Any], Any]] = []
            if "decontaminate" in self._models:
                try:
                    asked += self._compared(pair)
                except (BenchmarkIndexError, OSError, BeamIOError) as error:
                    yield Step("decontaminate", (), f"its index cannot be read: {' '.join(str(error).split())}")
            if "closed_book" in self._models:
                asked.append((self._solve, pair))
            for rule, element in asked:
                exchanges = tuple(map(self._exchange, rule.requests(element)))
                if not any(exchange.answers for exchange in exchanges):
                    continue
                decision = rule.decide(element, list(map(_answer, exchanges)))
                yield Step(rule.stage, exchanges, KEPT if decision.kept is not None else _why(decision, pair_id))
                if decision.kept is None:
                    return

    def _compared(self, pair: Mapping[str, Any]) -> list[tuple[Rule[Any], Any]]:
        """Return how a model was asked whether a question is an evaluation set's; nothing where it is like none."""
        settings = self._config.decontaminate
        if settings is None:
            return []
        neighbours = [open_neighbours(path) for path in settings.benchmarks]
        (items,) = likest(neighbours, [pair["question"] or ""])
        return [(AskSame(self._prompts, settings), Suspect(pair, items))] if items else []

    def _asked(
        self, rule: Rule[Document], document: Document, pair_id: str | None
    ) -> tuple[Decision[Document], tuple[Exchange, ...]]:
        requests = rule.requests(document)
        exchanges = [self._exchange(request) for request in requests]
        decision = rule.decide(document, [_answer(exchange) for exchange in exchanges])
        return decision, tuple(exchanges[number] for number in _own(document, pair_id, len(requests)))

    def _exchange(self, request: Request) -> Exchange:
        settings = self._models[request.stage]
        key = request_key(request, settings)
        entry = self._cache.get(key)
        return Exchange(request, key, settings.model, () if entry is None else (entry,))

    def with_invalid(self, step: Step) -> Step:
        """Return a step with the invalid answers to what has no valid one; reads the whole cache."""
        wanted = {exchange.key for exchange in step.exchanges if not exchange.answers}
        if not wanted:
            return step
        found: dict[str, list[Entry]] = {}
        for key, entry in self._cache.entries():
            if key in wanted:
                found.setdefault(key, []).append(entry)
        exchanges = [
            dataclasses.replace(one, answers=one.answers or tuple(found.get(one.key, ()))) for one in step.exchanges
        ]
        return dataclasses.replace(step, exchanges=tuple(exchanges))


def _rules(config: RunConfig, prompts: PromptSet) -> dict[str, Rule[Document]]:
    return {
        "screen": ScreenDocuments(prompts, config.calls),
        "classify": ClassifyDomain(prompts, config.calls),
        "generate": GenerateQA(prompts, config.calls),
        "judge": JudgeQA(prompts, config.calls),
        "round_trip": RoundTrip(prompts),
    }


def _slot(document: Document, pair_id: str) -> Slot | None:
    return next((slot for slot in document.slots if slot.pair_id == pair_id), None)


def _own(document: Document, pair_id: str | None, requests: int) -> Sequence[int]:
    """Return which requests about a document are about one of its pairs, or about itself: all where none is named."""
    names = [slot.pair_id for slot in document.slots]
    if pair_id is None or pair_id not in names:
        return range(requests)
    each = requests // len(names)
    first = names.index(pair_id) * each
    return range(first, first + each)


def _answer(exchange: Exchange) -> Answered | ModelError:
    if not exchange.answers:
        return ModelError(Kind.BATCH, _LOST)
    answer = parsed(exchange.request.task, exchange.answers[0].completion, exchange.request.count)
    if not isinstance(answer, BaseModel):
        return answer
    return Answered(answer, Call(exchange.model, exchange.request.prompt, exchange.key), Counter())


def _why(decision: Decision[Any], pair_id: str | None) -> str:
    for row in decision.rejected:
        if pair_id is None or row.pair_id in (pair_id, None):
            return f"rejected, {row.reason}: {row.value}"
    for error in decision.failed:
        if pair_id is None or error.pair_id in (pair_id, None):
            return f"error, {error.error}: {error.message}"
    return _LOST
