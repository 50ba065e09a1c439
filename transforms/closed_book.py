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
from schemas.records import Call, Difficulty
from transforms.llm.client import Answered
from transforms.llm.requests import PENDING, Kind, ModelError, Request
from transforms.llm.stage import Decision, Reject, Rule
from transforms.pair_rows import Row, asked, failed, rejected

_WRONG: Final = frozenset({Kind.TRUNCATED, Kind.INVALID})
"""Replies that a trainer would score, and score 0."""


@dataclass(frozen=True)
class ClosedBook(Rule[Row]):
    """Measures each question by sampled answers, scored as a trainer will (`rewards`).

    A policy learns from what it gets right at times: a question that no sample got right stays with
    `difficulty.passes` 0, for the trainer to choose. Rejected, where asked for: `answered_closed_book`, which every
    sample got right. A reply that was cut off or is no valid answer is a wrong one, as for a trainer; a call that
    failed says nothing of the policy and is not counted. Where no sample counts, the pair is an error.

    The stage's figures are how many pairs each number of passes has: "passes 0", "passes 1", ...
    """

    prompts: PromptSet
    settings: ClosedBookSettings
    stage: Stage = "closed_book"

    def arrivals(self, pair: Row) -> int:
        return 1

    def doc_id(self, pair: Row) -> str | None:
        return str(pair["source"]["doc_id"])

    def requests(self, pair: Row) -> list[Request]:
        """Ask the question `settings.samples` times, and show nothing else."""
        variables = {"question": pair["question"]}
        request = Request(
            stage=self.stage,
            variables=variables,
            messages=self.prompts.render(self.stage, variables),
            schema=json_schema(self.stage),
            prompt=self.prompts.fingerprint(self.stage),
            repair=self.prompts.repair,
        )
        return [dataclasses.replace(request, sample=sample) for sample in range(self.settings.samples)]

    def decide(self, pair: Row, answers: Sequence[Answered | ModelError]) -> Decision[Row]:
        failures = [answer for answer in answers if isinstance(answer, ModelError)]
        counted = [answer for answer in answers if isinstance(answer, Answered) or answer.kind in _WRONG]
        waiting = next((failure for failure in failures if failure.kind in PENDING), None)
        call = _all_calls(answers)
        if waiting is not None:
            return Decision(pending=(waiting.kind,))
        if not counted or call is None:
            failures[0].call = call
            return Decision(failed=(failed(pair, self.stage, failures[0]),))
        passes = sum(_is_right(pair, answer) for answer in counted if isinstance(answer, Answered))
        difficulty = dataclasses.asdict(Difficulty(call.model, len(counted), passes))
        measured = {**asked(pair, self.stage, call), "difficulty": difficulty}
        figures = (f"passes {passes}",)
        if self.settings.drop_all_correct and passes == self.settings.samples:
            no = Reject("answered_closed_book", f"{passes} of {passes} samples")
            return Decision(rejected=(rejected(measured, self.stage, no),), figures=figures)
        return Decision(measured, figures=figures)


def _is_right(pair: Row, answered: Answered) -> bool:
    said = answered.expect(SolveAnswer).answer
    return score(pair["question"], pair["answer"], said, pair["answer_type"], pair["aliases"]).score == 1


def _all_calls(samples: Sequence[Answered | ModelError]) -> Call | None:
    """Return the calls of all samples as one: its key has those of all, a space between."""
    calls = [sample.call for sample in samples if sample.call is not None]
    return dataclasses.replace(calls[0], key=" ".join(call.key for call in calls)) if calls else None
