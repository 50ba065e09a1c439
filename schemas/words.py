"""Hashed words, as one stage of the first half may hand them to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Words:
    """The hashed words of some texts, one text after the other.

    Attributes:
      hashes: uint64[n], one a word.
      starts: int64[texts + 1], where each text's words start, and where the last one's end.
    """

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.starts) - 1

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """int64[texts], how many words each text has."""
        return np.diff(self.starts)

    def between(self, begin: int, end: int) -> Words:
        """Return the words of the texts from number `begin` to before `end`, without a copy of the hashes."""
        starts = self.starts[begin : end + 1]
        return Words(self.hashes[starts[0] : starts[-1]], starts - starts[0])

    def take(self, texts: npt.NDArray[Any]) -> Words:
        """Return the words of some texts.

        Args:
          texts: their numbers, in any order, repeated at will; or bool[texts], true for those wanted.
        """
        if texts.dtype == np.bool_:
            texts = np.flatnonzero(texts)
        counts = self.counts[texts]
        starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        places = np.arange(starts[-1]) + np.repeat(self.starts[texts] - starts[:-1], counts)
        return Words(self.hashes[places], starts)
