"""How long the prompts of a run are: rendered for sampled documents, with stand-ins for what only a model can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from prompts import PromptSet
from schemas.answers import Calls, Stage
from schemas.config import ClosedBookSettings
from schemas.config_filters import DecontaminateSettings
from schemas.domains import DOMAINS, MAX_PERSONAS
from schemas.records import Document, Slot, pair_id
from transforms.benchmarks.nearest import Neighbour
from transforms.classify import ClassifyDomain
from transforms.closed_book import ClosedBook
from transforms.decontaminate import CANDIDATES, AskSame, Suspect
from transforms.generate import GenerateQA
from transforms.judge import JudgeQA
from transforms.llm.forecast import Span
from transforms.llm.requests import Request
from transforms.llm.stage import Rule
from transforms.round_trip import RoundTrip
from transforms.screen import ScreenDocuments

_PERSONAS: Final = ("secondary school teacher", "local journalist", "first-time home buyer")
_QUESTION: Final = (
    "In which year did the company that ran the ferries on the northern lakes sell its two oldest steamers to a museum?"
)
_ANSWER: Final = "1931"
_EVIDENCE: Final = (
    "After thirty years of service on the northern lakes, the two oldest steamers were sold to a museum in 1931."
)

_SUSPECT: Final = Suspect({"question": _QUESTION}, (Neighbour("-", _QUESTION, 1.0),) * CANDIDATES)


class PromptSizes:
    """The prompts of a run's stages over some documents.

    Args:
      prompts: where the words are from.
      calls: whether stages ask alone.
      documents: at least one.
    """

    def __init__(self, prompts: PromptSet, calls: Calls, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._calls = calls
        same = AskSame(prompts, DecontaminateSettings(benchmarks=("-",))).requests(_SUSPECT)
        solve = ClosedBook(prompts, ClosedBookSettings()).requests(_SUSPECT.pair)
        self._alike: dict[Stage, Request] = {"decontaminate": same[0], "closed_book": solve[0]}
        self._rules: dict[Stage, Rule[Document]] = {
            "screen": ScreenDocuments(prompts, calls),
            "classify": ClassifyDomain(prompts, calls),
            "generate": GenerateQA(prompts, calls),
            "judge": JudgeQA(prompts, calls),
            "round_trip": RoundTrip(prompts),
        }

    def each(self, stage: Stage, size: Callable[[Request], int], personas: int = 1) -> list[int]:
        """Return the size of a stage's prompt about each document, with a number of personas and their pairs."""
        if stage in self._alike:
            return [size(self._alike[stage])] * len(self._documents)
        rule = self._rules[stage]
        return [size(rule.requests(_with_pairs(document, personas))[0]) for document in self._documents]

    def mean(self, stage: Stage, size: Callable[[Request], int]) -> Span:
        """Return the mean size of a stage's prompts: where calls are merged, for one pair up to all a document's."""
        counts = (1, MAX_PERSONAS) if self._calls == "merged" else (1, 1)
        low, high = (sum(self.each(stage, size, count)) / len(self._documents) for count in counts)
        return Span(low, high)


def _with_pairs(document: Document, personas: int) -> Document:
    """Return a document as it would come to the judge, its domain and few-shots drawn by its hash."""
    sha256 = document.source.text_sha256 or ""
    slots = tuple(
        Slot(
            pair_id(document.source.doc_id or "", sha256, persona),
            persona,
            question=_QUESTION,
            answer=_ANSWER,
            evidence=_EVIDENCE,
        )
        for persona in _PERSONAS[:personas]
    )
    return dataclasses.replace(document, domain=DOMAINS[int(sha256[:8], 16) % len(DOMAINS)], slots=slots)
