"""Words as 64-bit hashes, read from Arrow's strings by columns.

A word is what stands between runs of `\\W` in the lower case of a text: `re.split(r"\\W+", text.lower())` without the
empty ones, in Python's sense, and so by the version of Unicode that this Python has.

The hash of a word, of fixed constants, so that two machines agree and it can be stored: its UTF-8 is cut into blocks of
eight bytes, little-endian numbers, the last one filled up with zeros; the hash is the sum modulo 2**64 of the blocks,
each plus its position times SplitMix64's increment and then mixed by SplitMix64's finaliser (Steele, Lea and Flood
2014), as a XOR MAC adds up its blocks (Bellare, Guerin and Rogaway 1995). The finaliser is a bijection and no word
holds a zero byte, so each word of up to eight bytes has a hash of its own among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Hashes = npt.NDArray[np.uint64]
_Bytes = npt.NDArray[np.uint8]
_CodePoints = npt.NDArray[np.uint32]
_Places = npt.NDArray[np.int64]

_SEED: Final = 0x5765627363616C65
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's increment: 2**64 over the golden ratio, odd
_WORD: Final = re.compile(r"\w")
_SPACE: Final = 0x20
_BLOCK: Final = 8
# The first bytes of a block that belong to a word, by their number.
_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(_BLOCK + 1)], np.uint64)
# Chunks whose arrays stay within the second-level cache; smaller ones would pay for numpy's calls.
_CHUNK_BYTES: Final = 1 << 17
# Lower case of the ASCII that words are made of, spaces for the rest of it, and other bytes as they are.
_ASCII: Final = bytes(
    byte if byte > 127 else ord(chr(byte).lower()) if _WORD.match(chr(byte)) else _SPACE for byte in range(256)
)
_UNKNOWN: Final = 0
_NOT_IN_PLACE: Final = 0xFFFFFFFF
# What `_folded` says of each code point that was met so far. Pages that nobody touches take no memory, and threads that
# meet in one write the same.
_FOLDED: Final = np.zeros(0x110000, np.uint32)


def mixed(values: Hashes) -> Hashes:
    """Put SplitMix64's finaliser in the place of each value, and return the array.

    Every input bit flips every output bit with probability near 1/2.
    """
    shifted = values >> np.uint64(30)
    values ^= shifted
    values *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(values, np.uint64(27), out=shifted)
    values ^= shifted
    values *= np.uint64(0x94D049BB133111EB)
    np.right_shift(values, np.uint64(31), out=shifted)
    values ^= shifted
    return values


@lru_cache(maxsize=32)
def constants(stream: int, count: int) -> Hashes:
    """Return `count` random numbers of SplitMix64: ours to fix, where a library's generator may change its stream."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    numbers = mixed(steps + mixed(np.array([_SEED + stream], np.uint64)))
    numbers.flags.writeable = False
    return numbers


@dataclass(frozen=True, slots=True)
class Words:
    """The hashed words of some texts, one text after the other.

    Attributes:
      hashes: uint64[n], one a word.
      starts: int64[texts + 1], where each text's words start, and where the last one's end.
    """

    hashes: Hashes
    starts: _Places

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.starts) - 1

    @property
    def counts(self) -> _Places:
        """int64[texts], how many words each text has."""
        return np.diff(self.starts)

    def between(self, begin: int, end: int) -> Words:
        """Return the words of the texts from number `begin` to before `end`, without a copy of the hashes."""
        starts = self.starts[begin : end + 1]
        return Words(self.hashes[starts[0] : starts[-1]], starts - starts[0])


def words_of(texts: pa.StringArray | pa.ChunkedArray) -> Words:
    """Return the hashed words of each text.

    Args:
      texts: strings of valid UTF-8, none null. A text of any length takes linear time, and so does a word.
    """
    hashes, counts = [np.empty(0, np.uint64)], [np.zeros(1, np.int64)]
    for array in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for chunk in _chunks(array):
            words = _words(chunk)
            hashes.append(words.hashes)
            counts.append(words.counts)
    return Words(np.concatenate(hashes), np.cumsum(np.concatenate(counts)))


def _chunks(texts: pa.StringArray) -> Iterator[pa.StringArray]:
    """Yield the texts in runs of about `_CHUNK_BYTES`, a longer text by itself."""
    offsets, begin = _offsets(texts), 0
    while begin < len(texts):
        end = max(begin + 1, int(np.searchsorted(offsets, offsets[begin] + _CHUNK_BYTES, side="right")) - 1)
        yield texts[begin:end]
        begin = end


def _offsets(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return int32[texts + 1], where each text starts in the array's bytes."""
    if not len(texts):
        return np.zeros(1, np.int32)
    return np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)


def _words(texts: pa.StringArray) -> Words:
    letters, offsets = _letters(texts)
    inside = np.zeros(len(letters) + 1, bool)
    np.not_equal(letters, _SPACE, out=inside[1:])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts = edges[::2]
    hashes = _hashes(letters, starts, edges[1::2] - starts)
    return Words(hashes, np.searchsorted(starts, offsets))


def _letters(texts: pa.StringArray) -> tuple[_Bytes, npt.NDArray[np.int32]]:
    """Return the lower case of the texts in UTF-8 with spaces for all that is no part of a word, and where each starts.

    A space or more ends each text, and a block of them all.
    """
    joined = pc.binary_join_element_wise(texts, "", " ")
    offsets = _offsets(joined)
    data = bytearray(joined.buffers()[2])[: offsets[-1]] + bytes(_BLOCK)
    letters = np.frombuffer(data.translate(_ASCII), np.uint8)
    places = np.flatnonzero(letters > 127)
    if len(places):
        folded = _beyond_ascii(letters[places])
        if folded is None:  # few texts, but Greek and Turkish ones
            return _letters(pa.array([text.lower() for text in texts.to_pylist()], pa.string()))
        letters[places] = folded
    return letters, offsets


def _beyond_ascii(data: _Bytes) -> _Bytes | None:
    """Return the lower case of characters beyond ASCII, with spaces for those that are no part of a word.

    It is null where a lower case has not as many bytes, or depends on what is around; never for what is lower case.
    """
    codes = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), "<u4")
    folded = _FOLDED[codes]
    unknown = folded == _UNKNOWN
    if unknown.any():
        for code in np.unique(codes[unknown]).tolist():
            _FOLDED[code] = _folded(chr(code))
        folded = _FOLDED[codes]
    if folded.max() == _NOT_IN_PLACE:
        return None
    separators = folded == _SPACE
    sizes = np.add(codes > 0x7FF, codes > 0xFFFF, dtype=np.uint8)
    lower = np.where(separators, codes, folded).astype("<u4").tobytes().decode("utf-32-le").encode()
    return np.where(np.repeat(separators, sizes + 2), np.uint8(_SPACE), np.frombuffer(lower, np.uint8))


def _folded(character: str) -> int:
    """Return the code point of a character's lower case, that of a space if it separates words, or `_NOT_IN_PLACE`."""
    lower = character.lower()
    if not any(map(_WORD.match, lower)):
        return _SPACE
    # The lower case of a capital sigma depends on whether it ends a word.
    if character == "\u03a3" or len(lower) > 1 or len(lower.encode()) != len(character.encode()):
        return _NOT_IN_PLACE
    return ord(lower)


def _hashes(letters: _Bytes, starts: _Places, lengths: _Places) -> Hashes:
    """Return the hash of each word, of as many bytes as `lengths` says; more than a block of bytes follows the last."""
    # A block begins at every byte: eight times as many as there are bytes, but seen where they lie.
    blocks = np.ndarray(len(letters) - _BLOCK + 1, "<u8", letters, strides=(1,))
    hashes = mixed(blocks[starts] & _MASKS.take(lengths, mode="clip"))
    longer = np.flatnonzero(lengths > _BLOCK)
    if len(longer):
        counts = (lengths[longer] - 1) // _BLOCK
        first = np.cumsum(counts) - counts
        position = np.arange(1, counts.sum() + 1) - np.repeat(first, counts)
        place = np.repeat(starts[longer], counts) + _BLOCK * position
        left = np.repeat(lengths[longer], counts) - _BLOCK * position
        more = (blocks[place] & _MASKS.take(left, mode="clip")) + position.astype(np.uint64) * _GOLDEN
        hashes[longer] += np.add.reduceat(mixed(more), first)
    return hashes
