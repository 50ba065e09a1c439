"""What the model stages are given of a document."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from schemas.config import Columns
from schemas.elements import Selection, Spill
from schemas.records import text_sha256
from tests.support import collect, write_corpus
from transforms.files import write_parquet
from transforms.read import plan_corpus
from transforms.spill import SpillDocuments, read_spilled, spill_rows

LONG = "The bridge at Arden was opened in 1901. " * 20
SHORT = "The bridge at Arden is gone."


@pytest.mark.parametrize("tokens", [None, 100])
def test_a_long_document_is_cut_and_says_so(tmp_path: Path, tokens: int | None) -> None:
    plan = plan_corpus([write_corpus(tmp_path / "a.parquet", [SHORT, LONG])], Columns())
    selection = Selection(0, np.array([0, 1], np.int32))
    documents = collect(
        lambda pipeline: {"out": pipeline | beam.Create([selection]) | SpillDocuments(plan, str(tmp_path), tokens)}
    )["out"]
    short, long = sorted(documents, key=lambda document: document.source.row)
    assert (short.text, short.source.read_chars) == (SHORT, None)
    if tokens is None:
        assert (long.text, long.source.read_chars) == (LONG, None)
    else:
        assert long.text == LONG[: long.source.read_chars] and 150 <= len(long.text) <= 300
        assert long.text.endswith("1901.")
    assert long.source.text_sha256 == text_sha256(LONG)


def test_what_has_changed_since_it_was_written_is_refused(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "a.parquet", [LONG])
    plan = plan_corpus([path], Columns())
    (row,) = spill_rows(plan, Selection(0, np.array([0], np.int32)), 100)
    table = pa.Table.from_pylist([{**row, "text": LONG}])
    write_parquet(str(tmp_path / "spilled.parquet"), table)
    with pytest.raises(ValueError, match="the text of 'a-0' has changed since it was written; run again"):
        list(read_spilled(Spill(str(tmp_path / "spilled.parquet"), 0, 1)))
