"""Write the demonstration corpus: `examples/documents/*.jsonl` in, `examples/corpus/*.parquet` out.

A line of JSON is a document, `{"id", "text", "url", "license", "dataset"}`; `text` may be null. In place of `text`
a line may have `duplicate_of`, the id of the document it repeats, and `replace`, a list of `[old, new]` edits that make
it a near duplicate. `why` names the reason to drop an unwanted document; it is for tests and readers, and not written.

Run: python examples/make_corpus.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

HERE: Final = Path(__file__).resolve().parent
DOCUMENTS: Final = HERE / "documents"
CORPUS: Final = HERE / "corpus"
SHARDS: Final = 2
ROW_GROUP_ROWS: Final = 32  # small, so that a demonstration crosses row groups and files as a real corpus does
SCHEMA: Final = pa.schema([(name, pa.string()) for name in ("id", "text", "url", "license", "dataset")])


def read_documents(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of every JSONL file of a folder, in the order of names and lines, duplicates given their text.

    Raises:
      ValueError: an id occurs twice, or a duplicate cannot be made.
    """
    documents = [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").strip().split("\n")  # splitlines would also cut at U+2028
    ]
    by_id = {document["id"]: document for document in documents}
    if len(by_id) < len(documents):
        raise ValueError(f"{folder}: {len(documents)} lines but {len(by_id)} ids; give every document its own id")
    return [{**document, "text": text_of(document, by_id)} for document in documents]


def text_of(document: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> str | None:
    """Return a document's own text, or that of the document it duplicates with its edits made.

    Raises:
      ValueError: the original has no text of its own, or an edit's old words do not occur in it exactly once.
    """
    if "duplicate_of" not in document:
        own: str | None = document["text"]
        return own
    text: str | None = by_id.get(document["duplicate_of"], {}).get("text")
    if text is None:
        raise ValueError(f"{document['id']}: {document['duplicate_of']!r} has no text; name a document that has one")
    for old, new in document.get("replace", []):
        if text.count(old) != 1:
            raise ValueError(f"{document['id']}: {old!r} occurs {text.count(old)} times; choose words that occur once")
        text = text.replace(old, new)
    return text


def shards(documents: list[dict[str, Any]]) -> list[pa.Table]:
    """Return the corpus as one table a shard.

    Documents are dealt out in turn, so that a kind with two or more documents is in both shards; then each shard is
    sorted by a hash of the ids, so that the kinds do not stand in blocks.
    """
    dealt = [documents[shard::SHARDS] for shard in range(SHARDS)]
    return [
        pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in sorted(rows, key=mixed)], SCHEMA)
        for rows in dealt
    ]


def mixed(document: dict[str, Any]) -> str:
    """Return a sort key that is fixed for a document and unrelated to its kind."""
    return hashlib.sha256(document["id"].encode("utf-8")).hexdigest()


def main() -> None:
    """Write the shards and say how many documents each holds."""
    CORPUS.mkdir(exist_ok=True)
    for shard, table in enumerate(shards(read_documents(DOCUMENTS))):
        path = CORPUS / f"part-{shard:05d}.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS)
        print(f"{path.name}: {table.num_rows} documents")


if __name__ == "__main__":
    main()
