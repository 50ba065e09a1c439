"""Where the valid answers are, in few bytes each."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_FEWEST_SORTED: Final = 1 << 16
_PLACES: Final = np.dtype([("segment", np.uint32), ("length", np.uint32), ("offset", np.uint64)])


class Place(NamedTuple):
    """Where a line is: in which segment, by the order they were met, and its bytes there, the newline included."""

    segment: int
    length: int
    offset: int


class Index:
    """The places of valid answers, in 24 bytes each: the latest in a dictionary, the others in sorted arrays.

    It goes by the first 64 bits of a key, so whoever reads a line has to compare the whole key. In a dictionary alone
    the 8 million answers of a million documents would take 2 to 4 GB of each process.
    """

    def __init__(self) -> None:
        self._latest: dict[int, Place] = {}
        self._keys = np.empty(0, np.uint64)
        self._places = np.empty(0, _PLACES)

    def get(self, key: str) -> Place | None:
        """Return where the answer is that was set last, if any was."""
        name = int(key[:16], 16)
        if name in self._latest:
            return self._latest[name]
        at = int(np.searchsorted(self._keys, np.uint64(name)))
        if at == len(self._keys) or self._keys[at] != name:
            return None
        return Place(*self._places[at].item())

    def set(self, key: str, place: Place) -> None:
        """Say where an answer is."""
        self._latest[int(key[:16], 16)] = place
        if len(self._latest) >= max(_FEWEST_SORTED, len(self._keys) // 8):
            self._sort()

    def per_segment(self, segments: int) -> npt.NDArray[np.int64]:
        """Return int64[segments], how many places lie in each."""
        self._sort()
        return np.bincount(self._places["segment"], minlength=segments)

    def _sort(self) -> None:
        keys = np.concatenate([np.fromiter(self._latest, np.uint64), self._keys])
        places = np.concatenate([np.array(list(self._latest.values()), _PLACES), self._places])
        # Of equal keys the first is kept, which is the latest.
        self._keys, kept = np.unique(keys, return_index=True)
        self._places = places[kept]
        self._latest = {}
