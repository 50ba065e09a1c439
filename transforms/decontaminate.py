"""Decontaminate: no pair whose question is one of an evaluation set, or none without a mark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import apache_beam as beam
import numpy as np
import pyarrow as pa

from schemas.config_filters import DecontaminateSettings
from schemas.records import Contamination, Pair, Rejected, Source, StageNames, arrow_schema
from transforms.benchmarks.index import open_indexes
from transforms.benchmarks.rules import contaminations
from transforms.ledger import SIDE_DOORS, Doors, LedgerDoFn, doors

STAGE: Final = "decontaminate"
_COLUMN: Final = "contamination"
_TYPE: Final = arrow_schema(Pair).field(_COLUMN).type

Found = Mapping[int, tuple[Contamination, ...]]
"""What contaminates each row that is contaminated."""


def shown(items: tuple[Contamination, ...]) -> str:
    """Return what contaminates a question in words: `gsm8k: overlap 0.8712`, each benchmark's after a semicolon."""
    return "; ".join(f"{item.benchmark}: {item.rule} {item.score:.4f}" for item in items)


def marked(pairs: pa.Table, found: Found) -> pa.Table:
    """Return the pairs with what contaminates them in the column `contamination`."""
    rows = [
        [{"benchmark": item.benchmark, "rule": item.rule, "score": item.score} for item in found.get(row, ())]
        for row in range(pairs.num_rows)
    ]
    return pairs.set_column(pairs.schema.get_field_index(_COLUMN), _COLUMN, pa.array(rows, _TYPE))


class Decontaminate(beam.PTransform):
    """Tables of `Pair` -> `Doors` whose kept elements are such tables.

    Rejected: `contaminated`, whose value says by which benchmarks, where the settings say drop. Where they say mark,
    every pair is kept and the column `contamination` is filled.

    The stage's figures `BENCHMARK/RULE` are how many pairs a rule has found to be the benchmark's, whatever becomes of
    them; a pair counts once for each benchmark.
    """

    def __init__(self, settings: DecontaminateSettings) -> None:
        super().__init__()
        self.settings = settings

    def expand(self, pairs: Any) -> Doors:
        return doors(pairs | "Compare" >> beam.ParDo(_Compare(self.settings)).with_outputs(*SIDE_DOORS, main="kept"))


class _Compare(LedgerDoFn):
    """Table of pairs -> table of those that stay."""

    stage = STAGE

    def __init__(self, settings: DecontaminateSettings) -> None:
        self.settings = settings

    def setup(self) -> None:
        self.indexes = open_indexes(self.settings.benchmarks)

    def process(self, pairs: pa.Table) -> Iterator[Any]:
        self.ledger.count("in", pairs.num_rows)
        found = contaminations(self.indexes, pairs["question"], pairs["answer"])
        for item in (item for items in found.values() for item in items):
            self.ledger.figure(f"{item.benchmark}/{item.rule}", 1)
        if self.settings.on_contaminated == "mark":
            kept = marked(pairs, found)
        else:
            rows = sorted(found)
            dropped = pairs.take(pa.array(rows, pa.int64())).to_pylist()
            self.ledger.reject([_rejected(pair, found[row]) for row, pair in zip(rows, dropped, strict=True)])
            kept = pairs.take(pa.array(np.setdiff1d(np.arange(pairs.num_rows), rows).astype(np.int64)))
        self.ledger.count("kept", kept.num_rows)
        yield from self.ledger.flush()
        if kept.num_rows:
            yield kept


def _rejected(pair: Mapping[str, Any], items: tuple[Contamination, ...]) -> Rejected:
    return Rejected(
        doc_id=pair["source"]["doc_id"],
        pair_id=pair["id"],
        stage=STAGE,
        reason="contaminated",
        value=shown(items),
        source=Source(**pair["source"]),
        question=pair["question"],
        answer=pair["answer"],
        calls=StageNames(**pair["calls"]),
    )
