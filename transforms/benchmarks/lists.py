"""Sorted hashes that are looked up by the million, and the items that have each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from transforms.text.hashes import Hashes
from transforms.text.squeezed import Places

_FILTER_BITS: Final = 16  # a key, so that of strangers one in sixteen at most is searched for
_LEAST_BITS: Final = 1 << 16
_BLOCK: Final = 1 << 20  # pairs of a hash and an item that are held at once


@dataclass(frozen=True, slots=True)
class Keys:
    """Sorted, distinct hashes.

    Attributes:
      bits: a bit for each lower end that one of the hashes has.
    """

    hashes: Hashes
    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, hashes: Hashes) -> Keys:
        """Return hashes, sorted and distinct already, with their bits."""
        size = max(_LEAST_BITS, 1 << (_FILTER_BITS * len(hashes) - 1).bit_length())
        flags = np.zeros(size, bool)
        flags[hashes & np.uint64(size - 1)] = True
        return cls(hashes, np.packbits(flags, bitorder="little"))

    def find(self, hashes: Hashes) -> tuple[Places, Places]:
        """Return which of some hashes are keys, and the number of the key of each of these."""
        low = hashes & np.uint64(8 * len(self.bits) - 1)
        maybe = np.flatnonzero((self.bits[low >> np.uint64(3)] >> (low & np.uint64(7)).astype(np.uint8)) & np.uint8(1))
        wanted = hashes[maybe]
        if not len(wanted):
            return maybe, maybe
        places = np.minimum(np.searchsorted(self.hashes, wanted), len(self.hashes) - 1)
        found = self.hashes[places] == wanted
        return maybe[found], places[found]


@dataclass(frozen=True, slots=True)
class Lists:
    """Keys, each with the numbers of the items (or whatever is numbered) that have it.

    Attributes:
      starts: int64[keys + 1], where the items of each begin in `items`.
    """

    keys: Keys
    starts: Places
    items: Places

    @classmethod
    def of(cls, hashes: Hashes, items: Places) -> Lists:
        """Return the lists of (hash, item), sorted by the hash."""
        first = np.flatnonzero(np.concatenate((np.ones(min(len(hashes), 1), bool), hashes[1:] != hashes[:-1])))
        return cls(Keys.of(hashes[first]), np.append(first, len(hashes)), items)

    @property
    def counts(self) -> Places:
        """int64[keys], how many items each key has."""
        return np.diff(self.starts)

    def find(self, hashes: Hashes) -> Iterator[tuple[Places, Places]]:
        """Yield (which of some hashes, an item that has it), some million pairs at a time."""
        which, keys = self.keys.find(hashes)
        while len(which):
            counts = self.starts[keys + 1] - self.starts[keys]
            taken = max(1, int(np.searchsorted(np.cumsum(counts), _BLOCK)))
            places = spread(self.starts[keys[:taken]], counts[:taken])
            yield np.repeat(which[:taken], counts[:taken]), self.items[places]
            which, keys = which[taken:], keys[taken:]


def spread(starts: Places, counts: Places) -> Places:
    """Return the numbers from each start on, as many as its count says, one run after the other."""
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
