"""JudgeQA: a model that sees the source confirms a pair (Webscale-RL, arXiv 2510.06499, stage 4)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from schemas.answers import Calls, JudgeAnswer, Stage
from schemas.records import Document, Slot, Verdict
from transforms.llm.client import Answered
from transforms.llm.requests import Request
from transforms.llm.stage import Reject, SlotRule, document_request, numbered


def reject_reason(verdict: Verdict) -> str | None:
    """Return the first of the judge's three questions that a pair fails, or null."""
    if not verdict.has_context:
        return "lacks_context"
    if not verdict.answer_correct:
        return "answer_incorrect"
    return "leaks_answer" if verdict.leaks_answer else None


def _shown(slot: Slot) -> dict[str, str]:
    return {
        "persona": slot.persona,
        "question": slot.question or "",
        "answer": slot.answer or "",
        "evidence": slot.evidence or "",
    }


@dataclass(frozen=True)
class JudgeQA(SlotRule):
    """Keeps the pairs the judge finds sound. Rejected: `lacks_context`, `answer_incorrect`, `leaks_answer`."""

    prompts: PromptSet
    calls: Calls = "reference"
    stage: Stage = "judge"

    def request(self, document: Document, slot: Slot) -> Request:
        """Ask about one pair; where calls are merged, about all the document's pairs that came this far."""
        if self.calls == "merged":
            more = {"pairs": numbered(map(_shown, document.slots))}
            return document_request(self.prompts, self.stage, self.calls, document, more, len(document.slots))
        return document_request(self.prompts, self.stage, self.calls, document, _shown(slot))

    def settle(self, document: Document, slot: Slot, answered: Answered) -> tuple[Slot, Reject | None]:
        answer = answered.expect(JudgeAnswer)
        verdict = Verdict(answer.has_context, answer.answer_correct, answer.leaks_answer)
        reason = reject_reason(verdict)
        judged = dataclasses.replace(slot, checks=verdict, judge=answered.call)
        return judged, None if reason is None else Reject(reason, answer.thought)
