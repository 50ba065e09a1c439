"""ClosedBook: how hard a question is for a policy that does not see the document."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prompts import PromptSet
from rewards import score
from schemas.answers import SolveAnswer, Stage, json_schema
from schemas.config import ClosedBookSettings
from schemas.records import Call, Difficulty, Document, Slot
from transforms.llm.client import Answered
from transforms.llm.requests import PENDING, Kind, ModelError, Request
from transforms.llm.stage import Decision, Reject, SlotsRule, settle_slots

_WRONG: Final = frozenset({Kind.TRUNCATED, Kind.INVALID})
"""Replies that a trainer would score, and score 0."""


@dataclass(frozen=True)
class ClosedBook(SlotsRule):
    """Measures each question by sampled answers, scored as a trainer will (`rewards`).

    A policy learns from what it gets right at times: a question that no sample got right stays with
    `difficulty.passes` 0, for the trainer to choose. Rejected, where asked for: `answered_closed_book`, which every
    sample got right. A reply that was cut off or is no valid answer is a wrong one, as for a trainer; a call that
    failed says nothing of the policy and is not counted. Where no sample counts, the pair is an error.
    """

    prompts: PromptSet
    settings: ClosedBookSettings
    stage: Stage = "closed_book"

    def requests(self, document: Document) -> list[Request]:
        """Ask each question `settings.samples` times, one slot's after another's."""
        return [
            dataclasses.replace(request, sample=sample)
            for request in map(self._request, document.slots)
            for sample in range(self.settings.samples)
        ]

    def decide(self, document: Document, answers: Sequence[Answered | ModelError]) -> Decision[Document]:
        size = self.settings.samples
        samples = [answers[start : start + size] for start in range(0, len(answers), size)]
        settled = [self._settle(slot, own) for slot, own in zip(document.slots, samples, strict=True)]
        return settle_slots(self.stage, document, settled)

    def _request(self, slot: Slot) -> Request:
        variables = {"question": slot.question or ""}
        return Request(
            stage=self.stage,
            variables=variables,
            messages=self.prompts.render(self.stage, variables),
            schema=json_schema(self.stage),
            prompt=self.prompts.fingerprint(self.stage),
            repair=self.prompts.repair,
        )

    def _settle(self, slot: Slot, samples: Sequence[Answered | ModelError]) -> tuple[Slot, Reject | ModelError | None]:
        counted = [sample for sample in samples if isinstance(sample, Answered) or sample.kind in _WRONG]
        failures = [sample for sample in samples if isinstance(sample, ModelError)]
        failures.sort(key=lambda failure: failure.kind not in PENDING)  # what is pending can still be told
        call = _call(samples)
        if failures and (not counted or failures[0].kind in PENDING):
            failures[0].call = call
            return slot, failures[0]
        passes = sum(self._passes(slot, sample) for sample in counted if isinstance(sample, Answered))
        difficulty = Difficulty(call.model if call else "", len(counted), passes)
        measured = dataclasses.replace(slot, difficulty=difficulty, closed_book=call)
        if self.settings.drop_all_correct and passes == self.settings.samples:
            return measured, Reject("answered_closed_book", f"{passes} of {passes} samples")
        return measured, None

    def _passes(self, slot: Slot, sample: Answered) -> bool:
        said = sample.expect(SolveAnswer).answer
        verdict = score(slot.question or "", slot.answer or "", said, slot.answer_type or "", slot.aliases)
        return verdict.score == 1


def _call(samples: Sequence[Answered | ModelError]) -> Call | None:
    """Return the calls of all samples as one: its key has those of all, a space between."""
    calls = [sample.call for sample in samples if sample.call is not None]
    return dataclasses.replace(calls[0], key=" ".join(call.key for call in calls)) if calls else None
