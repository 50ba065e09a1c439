"""The figure: corpus Parquet in, question-answer Parquet out. `python -m pipelines.build_qa` is `webscale-rl run`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

from pipelines.doors import Run, SideDoors
from transforms.checks import CheckRules
from transforms.classify import ClassifyDomain
from transforms.closed_book import ClosedBook
from transforms.decontaminate import AskSame, Decontaminate
from transforms.dedup import DropNearDuplicates
from transforms.documents import SelectBatches, SelectDocuments
from transforms.generate import GenerateQA
from transforms.heuristics import FilterHeuristics
from transforms.judge import JudgeQA
from transforms.llm.stage import AskModel
from transforms.pair_rows import AsRows, AsTables
from transforms.pairs import ReadPairs, SpillPairs
from transforms.questions import DropDuplicateQuestions
from transforms.read import ReadCorpus
from transforms.round_trip import RoundTrip
from transforms.screen import ScreenDocuments
from transforms.spill import SpillDocuments
from transforms.unchanged import DropUnchanged


def build_qa(pipeline: beam.Pipeline, run: Run) -> Any:
    """Add the figure to a pipeline, up to the stage `until` names; the output's one element is the manifest."""
    config, plan, prompts, state = run.config, run.plan, run.prompts, run.facts.state
    ends, stages, calls, doors = config.until, config.stages, config.calls, SideDoors(run)

    batches = doors.past(pipeline | "ReadCorpus" >> ReadCorpus(plan))
    if state is not None:
        batches = doors.past_earlier(batches | "DropUnchanged" >> DropUnchanged(plan, state))
    batches = doors.past(batches | "FilterHeuristics" >> FilterHeuristics(config.filters))
    if ends == "filter":
        return doors.documents(batches | SelectBatches())
    selections = doors.past(batches | "DropNearDuplicates" >> DropNearDuplicates(plan, config.dedup, doors.earlier))
    if ends == "dedup":
        return doors.documents(selections)

    documents = selections | "SpillDocuments" >> SpillDocuments(plan, run.facts.scratch, config.max_document_tokens)
    documents = doors.past(documents | "ScreenDocuments" >> AskModel(ScreenDocuments(prompts, calls), run.client))
    if ends == "screen":
        return doors.documents(documents | SelectDocuments(plan))
    documents = doors.past(documents | "ClassifyDomain" >> AskModel(ClassifyDomain(prompts, calls), run.client))
    if ends == "classify":
        return doors.documents(documents | SelectDocuments(plan))

    documents = doors.past(documents | "GenerateQA" >> AskModel(GenerateQA(prompts, calls), run.client))
    if "check" in stages:
        documents = doors.past(documents | "CheckRules" >> CheckRules(config.checks))
    if "judge" in stages:
        documents = doors.past(documents | "JudgeQA" >> AskModel(JudgeQA(prompts, calls), run.client))
    if "round_trip" in stages:
        documents = doors.past(documents | "RoundTrip" >> AskModel(RoundTrip(prompts), run.client))
    pairs = documents | "SpillPairs" >> SpillPairs(run.facts.scratch)
    if "questions" not in stages:
        return doors.pairs(pairs | ReadPairs())
    compare = DropDuplicateQuestions(config.dedup, plan.rows, doors.earlier)
    pairs = doors.past(pairs | "DropDuplicateQuestions" >> compare)
    if "decontaminate" in stages and config.decontaminate is not None:
        asked = "decontaminate" in config.asked
        paraphrases = (AskSame(prompts, config.decontaminate), run.client) if asked else None
        pairs = doors.past(pairs | "Decontaminate" >> Decontaminate(config.decontaminate, paraphrases))
    if "closed_book" in stages:
        solve = AskModel(ClosedBook(prompts, config.closed_book), run.client)
        pairs = doors.past(pairs | AsRows() | "ClosedBook" >> solve) | AsTables()
    return doors.pairs(pairs) if ends else doors.qa(pairs)


if __name__ == "__main__":
    import sys

    from pipelines.cli import main

    sys.exit(main(["run", *sys.argv[1:]]))
