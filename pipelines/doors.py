"""How a run ends: the side doors of all stages, and what is written beside what is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from prompts import PromptSet
from schemas.config import RunConfig
from schemas.elements import CorpusPlan
from transforms.commit import STATE, CommitRun, RunFacts
from transforms.documents import WriteDocuments
from transforms.ledger import Doors
from transforms.lineage import LogCounts
from transforms.llm.client import ClientSettings
from transforms.questions import normalised
from transforms.remember import RememberRun
from transforms.state import GROUP_ROWS, SCHEMAS, State
from transforms.unchanged import News
from transforms.write import OUTPUTS, WriteRecords


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
        self.pending: list[Any] = []
        self.counts: list[Any] = []
        self.news: News | None = None

    def past(self, stage: Doors) -> Any:
        """Keep a stage's side doors and return what goes on."""
        self.rejected.append(stage.rejected)
        self.errors.append(stage.errors)
        self.counts.append(stage.counts)
        if stage.pending is not None:
            self.pending.append(stage.pending)
        return stage.kept

    def past_earlier(self, news: News) -> Any:
        """Keep what a run has found out about earlier ones and return what is new."""
        self.news = news
        return self.past(news.doors)

    @property
    def earlier(self) -> tuple[State, Any] | None:
        """The documents and pairs of earlier runs to compare with: the state and what is gone of it."""
        return None if self.news is None else (self.news.state, self.news.gone)

    def documents(self, selections: Any) -> Any:
        """End the run with `documents/`."""
        facts = self.run.facts
        return self._commit(self._tables(), selections | WriteDocuments(self.run.plan, facts.output, facts.run_id))

    def pairs(self, tables: Any) -> Any:
        """End the run with `pairs/`."""
        return self._commit({"pairs": tables, **self._tables()})

    def qa(self, tables: Any) -> Any:
        """End the run with `qa/`, the only end that later runs may remember."""
        written = {"qa": tables, **self._tables()}
        if self.news is None:
            return self._commit(written)
        facts = self.run.facts
        remembered = (
            written
            | "RememberRun" >> RememberRun(self.run.plan, self.run.config.dedup, normalised)
            | "WriteState" >> WriteRecords(facts.output, facts.run_id, SCHEMAS, f"{facts.scratch}/{STATE}", GROUP_ROWS)
            | "Name" >> beam.MapTuple(lambda directory, rows: (f"{STATE}/{directory}", rows))
        )
        return self._commit(written, remembered)

    def _tables(self) -> dict[str, Any]:
        """Return the tables of the directories that every run has, by their names."""
        tables = {
            "rejected": self.rejected | "Rejected" >> beam.Flatten(),
            "errors": self.errors | "Errors" >> beam.Flatten(),
        }
        if self.pending and self.run.config.llm_mode == "batch":
            tables["pending"] = self.pending | "Pending" >> beam.Flatten()
        return tables if self.news is None else {**tables, "superseded": self.news.superseded}

    def _commit(self, tables: dict[str, Any], *written: Any) -> Any:
        named = [
            table | f"As {name}" >> beam.Map(lambda table, name: (name, table), name) for name, table in tables.items()
        ]
        facts, columns = self.run.facts, {name: OUTPUTS[name] for name in tables}
        shards = named | "Rows" >> beam.Flatten() | "WriteQA" >> WriteRecords(facts.output, facts.run_id, columns)
        counts = self.counts | "Counts" >> beam.Flatten() | "LogCounts" >> LogCounts(facts.run_id)
        all_shards = [shards, *written] | "Shards" >> beam.Flatten()
        return (counts, all_shards) | "CommitRun" >> CommitRun(facts)
