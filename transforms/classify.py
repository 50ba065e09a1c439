"""ClassifyDomain: one domain and up to three readers a document (Webscale-RL, arXiv 2510.06499, stage 2)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from schemas.answers import ClassifyAnswer, Stage
from schemas.records import Document, Slot, pair_id
from transforms.llm.client import Answered
from transforms.llm.requests import Request
from transforms.llm.stage import DocumentRule, Reject, document_request


@dataclass(frozen=True)
class ClassifyDomain(DocumentRule):
    """Gives each document its domain and a slot for each persona; nothing is rejected here."""

    prompts: PromptSet
    stage: Stage = "classify"

    def request(self, document: Document) -> Request:
        return document_request(self.prompts, self.stage, document)

    def settle(self, document: Document, answered: Answered) -> tuple[Document, Reject | None]:
        answer = answered.expect(ClassifyAnswer)
        source = document.source
        slots = tuple(
            Slot(pair_id(source.doc_id or "", source.text_sha256 or "", persona), persona)
            for persona in answer.personas
        )
        return dataclasses.replace(document, domain=answer.domain, classify=answered.call, slots=slots), None
