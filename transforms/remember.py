"""RememberRun: what a run leaves for later ones, from what became of each document that a model was asked about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.config import STAGES
from schemas.config_filters import DedupSettings
from schemas.elements import CorpusPlan
from schemas.records import text_sha256
from transforms.files import read_rows
from transforms.minhash import halves, shingle_hashes, signature
from transforms.state import DOCUMENTS, ERROR, KEPT, QUESTIONS, REJECTED, SUPERSEDED
from transforms.text.c4 import clean

_REMEMBERED: Final = STAGES[STAGES.index("screen") :]
"""Whom a rule turned away is judged anew each time: that is cheap, and what it duplicated may be gone by then."""
_OUTCOMES: Final = (REJECTED, ERROR, KEPT)
"""In ascending order: of what is said of a document and its pairs, the highest counts."""


class Fates(NamedTuple):
    """What one door said of some documents of a row group.

    Attributes:
      rows: their rows within it.
      outcome: place in `_OUTCOMES`.
      pair_ids: their pairs, one a row; empty unless kept.
    """

    rows: tuple[int, ...]
    outcome: int
    pair_ids: tuple[str, ...]


class RememberRun(beam.PTransform):
    """The tables of `qa`, `rejected`, `errors` and `superseded`, a dict of PCollections -> (directory, table).

    The directories are `documents` and `questions` of a state, with the columns of `transforms.state`.

    Args:
      normalised: brings questions and answers into the form in which they are compared.
    """

    def __init__(self, plan: CorpusPlan, settings: DedupSettings, normalised: Any) -> None:
        super().__init__()
        self.plan = plan
        self.settings = settings
        self.normalised = normalised

    def expand(self, doors: dict[str, Any]) -> Any:
        fates = [
            doors[name] | f"Fates of {name}" >> beam.ParDo(_ToFates(self.plan, _OUTCOMES.index(outcome)))
            for name, outcome in (("rejected", REJECTED), ("errors", ERROR), ("qa", KEPT))
        ]
        documents = (
            fates
            | "AllFates" >> beam.Flatten()
            | "ByRowGroup" >> beam.GroupByKey()
            | "Documents" >> beam.ParDo(_Documents(self.plan, self.settings))
        )
        superseded = doors["superseded"] | "Superseded" >> beam.Map(tombstones)
        questions = doors["qa"] | "Questions" >> beam.Map(self._questions)
        return (
            (documents | "As documents" >> beam.Map(lambda table: ("documents", table))),
            (superseded | "As tombstones" >> beam.Map(lambda table: ("documents", table))),
            (questions | "As questions" >> beam.Map(lambda table: ("questions", table))),
        ) | "Tables" >> beam.Flatten()

    def _questions(self, pairs: pa.Table) -> pa.Table:
        columns = {name: list(map(self.normalised, pairs[name].to_pylist())) for name in ("question", "answer")}
        return pa.table({"pair_id": pairs["id"], **columns}, schema=QUESTIONS)


class _ToFates(beam.DoFn):
    """Table of `Pair`, `Rejected` or `Failed` -> (row group, Fates)."""

    def __init__(self, plan: CorpusPlan, outcome: int) -> None:
        self.plan = plan
        self.outcome = outcome

    def setup(self) -> None:
        self.index_of = self.plan.index_of()

    def process(self, table: pa.Table) -> Iterator[tuple[int, Fates]]:
        if "stage" in table.column_names:
            table = table.filter(pc.is_in(table["stage"], pa.array(_REMEMBERED)))
        by_group: dict[int, list[tuple[int, str]]] = {}
        names = table["id"] if "id" in table.column_names else pa.nulls(table.num_rows)
        places = (pc.struct_field(table["source"], name).to_pylist() for name in ("path", "row_group", "row"))
        for path, number, row, name in zip(*places, names.to_pylist(), strict=True):
            by_group.setdefault(self.index_of[path, number], []).append((row, name))
        for group, found in by_group.items():
            rows, pair_ids = zip(*found, strict=True)
            yield group, Fates(rows, self.outcome, pair_ids if self.outcome == _OUTCOMES.index(KEPT) else ())


class _Documents(beam.DoFn):
    """(row group, its Fates) -> tables of `transforms.state.DOCUMENTS`."""

    def __init__(self, plan: CorpusPlan, settings: DedupSettings) -> None:
        self.plan = plan
        self.permutations = settings.bands * settings.rows

    def process(self, element: tuple[int, Iterable[Fates]]) -> Iterator[pa.Table]:
        outcomes: dict[int, int] = {}
        pairs: dict[int, list[str]] = {}
        for fates in element[1]:
            for row in fates.rows:
                outcomes[row] = max(fates.outcome, outcomes.get(row, fates.outcome))
            if fates.pair_ids:
                for row, pair_id in zip(fates.rows, fates.pair_ids, strict=True):
                    pairs.setdefault(row, []).append(pair_id)
        wanted = np.array(sorted(outcomes), np.int64)
        for first, raw in read_rows(self.plan, self.plan.group(element[0])):
            rows = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + raw.num_rows)]
            picked = raw.select(["id", "text"]).take(pa.array(rows - first)).to_pylist()
            found = [
                self._row(document, _OUTCOMES[outcomes[row]], sorted(pairs.get(row, ())))
                for row, document in zip(rows.tolist(), picked, strict=True)
            ]
            if found:
                yield pa.Table.from_pylist(found, schema=DOCUMENTS)

    def _row(self, document: dict[str, str], outcome: str, pair_ids: list[str]) -> dict[str, Any]:
        row: dict[str, Any] = {
            "doc_id": document["id"],
            "source_sha256": text_sha256(document["text"]),
            "outcome": outcome,
            "pair_ids": pair_ids,
        }
        if outcome == KEPT:
            text = document["text"] if self.plan.clean is None else clean(document["text"], self.plan.clean)
            shingles = shingle_hashes(text)
            row |= {"text_sha256": text_sha256(text), "length": len(text)}
            row |= {"signature": signature(shingles, self.permutations), "shingles": halves(shingles)}
        return row


def tombstones(superseded: pa.Table) -> pa.Table:
    """Return tables of `Superseded` as rows of `transforms.state.DOCUMENTS`."""
    columns = {
        "doc_id": superseded["doc_id"],
        "source_sha256": superseded["text_sha256"],
        "outcome": pa.array([SUPERSEDED] * superseded.num_rows, pa.string()),
        "pair_ids": superseded["pair_ids"],
    }
    rows = superseded.num_rows
    return pa.table({field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in DOCUMENTS}, DOCUMENTS)
