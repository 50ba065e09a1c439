"""The demonstration corpus: the committed files are what the script makes, and hold what a demonstration needs."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.domains import DOMAINS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KINDS_AT_LEAST = {
    "boilerplate": 5,
    "fragment": 5,
    "language": 5,
    "exact_duplicate": 3,
    "near_duplicate": 4,
    "prompt_injection": 1,
    "null_text": 1,
    "empty_text": 1,
    "repetition": 1,
}


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corpus", EXAMPLES / "make_corpus.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_corpus = load_script()


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = make_corpus.read_documents(make_corpus.DOCUMENTS)
    return made


def of_kind(documents: list[dict[str, Any]], kind: str | None) -> list[dict[str, Any]]:
    return [document for document in documents if document.get("why") == kind]


def words(text: str) -> list[str]:
    return [word for word in re.split(r"\W+", text.lower()) if word]


def shingles(text: str) -> set[tuple[str, ...]]:
    split = words(text)
    return {tuple(split[start : start + 5]) for start in range(len(split) - 4)}


def jaccard(one: str, other: str) -> float:
    first, second = shingles(one), shingles(other)
    return len(first & second) / len(first | second)


def slug(domain: str) -> str:
    return "-".join(words(domain))


def test_committed_parquet_is_what_the_script_makes(documents: list[dict[str, Any]]) -> None:
    paths = sorted((EXAMPLES / "corpus").iterdir())
    assert [path.name for path in paths] == ["part-00000.parquet", "part-00001.parquet"]
    for path, made in zip(paths, make_corpus.shards(documents), strict=True):
        committed = pq.read_table(path)
        assert committed.schema.equals(made.schema)
        assert committed.equals(made), f"{path.name} is stale; run: python examples/make_corpus.py"


def test_parquet_layout() -> None:
    for path in sorted((EXAMPLES / "corpus").glob("*.parquet")):
        meta = pq.ParquetFile(path).metadata
        groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
        assert [group.num_rows for group in groups[:-1]] == [32] * (len(groups) - 1)
        assert len(groups) > 1
        assert {group.column(index).compression for group in groups for index in range(5)} == {"ZSTD"}


def test_every_document_is_in_exactly_one_shard(documents: list[dict[str, Any]]) -> None:
    ids = [name for table in make_corpus.shards(documents) for name in table.column("id").to_pylist()]
    assert sorted(ids) == sorted(document["id"] for document in documents)


def test_a_good_file_for_every_domain() -> None:
    names = {path.stem for path in make_corpus.DOCUMENTS.glob("*.jsonl")}
    assert names == {slug(domain) for domain in DOMAINS} | {"unwanted"}


def test_good_documents(documents: list[dict[str, Any]]) -> None:
    good = of_kind(documents, None)
    assert len(good) >= 72
    per_domain = Counter(document["url"].split("/")[-2] for document in good)
    assert set(per_domain) == {slug(domain) for domain in DOMAINS}
    assert min(per_domain.values()) >= 7
    assert all(120 <= len(document["text"].split()) <= 350 for document in good)
    assert {(document["license"], document["dataset"]) for document in good} == {("Apache-2.0", "webscale-rl-examples")}


def test_good_documents_do_not_resemble_one_another(documents: list[dict[str, Any]]) -> None:
    good = of_kind(documents, None)
    close = [
        (one["id"], other["id"])
        for index, one in enumerate(good)
        for other in good[:index]
        if jaccard(one["text"], other["text"]) > 0.02
    ]
    assert close == []


def test_every_kind_of_unwanted_document_is_there(documents: list[dict[str, Any]]) -> None:
    kinds = Counter(document["why"] for document in documents if "why" in document)
    assert set(kinds) == set(KINDS_AT_LEAST)
    assert {kind: count for kind, count in kinds.items() if count < KINDS_AT_LEAST[kind]} == {}


def test_kinds_with_several_documents_are_in_both_shards(documents: list[dict[str, Any]]) -> None:
    why = {document["id"]: document.get("why", document["url"].split("/")[-2]) for document in documents}
    counts = Counter(why.values())
    several = {kind for kind, count in counts.items() if count > 1}
    for table in make_corpus.shards(documents):
        assert several <= {why[name] for name in table.column("id").to_pylist()}


def test_duplicates(documents: list[dict[str, Any]]) -> None:
    text = {document["id"]: document["text"] for document in of_kind(documents, None)}
    for copy in of_kind(documents, "exact_duplicate"):
        assert copy["text"] == text[copy["duplicate_of"]]
    for copy in of_kind(documents, "near_duplicate"):
        assert copy["text"] != text[copy["duplicate_of"]]
        assert jaccard(copy["text"], text[copy["duplicate_of"]]) > 0.75, copy["id"]


def test_unwanted_texts_are_what_they_say(documents: list[dict[str, Any]]) -> None:
    (null,), (empty,), (repeated,), (injected,) = (
        of_kind(documents, kind) for kind in ("null_text", "empty_text", "repetition", "prompt_injection")
    )
    assert (null["text"], empty["text"]) == (None, "")
    lines = repeated["text"].splitlines()
    assert len(lines) > 20 and len(set(lines)) == 1
    for part in ("PWNED", "</document>", "Ignore all previous instructions"):
        assert part in injected["text"]
    sizes = [len(document["text"].split()) for document in of_kind(documents, "fragment")]
    assert min(sizes) < 50 < max(sizes)


def line(**fields: Any) -> dict[str, Any]:
    return {"url": "u", "license": "l", "dataset": "d", **fields}


ORIGINAL = line(id="a", text="one two one")


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        (line(id="b", duplicate_of="missing"), "'missing' has no text"),
        (line(id="b", duplicate_of="b"), "'b' has no text"),
        (line(id="b", duplicate_of="a", replace=[["one", "1"]]), "'one' occurs 2 times"),
        (line(id="b", duplicate_of="a", replace=[["six", "6"]]), "'six' occurs 0 times"),
    ],
)
def test_a_duplicate_that_cannot_be_made_is_named(copy: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_corpus.text_of(copy, {"a": ORIGINAL, "b": copy})


def test_edits_of_a_duplicate_are_made() -> None:
    copy = line(id="b", duplicate_of="a", replace=[["two", "2"]])
    assert make_corpus.text_of(copy, {"a": ORIGINAL, "b": copy}) == "one 2 one"


def test_a_repeated_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "twice.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="2 lines but 1 ids"):
        make_corpus.read_documents(tmp_path)
