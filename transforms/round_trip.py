"""RoundTrip: another model answers each question with the document before it, and must come to the pair's answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from rewards import score
from schemas.answers import SolveAnswer, Stage
from schemas.records import Document, Slot
from transforms.llm.client import Answered
from transforms.llm.requests import Request
from transforms.llm.stage import Reject, SlotRule, document_request


@dataclass(frozen=True)
class RoundTrip(SlotRule):
    """Keeps the pairs whose answer is found again. Rejected: `answer_not_recovered`, with the other model's answer.

    What `rewards` gives 1 is the pair's answer. Each question is asked alone, whatever `calls` says: what stands beside
    it would give its answer away.
    """

    prompts: PromptSet
    stage: Stage = "round_trip"

    def request(self, document: Document, slot: Slot) -> Request:
        """Ask a question about the document; neither the pair's answer nor its evidence is shown."""
        return document_request(self.prompts, self.stage, "reference", document, {"question": slot.question or ""})

    def settle(self, document: Document, slot: Slot, answered: Answered) -> tuple[Slot, Reject | None]:
        said = answered.expect(SolveAnswer).answer
        solved = dataclasses.replace(slot, round_trip=answered.call)
        verdict = score(slot.question or "", slot.answer or "", said, slot.answer_type or "", slot.aliases)
        return solved, None if verdict.score else Reject("answer_not_recovered", said)
