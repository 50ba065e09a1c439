"""GenerateQA: one question-answer pair a persona (Webscale-RL, arXiv 2510.06499, stage 3)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from schemas.answers import Calls, GenerateAnswer, Stage
from schemas.records import Document, Slot
from transforms.llm.client import Answered
from transforms.llm.requests import Request
from transforms.llm.stage import Reject, SlotRule, document_request, numbered


@dataclass(frozen=True)
class GenerateQA(SlotRule):
    """Fills each slot with its pair; nothing is rejected here."""

    prompts: PromptSet
    calls: Calls = "reference"
    stage: Stage = "generate"

    def request(self, document: Document, slot: Slot) -> Request:
        """Ask for one pair, with two few-shots of the domain drawn by document and persona.

        Where calls are merged, for those of all the document's personas, with few-shots drawn by document.
        """
        domain = document.domain or ""
        if self.calls == "merged":
            exemplars = self.prompts.few_shots(domain, seed=document.source.text_sha256 or "")
            personas = numbered({"persona": one.persona} for one in document.slots)
            more = {"domain": domain, "personas": personas, "exemplars": exemplars}
            return document_request(self.prompts, self.stage, self.calls, document, more, len(document.slots))
        exemplars = self.prompts.few_shots(domain, seed=slot.pair_id)
        more = {"domain": domain, "persona": slot.persona, "exemplars": exemplars}
        return document_request(self.prompts, self.stage, self.calls, document, more)

    def settle(self, document: Document, slot: Slot, answered: Answered) -> tuple[Slot, Reject | None]:
        answer = answered.expect(GenerateAnswer)
        filled = dataclasses.replace(
            slot,
            question=answer.question,
            answer=answer.answer,
            aliases=tuple(alias for alias in answer.aliases if alias != answer.answer),
            answer_type=answer.answer_type,
            evidence=answer.evidence,
            thought=answer.thought,
            generate=answered.call,
        )
        return filled, None
