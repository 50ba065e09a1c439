"""Pairs one by one, for the stages behind the comparison of questions that ask a model: rows of their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import apache_beam as beam
import pyarrow as pa

from schemas.records import Call, Failed, Pair, Rejected, Source, StageNames, arrow_schema
from transforms.ledger import windowed
from transforms.llm.requests import ModelError
from transforms.llm.stage import Reject

Row = Mapping[str, Any]
"""A row of `Pair` as plain values."""
_TABLE_ROWS: Final = 500


def asked(pair: Row, stage: str, call: Call) -> Row:
    """Return a pair that says how a stage asked a model about it."""
    told = {"models": call.model, "prompts": call.prompt, "calls": call.key}
    return {**pair, **{column: {**pair[column], stage: name} for column, name in told.items()}}


def rejected(pair: Row, stage: str, no: Reject) -> Rejected:
    """Return the row of `rejected/` of a pair that a rule turned away."""
    return Rejected(
        doc_id=pair["source"]["doc_id"],
        pair_id=pair["id"],
        stage=stage,
        reason=no.reason,
        value=no.value,
        source=Source(**pair["source"]),
        question=pair["question"],
        answer=pair["answer"],
        calls=StageNames(**pair["calls"]),
    )


def failed(pair: Row, stage: str, error: ModelError) -> Failed:
    """Return the row of `errors/` of a pair about which a model gave no answer."""
    pair = pair if error.call is None else asked(pair, stage, error.call)
    return Failed(
        doc_id=pair["source"]["doc_id"],
        pair_id=pair["id"],
        stage=stage,
        error=error.kind.value,
        message=str(error),
        attempts=error.attempts,
        source=Source(**pair["source"]),
        calls=StageNames(**pair["calls"]),
    )


class AsRows(beam.PTransform):
    """Tables of `Pair` -> their rows."""

    def expand(self, pairs: Any) -> Any:
        return pairs | "Rows" >> beam.FlatMap(pa.Table.to_pylist)


class AsTables(beam.PTransform):
    """Rows of `Pair` -> tables of at most 500 of them."""

    def expand(self, rows: Any) -> Any:
        return rows | "Gather" >> beam.ParDo(_Gather())


class _Gather(beam.DoFn):
    """Row -> table of a bundle's rows."""

    def start_bundle(self) -> None:
        self.rows: list[Row] = []

    def process(self, row: Row) -> Iterator[pa.Table]:
        self.rows.append(row)
        if len(self.rows) == _TABLE_ROWS:
            yield self._table()

    def finish_bundle(self) -> Iterator[Any]:
        if self.rows:
            yield windowed(self._table())

    def _table(self) -> pa.Table:
        table = pa.Table.from_pylist([dict(row) for row in self.rows], schema=arrow_schema(Pair))
        self.rows = []
        return table
