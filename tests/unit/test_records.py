import pyarrow as pa
import pytest

from schemas.records import text_hashes, text_sha256

TEXTS = ["", "plain", "Straße …", "", "a\nb\x00c"]


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([], pa.string()),
        pa.chunked_array([[], TEXTS], pa.string()),
        pa.chunked_array([TEXTS, TEXTS[1:]], pa.string()),
        pa.chunked_array([TEXTS], pa.string()).slice(1, 3),
        pa.chunked_array([["", ""]], pa.string()),
        pa.table({"text": TEXTS})["text"].take([4, 2]),
    ],
    ids=["empty", "empty chunk", "chunks", "slice", "no characters", "taken"],
)
def test_hashes_of_a_column_are_those_of_its_texts(column: pa.ChunkedArray) -> None:
    assert text_hashes(column) == [text_sha256(text) for text in column.to_pylist()]
