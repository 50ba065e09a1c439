"""Which pairs go along, and on which side of the split a document's pairs are."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS: Final = ("id", "source", "domain", "answer_type", "difficulty", "contamination")
"""What a selection looks at."""

_SALT: Final = b"webscale-rl train/validation split\0"
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for.

    Attributes:
      share: of the documents whose pairs are for validation, in [0, 1).
      domains, answer_types: those that go along; null for all.
      max_pass_rate: the largest share of a policy's samples that may have been right, in [0, 1]; null for any.
    """

    share: float
    domains: tuple[str, ...] | None = None
    answer_types: tuple[str, ...] | None = None
    max_pass_rate: float | None = None

    def sides(self, table: pa.Table) -> tuple[Any, Counter[str]]:
        """Return int8[n], 0 for training, 1 for validation, -1 for what is left out; and how much that is, by reason.

        The side follows from the document's id alone: whatever else is selected, added or exported later, its pairs
        stay together and where they are.

        Args:
          table: with `COLUMNS`.
        """
        sides = self._sides_of(pc.struct_field(table["source"], "doc_id"))
        dropped: Counter[str] = Counter()
        for reason, keeps in self._rules(table):
            lost = (sides != _NEVER) & ~np.asarray(pc.fill_null(keeps, False))
            if count := int(lost.sum()):
                dropped[reason] += count
            sides[lost] = _NEVER
        return sides, dropped

    def _sides_of(self, ids: pa.ChunkedArray) -> Any:
        below = int(self.share * 2**64)
        return np.array([is_below(each, below) for each in ids.to_pylist()], np.int8)

    def _rules(self, table: pa.Table) -> Iterator[tuple[str, Any]]:
        """Yield (reason, whether each pair passes)."""
        if self.domains is not None:
            yield "of other domains", _is_in(table["domain"], self.domains)
        if self.answer_types is not None:
            yield "of other answer types", _is_in(table["answer_type"], self.answer_types)
        if self.max_pass_rate is not None:
            samples = pc.struct_field(table["difficulty"], "samples")
            asked = pc.fill_null(pc.greater(samples, 0), False)
            yield UNKNOWN, asked
            passes = pc.struct_field(table["difficulty"], "passes")
            rate = pc.divide(pc.cast(passes, pa.float64()), pc.cast(pc.if_else(asked, samples, 1), pa.float64()))
            yield (
                f"answered right in more than {self.max_pass_rate:g} of the samples",
                pc.less_equal(rate, self.max_pass_rate),
            )


UNKNOWN: Final = "of unknown difficulty"
"""A limit on the pass rate leaves them out: nothing shows that they keep to it."""


def is_below(doc_id: str | None, below: int) -> bool:
    """Return whether a document is for validation: whether 64 bits of its id's hash are below a number."""
    digest = hashlib.sha256(_SALT + (doc_id or "").encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") < below


def _is_in(column: pa.ChunkedArray, values: tuple[str, ...]) -> Any:
    return pc.is_in(column, pa.array(values, pa.string()))


@dataclass(slots=True)
class Tally:
    """What a selection found.

    Attributes:
      pairs: how many there were.
      rows: those of each side.
      dropped: those left out, by reason.
      domains, answer_types, licenses, datasets: pairs that go along, by value; null where the corpus said nothing.
      rated: pairs among all whose difficulty is known.
      contaminated: pairs that go along though they have a question of an evaluation set, as the run was told to mark.
    """

    pairs: int = 0
    rows: Counter[int] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    answer_types: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str | None] = field(default_factory=Counter)
    datasets: Counter[str | None] = field(default_factory=Counter)
    rated: int = 0
    contaminated: int = 0

    @property
    def kept(self) -> int:
        """How many pairs go along."""
        return sum(self.rows.values())

    def add(self, table: pa.Table, selection: Selection) -> None:
        """Count the pairs of a table with `COLUMNS`."""
        sides, dropped = selection.sides(table)
        self.pairs += table.num_rows
        self.rows.update({side: int((sides == side).sum()) for side in (0, 1)})
        self.dropped.update(dropped)
        self.rated += table.num_rows - table["difficulty"].null_count
        kept = table.filter(pa.array(sides != _NEVER))
        self.contaminated += pc.sum(pc.greater(pc.list_value_length(kept["contamination"]), 0)).as_py() or 0
        _count(self.domains, kept["domain"])
        _count(self.answer_types, kept["answer_type"])
        _count(self.licenses, pc.struct_field(kept["source"], "license"))
        _count(self.datasets, pc.struct_field(kept["source"], "dataset"))


def _count(counter: Counter[Any], column: Any) -> None:
    for each in pc.value_counts(column).to_pylist():
        counter[each["values"]] += each["counts"]
