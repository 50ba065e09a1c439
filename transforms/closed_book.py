"""ClosedBook: how hard a question is for a policy that does not see the document."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from prompts import PromptSet
from rewards import score
from schemas.answers import SolveAnswer, Stage, json_schema
from schemas.config import ClosedBookSettings
from schemas.records import Difficulty, Document, Slot
from transforms.llm.client import Answered
from transforms.llm.requests import PENDING, ModelError, Request
from transforms.llm.stage import Decision, Reject, SlotsRule, settle_slots


@dataclass(frozen=True)
class ClosedBook(SlotsRule):
    """Measures each question by sampled answers, scored as a trainer will (`rewards`).

    A policy learns from what it gets right at times: a question that no sample got right stays with
    `difficulty.passes` 0, for the trainer to choose. Rejected, where asked for: `answered_closed_book`, which every
    sample got right. A sample that came to nothing is not counted; where all did, the pair is an error.
    """

    prompts: PromptSet
    settings: ClosedBookSettings
    stage: Stage = "closed_book"

    def requests(self, document: Document) -> list[Request]:
        """Ask each question `settings.samples` times, one slot's after another's."""
        return [
            dataclasses.replace(self._request(slot), sample=sample)
            for slot in document.slots
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
        answered = [sample for sample in samples if isinstance(sample, Answered)]
        failures = [sample for sample in samples if isinstance(sample, ModelError)]
        failures.sort(key=lambda failure: failure.kind not in PENDING)  # what is pending can still be told
        if failures and (not answered or failures[0].kind in PENDING):
            return slot, failures[0]
        passes = sum(self._passes(slot, sample) for sample in answered)
        difficulty = Difficulty(answered[0].call.model, len(answered), passes)
        measured = dataclasses.replace(slot, difficulty=difficulty, closed_book=answered[0].call)
        if self.settings.drop_all_correct and passes == len(answered):
            return measured, Reject("answered_closed_book", f"{passes} of {len(answered)} samples")
        return measured, None

    def _passes(self, slot: Slot, sample: Answered) -> bool:
        said = sample.expect(SolveAnswer).answer
        verdict = score(slot.question or "", slot.answer or "", said, slot.answer_type or "", slot.aliases)
        return verdict.score == 1
