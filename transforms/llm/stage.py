"""What the stages that call a model have in common: a pure rule, the doors, and a sliding window of calls.

A stage is a small dataclass, a `DocumentRule` or a `SlotRule`, that knows no Beam; `AskModel` wires it up.
"""

from __future__ import annotations

import dataclasses
import json
import queue
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import apache_beam as beam

from prompts import PromptSet
from schemas.answers import MERGED, Calls, NumberedAnswers, Stage, json_schema, task_of
from schemas.records import Call, Document, Failed, Pending, Rejected, Slot, StageNames
from transforms.ledger import PENDING as PENDING_DOOR
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors, windowed
from transforms.llm.client import Answered, ClientSettings, Unanswered
from transforms.llm.requests import PENDING, Kind, ModelError, Request
from transforms.llm.shared import SharedClient

E = TypeVar("E")


@dataclass(frozen=True)
class Decision(Generic[E]):
    """Where a document, or each of its slots, goes.

    Attributes:
      kept: what goes on (a document with the slots that do), or null.
      rejected: a row for each document or slot that a named rule turned away.
      failed: a row for each that could not be decided.
      pending: why each that waits for another run does.
      figures: those of the stage that grow by one.
    """

    kept: E | None = None
    rejected: tuple[Rejected, ...] = ()
    failed: tuple[Failed, ...] = ()
    pending: tuple[Kind, ...] = ()
    figures: tuple[str, ...] = ()


class Reject(NamedTuple):
    """A rule's no: its name and the value that broke it."""

    reason: str
    value: str | None = None


class Rule(ABC, Generic[E]):
    """A stage over what comes as elements, mostly documents or their slots; a dataclass that knows no Beam."""

    stage: Stage

    @abstractmethod
    def arrivals(self, element: E) -> int:
        """Return how many units arrive with an element: a document is one, or its slots."""

    @abstractmethod
    def doc_id(self, element: E) -> str | None:
        """Return the id of the document that an element is, or is made from."""

    @abstractmethod
    def requests(self, element: E) -> list[Request]:
        """Return what to ask about an element."""

    @abstractmethod
    def decide(self, element: E, answers: Sequence[Answered | ModelError]) -> Decision[E]:
        """Decide an element by the answers to its requests."""


class DocumentRule(Rule[Document]):
    """A stage that asks one question a document."""

    @abstractmethod
    def request(self, document: Document) -> Request:
        """Return the question."""

    @abstractmethod
    def settle(self, document: Document, answered: Answered) -> tuple[Document, Reject | ModelError | None]:
        """Return the document with what was learnt of it, and the rule's no if it must go, or what the answer lacks."""

    def arrivals(self, document: Document) -> int:
        return 1

    def doc_id(self, document: Document) -> str | None:
        return document.source.doc_id

    def requests(self, document: Document) -> list[Request]:
        return [self.request(document)]

    def decide(self, document: Document, answers: Sequence[Answered | ModelError]) -> Decision[Document]:
        (answered,) = answers
        settled, no = (document, answered) if isinstance(answered, ModelError) else self.settle(document, answered)
        if isinstance(no, ModelError):
            if no.kind in PENDING:
                return Decision(pending=(no.kind,))
            return Decision(failed=(failed(self.stage, document, no),))
        return Decision(settled) if no is None else Decision(rejected=(rejected(self.stage, settled, no),))


class SlotRule(Rule[Document]):
    """A stage that asks one question a persona slot; a document goes on with the slots that do.

    Where the slots of a document ask the same, which then is one call, each finds its part of the answer by its number.
    """

    @abstractmethod
    def request(self, document: Document, slot: Slot) -> Request:
        """Return the question."""

    @abstractmethod
    def settle(self, document: Document, slot: Slot, answered: Answered) -> tuple[Slot, Reject | None]:
        """Return the slot with what was learnt of it, and the rule's no if it must go."""

    def arrivals(self, document: Document) -> int:
        return len(document.slots)

    def doc_id(self, document: Document) -> str | None:
        return document.source.doc_id

    def requests(self, document: Document) -> list[Request]:
        return [self.request(document, slot) for slot in document.slots]

    def decide(self, document: Document, answers: Sequence[Answered | ModelError]) -> Decision[Document]:
        own = [own_part(answer, number) for number, answer in enumerate(answers, start=1)]
        return settle_slots(
            self.stage,
            document,
            [
                (slot, answer) if isinstance(answer, ModelError) else self.settle(document, slot, answer)
                for slot, answer in zip(document.slots, own, strict=True)
            ],
        )


def own_part(answered: Answered | ModelError, number: int) -> Answered | ModelError:
    """Return the part with a number of an answer that has numbered parts; others are what they are.

    It is there, since an answer that lacks one of the request's numbers is not valid.
    """
    if isinstance(answered, ModelError) or not isinstance(answered.answer, NumberedAnswers):
        return answered
    return dataclasses.replace(answered, answer=answered.answer.part(number))


def numbered(things: Iterable[Mapping[str, str]]) -> str:
    """Return things as a prompt lists them: a JSON object a line, each with its number from 1 on."""
    return "\n".join(
        json.dumps({"number": number, **thing}, ensure_ascii=False) for number, thing in enumerate(things, start=1)
    )


def settle_slots(
    stage: str, document: Document, outcomes: Sequence[tuple[Slot, Reject | ModelError | None]]
) -> Decision[Document]:
    """Put a document's slots together again: those without an objection go on, the others leave by their doors."""
    kept = tuple(slot for slot, no in outcomes if no is None)
    errors = [(slot, no) for slot, no in outcomes if isinstance(no, ModelError)]
    return Decision(
        kept=dataclasses.replace(document, slots=kept) if kept else None,
        rejected=tuple(rejected(stage, document, no, slot) for slot, no in outcomes if isinstance(no, Reject)),
        failed=tuple(failed(stage, document, no, slot) for slot, no in errors if no.kind not in PENDING),
        pending=tuple(no.kind for _, no in errors if no.kind in PENDING),
    )


def document_request(
    prompts: PromptSet,
    stage: Stage,
    calls: Calls,
    document: Document,
    more: Mapping[str, str] | None = None,
    count: int = 1,
) -> Request:
    """Return a stage's request about a document; the fence is the hash of the text, which no text can foresee.

    Args:
      prompts: where the words are from.
      stage: the stage that asks.
      calls: whether it asks alone.
      document: what it asks about.
      more: the variables of the task's prompt beside the document and its fence.
      count: how many numbered things they list.
    """
    task = task_of(stage, calls)
    variables = {"document": document.text, "fence": (document.source.text_sha256 or "")[:16], **(more or {})}
    return Request(
        stage=stage,
        variables=variables,
        messages=prompts.render(task, variables),
        schema=json_schema(task),
        prompt=prompts.fingerprint(task),
        repair=prompts.repair,
        merged=MERGED.get(stage) if calls == "merged" else None,
        count=count,
    )


def calls_of(document: Document, slot: Slot | None = None) -> StageNames:
    """Return the cache keys of the calls made so far for a document, or for one of its slots."""

    def key(call: Call | None) -> str | None:
        return None if call is None else call.key

    pair = slot or Slot("", "")
    stages = (document.screen, document.classify, pair.generate, pair.judge, pair.round_trip)
    return StageNames(*map(key, stages))


def rejected(stage: str, document: Document, no: Reject, slot: Slot | None = None) -> Rejected:
    """Return the row of a document, or of one of its slots, that a rule turned away."""
    return Rejected(
        doc_id=document.source.doc_id,
        pair_id=slot.pair_id if slot else None,
        stage=stage,
        reason=no.reason,
        value=no.value,
        source=document.source,
        question=slot.question if slot else None,
        answer=slot.answer if slot else None,
        thought=slot.thought if slot else document.screen_thought,
        calls=calls_of(document, slot),
    )


def failed(stage: str, document: Document, error: ModelError, slot: Slot | None = None) -> Failed:
    """Return the row of a document, or of one of its slots, for which the model gave no answer."""
    return Failed(
        doc_id=document.source.doc_id,
        pair_id=slot.pair_id if slot else None,
        stage=stage,
        error=error.kind.value,
        message=str(error),
        attempts=error.attempts,
        source=document.source,
        calls=dataclasses.replace(calls_of(document, slot), **{stage: error.call.key})
        if error.call
        else calls_of(document, slot),
    )


def waiting(doc_id: str | None, requests: Sequence[Request], answers: Sequence[Answered | Unanswered]) -> list[Pending]:
    """Return the rows of an element's requests that wait for a batch, one where several ask the same."""
    rows = {
        answer.call.key: Pending(
            id=answer.call.key,
            doc_id=doc_id,
            stage=request.stage,
            model=answer.call.model,
            prompt=request.prompt,
            request=request.to_json(),
        )
        for request, answer in zip(requests, answers, strict=True)
        if isinstance(answer, Unanswered) and answer.kind is Kind.BATCH
    }
    return list(rows.values())


class DecidingDoFn(LedgerDoFn):
    """Enters decisions into the ledger and passes on what stays."""

    def enter(self, decision: Decision[Any], units: int) -> Iterator[Any]:
        """Count a decision and yield what it keeps, which holds `units` units, and full tables of the side doors."""
        self.ledger.reject(decision.rejected)
        self.ledger.fail(decision.failed)
        self.ledger.hold([kind.value for kind in decision.pending])
        for name in decision.figures:
            self.ledger.figure(name, 1)
        if decision.kept is not None:
            self.ledger.count("kept", units)
            if self.stage == "classify":
                self.ledger.count("fan_out", len(decision.kept.slots))
            yield decision.kept
        yield from self.ledger.flush()


class AskModel(beam.PTransform):
    """Elements through a rule that asks a model: `Doors` of elements of the same kind, mostly `Document`s.

    Args:
      rule: the stage.
      client: how the models are called; stages with equal settings share one event loop and one limit a process.
    """

    def __init__(self, rule: Rule[Any], client: ClientSettings) -> None:
        super().__init__()
        self.rule = rule
        self.client = client

    def expand(self, documents: Any) -> Doors:
        ask = _Ask(self.rule, self.client)
        outputs = documents | "Ask" >> beam.ParDo(ask).with_outputs(*SIDE_DOORS, PENDING_DOOR, main="kept")
        return doors(outputs)._replace(pending=outputs[PENDING_DOOR])


class _Asked(NamedTuple):
    """An element, what was asked about it, and what came or will come."""

    element: Any
    requests: list[Request]
    answers: Future[list[Answered | Unanswered]]


class _Ask(DecidingDoFn):
    """Element -> element, over a sliding window of elements whose requests are under way.

    `process` hands an element's requests to the process's one event loop and yields what has been answered meanwhile;
    it waits only when the window is full. `finish_bundle` drains. The client holds back what exceeds its limit.
    """

    def __init__(self, rule: Rule[Any], settings: ClientSettings) -> None:
        self.rule = rule
        self.stage = rule.stage
        self.settings = settings

    def setup(self) -> None:
        self.client = SharedClient(self.settings)

    def teardown(self) -> None:
        self.client.close()

    def start_bundle(self) -> None:
        super().start_bundle()
        self.waiting = 0
        self.answered: queue.SimpleQueue[_Asked] = queue.SimpleQueue()

    def process(self, element: Any) -> Iterator[Any]:
        self.ledger.count("in", self.rule.arrivals(element))
        requests = self.rule.requests(element)
        future = self.client.ask_all(requests)
        self.waiting += 1
        future.add_done_callback(lambda done: self.answered.put(_Asked(element, requests, done)))
        while not self.answered.empty() or self.waiting >= self.settings.window:
            yield from self._next()

    def finish_bundle(self) -> Iterator[Any]:
        while self.waiting:
            for output in self._next():
                yield _in_window(output)
        yield from super().finish_bundle()

    def _next(self) -> Iterator[Any]:
        element, requests, future = self.answered.get()
        self.waiting -= 1
        answers = future.result()
        for answer in answers:
            self.ledger.count_usage(answer.usage)
            self.ledger.measure(answer.samples)
        self.ledger.wait(waiting(self.rule.doc_id(element), requests, answers))
        decision = self.rule.decide(element, answers)
        yield from self.enter(decision, 0 if decision.kept is None else self.rule.arrivals(decision.kept))


def _in_window(output: Any) -> Any:
    if isinstance(output, beam.pvalue.TaggedOutput):
        return beam.pvalue.TaggedOutput(output.tag, windowed(output.value))
    return windowed(output)
