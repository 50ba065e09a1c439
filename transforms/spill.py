"""SpillDocuments: survivors are written once to scratch Parquet; the model stages take them from there by reference."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from typing import Any, Final

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.elements import CorpusPlan, Selection, Spill
from schemas.records import Document, Source, text_sha256
from transforms.files import read_documents, read_spill, replacing
from transforms.text.cut import cut

GROUP_ROWS: Final = 64
"""Documents per scratch row group: small enough to spread paid calls over workers, large enough to read well."""
_WRITTEN: Final = "written_sha256"
"""Column of the hash of what was written, which may be less than the text."""
_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("text", _WRITTEN, "doc_id", "path", "text_sha256")),
        *((name, pa.string()) for name in ("url", "license", "dataset")),
        *((name, pa.int64()) for name in ("row_group", "row", "read_chars")),
    ]
)


class SpillDocuments(beam.PTransform):
    """Write the selected rows of the corpus to `scratch` and read them back where they are needed.

    Input: `Selection`s. Output: `Document`s, whose text is checked against its hash; a Reshuffle of the references lies
    between, so that one worker's documents can be another's calls.

    Args:
      scratch: the run's own directory.
      tokens: tokens of a text, about, that the models are given (see `text.cut`); null for all.
    """

    def __init__(self, plan: CorpusPlan, scratch: str, tokens: int | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.scratch = scratch
        self.tokens = tokens

    def expand(self, selections: Any) -> Any:
        return (
            selections
            | "Write" >> beam.ParDo(_WriteScratch(self.plan, self.scratch, self.tokens))
            | "Spread" >> beam.Reshuffle()
            | "ReadBack" >> beam.FlatMap(read_spilled)
        )


class _WriteScratch(beam.DoFn):
    """Selection -> Spills of at most `GROUP_ROWS` documents each."""

    def __init__(self, plan: CorpusPlan, scratch: str, tokens: int | None) -> None:
        self.plan = plan
        self.scratch = scratch
        self.tokens = tokens

    def process(self, selection: Selection) -> Iterator[Spill]:
        path = f"{self.scratch}/documents/{uuid.uuid4().hex}.parquet"
        sizes = []
        # Statistics of texts hold whole texts: they made such a file two thirds longer, and its footer eight times.
        with (
            replacing(path) as stream,
            pq.ParquetWriter(stream, _SCHEMA, compression="zstd", write_statistics=False) as writer,
        ):
            for rows in _chunks(spill_rows(self.plan, selection, self.tokens)):
                writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
                sizes.append(len(rows))
        for number, size in enumerate(sizes):
            yield Spill(path, number, size)


def spill_rows(plan: CorpusPlan, selection: Selection, tokens: int | None) -> Iterator[dict[str, Any]]:
    """Yield the selected documents as rows of a scratch file."""
    group = plan.group(selection.group)
    for row, document in read_documents(plan, group, selection.rows):
        given = document["text"] if tokens is None else cut(document["text"], tokens)
        whole = text_sha256(document["text"])
        shorter = len(given) < len(document["text"])
        yield {
            **document,
            "text": given,
            _WRITTEN: text_sha256(given) if shorter else whole,
            "read_chars": len(given) if shorter else None,
            "path": group.path,
            "row_group": group.number,
            "row": row,
            "text_sha256": whole,
        }


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(itertools.islice(rows, GROUP_ROWS)):
        yield chunk


def read_spilled(spill: Spill) -> Iterator[Document]:
    """Yield the documents of a scratch row group.

    Raises:
      ValueError: a text is not the one that was written.
    """
    for row in read_spill(spill).to_pylist():
        text = row.pop("text")
        if text_sha256(text) != row.pop(_WRITTEN):
            raise ValueError(f"{spill.path}: the text of {row['doc_id']!r} has changed since it was written; run again")
        yield Document(Source(**row), text)
