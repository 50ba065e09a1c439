"""SpillPairs: documents fall apart into pairs, which wait in scratch Parquet while their questions are compared."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam

from schemas.elements import Spill
from schemas.records import Call, Document, Pair, Slot, StageNames, to_table
from transforms.files import read_spill, write_parquet
from transforms.ledger import windowed

_GROUP_ROWS: Final = 1000


def to_pair(document: Document, slot: Slot) -> Pair:
    """Return a slot as a row of `qa/`; what the run has not reached is null."""
    calls = (document.screen, document.classify, slot.generate, slot.judge, slot.round_trip)

    def names(attribute: str) -> StageNames:
        return StageNames(*(_attribute(call, attribute) for call in calls))

    return Pair(
        id=slot.pair_id,
        question=slot.question,
        answer=slot.answer,
        aliases=slot.aliases,
        answer_type=slot.answer_type,
        domain=document.domain,
        persona=slot.persona,
        evidence=slot.evidence,
        source=document.source,
        models=names("model"),
        prompts=names("prompt"),
        calls=names("key"),
        checks=slot.checks,
    )


def _attribute(call: Call | None, name: str) -> str | None:
    return None if call is None else getattr(call, name)


class SpillPairs(beam.PTransform):
    """`Document`s -> `Spill`s: scratch files of about 1,000 rows of `Pair` each, in one row group."""

    def __init__(self, scratch: str) -> None:
        super().__init__()
        self.scratch = scratch

    def expand(self, documents: Any) -> Any:
        # Two branches read these references: a runner that computed them twice would get files of other names.
        return documents | "Write" >> beam.ParDo(_WritePairs(self.scratch)) | "Settle" >> beam.Reshuffle()


class _WritePairs(beam.DoFn):
    """Document -> Spill, a file for each thousand pairs of a bundle."""

    def __init__(self, scratch: str) -> None:
        self.scratch = scratch

    def start_bundle(self) -> None:
        self.pairs: list[Pair] = []

    def process(self, document: Document) -> Iterator[Spill]:
        self.pairs.extend(to_pair(document, slot) for slot in document.slots)
        if len(self.pairs) >= _GROUP_ROWS:
            yield self._write()

    def finish_bundle(self) -> Iterator[Any]:
        if self.pairs:
            yield windowed(self._write())

    def _write(self) -> Spill:
        path = f"{self.scratch}/pairs/{uuid.uuid4().hex}.parquet"
        write_parquet(path, to_table(Pair, self.pairs))
        spill = Spill(path, 0, len(self.pairs))
        self.pairs = []
        return spill


class ReadPairs(beam.PTransform):
    """`Spill`s of pairs -> tables of `Pair`."""

    def expand(self, spills: Any) -> Any:
        return spills | "ReadBack" >> beam.Map(read_spill)
