"""Decontaminate: no pair whose question is one of an evaluation set, or none without a mark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from prompts import PromptSet
from schemas.answers import SameAnswer, Stage, json_schema
from schemas.config_filters import DecontaminateSettings
from schemas.records import Contamination, Rejected
from transforms.benchmarks.index import open_indexes
from transforms.benchmarks.nearest import Neighbour, Neighbours, open_neighbours
from transforms.benchmarks.rules import contamination_column, contaminations
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors
from transforms.llm.client import Answered, ClientSettings
from transforms.llm.requests import PENDING, ModelError, Request
from transforms.llm.stage import AskModel, Decision, Reject, Rule, numbered
from transforms.pair_rows import AsTables, Row, asked, failed, rejected
from transforms.state import absolute

STAGE: Final = "decontaminate"
PARAPHRASE: Final = "paraphrase"
"""The rule of what a model has found, beside those of `transforms.benchmarks.rules`."""
CANDIDATES: Final = 3
"""Items that a model compares a question with, over all indexes."""
_COLUMN: Final = "contamination"
_SUSPECTS: Final = "suspects"

Found = Mapping[int, tuple[Contamination, ...]]
"""What contaminates each row that is contaminated."""


def shown(items: Sequence[Contamination]) -> str:
    """Return what contaminates a question in words: `gsm8k: overlap 0.8712`, each benchmark's after a semicolon."""
    return "; ".join(f"{item.benchmark}: {item.rule} {item.score:.4f}" for item in items)


def figures(items: Sequence[Contamination]) -> list[str]:
    """Return the figures that a pair counts for: `BENCHMARK/RULE`, one a benchmark."""
    return [f"{item.benchmark}/{item.rule}" for item in items]


def marked(pairs: pa.Table, found: Found) -> pa.Table:
    """Return the pairs with what contaminates them in the column `contamination`."""
    column = contamination_column(found, pairs.num_rows)
    return pairs.set_column(pairs.schema.get_field_index(_COLUMN), _COLUMN, column)


def contaminated(pair: Row, items: Sequence[Contamination]) -> Rejected:
    """Return the row of `rejected/` of a pair whose question is an evaluation set's."""
    return rejected(pair, STAGE, Reject("contaminated", shown(items)))


@dataclass(frozen=True, slots=True)
class Suspect:
    """A pair that no rule finds contaminated, and the items that its question is likest to, the likest first."""

    pair: Row
    items: tuple[Neighbour, ...]


@dataclass(frozen=True)
class AskSame(Rule[Suspect]):
    """Asks a model whether a question is one of an evaluation set in other words; such a pair counts as contaminated.

    Its rule is `paraphrase`, its score the likeness of the two questions' words.
    """

    prompts: PromptSet
    settings: DecontaminateSettings
    stage: Stage = "decontaminate"

    def arrivals(self, suspect: Suspect) -> int:
        return 1

    def doc_id(self, suspect: Suspect) -> str | None:
        return str(suspect.pair["source"]["doc_id"])

    def requests(self, suspect: Suspect) -> list[Request]:
        """Ask about all items in one request."""
        variables = {
            "question": json.dumps(suspect.pair["question"], ensure_ascii=False),
            "items": numbered({"question": item.question} for item in suspect.items),
        }
        return [
            Request(
                stage=self.stage,
                variables=variables,
                messages=self.prompts.render(self.stage, variables),
                schema=json_schema(self.stage),
                prompt=self.prompts.fingerprint(self.stage),
                repair=self.prompts.repair,
                count=len(suspect.items),
            )
        ]

    def decide(self, suspect: Suspect, answers: Sequence[Answered | ModelError]) -> Decision[Suspect]:
        (answered,) = answers
        if isinstance(answered, ModelError):
            if answered.kind in PENDING:
                return Decision(pending=(answered.kind,))
            return Decision(failed=(failed(suspect.pair, STAGE, answered),))
        number = answered.expect(SameAnswer).number
        suspect = Suspect(asked(suspect.pair, STAGE, answered.call), suspect.items)
        if number == 0:
            return Decision(suspect)
        item = suspect.items[number - 1]
        found = (Contamination(item.benchmark, PARAPHRASE, round(item.score, 4)),)
        if self.settings.on_contaminated == "drop":
            return Decision(rejected=(contaminated(suspect.pair, found),), figures=tuple(figures(found)))
        pair = {**suspect.pair, _COLUMN: [dataclasses.asdict(one) for one in found]}
        return Decision(Suspect(pair, suspect.items), figures=tuple(figures(found)))


def likest(neighbours: Sequence[Neighbours], questions: Sequence[str]) -> list[tuple[Neighbour, ...]]:
    """Return the items that a model is to compare each question with, over all of at least one index."""
    near = zip(*(each.nearest(questions, CANDIDATES) for each in neighbours), strict=True)
    ranked = [sorted((one for items in each for one in items), key=lambda one: -one.score) for each in near]
    return [tuple(items[:CANDIDATES]) for items in ranked]


class Decontaminate(beam.PTransform):
    """Tables of `Pair` -> `Doors` whose kept elements are such tables.

    Rejected: `contaminated`, whose value says by which benchmarks, where the settings say drop. Where they say mark,
    every pair is kept and the column `contamination` is filled.

    The stage's figures `BENCHMARK/RULE` are how many pairs a rule has found to be the benchmark's, whatever becomes of
    them; a pair counts once for each benchmark.

    Args:
      paraphrases: how a model is asked about what no rule finds, and how that is called; null asks none.
    """

    def __init__(
        self, settings: DecontaminateSettings, paraphrases: tuple[AskSame, ClientSettings] | None = None
    ) -> None:
        super().__init__()
        # Wherever a worker's own directory is.
        here = tuple(map(absolute, settings.benchmarks))
        self.settings = settings.model_copy(update={"benchmarks": here})
        self.paraphrases = paraphrases

    def expand(self, pairs: Any) -> Doors:
        compare = _Compare(self.settings, suspect=self.paraphrases is not None)
        compared = pairs | "Compare" >> beam.ParDo(compare).with_outputs(*SIDE_DOORS, _SUSPECTS, main="kept")
        by_rule = doors(compared)
        if self.paraphrases is None:
            return by_rule
        by_model = compared[_SUSPECTS] | "AskSame" >> AskModel(*self.paraphrases)
        tables = by_model.kept | "Pairs" >> beam.Map(lambda suspect: suspect.pair) | AsTables()
        both = zip(("Kept", "Rejected", "Errors", "Counts"), by_rule[:4], (tables, *by_model[1:4]), strict=True)
        kept, rejected, errors, counts = (parts | name >> beam.Flatten() for name, *parts in both)
        return Doors(kept, rejected, errors, counts, by_model.pending)


class _Compare(LedgerDoFn):
    """Table of pairs -> table of those that stay; `Suspect`s apart, which are counted where they are asked about."""

    stage = STAGE

    def __init__(self, settings: DecontaminateSettings, *, suspect: bool) -> None:
        self.settings = settings
        self.suspect = suspect

    def setup(self) -> None:
        self.indexes = open_indexes(self.settings.benchmarks)
        self.neighbours = [open_neighbours(path) for path in self.settings.benchmarks] if self.suspect else []

    def process(self, pairs: pa.Table) -> Iterator[Any]:
        found = contaminations(self.indexes, pairs["question"], pairs["answer"])
        suspects = self._suspects(pairs, found)
        for row, items in suspects.items():
            yield TaggedOutput(_SUSPECTS, Suspect(pairs.slice(row, 1).to_pylist()[0], items))
        self.ledger.count("in", pairs.num_rows - len(suspects))
        for name in (name for items in found.values() for name in figures(items)):
            self.ledger.figure(name, 1)
        gone = set(suspects)
        if self.settings.on_contaminated == "drop":
            gone |= set(found)
            rows = sorted(found)
            dropped = pairs.take(pa.array(rows, pa.int64())).to_pylist()
            self.ledger.reject([contaminated(pair, found[row]) for row, pair in zip(rows, dropped, strict=True)])
        else:
            pairs = marked(pairs, found)
        kept = pairs.take(pa.array(np.setdiff1d(np.arange(pairs.num_rows), sorted(gone)).astype(np.int64)))
        self.ledger.count("kept", kept.num_rows)
        yield from self.ledger.flush()
        if kept.num_rows:
            yield kept

    def _suspects(self, pairs: pa.Table, found: Found) -> dict[int, tuple[Neighbour, ...]]:
        """Return the items that each pair is likest to which no rule has found, where there are any."""
        if not self.neighbours:
            return {}
        items = likest(self.neighbours, [question or "" for question in pairs["question"].to_pylist()])
        return {row: those for row, those in enumerate(items) if those and row not in found}
