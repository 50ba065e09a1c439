"""What a report has of a run's rows: distributions over many, and a fair sample to look at.

A shard holds a range of hashes, so that the first shards of an output are a fair sample of it: what is read is bounded,
whatever the size of the run.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.domains import ANSWER_TYPES, DOMAINS
from schemas.records import Pair, Rejected, arrow_schema, lacking_column
from transforms.files import list_files, open_parquet, read_batches

SHARDS: Final = 10
"""Shards of an output that are read: half a million rows."""
PERSONAS: Final = 15
"""Of the most frequent personas, how many are named."""
LENGTHS: Final = {"question": 20, "answer": 5, "evidence": 50}
"""Characters of a bar in the histograms of lengths; the last of their sixteen bars has all that is longer."""
BARS: Final = 16


@dataclass(slots=True)
class Sample:
    """The rows of the smallest ranks: of all rows, and of each kind, so that a rare one is seen too.

    Args:
      size: rows to keep.
      of_a_kind: rows of each kind to keep at least, as far as there are so many.
    """

    size: int
    of_a_kind: int
    seen: int = 0
    _all: list[tuple[int, int, Any]] = field(default_factory=list)
    _kinds: dict[str, list[tuple[int, int, Any]]] = field(default_factory=dict)

    def offer(self, table: pa.Table, ranks: Sequence[int], kinds: Sequence[str]) -> None:
        """Look at more rows.

        Args:
          ranks: a hash of each row, which must not depend on its content of interest.
        """
        places = [i for i, (rank, kind) in enumerate(zip(ranks, kinds, strict=True)) if self._wants(rank, kind)]
        for place, row in zip(places, table.take(pa.array(places, pa.int64())).to_pylist(), strict=True):
            entry = (-ranks[place], self.seen + place, row)
            _push(self._all, entry, self.size)
            _push(self._kinds.setdefault(kinds[place], []), entry, self.of_a_kind)
        self.seen += table.num_rows

    def _wants(self, rank: int, kind: str) -> bool:
        return _takes(self._all, rank, self.size) or _takes(self._kinds.get(kind, []), rank, self.of_a_kind)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, the smallest rank first."""
        kept = {entry[1]: entry for heap in (self._all, *self._kinds.values()) for entry in heap}
        return [row for _, _, row in sorted(kept.values(), key=lambda entry: (-entry[0], entry[1]))]


def _takes(heap: list[tuple[int, int, Any]], rank: int, size: int) -> bool:
    return len(heap) < size or (size > 0 and -rank > heap[0][0])


def _push(heap: list[tuple[int, int, Any]], entry: tuple[int, int, Any], size: int) -> None:
    if len(heap) < size:
        heapq.heappush(heap, entry)
    elif size:
        heapq.heappushpop(heap, entry)


@dataclass(slots=True)
class Tally:
    """Distributions over pairs, added up batch by batch."""

    rows: int = 0
    domains: Counter[str] = field(default_factory=Counter)
    answer_types: Counter[str] = field(default_factory=Counter)
    personas: Counter[str] = field(default_factory=Counter)
    difficulty: Counter[tuple[int, int]] = field(default_factory=Counter)
    lengths: dict[str, Any] = field(default_factory=lambda: {name: np.zeros(BARS, np.int64) for name in LENGTHS})

    def add(self, table: pa.Table) -> None:
        """Count the pairs of a table."""
        self.rows += table.num_rows
        for name, counter in (("domain", self.domains), ("answer_type", self.answer_types), ("persona", self.personas)):
            for entry in pc.value_counts(table[name].drop_null()).to_pylist():
                counter[entry["values"]] += entry["counts"]
        for name, width in LENGTHS.items():
            bars = np.minimum(pc.utf8_length(table[name].drop_null()).to_numpy() // width, BARS - 1)
            self.lengths[name] += np.bincount(bars, minlength=BARS)
        for measured in table["difficulty"].drop_null().to_pylist():
            self.difficulty[measured["passes"], measured["samples"]] += 1

    def frequent_personas(self) -> list[str]:
        """Return the `PERSONAS` most frequent personas, the first of them first."""
        return [name for name, _ in sorted(self.personas.items(), key=_frequent)[:PERSONAS]]

    def as_json(self, personas: Collection[str] = ()) -> dict[str, Any]:
        """Return the distributions as the page has them; shares of what `pairs` says was looked at.

        Args:
          personas: whose counts are wanted beside the most frequent: those of a run that this one is compared with.
        """
        named = {name: self.personas[name] for name in (*self.frequent_personas(), *personas) if self.personas[name]}
        return {
            "pairs": self.rows,
            "domains": _in_order(self.domains, DOMAINS),
            "answer_types": _in_order(self.answer_types, ANSWER_TYPES),
            "personas": [list(entry) for entry in sorted(named.items(), key=_frequent)],
            "distinct_personas": len(self.personas),
            "lengths": {name: {"width": LENGTHS[name], "bars": bars.tolist()} for name, bars in self.lengths.items()},
            "difficulty": self._pass_rates(),
        }

    def _pass_rates(self) -> list[list[Any]]:
        if not self.difficulty:
            return []
        rates: Counter[float] = Counter()
        for (passes, samples), n in self.difficulty.items():
            rates[round(passes / max(1, samples), 2)] += n
        return [[rate, n] for rate, n in sorted(rates.items())]


def _in_order(counter: Counter[str], names: Sequence[str]) -> list[list[Any]]:
    known = [[name, counter[name]] for name in names if counter[name]]
    return known + [[name, n] for name, n in sorted(counter.items(), key=_frequent) if name not in names]


def _frequent(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


class ShardError(ValueError):
    """The shards of a run are of another version; one line with the remedy."""


def read_pairs(directory: str, size: int, of_a_kind: int) -> tuple[Tally, Sample]:
    """Return the distributions of `qa/` or `pairs/`, and a sample of its rows whatever their domain.

    Args:
      directory: of the shards.

    Raises:
      ShardError: a shard lacks a column.
    """
    tally, sample = Tally(), Sample(size, of_a_kind)
    for table in _tables(directory, Pair):
        tally.add(table)
        ranks = [int(name[:15], 16) for name in table["id"].to_pylist()]
        sample.offer(table, ranks, [domain or "" for domain in table["domain"].to_pylist()])
    return tally, sample


def read_rejected(directory: str, size: int, of_a_kind: int) -> Sample:
    """Return a sample of `rejected/`, whatever the reason of its rows.

    Raises:
      ShardError: a shard lacks a column.
    """
    sample = Sample(size, of_a_kind)
    for table in _tables(directory, Rejected):
        sample.offer(table, _place_ranks(table), table["reason"].to_pylist())
    return sample


def _place_ranks(table: pa.Table) -> list[int]:
    columns = [pc.struct_field(table["source"], name).to_pylist() for name in ("path", "row_group", "row")]
    names = zip(*columns, table["pair_id"].to_pylist(), strict=True)
    return [int.from_bytes(hashlib.blake2b(repr(name).encode(), digest_size=8).digest(), "big") for name in names]


def _tables(directory: str, record: type) -> Iterator[pa.Table]:
    for shard in itertools.islice(list_files(f"{directory}/part-*.parquet"), SHARDS):
        with open_parquet(shard) as file:
            if field := lacking_column(arrow_schema(record), file.schema_arrow):
                raise ShardError(
                    f"{shard} has no column {field.name!r} of {field.type}: another version of webscale-rl has written"
                    " it; make the report with that one"
                )
            for number in range(file.num_row_groups):
                for batch in read_batches(file, number, file.schema_arrow.names):
                    yield pa.table(batch)
