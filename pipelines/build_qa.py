"""The figure: corpus Parquet in, question-answer Parquet out. `python -m pipelines.build_qa` is `webscale-rl run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from prompts import PromptSet
from schemas.config import RunConfig
from schemas.elements import CorpusPlan
from transforms.checks import CheckRules
from transforms.classify import ClassifyDomain
from transforms.commit import CommitRun, RunFacts
from transforms.dedup import DropNearDuplicates
from transforms.documents import SelectBatches, SelectDocuments, WriteDocuments
from transforms.generate import GenerateQA
from transforms.heuristics import FilterHeuristics
from transforms.judge import JudgeQA
from transforms.ledger import Doors
from transforms.llm.client import ClientSettings
from transforms.llm.stage import AskModel
from transforms.pairs import ReadPairs, SpillPairs
from transforms.questions import DropDuplicateQuestions
from transforms.read import ReadCorpus
from transforms.screen import ScreenDocuments
from transforms.spill import SpillDocuments
from transforms.write import WriteRecords


@dataclass(frozen=True, slots=True)
class Run:
    """All that the graph is built from: the configuration and what the client found out before it started."""

    config: RunConfig
    plan: CorpusPlan
    prompts: PromptSet
    client: ClientSettings
    facts: RunFacts


class SideDoors:
    """Collects what every stage turns away, fails on and counts, until the last step takes it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rejected: list[Any] = []
        self.errors: list[Any] = []
        self.counts: list[Any] = []

    def past(self, stage: Doors) -> Any:
        """Keep a stage's side doors and return what goes on."""
        self.rejected.append(stage.rejected)
        self.errors.append(stage.errors)
        self.counts.append(stage.counts)
        return stage.kept

    def documents(self, selections: Any) -> Any:
        """End the run with `documents/`."""
        written = selections | "WriteDocuments" >> WriteDocuments(
            self.run.plan, self.run.facts.output, self.run.facts.run_id
        )
        return self._commit([], [written], [])

    def pairs(self, tables: Any, directory: str = "pairs") -> Any:
        """End the run with `pairs/` or `qa/`."""
        return self._commit([tables | f"As {directory}" >> beam.Map(lambda table: (directory, table))], [], [directory])

    def _commit(self, tables: list[Any], written: list[Any], directories: list[str]) -> Any:
        rejected = self.rejected | "Rejected" >> beam.Flatten() | "As rejected" >> beam.Map(lambda t: ("rejected", t))
        errors = self.errors | "Errors" >> beam.Flatten() | "As errors" >> beam.Map(lambda t: ("errors", t))
        rows = [rejected, errors, *tables] | "Rows" >> beam.Flatten()
        facts = self.run.facts
        shards = rows | "WriteQA" >> WriteRecords(facts.output, facts.run_id, [*directories, "rejected", "errors"])
        counts = self.counts | "Counts" >> beam.Flatten()
        all_shards = [shards, *written] | "Shards" >> beam.Flatten()
        return (counts, all_shards) | "CommitRun" >> CommitRun(self.run.facts)


def build_qa(pipeline: beam.Pipeline, run: Run) -> Any:
    """Add the figure to a pipeline, up to the stage `until` names; the output's one element is the manifest."""
    config, plan, prompts = run.config, run.plan, run.prompts
    ends, doors = config.until, SideDoors(run)

    batches = doors.past(pipeline | "ReadCorpus" >> ReadCorpus(plan))
    batches = doors.past(batches | "FilterHeuristics" >> FilterHeuristics(config.filters))
    if ends == "filter":
        return doors.documents(batches | SelectBatches())
    selections = doors.past(batches | "DropNearDuplicates" >> DropNearDuplicates(plan, config.dedup))
    if ends == "dedup":
        return doors.documents(selections)

    documents = selections | "SpillDocuments" >> SpillDocuments(plan, run.facts.scratch)
    documents = doors.past(documents | "ScreenDocuments" >> AskModel(ScreenDocuments(prompts), run.client))
    if ends == "screen":
        return doors.documents(documents | SelectDocuments(plan))
    documents = doors.past(documents | "ClassifyDomain" >> AskModel(ClassifyDomain(prompts), run.client))
    if ends == "classify":
        return doors.documents(documents | SelectDocuments(plan))

    documents = doors.past(documents | "GenerateQA" >> AskModel(GenerateQA(prompts), run.client))
    if ends != "generate":
        documents = doors.past(documents | "CheckRules" >> CheckRules(config.checks))
    if ends not in ("generate", "check"):
        documents = doors.past(documents | "JudgeQA" >> AskModel(JudgeQA(prompts), run.client))
    pairs = documents | "SpillPairs" >> SpillPairs(run.facts.scratch)
    if ends in ("generate", "check", "judge"):
        return doors.pairs(pairs | ReadPairs())
    pairs = doors.past(pairs | "DropDuplicateQuestions" >> DropDuplicateQuestions())
    return doors.pairs(pairs, "pairs" if ends else "qa")


if __name__ == "__main__":
    import sys

    from pipelines.cli import main

    sys.exit(main(["run", *sys.argv[1:]]))
