"""ScreenDocuments: is a document informative and self-contained? (Webscale-RL, arXiv 2510.06499, stage 1.)"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from schemas.answers import Calls, ScreenAnswer, Stage
from schemas.records import Document
from transforms.llm.client import Answered
from transforms.llm.requests import Request
from transforms.llm.stage import DocumentRule, Reject, document_request


@dataclass(frozen=True)
class ScreenDocuments(DocumentRule):
    """Keeps the documents that the model calls qualified. Rejected: `not_qualified`, with its thought.

    Where calls are merged, the request is classify's as well, so its answer is in the cache when that stage asks.
    """

    prompts: PromptSet
    calls: Calls = "reference"
    stage: Stage = "screen"

    def request(self, document: Document) -> Request:
        return document_request(self.prompts, self.stage, self.calls, document)

    def settle(self, document: Document, answered: Answered) -> tuple[Document, Reject | None]:
        answer = answered.expect(ScreenAnswer)
        screened = dataclasses.replace(document, screen=answered.call, screen_thought=answer.thought)
        return screened, None if answer.qualified else Reject("not_qualified", answer.thought)
