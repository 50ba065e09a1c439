"""Items of evaluation sets to an index."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.benchmarks.ends import (
    LEAST_TAIL_WORDS,
    LEAST_WORDS,
    OWN_WORDS,
    TAIL_CHARACTERS,
    TAIL_WORDS_WITH_ANSWER,
    final_answers,
    is_generic,
    marked_ends,
    sentences,
)
from transforms.benchmarks.index import (
    FORMAT,
    GRAM_WORDS,
    MANIFEST,
    PARAMETERS,
    PARTS,
    QUESTION_COLUMNS,
    QUESTIONS,
    WINDOWS,
)
from transforms.files import delete, read_bytes, write_parquet, write_text
from transforms.text.hashes import Hashes
from transforms.text.squeezed import Gap, Places, Squeezed, marks_hash, marks_of, span_hashes, squeeze


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An evaluation set.

    Attributes:
      questions: one an item, in the order of its file.
      answers: as many; null where an item has none.
    """

    name: str
    questions: Sequence[str]
    answers: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Built:
    """What an index holds of a benchmark: its items, how many of them differ, and how many have an answer."""

    name: str
    items: int
    distinct: int
    answers: int


class Windows(NamedTuple):
    """Spans of items: (hash, item, its first character within the item, its characters)."""

    hashes: Hashes
    items: Places
    offsets: Places
    sizes: Places


def build_index(benchmarks: Sequence[Benchmark], path: str, *, with_questions: bool = False) -> list[Built]:
    """Write the index of some evaluation sets into a directory; what an earlier one left there is replaced.

    Args:
      with_questions: write the plain text of the questions beside the hashes.
    """
    delete([f"{path}/{MANIFEST}", f"{path}/{QUESTIONS}.parquet"])  # what is not whole must not look so
    parts: dict[str, list[pa.Table]] = {part: [] for part in PARTS}
    none = np.empty(0, np.int64)
    windows = [Windows(none.astype(np.uint64), none, none, none)]
    built, first = [], 0
    for number, benchmark in enumerate(benchmarks):
        tables, found, one = _tables(benchmark, number, first)
        windows += found
        for part, table in tables.items():
            parts[part].append(table)
        first += one.distinct
        built.append(one)
    whole = {part: pa.concat_tables(tables) for part, tables in parts.items()}
    whole["items"] = _with_windows(whole["items"], windows)
    for part in ("tails", "grams"):
        whole[part] = whole[part].sort_by([("hash", "ascending"), ("item", "ascending")])
    whole = {part: whole[part].select(schema.names).cast(schema) for part, schema in PARTS.items()}
    if with_questions:
        whole[QUESTIONS] = _plain(benchmarks)
    for part, table in whole.items():
        write_parquet(f"{path}/{part}.parquet", table)
    manifest = {
        "format": FORMAT,
        "parameters": PARAMETERS,
        "benchmarks": [{"name": one.name, "items": one.items, "distinct": one.distinct} for one in built],
        "files": {part: hashlib.sha256(read_bytes(f"{path}/{part}.parquet")).hexdigest() for part in whole},
    }
    write_text(f"{path}/{MANIFEST}", json.dumps(manifest, indent=2) + "\n")
    return built


def _tables(benchmark: Benchmark, number: int, first: int) -> tuple[dict[str, pa.Table], list[Windows], Built]:
    """Return the parts of one benchmark, its items numbered from `first` on, and candidates for their windows."""
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    windows: list[Windows] = []
    known: dict[int, int] = {}
    row = answered = 0
    answers = final_answers(pa.array(benchmark.answers, pa.string()))
    for texts in squeeze(pa.array(benchmark.questions, pa.string())):
        rows = np.arange(row, row + len(texts))
        hashes, lengths = texts.spans(texts.starts[:-1], texts.starts[1:]), texts.lengths
        for text in np.flatnonzero(lengths == 0).tolist():  # marks alone, which are the question then
            hashes[text] = marks_hash(marks_of(benchmark.questions[row + text]))
        items, fresh = np.full(len(texts), -1), np.zeros(len(texts), bool)
        for text in range(len(texts)):
            fresh[text] = int(hashes[text]) not in known
            items[text] = known.setdefault(int(hashes[text]), first + len(known))
        parts["items"].append(
            {
                "benchmark": np.full(fresh.sum(), number),
                "hash": hashes[fresh],
                "length": lengths[fresh],
                "words": texts.word_counts[fresh],
                "generic": np.array([is_generic(benchmark.questions[r]) for r in rows[fresh].tolist()], bool),
            }
        )
        new = np.where(fresh, items, -1)
        asked = benchmark.questions[row : row + len(texts)]
        parts["tails"] += [_ends(texts, new), _beginnings(texts, asked, new), _marked_ends(asked, items)]
        parts["grams"].append(_grams(texts, new))
        windows.append(_windows(texts, new))
        said = _answers(answers[row : row + len(texts)], items)
        parts["answers"].append(said)
        answered += len(said["item"])
        row += len(texts)
    tables = {part: pa.concat_tables([pa.table(columns) for columns in chunks]) for part, chunks in parts.items()}
    tables["tails"] = _shared_ends(tables["tails"])
    tables["answers"] = tables["answers"].take(pa.array(_first_places(*_columns(tables["answers"]))))
    return tables, windows, Built(benchmark.name, row, len(known), answered)


def _ends(texts: Squeezed, items: Places) -> dict[str, Any]:
    """Return the ends of the items: from the beginnings of sentences on, and from all words that enough follow."""
    owner = np.repeat(np.arange(len(texts)), texts.word_counts)
    index = np.arange(len(owner))
    begins, ends = texts.words[:-1], texts.starts[owner + 1]
    left = texts.word_starts[owner + 1] - index
    sentence = (texts.gaps[:-1] == Gap.SENTENCE) & (left >= LEAST_TAIL_WORDS)
    chosen = (sentence | (left >= TAIL_WORDS_WITH_ANSWER)) & (ends - begins >= TAIL_CHARACTERS)
    chosen &= (items[owner] >= 0) & (index > texts.word_starts[owner])  # the item itself is no end of it
    return {
        "hash": texts.spans(begins[chosen], ends[chosen]),
        "item": items[owner[chosen]],
        "end": np.ones(chosen.sum(), bool),
        "alone": (sentence | (left >= OWN_WORDS))[chosen],
    }


def _beginnings(texts: Squeezed, questions: Sequence[str], items: Places) -> dict[str, Any]:
    """Return the beginnings of the items up to each end of a sentence within them."""
    parts = [sentences(question) if item >= 0 else [question] for question, item in zip(questions, items, strict=True)]
    owner = np.repeat(np.arange(len(texts)), list(map(len, parts)))
    _, lengths = span_hashes(pa.array(itertools.chain.from_iterable(parts), pa.string()))
    ends = np.cumsum(lengths)
    words = np.searchsorted(texts.words, ends) - texts.word_starts[owner]
    chosen = (ends < texts.starts[owner + 1]) & (words >= LEAST_WORDS)
    owner, ends = owner[chosen], ends[chosen]
    return {
        "hash": texts.spans(texts.starts[owner], ends),
        "item": items[owner],
        "end": np.zeros(len(owner), bool),
        "alone": np.ones(len(owner), bool),
    }


def _marked_ends(questions: Sequence[str], items: Places) -> dict[str, Any]:
    """Return the ends of the items that are known by their marks."""
    found = [  # of those too that differ by their marks alone
        (marks_hash(marks), item)
        for question, item in zip(questions, items.tolist(), strict=True)
        for marks in marked_ends(question)
    ]
    ends, owners = zip(*found, strict=True) if found else ((), ())
    alone = np.ones(len(ends), bool)
    return {"hash": np.array(ends, np.uint64), "item": np.array(owners, np.int64), "end": alone, "alone": alone}


def _windows(texts: Squeezed, items: Places) -> Windows:
    """Return the windows with which words of the items begin, of the larger size where the item is as long."""
    owner = np.repeat(np.arange(len(texts)), texts.word_counts)
    wide, narrow = WINDOWS
    size = np.where(texts.lengths[owner] >= wide, wide, narrow)
    begins = texts.words[:-1]
    inside = (begins + size <= texts.starts[owner + 1]) & (texts.word_counts[owner] >= LEAST_WORDS)
    inside &= items[owner] >= 0
    owner, size, begins = owner[inside], size[inside], begins[inside]
    return Windows(texts.spans(begins, begins + size), items[owner], begins - texts.starts[owner], size)


def _grams(texts: Squeezed, items: Places) -> dict[str, Any]:
    hashes, owner = texts.grams(GRAM_WORDS)
    ours = items[owner] >= 0
    hashes, items = hashes[ours], items[owner[ours]]
    first = _first_places(hashes, items)
    return {"hash": hashes[first], "item": items[first]}


def _answers(answers: pa.Array, items: Places) -> dict[str, Any]:
    hashes, lengths = span_hashes(answers)
    said = (lengths > 0) & (items >= 0)
    return {"item": items[said], "hash": hashes[said]}


def _shared_ends(ends: pa.Table) -> pa.Table:
    """Return the distinct ends and beginnings of one benchmark.

    Each has the first item that has it, how many others do, and whether it is an end of any, and enough by any.
    """
    hashes, items, end, alone = _columns(ends)
    places = _first_places(hashes, items)
    distinct, first, counts = np.unique(hashes[places], return_index=True, return_counts=True)
    return pa.table(
        {
            "hash": distinct,
            "item": items[places][first],
            "others": counts - 1,
            "end": np.isin(distinct, hashes[end]),
            "alone": np.isin(distinct, hashes[alone]),
        }
    )


def _columns(table: pa.Table) -> list[npt.NDArray[Any]]:
    return [column.to_numpy() for column in table.columns]


def _first_places(*columns: npt.NDArray[Any]) -> Places:
    """Return the places of the rows that no row before is equal to."""
    order = np.lexsort(columns)
    first = np.ones(len(order), bool)
    first[1:] = np.logical_or.reduce([column[order][1:] != column[order][:-1] for column in columns])
    return np.sort(order[first])


def _with_windows(items: pa.Table, candidates: Sequence[Windows]) -> pa.Table:
    """Return the items, each with the window that the fewest items have; one that is not looked for has none."""
    hashes, owners, offsets, sizes = map(np.concatenate, zip(*candidates, strict=True))
    _, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    order = np.lexsort((counts[which], owners))
    chosen = order[np.concatenate((np.ones(min(len(order), 1), bool), owners[order][1:] != owners[order][:-1]))]
    for name, values in (("window", hashes), ("window_size", sizes), ("window_offset", offsets)):
        column = np.zeros(len(items), values.dtype)
        column[owners[chosen]] = values[chosen]
        items = items.append_column(name, pa.array(column))
    return items


def _plain(benchmarks: Sequence[Benchmark]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "benchmark": [benchmark.name for benchmark in benchmarks for _ in benchmark.questions],
        "question": [question for benchmark in benchmarks for question in benchmark.questions],
    }
    return pa.table(columns, schema=QUESTION_COLUMNS)
