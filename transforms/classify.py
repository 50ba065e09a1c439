"""ClassifyDomain: one domain and up to three readers a document (Webscale-RL, arXiv 2510.06499, stage 2)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from prompts import PromptSet
from schemas.answers import Calls, ClassifyAnswer, ReadAnswer, Stage
from schemas.records import Document, Slot, pair_id
from transforms.llm.client import Answered
from transforms.llm.requests import Kind, ModelError, Request
from transforms.llm.stage import DocumentRule, document_request


@dataclass(frozen=True)
class ClassifyDomain(DocumentRule):
    """Gives each document its domain and a slot for each persona; nothing is rejected here."""

    prompts: PromptSet
    calls: Calls = "reference"
    stage: Stage = "classify"

    def request(self, document: Document) -> Request:
        return document_request(self.prompts, self.stage, self.calls, document)

    def settle(self, document: Document, answered: Answered) -> tuple[Document, ModelError | None]:
        merged = self.calls == "merged"
        answer = answered.expect(ReadAnswer).classified() if merged else answered.expect(ClassifyAnswer)
        if answer is None:  # the answer that the screen saw is lost, and this one says no
            error = ModelError(Kind.INVALID, "the answer to the merged call lacks a domain")
            error.call = answered.call
            return document, error
        source = document.source
        slots = tuple(
            Slot(pair_id(source.doc_id or "", source.text_sha256 or "", persona), persona)
            for persona in answer.personas
        )
        return dataclasses.replace(document, domain=answer.domain, classify=answered.call, slots=slots), None
