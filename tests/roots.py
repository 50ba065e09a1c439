"""What the tests of a root share: nights of a corpus, in a directory or a bucket, and what a root holds after them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support import webscale_rl, words
from transforms.files import delete, list_files, open_parquet, read_json, write_parquet

Corpus = Mapping[str, Mapping[str, str]]
"""Text by id, by the name of the file."""


def lay_out(place: str, corpus: Corpus) -> None:
    """Make a corpus what it is on some night; a file whose content stays is not touched."""
    before = {path.rpartition("/")[2]: path for path in list_files(f"{place}/*.parquet")}
    for name, texts in corpus.items():
        table = pa.table({"id": list(texts), "text": list(texts.values())})
        path = f"{place}/{name}.parquet"
        if f"{name}.parquet" not in before or not read_table(path).equals(table):
            write_parquet(path, table)
    delete([path for name, path in before.items() if name.removesuffix(".parquet") not in corpus])


def refresh(place: str, root: str, *flags: str) -> int:
    return webscale_rl("refresh", "--input", f"{place}/*.parquet", "--root", root, *flags)


def ids_file(path: Path, *ids: str) -> str:
    pq.write_table(pa.table({"id": pa.array(ids, pa.string())}), path)
    return str(path)


def catalog_of(root: str) -> dict[str, Any]:
    return dict(read_json(f"{root}/catalog.json"))


def runs_of(root: str) -> list[str]:
    return [run["id"] for run in catalog_of(root)["runs"]]


def read_table(path: str) -> pa.Table:
    with open_parquet(path) as file:
        return file.read()


def rows(directory: str) -> list[dict[str, Any]]:
    return [row for path in list_files(f"{directory}/part-*.parquet") for row in read_table(path).to_pylist()]


def all_rows(root: str, directory: str) -> list[dict[str, Any]]:
    """Return the rows of all runs of the catalogue, oldest first."""
    return [row for run in runs_of(root) for row in rows(f"{root}/runs/{run}/{directory}")]


def content_of(root: str) -> dict[str, Any]:
    """Return the catalogue and all rows of a root, with numbers in place of run ids, without times and generation."""
    catalog = catalog_of(root)
    del catalog["generation"]  # clearing up counts as well
    number = {run: f"run {place}" for place, run in enumerate(runs_of(root))}
    number |= {takedown["id"]: f"takedown {place}" for place, takedown in enumerate(catalog["forgotten"])}
    content: dict[str, Any] = {"catalog": catalog}
    for run in runs_of(root):
        for kind in ("qa", "rejected", "errors", "superseded"):
            content[f"{run}/{kind}"] = rows(f"{root}/runs/{run}/{kind}")
        for kind in ("documents", "questions"):
            content[f"{run}/state/{kind}"] = rows(f"{root}/state/{run}/{kind}")
    for run in catalog["runs"]:
        del run["started"]
    text = json.dumps(content)
    for name, place in number.items():
        text = text.replace(name, place)
    return dict(json.loads(text))


def unaccounted(root: str, corpus: Corpus, forgotten: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield what is wrong with what became of each document of a corpus, by rows and texts alone.

    Each must be kept, or rejected by name, or a duplicate, which its text shows, of one that is in the corpus still.
    """
    gone = {(row["run_id"], pair) for row in all_rows(root, "superseded") for pair in row["pair_ids"]}
    pairs = [
        (row["source"]["doc_id"], row["source"]["path"])
        for run in runs_of(root)
        for row in rows(f"{root}/runs/{run}/qa")
        if (run, row["id"]) not in gone
    ]
    kept = {doc_id for doc_id, _ in pairs}
    texts = {doc_id: text for file in corpus.values() for doc_id, text in file.items()}
    said = {row["doc_id"]: row for row in all_rows(root, "rejected") if row["reason"] != "unchanged"}
    for doc_id, text in texts.items():
        if doc_id in forgotten:
            if doc_id in kept or (doc_id in said and said[doc_id]["reason"] != "forgotten"):
                yield f"{doc_id} was to be forgotten"
        elif doc_id in kept:
            continue
        elif doc_id not in said:
            yield f"{doc_id} is lost"
        elif said[doc_id]["reason"] in ("exact_duplicate", "near_duplicate"):
            survivor = said[doc_id]["duplicate_of"]
            if survivor not in texts or survivor in forgotten:
                yield f"{doc_id} is a duplicate of {survivor}, which is gone"
            elif _similarity(text, texts[survivor]) < 0.7:
                yield f"{doc_id} is no duplicate of {survivor}"


def _similarity(one: str, other: str) -> float:
    a, b = (_fives(text) for text in (one, other))
    return len(a & b) / len(a | b)


def _fives(text: str) -> set[str]:
    split = words(re.sub(r"\s+", " ", text))
    return {" ".join(split[start : start + 5]) for start in range(max(1, len(split) - 4))}


def power_cut(*_: Any, **__: Any) -> None:
    """Stand in for a step at which everything ends."""
    raise OSError("the power went out")
