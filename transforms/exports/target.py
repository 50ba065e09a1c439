"""What an export is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from transforms.files import shard_count

TRAIN: Final = "train"
VALIDATION: Final = "validation"
SIDES: Final = (TRAIN, VALIDATION)
DATA_SOURCE: Final = "webscale_rl"
"""The name by which trainers tell this data from other data they are given."""

MESSAGES: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

Pair = Mapping[str, Any]
"""A row of `qa/`."""


def batch(rows: int, most: int) -> int:
    """Return the largest power of two that is neither above the rows nor above `most`, itself one.

    Trainers drop what does not fill a batch, and those with less than one do not start.
    """
    return min(most, 1 << (max(rows, 1).bit_length() - 1))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: on which side of the split, and its number there."""

    side: str
    number: int


@dataclass(frozen=True, slots=True)
class Target:
    """What pairs are exported for.

    Attributes:
      name: as of `--to`.
      title: what people call it.
      version: of the trainer, whose source the columns and the launch lines were taken from.
      schema: of its Parquet files; null where it reads JSON lines.
      row: one of its rows.
      columns: names and what they are for, for the README.
      launch: the commands that train, given the export's directory, quoted for a shell, and the rows of each side.
      beside: further files by path, given the rows of each side and the pairs by their stated licence, or null.
      within: the directory of the data and its reward, below that of the export; "" for itself.
      rewarded: whether a `reward.py` belongs to it.
    """

    name: str
    title: str
    version: str
    schema: pa.Schema | None
    row: Callable[[Pair, Place], dict[str, Any]]
    columns: Mapping[str, str]
    launch: Callable[[str, Mapping[str, int]], str]
    beside: Callable[[Mapping[str, int], Mapping[str | None, int]], Mapping[str, str]] = lambda rows, licenses: {}
    within: str = ""
    rewarded: bool = True

    @property
    def suffix(self) -> str:
        """How its files of rows end."""
        return "jsonl" if self.schema is None else "parquet"

    def file(self, side: str, shard: int, shards: int) -> str:
        """Return the path of a file of rows, below the export's directory."""
        return f"{self.within}data/{side}-{shard:05d}-of-{shards:05d}.{self.suffix}"

    def files(self, side: str, rows: int) -> Sequence[str]:
        """Return the paths of all files of a side; none where it has no rows."""
        shards = shard_count(rows) if rows else 0
        return [self.file(side, shard, shards) for shard in range(shards)]
