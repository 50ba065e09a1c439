"""What an index of evaluation sets is: a directory with a manifest and some Parquet files of hashes.

None of them holds a word of a benchmark. (Whoever has a sentence can ask whether it is in there: that is what an index
is for.)

  items     one a distinct question of a benchmark
  tails     the ends of items, from sentences on and from all words that enough follow, and their beginnings, up to
            each end of a sentence
  grams     runs of five words, and the items that have them
  answers   of the items

`questions.parquet`, written only when asked for, has the items' plain text, for who compares by meaning.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import BeamIOError

from transforms.benchmarks.lists import Lists
from transforms.files import read_bytes
from transforms.text.hashes import Hashes, constants, mixed
from transforms.text.squeezed import Places

FORMAT: Final = 1
"""Changes whenever the files, the hashes or the rule's parameters do."""
MANIFEST: Final = "benchmarks.json"
QUESTIONS: Final = "questions"
PARTS: Final[Mapping[str, pa.Schema]] = {
    "items": pa.schema(
        {
            "benchmark": pa.int32(),
            "hash": pa.uint64(),
            "length": pa.int64(),
            "words": pa.int64(),
            "generic": pa.bool_(),
            "window": pa.uint64(),
            "window_size": pa.int32(),
            "window_offset": pa.int64(),
        }
    ),
    "tails": pa.schema(
        {"hash": pa.uint64(), "item": pa.int64(), "others": pa.int32(), "end": pa.bool_(), "alone": pa.bool_()}
    ),
    "grams": pa.schema({"hash": pa.uint64(), "item": pa.int64()}),
    "answers": pa.schema({"item": pa.int64(), "hash": pa.uint64()}),
}
QUESTION_COLUMNS: Final = pa.schema({"benchmark": pa.string(), "question": pa.string()})

GRAM_WORDS: Final = 5
WINDOWS: Final = (16, 8)
"""Characters of the windows by which an item is looked for within a question: the first for all that are as long."""
PARAMETERS: Final = {"gram_words": GRAM_WORDS, "windows": list(WINDOWS)}


_T = TypeVar("_T")


class BenchmarkIndexError(ValueError):
    """An index is missing, damaged or of another version. The message is one line that names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Index:
    """Evaluation sets to compare questions with. Items are numbered; what has no other shape is an array by item.

    Attributes:
      names: of the benchmarks; counts: the items of each.
      benchmark: the number of each item's.
      hashes, lengths, words: of its letters and digits; whole: by hash, the items that have it.
      generic: whether it says so little that a text which has it need not be about it.
      windows: by size, the windows that are looked for, with the items that have each.
      offsets: the character of the item with which its window begins.
      tails: ends and beginnings of items, with their numbers. By these:
      tail_items: the first item of the benchmark that has it; shared: whether others have it too; ends: whether it is
        the end of one; alone: whether a question that is it needs no answer to be contaminated.
      grams: runs of words; gram_weights: of each, the larger the fewer items have it.
      weights: the sum of the weights of an item's grams.
      gram_starts, item_grams: the numbers of each item's grams.
      answer_keys: sorted, one for each item and its answer; rarities: of each, from 0, where all items of the benchmark
        have this answer, to 1, where no other has.
    """

    path: str
    names: tuple[str, ...]
    counts: tuple[int, ...]
    benchmark: Places
    hashes: Hashes
    whole: Lists
    lengths: Places
    words: Places
    generic: npt.NDArray[np.bool_]
    windows: Mapping[int, Lists]
    offsets: Places
    tails: Lists
    tail_items: Places
    shared: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]
    alone: npt.NDArray[np.bool_]
    grams: Lists
    gram_weights: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    gram_starts: Places
    item_grams: Places
    answer_keys: Hashes
    rarities: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """The number of items, those of a benchmark that are the same counted once."""
        return len(self.hashes)

    @property
    def unseen_weight(self) -> float:
        """The weight of a gram that no item has, which is that of one that a single item has."""
        return float(np.log1p(len(self)))

    def rarity(self, items: Places, answers: Hashes) -> npt.NDArray[np.float64]:
        """Return how rare each answer is among a benchmark's, or -1 where it is not the item's."""
        if not len(self.answer_keys):
            return np.full(len(items), -1.0)
        keys = answer_keys(items, answers)
        places = np.minimum(np.searchsorted(self.answer_keys, keys), len(self.answer_keys) - 1)
        return np.where(self.answer_keys[places] == keys, self.rarities[places], -1.0)


def answer_keys(items: Places, answers: Hashes) -> Hashes:
    """Return one hash for an item and an answer."""
    return mixed(mixed(items.astype(np.uint64) + constants(13, 1)[0]) ^ answers)


class Opened(Generic[_T]):
    """What was opened of indexes: once a process, whatever threads ask for it, until another is built in its place."""

    def __init__(self, load: Callable[[str, Mapping[str, Any]], _T]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, _T]] = {}

    def __call__(self, path: str) -> _T:
        """Return what is opened of the index in a directory.

        Raises:
          BenchmarkIndexError: what loading raises; or there is no index, or a damaged one, or one of another version.
        """
        manifest, name = _manifest(path)
        with self._lock:
            if path not in self._held or self._held[path][0] != name:
                self._held[path] = name, self._load(path, manifest)
            return self._held[path][1]


def open_index(path: str) -> Index:
    """Return the index in a directory, of this machine or a bucket; once a process.

    Raises:
      BenchmarkIndexError: there is none, it is damaged, or another version of this package built it.
    """
    return _OPENED(path)


def open_indexes(paths: Sequence[str]) -> tuple[Index, ...]:
    """Return several indexes.

    Raises:
      BenchmarkIndexError: as `open_index`; or two of them have a benchmark of one name.
    """
    indexes, seen = tuple(map(open_index, paths)), dict[str, str]()
    for index in indexes:
        for name in index.names:
            if name in seen:
                raise BenchmarkIndexError(
                    f"{index.path} and {seen[name]} both have a benchmark {name}; name one of them, or build one anew"
                )
            seen[name] = index.path
    return indexes


def digest(path: str) -> str:
    """Return the SHA-256 of an index's manifest, which names the content of all its files, as 64 hexadecimal digits.

    Raises:
      BenchmarkIndexError: there is none, it is damaged, or of another version.
    """
    return _manifest(path)[1]


def _manifest(path: str) -> tuple[dict[str, Any], str]:
    """Return the manifest of an index, and its SHA-256."""
    remedy = "build one with `webscale-rl benchmarks build`"
    try:
        data = _bytes(f"{path}/{MANIFEST}")
        manifest = json.loads(data)
        version, parameters, files = (manifest[key] for key in ("format", "parameters", "files"))
        if not all(isinstance(each["name"], str) and each["items"] >= 0 for each in manifest["benchmarks"]):
            raise ValueError
        known = set(PARTS) <= set(files)
    except FileNotFoundError:
        raise BenchmarkIndexError(f"{path} is no index of benchmarks, it has no {MANIFEST}; {remedy}") from None
    except (ValueError, TypeError, KeyError):
        raise BenchmarkIndexError(f"{path}/{MANIFEST} is damaged; build the index again") from None
    if version != FORMAT or parameters != PARAMETERS or not known:
        raise BenchmarkIndexError(
            f"{path} is an index of format {version}, and this version reads format {FORMAT}; build it again"
        )
    return dict(manifest), hashlib.sha256(data).hexdigest()


def read_part(path: str, manifest: Mapping[str, Any], part: str) -> pa.Table:
    """Return a file of an index.

    Raises:
      BenchmarkIndexError: it is not there, or not as it was written.
    """
    file = f"{path}/{part}.parquet"
    try:
        data = _bytes(file)
    except FileNotFoundError:
        raise BenchmarkIndexError(f"{file} is missing; build the index again") from None
    if hashlib.sha256(data).hexdigest() != manifest["files"].get(part):
        raise BenchmarkIndexError(f"{file} is not as it was written; build the index again")
    return pq.read_table(io.BytesIO(data), use_threads=False)


def _bytes(path: str) -> bytes:
    try:
        return read_bytes(path)
    except BeamIOError as error:  # which is how Beam says that a file of this machine is not there
        raise FileNotFoundError(str(error)) from None
    except (IsADirectoryError, NotADirectoryError) as error:
        raise FileNotFoundError(str(error)) from None


def _index(path: str, manifest: Mapping[str, Any]) -> Index:
    tables = {part: read_part(path, manifest, part) for part in PARTS}
    items, tails, grams, answers = (tables[part] for part in PARTS)
    columns = {name: items[name].to_numpy() for name in items.column_names}
    gram_lists = Lists.of(grams["hash"].to_numpy(), grams["item"].to_numpy())
    gram_weights = np.log1p(len(items) / gram_lists.counts)
    numbers = np.repeat(np.arange(len(gram_lists.counts)), gram_lists.counts)
    by_item = np.argsort(gram_lists.items, kind="stable")
    sizes = np.bincount(gram_lists.items, minlength=len(items))
    keys, rarities = _answers(columns["benchmark"], answers)
    return Index(
        path=path,
        names=tuple(each["name"] for each in manifest["benchmarks"]),
        counts=tuple(each["items"] for each in manifest["benchmarks"]),
        benchmark=columns["benchmark"],
        hashes=columns["hash"],
        whole=_lists(columns["hash"], np.arange(len(items))),
        lengths=columns["length"],
        words=columns["words"],
        generic=columns["generic"],
        windows={size: _windows(columns, size) for size in WINDOWS},
        offsets=columns["window_offset"],
        tails=Lists.of(tails["hash"].to_numpy(), np.arange(len(tails))),
        tail_items=tails["item"].to_numpy(),
        shared=tails["others"].to_numpy() > 0,
        ends=tails["end"].to_numpy(),
        alone=tails["alone"].to_numpy(),
        grams=gram_lists,
        gram_weights=gram_weights,
        weights=np.bincount(gram_lists.items, gram_weights[numbers], minlength=len(items)).astype(np.float64),
        gram_starts=np.concatenate(([0], np.cumsum(sizes))),
        item_grams=numbers[by_item],
        answer_keys=keys,
        rarities=rarities,
    )


def _windows(columns: Mapping[str, npt.NDArray[Any]], size: int) -> Lists:
    items = np.flatnonzero(columns["window_size"] == size)
    return _lists(columns["window"][items], items)


def _lists(hashes: Hashes, items: Places) -> Lists:
    order = np.argsort(hashes, kind="stable")
    return Lists.of(hashes[order], items[order])


def _answers(benchmark: Places, answers: pa.Table) -> tuple[Hashes, npt.NDArray[np.float64]]:
    items, hashes = answers["item"].to_numpy(), answers["hash"].to_numpy()
    keys, rarities = answer_keys(items, hashes), np.ones(len(items))
    of_benchmark = benchmark[items]
    for number in np.unique(of_benchmark).tolist():
        inside = np.flatnonzero(of_benchmark == number)
        _, which, counts = np.unique(hashes[inside], return_inverse=True, return_counts=True)
        rarities[inside] = 1 - np.log(counts[which]) / np.log(max(2, len(inside)))
    order = np.argsort(keys, kind="stable")
    return keys[order], rarities[order]


_OPENED: Final = Opened(_index)
